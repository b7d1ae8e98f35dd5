import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express, { type Express } from "express";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { routed } from "../../lib/adapters/routed/index.ts";
import { sqliteStore } from "../../lib/adapters/sqlite/index.ts";
import { createAuth } from "../../lib/auth.ts";
import type { AuthOptions } from "../../lib/options.ts";
import { userCollection } from "../../lib/core/user-directory.ts";
import { directoryKey, partitionedCollection } from "../../lib/storage/collection.ts";
import { NOT_DURABLE, type Finding } from "../../lib/storage/finding.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { StorageError } from "../../lib/errors.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { github } from "../../strategies/github.ts";
import { runLatchkey, type CliRunOptions } from "./cli-run.ts";

const dir = mkdtempSync(join(tmpdir(), "latchkey-cli-"));
let files = 0;
const SECRET = "k0Xb1rVd8Wq2Zs6Tn4Yp7Lm3Jh5Gf9Dc_Ea-UiOvBx";
const OTHER = "Zq7Tn1Yp4Lm8Jh2Gf6Dc9Ea3-Ui_OvBxk0Xb5rVd8Ws";
const baseUrl = "https://app.example.com";
const lasting = (found: readonly Finding[] = [], store = memoryStore()): RecordStore => ({
  ...store,
  persistent: true,
  inspect: async () => found,
});
const make = (options: AuthOptions = {}) => createAuth({ secret: SECRET, baseUrl, store: lasting(), ...options });
const doctor = (config: Record<string, unknown>, args: readonly string[] = [], options: CliRunOptions = {}) =>
  runLatchkey(["doctor", ...args], { ...options, config });
const findingsOf = (out: string) => [...out.matchAll(/^(\w+): .* \[(\w+)\]$/gm)].map(([, level, code]) => `${level} ${code}`);

afterAll(() => rmSync(dir, { recursive: true }));

describe("latchkey doctor", () => {
  it("ends with 0 when there are only notes: what to register at each provider", async () => {
    const auth = make({ strategies: [github({ clientId: "c", clientSecret: "s" })] });
    expect(await doctor({ auth })).toEqual({
      code: 0,
      out: `note: github sends people back to ${baseUrl}/auth/callback/github; register it there, letter by letter [callback_url]\n0 problems, 0 warnings, 1 note`,
      err: "",
    });
  });

  it.each([
    ["x".repeat(40), "problem secret_weak"],
    ["please-change-me-please-0x8fj3kd93kfo", "problem secret_weak"],
    ["ababababababababababababababababababab", "problem secret_weak"],
    [[SECRET, OTHER, SECRET], "warning secret_duplicate"],
    [undefined, "problem secret_missing"],
  ])("rule 42: finds fault with %j as secret, and does not print it", async (secret, expected) => {
    const { code, out, err } = await doctor({ auth: make({ secret }) });
    expect([code, findingsOf(out)]).toEqual([expected.startsWith("problem") ? 1 : 0, [expected]]);
    for (const one of [secret].flat()) if (one) expect(out + err).not.toContain(one);
  });

  it("finds no fault with secrets made at random, whichever way they are written", async () => {
    const { randomBytes } = await import("node:crypto");
    for (let round = 0; round < 50; round += 1) {
      const secret = [randomBytes(48).toString("base64url"), randomBytes(32).toString("hex"), randomBytes(24).toString("base64")];
      expect(findingsOf((await doctor({ auth: make({ secret }) })).out)).toEqual([]);
    }
  });

  it("ends with the refusal of createAuth when the configuration is refused: a secret that is too short", async () => {
    const load = async () => ({ auth: make({ secret: "short" }) });
    expect(await runLatchkey(["doctor", "--config", import.meta.filename], { load })).toMatchObject({
      code: 1,
      err: expect.stringContaining("secret: each secret needs at least 32 bytes"),
    });
  });

  it("finds cookies over plain http, and a baseUrl that is missing", async () => {
    const insecure = make({ baseUrl: "http://app.example.com", allowInsecureCookies: true });
    expect(findingsOf((await doctor({ auth: insecure })).out)).toEqual(["problem insecure_cookies"]);
    expect(findingsOf((await doctor({ auth: make({ baseUrl: "http://localhost:3000" }) })).out)).toEqual([]);
    expect(findingsOf((await doctor({ auth: make({ baseUrl: undefined }) })).out)).toEqual(["warning base_url_missing"]);
  });

  it("finds migrations that are due, a store that forgets and one that is away", async () => {
    const path = join(dir, `${(files += 1)}.db`);
    const due = await doctor({ store: sqliteStore({ path }) });
    expect([due.code, due.out]).toEqual([1, expect.stringContaining("problem: version 1 of the tables: ")]);
    expect(due.out).toContain("run latchkey migrate [migration_pending]");
    expect(findingsOf((await doctor({ store: memoryStore() })).out)).toEqual([`problem ${NOT_DURABLE}`]);

    const away = {
      ...lasting(),
      inspect: () => Promise.reject(new StorageError("Redis is not connected", { cause: new Error("ECONNREFUSED") })),
    };
    const { code, out } = await doctor({ auth: make({ store: away }) });
    expect([code, out]).toEqual([1, expect.stringContaining("memory could not be asked: Redis is not connected: ECONNREFUSED")]);
  });

  it("finds rows that nobody sweeps", async () => {
    const clock = createTestClock();
    const open = () => sqliteStore({ path: join(dir, "unswept.db"), clock });
    const store = open();
    await store.migrate();
    const expiresAt = clock.now() + 1000;
    const codes = partitionedCollection("codes");
    await store.commit([{ op: "insert", in: codes, record: { partition: "p", id: "c", value: Buffer.from("{}"), expiresAt } }]);
    clock.advance(3600);
    expect(findingsOf((await doctor({ store })).out)).toEqual([]);
    clock.advance(24 * 3600);
    expect((await doctor({ store: open() })).out).toContain(
      "still in latchkey_codes; leave createAuth's `sweepEvery` on, or call auth.sweep()",
    );
  });

  it("says what a store's keys are needed for", async () => {
    const inner = { ...memoryStore(), persistent: true, close: async () => {} };
    const [old, next, index] = [SECRET, OTHER, "i".repeat(40)];
    const record = { partition: "p", id: "1", value: Buffer.from("x"), expiresAt: null };
    await encrypted(inner, { keys: old, indexKey: index }).commit([{ op: "insert", in: partitionedCollection("codes"), record }]);
    const found = async (keys: string[]) => findingsOf((await doctor({ store: encrypted(inner, { keys, indexKey: index }) })).out);

    expect(await found([next, old])).toEqual(["warning old_key_needed"]);
    expect(await found([old, next])).toEqual(["note old_key_unused"]);
    expect(await found([old, old])).toEqual(["warning encryption_key_duplicate"]);
    expect(await found([next])).toEqual(["problem encryption_key_missing"]);
    const user = { ...directoryKey("u"), value: Buffer.from("{}"), expiresAt: null, lookups: { email: "a@example.com" } };
    await encrypted(inner, { keys: old, indexKey: index }).commit([{ op: "insert", in: userCollection, record: user }]);
    expect(await found([old])).toEqual([]);
    const changed = await doctor({ store: encrypted(inner, { keys: old, indexKey: "j".repeat(40) }) });
    expect([findingsOf(changed.out), changed.out]).toEqual([
      ["problem index_key_mismatch"],
      expect.stringContaining('"users" were hashed under another key'),
    ]);
    await inner.commit([{ op: "insert", in: partitionedCollection("codes"), record: { ...record, id: "2" } }]);
    expect(await found([old])).toEqual(["problem plaintext_records"]);
  });

  it("takes a restart that forgets sessions alone less seriously", async () => {
    const forgetful: Finding = { code: NOT_DURABLE, level: "problem", message: "m", fix: null };
    const apart = routed({ directory: lasting(), ephemeral: lasting([forgetful]) });
    const together = routed({ directory: lasting([forgetful]), ephemeral: lasting() });
    expect((await doctor({ store: apart })).code).toBe(0);
    expect((await doctor({ store: together })).code).toBe(1);
  });
});

describe("latchkey doctor, of two stores", () => {
  it("tells of one though the other is away", async () => {
    const found: Finding = { code: "redis_no_replica", level: "warning", message: "m", fix: null };
    const away = { ...lasting(), inspect: () => Promise.reject(new StorageError("PostgreSQL failed")) };
    const { out } = await doctor({ store: routed({ directory: away, ephemeral: lasting([found]) }) });
    expect(findingsOf(out)).toEqual(["problem store_unavailable", "warning redis_no_replica"]);
  });
});

describe("latchkey doctor --url", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections();
  });

  /** The application at `seenAs`, and a doctor with a configuration like it. */
  async function ask({
    before,
    options = {},
    config = {},
    seenAs = baseUrl,
    change,
  }: {
    before?: (app: Express) => void;
    options?: AuthOptions;
    config?: AuthOptions;
    seenAs?: string;
    change?: (answer: Response) => Response;
  } = {}) {
    const shared = lasting();
    const running = make({ store: shared, ...options });
    const app = express();
    before?.(app);
    app.use((req, _res, next) => {
      req.headers.host = new URL(seenAs).host; // fetch sends its own
      next();
    });
    app.use(running);
    const server = createServer(app).listen(0, "127.0.0.1");
    servers.push(server);
    await new Promise((resolve) => server.once("listening", resolve));
    const local = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const send: NonNullable<CliRunOptions["fetch"]> = async (url, init) => {
      const answer = await fetch(url.replace(seenAs, local), init);
      return change ? change(answer) : answer;
    };
    const auth = make({ store: shared, ...options, ...config });
    const listed = { ...shared };
    const result = await doctor({ auth }, ["--url", `${seenAs}/some/page`], { fetch: send });
    const left = (await listed.scan(partitionedCollection("s"))).records.length;
    return { ...result, found: findingsOf(result.out), left };
  }

  it("finds nothing wrong where nothing is, and leaves no session behind", async () => {
    expect(
      await ask({ before: (app) => app.set("trust proxy", 0), seenAs: "http://127.0.0.1:9", options: { baseUrl: "http://127.0.0.1:9" } }),
    ).toMatchObject({
      code: 0,
      found: [],
      left: 0,
    });
  });

  it("finds an application that believes whoever writes X-Forwarded-For", async () => {
    const { code, found, left } = await ask({ before: (app) => app.set("trust proxy", true) });
    expect([code, found, left]).toEqual([1, ["problem trust_proxy_open"], 0]);
    const around = await ask({ before: (app) => app.set("trust proxy", 1), seenAs: "https://inside.example.com" });
    expect(around.found).toEqual(["warning trust_proxy_open", "note other_origin"]);
  });

  it("finds an application that takes its proxy for every client", async () => {
    expect((await ask()).found).toEqual(["problem trust_proxy_missing"]);
  });

  it("finds sessions over plain http", async () => {
    const { found } = await ask({ before: (app) => app.set("trust proxy", "loopback"), seenAs: "http://app.example.com" });
    expect(found).toContain("problem cookie_over_http");
  });

  it("finds a mount that is not where basePath says, and a missing baseUrl", async () => {
    expect((await ask({ config: { basePath: "/api/auth" } })).found).toEqual(["problem not_mounted"]);
    expect((await ask({ options: { baseUrl: undefined }, config: { baseUrl } })).found).toEqual(["problem base_url_missing"]);
  });

  it("finds an application with another configuration or another store than this one", async () => {
    const seenAs = "http://127.0.0.1:9";
    expect((await ask({ options: { baseUrl: seenAs }, config: { store: lasting() }, seenAs })).found).toEqual(["problem other_store"]);
    expect((await ask({ options: { baseUrl: seenAs }, config: { baseUrl: "https://127.0.0.1:9" }, seenAs })).found).toContain(
      "problem other_configuration",
    );
  });

  it("finds cookies that are taken off on the way, and nobody at home", async () => {
    const change = (answer: Response) => new Response(answer.body, { status: answer.status });
    expect((await ask({ change, before: (app) => app.set("trust proxy", 0) })).found).toContain("problem cookie_missing");
    const fetch = () => Promise.reject(new Error("connect ECONNREFUSED"));
    expect((await doctor({ auth: make() }, ["--url", baseUrl], { fetch })).out).toContain("does not answer: connect ECONNREFUSED");
  });

  it("ends nobody's session but the guest's, whomever an answer names", async () => {
    const store = lasting();
    const auth = make({ store });
    const { session } = await auth.sessions.create({ userId: "alice" });
    const fetch = async () => Response.json({ guest: true, user_id: "alice" });
    expect(findingsOf((await doctor({ auth }, ["--url", baseUrl], { fetch })).out)).toContain("problem other_store");
    expect(await make({ store }).sessions.get(session.id)).not.toBeNull();
  });

  it("prints nothing of an answer that commands the terminal, or is no code of ours", async () => {
    for (const code of ["\u001b]0;owned\u0007", "x\n0 problems", "a".repeat(100_000)]) {
      const fetch = async () => Response.json({ code }, { status: 400 });
      const { out } = await doctor({ auth: make() }, ["--url", baseUrl], { fetch });
      expect(out).toContain(`POST ${baseUrl}/auth/guest answers 400: our routes are not there`);
    }
  });

  it("reads no more of an answer than ours ever is", async () => {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(stream) {
        sent += 65_536;
        stream.enqueue(new Uint8Array(65_536).fill(32));
      },
    });
    const fetch = async () => new Response(body);
    expect(findingsOf((await doctor({ auth: make() }, ["--url", baseUrl], { fetch })).out)).toEqual(["problem not_mounted"]);
    expect(sent).toBeLessThan(1_000_000);
  });

  it("is refused for what is no URL, or without an auth", async () => {
    expect((await doctor({ auth: make() }, ["--url", "app"])).code).toBe(2);
    expect((await doctor({ store: lasting() }, ["--url", baseUrl])).code).toBe(2);
  });
});
