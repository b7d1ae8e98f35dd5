import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { oidc } from "../../strategies/oidc.ts";
import { loginAt, type OidcProvider } from "../support/oidc-provider.ts";
import {
  CLIENT,
  locationOf,
  signInAt,
  startKnownProvider,
  startProviderApp,
  type Person,
  type ProviderApp,
} from "../support/provider-app.ts";
import { startRacers, type Racers } from "../support/race.ts";
import { openShared } from "../support/stores/shared.ts";
import { raceBackends, RACE_TIMEOUT, repeat, ROUNDS, startGround } from "./arena.ts";
import type { Answer, Deliveries, Delivery } from "./oauth.racers.ts";

/** Each walks through a provider's pages, and one address may begin 300 sign-ins an hour. */
const rounds = Math.min(ROUNDS, 100);
const few = Math.min(Math.ceil(ROUNDS / 4), 20);

describe.each(raceBackends())("callbacks of a provider, raced over two applications on one %s", { timeout: RACE_TIMEOUT }, (backend) => {
  let ground: Awaited<ReturnType<typeof startGround>>;
  let closeStore: () => Promise<void>;
  let provider: OidcProvider;
  let app: ProviderApp;
  let racers: Racers<Deliveries, Answer[]>;
  let logins = 0;

  beforeAll(async () => {
    ground = await startGround(backend);
    provider = await startKnownProvider();
    app = await startProviderApp({
      async makeStore(clock) {
        const { store, close } = await openShared(ground.shared, clock);
        closeStore = close;
        return store;
      },
      strategies: [oidc({ issuer: provider.issuer, ...CLIENT })],
    });
    racers = await startRacers({
      worker: new URL("./oauth.racers.ts", import.meta.url),
      input: { ...ground.shared, issuer: provider.issuer },
    });
  });
  afterAll(async () => {
    await racers.stop();
    await app.close();
    await closeStore();
    await provider.close();
    await ground.stop();
  });

  const deliver = async (...each: Delivery[][]) => (await racers.race({ each, at: app.clock.now() })).flat();
  const tokenRequests = () => provider.requests.filter((request) => request === "POST /token").length;

  /** Where the provider sends a person back to, with the cookies they have. */
  function delivery(person: Person, callback: string): Delivery {
    const { pathname, search } = new URL(callback);
    const cookies = ["__Host-sid", "__Host-sid-oauth"].flatMap((name) => (person.cookie(name) ? [`${name}=${person.cookie(name)}`] : []));
    return { path: `${pathname}${search}`, cookie: cookies.join("; ") };
  }

  async function walk(login: string): Promise<Delivery> {
    const person = app.person();
    return delivery(person, await loginAt(provider, locationOf(await person.go("/auth/login/oidc")), login));
  }

  const userBy = async (login: string) => (await app.auth.users.findByEmail(`${login}@example.com`))?.id ?? "";

  it("rule 1: of 20 deliveries of one callback one asks for tokens and makes a session", () =>
    repeat(rounds, async () => {
      const login = `ada${(logins += 1)}`;
      const callback = await walk(login);
      const before = tokenRequests();

      const answers = await deliver(Array(10).fill(callback), Array(10).fill(callback));

      expect(answers.filter(({ signedIn }) => signedIn)).toMatchObject([{ status: 303, location: "/" }]);
      expect(answers.filter(({ signedIn }) => !signedIn)).toEqual(Array(19).fill({ status: 401, location: "", signedIn: false }));
      expect(tokenRequests() - before).toBe(1);
      const userId = await userBy(login);
      expect(await app.auth.sessions.list(userId)).toHaveLength(1);
      expect(await app.auth.accounts.listForUser(userId)).toHaveLength(1);
    }));

  it("rule 10: the first sign-ins of one person in four browsers make one user with one account", () =>
    repeat(few, async () => {
      const login = `grace${(logins += 1)}`;
      const walks = [await walk(login), await walk(login), await walk(login), await walk(login)];

      const answers = await deliver(walks.slice(0, 2), walks.slice(2));

      expect(answers).toEqual(Array(4).fill({ status: 303, location: "/", signedIn: true }));
      const userId = await userBy(login);
      expect(await app.auth.sessions.list(userId)).toHaveLength(4);
      expect(await app.auth.accounts.listForUser(userId)).toMatchObject([{ accountId: login }]);
    }));

  it("rule 25: one identity that two users link at once becomes one's", () =>
    repeat(few, async () => {
      const wanted = `wanted${(logins += 1)}+unverified`;
      const people = [app.person(), app.person()] as const;
      const names = [`mary${(logins += 1)}`, `hedy${(logins += 1)}`] as const;
      const begin = async (person: Person, name: string) => {
        await signInAt(provider, person, name);
        const { url } = (await (await person.send("POST", "/auth/accounts/oidc/link", {})).json()) as { url: string };
        return delivery(person, await loginAt(provider, url, wanted));
      };
      const links = [await begin(people[0], names[0]), await begin(people[1], names[1])] as const;

      const answers = await deliver([links[0]], [links[1]]);

      expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([303, 409]);
      const accounts = await Promise.all(names.map(async (name) => (await app.auth.accounts.listForUser(await userBy(name))).length));
      expect(accounts).toEqual(answers.map(({ status }) => (status === 303 ? 2 : 1)));
    }));
});
