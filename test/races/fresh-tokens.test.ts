import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Accounts } from "../../lib/core/accounts.ts";
import { openPostgres, type PostgresServer } from "../support/postgres.ts";
import { startRacers, type Racers } from "../support/race.ts";
import { redisUrl } from "../support/services.ts";
import { accountsOver, openDatabase, type FreshTokenRacer, type FreshTokenRound, type SharedDatabase } from "./fresh-tokens.racers.ts";
import { repeat, ROUNDS, valuesOf } from "./arena.ts";
import type { Outcome } from "./kit.ts";

/** Seconds; short, as some tests wait for its end. */
const CLAIM_TTL = 2;
/** ms that a busy machine may take over what takes next to nothing. */
const MARGIN = 3_000;
const rounds = Math.min(ROUNDS, 100);
/** Each kills a process and starts another. */
const few = Math.min(Math.ceil(ROUNDS / 20), 10);

/** A provider's token endpoint: every refresh token works once, or, if it starts with `keep`, always. */
async function startTokenEndpoint() {
  const requests: string[] = [];
  const spent = new Set<string>();
  let answered = 0;
  const server: Server = createServer(async (req, res) => {
    let body = "";
    for await (const chunk of req) body += String(chunk);
    const token = new URLSearchParams(body).get("refresh_token") ?? "";
    requests.push(token);
    // Long enough for all others to come to the record meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 40));
    const refused = spent.has(token);
    const keeps = token.startsWith("keep");
    if (!keeps) spent.add(token);
    answered += 1;
    const tokens = {
      ...{ access_token: `${token}-access-${answered}`, token_type: "bearer", expires_in: 3600 },
      ...(keeps ? {} : { refresh_token: `${token}-next` }),
    };
    res.writeHead(refused ? 400 : 200, { "content-type": "application/json" });
    res.end(JSON.stringify(refused ? { error: "invalid_grant" } : tokens));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () => new Promise<void>((resolve) => (server.close(() => resolve()), server.closeAllConnections())),
  };
}

type Asking = Racers<FreshTokenRound, Outcome<string>[]>;

describe.each(["redis", "postgres"] as const)("a provider's tokens, asked for by two processes on one %s", { timeout: 120_000 }, (kind) => {
  const worker = new URL("./fresh-tokens.racers.ts", import.meta.url);
  let postgres: Pick<PostgresServer, "url" | "stop"> | null = null;
  let provider: Awaited<ReturnType<typeof startTokenEndpoint>>;
  let input: FreshTokenRacer;
  let accounts: Accounts;
  let close: () => Promise<void>;
  let racers: Asking;
  let users = 0;

  beforeAll(async () => {
    postgres = kind === "postgres" ? await openPostgres() : null;
    const database: SharedDatabase = { kind, url: postgres?.url ?? (await redisUrl()), prefix: `race_fresh_${process.pid}` };
    provider = await startTokenEndpoint();
    input = { database, provider: provider.url, claimTtl: CLAIM_TTL };
    const opened = await openDatabase(database);
    close = opened.close;
    accounts = accountsOver(opened.store, input);
    racers = await startRacers({ worker, input });
  });
  afterAll(async () => {
    await racers.stop();
    await close();
    await provider.close();
    await postgres?.stop();
  });

  const only = (): Promise<Asking> => startRacers({ worker, input, processes: 1 });

  /** Somebody whose access token has expired. */
  async function withExpired(refreshToken: string) {
    const userId = `user-${(users += 1)}`;
    const blank = { email: null, emailVerified: false, name: null, image: null, providerSessionId: null, authenticatedAt: null };
    const times = { accessTokenExpiresAt: Date.now() - 1000, refreshTokenExpiresAt: null };
    const tokens = { accessToken: "expired", refreshToken: `${refreshToken}-${userId}`, idToken: null, scope: null, ...times };
    const issuer = new URL(provider.url).origin;
    const account = await accounts.link({ userId, identity: { ...blank, provider: "company", issuer, subject: userId, tokens } });
    const requests = () => provider.requests.filter((token) => token.startsWith(tokens.refreshToken)).length;
    return { userId, requests, stored: () => accounts.getTokens(account.id), first: tokens.refreshToken };
  }

  it("rule 27: of 50 calls with an expired token one asks the provider, and all get what it got", () =>
    repeat(rounds, async () => {
      const { userId, requests, stored, first } = await withExpired("once");

      const given = valuesOf((await racers.race({ userId, calls: 25 })).flat());

      expect(given).toHaveLength(50);
      const tokens = await stored();
      expect(new Set(given)).toEqual(new Set([tokens?.accessToken]));
      expect([requests(), tokens?.refreshToken]).toEqual([1, `${first}-next`]);
    }));

  it("rule 45: a process killed before its request left is taken over from when its claim ends", () =>
    repeat(few, async () => {
      const { userId, requests, stored, first } = await withExpired("once");
      const [doomed, other] = [await only(), await only()];

      const killed = doomed.race({ userId, calls: 5, killed: "before" }).catch((error: Error) => error.message);
      expect(await killed).toMatch("ended during");
      const start = performance.now();
      const given = valuesOf((await other.race({ userId, calls: 25 })).flat());
      const elapsed = performance.now() - start;
      await Promise.all([doomed.stop(), other.stop()]);

      expect(given).toHaveLength(25);
      // Of what is left of the claim, a look and the request; not of somebody's longer patience.
      expect(elapsed).toBeLessThan(CLAIM_TTL * 1000 + MARGIN);
      expect([requests(), (await stored())?.refreshToken]).toEqual([1, `${first}-next`]);
    }));

  it("rule 45: a process killed after a rotating provider answered leaves a connection to be made anew, which nobody asks for again", () =>
    repeat(few, async () => {
      const { userId, requests } = await withExpired("once");
      const [doomed, other] = [await only(), await only()];

      await doomed.race({ userId, calls: 5, killed: "after" }).catch(() => {});
      const codes = (await other.race({ userId, calls: 25 })).flat().map(({ code }) => code);
      const again = (await other.race({ userId, calls: 25 })).flat().map(({ code }) => code);
      await Promise.all([doomed.stop(), other.stop()]);

      expect(new Set([...codes, ...again])).toEqual(new Set(["reconnect_needed"]));
      expect(requests()).toBe(2);
      expect(await accounts.listForUser(userId)).toMatchObject([{ reconnectNeeded: true }]);
    }));

  it("rule 27: a holder whose claim ended does not overwrite the newer tokens", async () => {
    const { userId, requests, stored } = await withExpired("keep");
    let answer = () => {};
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const opened = await openDatabase(input.database);
    const late = accountsOver(opened.store, input, async (url, init) => {
      const response = await fetch(url, init);
      await answered;
      return response;
    }).freshToken(userId, "company");
    await expect.poll(requests).toBe(1); // it holds the claim

    const [newer] = valuesOf((await racers.race({ userId, calls: 1 })).flat());
    answer();

    expect((await late).accessToken).toBe(newer);
    expect((await stored())?.accessToken).toBe(newer);
    expect(requests()).toBe(2);
    await opened.close();
  });
});
