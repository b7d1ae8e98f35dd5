import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createAccounts } from "../../lib/core/accounts.ts";
import { createProviderLogout } from "../../lib/core/provider-logout.ts";
import { createProviderSessions, providerSessionCollection } from "../../lib/core/provider-sessions.ts";
import { createSessions } from "../../lib/core/sessions.ts";
import { resolveSessionLife } from "../../lib/core/session-life.ts";
import type { LogoutToken } from "../../lib/core/strategy.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { createTestKit } from "../support/kit.ts";

const ISSUER = "https://login.example.com";
const FROM = { provider: "company", issuer: ISSUER };

/** Two processes over one store. */
function createLogouts() {
  const clock = createTestClock();
  const store = memoryStore({ clock });
  const processes = [0, 1].map(() => {
    const kit = createTestKit({ store, clock });
    const { keys, events, principals, tokens, background } = kit;
    const providerSessions = createProviderSessions({ store });
    const config = { life: resolveSessionLife(undefined, {}), policy: "multi" as const, max: 100, membership: null, onGuestMerge: null };
    const sessions = createSessions({ store, tokens, principals, clock, events, background, providerSessions, config });
    const accounts = createAccounts({ store, keys, clock, events });
    const strategies = new Map<string, object>();
    const logout = createProviderLogout({ store, accounts, sessions, providerSessions, strategies });
    return { sessions, logout, providerSessions };
  });
  const token = (changes: Partial<LogoutToken> = {}): LogoutToken => {
    return { subject: null, sessionId: "there", tokenId: "1", usableUntil: clock.now() + 300_000, ...changes };
  };
  const [one, other] = processes as [(typeof processes)[0], (typeof processes)[0]];
  const signIn = (sid = "there", issuer = ISSUER) =>
    one.sessions.create({ userId: "user-1", methods: ["company"], idp: { provider: "company", issuer, sid } });
  return { clock, store, one, other, token, signIn };
}

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
    expect(await other.logout.withToken(token(), { ...FROM, issuer: `${ISSUER}/other` })).toEqual({ ended: 0 });
    expect(await one.sessions.list("user-1")).toHaveLength(1);
    expect(await other.logout.withToken(token({ tokenId: "2" }), FROM)).toEqual({ ended: 1 });
  });

  it("rule 7: is kept no longer than the session it is about, nor than the token holds", async () => {
    const { clock, store, token, one, signIn } = createLogouts();
    const { session } = await signIn();
    const records = async () => (await store.scan(providerSessionCollection)).records.map(({ expiresAt }) => expiresAt);
    expect(await records()).toEqual([session.expiresAt]);

    await one.logout.withToken(token(), FROM);
    expect(await records()).toEqual([]);
    clock.advance(300);
    expect(await store.sweep()).toMatchObject({ logout_tokens: 1 });
  });

  it("rule 9: refuses a session whose record was gone or marked before it was there", async () => {
    const { one, signIn, store } = createLogouts();
    const end = one.providerSessions.end;
    const commit = store.commit;
    store.commit = async (writes) => {
      if (writes.some(({ op, in: { name } }) => op === "insert" && name === "s")) await end({ issuer: ISSUER, sid: "there" });
      return commit(writes);
    };
    await expect(signIn()).rejects.toMatchObject({ code: "session_revoked", status: 401 });
    store.commit = commit;
    expect(await one.sessions.list("user-1")).toEqual([]);
    expect((await signIn("another")).session.idp?.sid).toBe("another");
  });
});
