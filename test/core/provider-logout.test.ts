import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createAccounts } from "../../lib/core/accounts.ts";
import { createProviderLogout } from "../../lib/core/provider-logout.ts";
import { createProviderSessions, providerSessionCollection, type ProviderAssertion } from "../../lib/core/provider-sessions.ts";
import { createSessions, type Session } from "../../lib/core/sessions.ts";
import { resolveSessionLife } from "../../lib/core/session-life.ts";
import type { LogoutToken } from "../../lib/core/strategy.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { createTestKit } from "../support/kit.ts";

const ISSUER = "https://login.example.com";
const FROM = { provider: "company" };

/** Two processes over one store; the first through `wrap`. */
function createLogouts({ wrap = (store: RecordStore) => store } = {}) {
  const clock = createTestClock();
  const shared = memoryStore({ clock });
  const processes = [0, 1].map((index) => {
    const store = index === 0 ? wrap(shared) : shared;
    const kit = createTestKit({ store, clock });
    const { keys, events, principals, tokens, background } = kit;
    const providerSessions = createProviderSessions({ store, clock });
    const config = { life: resolveSessionLife(undefined, {}), policy: "multi" as const, max: 100, membership: null, onGuestMerge: null };
    const sessions = createSessions({ store, tokens, principals, clock, events, background, providerSessions, config });
    const accounts = createAccounts({ store, keys, clock, events });
    const strategies = new Map<string, object>();
    const logout = createProviderLogout({ store, accounts, sessions, providerSessions, strategies });
    return { sessions, logout, providerSessions, accounts };
  });
  const token = (changes: Partial<LogoutToken> = {}): LogoutToken => {
    return {
      issuer: ISSUER,
      subject: null,
      sessionId: "there",
      tokenId: "1",
      issuedAt: clock.now(),
      usableUntil: clock.now() + 300_000,
      ...changes,
    };
  };
  const [one, other] = processes as [(typeof processes)[0], (typeof processes)[0]];
  const signIn = (sid = "there", issuer = ISSUER, assertion: ProviderAssertion | null = null) =>
    one.sessions.create({ userId: "user-1", methods: ["company"], idp: { provider: "company", issuer, sid }, assertion });
  /** What the provider vouches for just now. */
  const assertion = (changes: Partial<ProviderAssertion> = {}): ProviderAssertion => {
    return { issuer: ISSUER, subject: "ada", issuedAt: clock.now(), askedAt: clock.now(), ...changes };
  };
  return { clock, store: shared, one, other, token, signIn, assertion };
}

/** A store that does something else before its operation number `step`, and no two at a time. */
function interrupted(store: RecordStore, step: number, work: () => Promise<unknown>) {
  let operations = 0;
  const wrapped = new Proxy(store, {
    get(target, name: keyof RecordStore) {
      if (name === "ordered") return false;
      const value = target[name];
      if (typeof value !== "function") return value;
      return async (...args: never[]) => {
        operations += 1;
        if (operations === step) await work();
        return (value as (...args: never[]) => unknown).apply(target, args);
      };
    },
  });
  return { store: wrapped, operations: () => operations };
}

const IDENTITY = {
  ...{ provider: "company", issuer: ISSUER, subject: "ada", email: null, emailVerified: false, name: null, image: null },
  ...{ tokens: null, providerSessionId: null, authenticatedAt: null },
};

describe("a provider's word that a session ended there", () => {
  it("ends what was made from that session, at that issuer, and no more", async () => {
    const { other, token, signIn, one } = createLogouts();
    const [first, second] = [await signIn(), await signIn()];
    const left = [await signIn("another"), await signIn("there", `${ISSUER}/other`), await signIn("here", `${ISSUER}t`)];

    expect(await other.logout.withToken(token(), FROM)).toEqual({ ended: 2 });

    for (const { session } of [first, second]) expect(await one.sessions.get(session.id)).toBeNull();
    for (const { session } of left) expect(await one.sessions.get(session.id)).not.toBeNull();
  });

  it("rule 1: counts once for each token, in all processes, and once for each issuer", async () => {
    const { one, other, token, signIn } = createLogouts();
    await signIn();
    const both = await Promise.all([one.logout.withToken(token(), FROM), other.logout.withToken(token(), FROM)]);
    expect(both.reduce((sum, { ended }) => sum + ended, 0)).toBeGreaterThanOrEqual(1);

    await signIn();
    for (const { logout } of [one, other]) expect(await logout.withToken(token(), FROM)).toEqual({ ended: 0 });
    expect(await other.logout.withToken(token({ issuer: `${ISSUER}/other` }), FROM)).toEqual({ ended: 0 });
    expect(await one.sessions.list("user-1")).toHaveLength(1);
    expect(await other.logout.withToken(token({ tokenId: "2" }), FROM)).toEqual({ ended: 1 });
  });

  it("rule 7: is kept no longer than the session it is about, nor than the token holds", async () => {
    const { clock, store, token, one, signIn } = createLogouts();
    const { session } = await signIn();
    const records = async () => (await store.scan(providerSessionCollection)).records.map(({ expiresAt }) => expiresAt);
    expect(await records()).toEqual([session.expiresAt]);

    await one.logout.withToken(token(), FROM);
    expect(await records()).toEqual([clock.now() + 600_000]);
    clock.advance(300);
    expect(await store.sweep()).toMatchObject({ logout_tokens: 1 });
    clock.advance(300);
    expect(await store.sweep()).toMatchObject({ provider_sessions: 1 });
  });

  it("rule 9: refuses a session whose record was gone or marked before it was there", async () => {
    const { one, signIn, store } = createLogouts();
    const { end } = one.providerSessions;
    const commit = store.commit;
    Object.assign(store, { ordered: false }); // a commit waits for what is done before it
    store.commit = async (writes) => {
      if (writes.some(({ op, in: { name } }) => op === "insert" && name === "s")) await end({ issuer: ISSUER, sid: "there" }, null);
      return commit(writes);
    };
    await expect(signIn()).rejects.toMatchObject({ code: "session_revoked", status: 401 });
    store.commit = commit;
    expect(await one.sessions.list("user-1")).toEqual([]);
    expect((await signIn("another")).session.idp?.sid).toBe("another");
  });

  it.each(["sub", "sid"])("rule 9: ends a sign-in by its %s, before whatever step of it that comes", async (by) => {
    let steps = 0;
    for (let step = 1; ; step += 1) {
      const parts: { work: () => Promise<unknown>; operations: () => number } = { work: async () => {}, operations: () => 0 };
      const { clock, one, other, token, assertion } = createLogouts({
        wrap(store) {
          const { store: wrapped, operations } = interrupted(store, step, () => parts.work());
          parts.operations = operations;
          return wrapped;
        },
      });
      const vouched = assertion();
      parts.work = async () => {
        clock.advance(0.001);
        await other.logout.withToken(by === "sub" ? token({ subject: "ada", sessionId: null }) : token(), FROM);
      };

      const account = await one.accounts.link({ userId: "user-1", identity: IDENTITY });
      const idp = by === "sub" ? null : { provider: "company", issuer: ISSUER, sid: "there" };
      const made = one.sessions.create({ userId: account.userId, methods: ["company"], idp, assertion: vouched });

      await made.then(
        () => {},
        (error: unknown) => expect(error).toMatchObject({ code: "session_revoked", status: 401 }),
      );
      if (parts.operations() < step) break; // it was through
      steps = step;
      expect(await other.sessions.list("user-1"), `before step ${step}`).toEqual([]);
    }
    expect(steps).toBeGreaterThan(6);
  });

  it("is about what the provider vouched for before, by the provider's clock or by ours", async () => {
    const { clock, one, token, assertion } = createLogouts();
    const at = clock.now();
    const create = (vouched: ProviderAssertion) => one.sessions.create({ userId: "user-2", methods: ["company"], assertion: vouched });
    await one.logout.withToken(token({ subject: "ada", sessionId: null, issuedAt: at - 5000 }), FROM);

    const refused = [
      assertion({ issuedAt: at - 6000, askedAt: at + 60_000 }), // our clocks differ by a minute
      assertion({ issuedAt: at + 1000, askedAt: at - 1 }), // the provider's do
    ];
    for (const vouched of refused) await expect(create(vouched)).rejects.toMatchObject({ code: "session_revoked" });
    const taken = [
      assertion({ issuedAt: at - 5000 }), // within the second
      assertion({ issuedAt: at - 6000, askedAt: at - 1, subject: "grace" }),
      assertion({ issuedAt: at - 6000, askedAt: at - 1, issuer: `${ISSUER}/other` }),
    ];
    for (const vouched of taken) expect((await create(vouched)).session.userId).toBe("user-2");
    clock.advance(600);
    expect((await create(assertion({ issuedAt: at - 6000, askedAt: at - 1 }))).session.userId).toBe("user-2");
  });

  it("is about those alone that were asked for before, when it does not say when", async () => {
    const { clock, one, signIn, assertion } = createLogouts();
    const earlier = assertion();
    clock.advance(1);
    await one.logout.withSession({ issuer: ISSUER, sid: "there" }, {});

    await expect(signIn("there", ISSUER, earlier)).rejects.toMatchObject({ code: "session_revoked" });
    expect((await signIn("there", ISSUER, assertion({ issuedAt: 0 }))).session.idp?.sid).toBe("there");
    expect((await signIn("another", ISSUER, earlier)).session.idp?.sid).toBe("another");
  });

  it("costs a sign-in one read, none where no provider tells of sign-outs, and few however often one session there was used", async () => {
    const calls: string[] = [];
    const noted = (store: RecordStore): RecordStore =>
      new Proxy(store, {
        get(target, name: keyof RecordStore) {
          const value = target[name];
          if (typeof value !== "function") return value;
          return (...args: never[]) => {
            calls.push(name);
            return (value as (...args: never[]) => unknown).apply(target, args);
          };
        },
      });
    const { one, assertion } = createLogouts({ wrap: noted });
    const costOf = async (vouched: ProviderAssertion | null, idp: Session["idp"] = null) => {
      calls.length = 0;
      await one.sessions.create({ userId: "user-1", assertion: vouched, idp });
      return [calls.length, calls.includes("list")];
    };

    const [without] = await costOf(null);
    expect(await costOf(assertion())).toEqual([Number(without) + 1, false]);
    const named = { provider: "company", issuer: ISSUER, sid: "there" };
    expect(await costOf(assertion(), named)).toEqual([Number(without) + 4, false]); // its record is written and read, and the ending there
    const { token } = await one.sessions.create({ userId: "user-1", assertion: assertion() });
    calls.length = 0;
    await one.sessions.resolve(token);
    expect(calls).toEqual(["get"]);
  });
});
