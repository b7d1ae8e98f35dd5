import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createLiveSessions } from "../../lib/core/live-sessions.ts";
import { createRefreshTokens, type RefreshTokensParts } from "../../lib/core/refresh-tokens.ts";
import { createRefreshTokenText } from "../../lib/core/refresh-token-text.ts";
import { RateLimitError } from "../../lib/errors.ts";
import { resolveSessionLife } from "../../lib/core/session-life.ts";
import { createSessions } from "../../lib/core/sessions.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { counting, createTestKit, TEST_SECRET } from "../support/kit.ts";

const DAY = 24 * 3600;

function open({
  clock = createTestClock(),
  store = memoryStore({ clock }),
  secrets = [TEST_SECRET],
  ...own
}: Partial<RefreshTokensParts["config"]> & {
  clock?: ReturnType<typeof createTestClock>;
  store?: ReturnType<typeof memoryStore>;
  secrets?: string[];
} = {}) {
  const kit = createTestKit({ clock, store, secrets });
  const live = createLiveSessions(kit);
  const text = createRefreshTokenText(kit.keys);
  const life = { ...resolveSessionLife(undefined, {}), refreshTtl: 14 * DAY };
  const config = {
    life,
    policy: "multi" as const,
    max: 100,
    membership: null,
    onGuestMerge: null,
    grace: 10,
    onReuse: "end" as const,
    ...own,
  };
  const sessions = createSessions({ ...kit, live, refreshText: text, config });
  const refreshTokens = createRefreshTokens({ ...kit, sessions: live, text, config });
  const signIn = async (userId = "user-1") => {
    const { session } = await sessions.create({ userId, transport: "bearer" });
    return { session, first: await refreshTokens.issue(session) };
  };
  const rotate = async (token: string) => (await refreshTokens.rotate(token)).refreshToken;
  return { ...kit, store, sessions, refreshTokens, signIn, rotate };
}

const reused = { code: "refresh_token_reused", status: 401 };
const ended = { code: "session_not_found", status: 401 };

describe("refresh tokens", () => {
  it("are replaced at each refresh, and the session goes on as it was", async () => {
    const { refreshTokens, clock, signIn, sessions } = open();
    const { session, first } = await signIn();
    clock.advance(3600);
    const { session: refreshed, refreshToken: second } = await refreshTokens.rotate(first);
    expect(second).not.toBe(first);
    expect(refreshed).toMatchObject({ id: session.id, userId: "user-1", createdAt: session.createdAt, expiresAt: session.expiresAt });
    expect(refreshed.lastSeenAt).toBe(clock.now());
    expect(await sessions.get(session.id)).toEqual(refreshed);
  });

  it("give the same successor again for ten seconds, as long as it is unused", async () => {
    const { clock, signIn, rotate } = open();
    const { first } = await signIn();
    const second = await rotate(first);
    clock.advance(9.999);
    expect(await Promise.all([rotate(first), rotate(first)])).toEqual([second, second]);
    await expect(rotate(second)).resolves.not.toBe(second);
    await expect(rotate(first)).rejects.toMatchObject(reused);
  });

  it("asked for at once by many give one successor to all", async () => {
    const { signIn, rotate } = open();
    const { first } = await signIn();
    expect(new Set(await Promise.all(Array.from({ length: 20 }, () => rotate(first)))).size).toBe(1);
  });

  it("rule 31: end the session when one that was replaced comes back after the grace, and tell an event", async () => {
    const { clock, signIn, rotate, sessions, heard } = open();
    const { session, first } = await signIn();
    const second = await rotate(first);
    clock.advance(10);
    await expect(rotate(first)).rejects.toMatchObject(reused);
    await expect(rotate(second)).rejects.toMatchObject(ended);
    expect(await sessions.get(session.id)).toBeNull();
    expect(heard.slice(-2)).toMatchObject([
      { type: "session.revoked", userId: "user-1", details: { sessionId: session.id, reason: "refresh_token_reused" } },
      { type: "refresh_token.reused", userId: "user-1", details: { sessionId: session.id, ended: true } },
    ]);
  });

  it("rule 31: with onReuse refuse, only refuse it, and tell the event", async () => {
    const { clock, signIn, rotate, heard } = open({ onReuse: "refuse" });
    const { session, first } = await signIn();
    const second = await rotate(first);
    clock.advance(10);
    await expect(rotate(first)).rejects.toMatchObject(reused);
    expect(heard.at(-1)).toMatchObject({ type: "refresh_token.reused", details: { sessionId: session.id, ended: false } });
    await expect(rotate(second)).resolves.toBeTypeOf("string");
  });

  it("with no grace have one winner among many at once, who goes on", async () => {
    const { signIn, rotate } = open({ grace: 0, onReuse: "refuse" });
    const { first } = await signIn();
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => rotate(first)));
    const won = outcomes.filter((outcome) => outcome.status === "fulfilled");
    expect(won).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => reason.code)).toEqual(
      Array(9).fill(reused.code),
    );
    await expect(rotate(won[0]?.value ?? "")).resolves.toBeTypeOf("string");
  });

  it("that are forged, cut or another session's are unknown, and end nothing", async () => {
    const { refreshTokens, signIn, rotate, heard } = open();
    const { first, session } = await signIn();
    const other = (await signIn()).first;
    const at = heard.length;
    const flipped = `${first.slice(0, -10)}${first.at(-10) === "A" ? "B" : "A"}${first.slice(-9)}`;
    const mixed = first.slice(0, 48) + other.slice(48);
    for (const text of [flipped, mixed, "", "x", `${first}A`, first.slice(1), "!".repeat(112)])
      await expect(rotate(text)).rejects.toMatchObject({ code: "invalid_token" });
    await expect(refreshTokens.rotate(first, { transport: "cookie" })).rejects.toMatchObject(ended);
    expect(heard).toHaveLength(at);
    await expect(refreshTokens.rotate(first)).resolves.toMatchObject({ session: { id: session.id } });
  });

  it("name their session without the store, also when it has ended; what was not made here names none and costs nothing", async () => {
    const { store, calls } = counting(memoryStore());
    const { refreshTokens, signIn, sessions } = open({ store: store as ReturnType<typeof memoryStore> });
    const { first, session } = await signIn();
    await sessions.revoke(session.id);
    const before = { ...calls };
    expect(refreshTokens.sessionOf(first)).toBe(session.id);
    for (const end of [10, 40, 100]) {
      const forged = `${first.slice(0, end)}${first[end] === "A" ? "B" : "A"}${first.slice(end + 1)}`;
      expect(refreshTokens.sessionOf(forged)).toBeNull();
      await expect(refreshTokens.rotate(forged)).rejects.toMatchObject({ code: "invalid_token" });
      await expect(refreshTokens.revoke(forged)).rejects.toMatchObject({ code: "invalid_token" });
    }
    expect(calls).toEqual(before);
  });

  it("are replaced only where they are admitted, and reuse is told where they are not", async () => {
    const { refreshTokens, clock, signIn, rotate, sessions } = open();
    const { first, session } = await signIn();
    const admit = () => Promise.reject(new RateLimitError("Too many", 1));
    await expect(refreshTokens.rotate(first, { admit })).rejects.toMatchObject({ code: "rate_limited" });
    await rotate(first);
    clock.advance(10);
    await expect(refreshTokens.rotate(first, { admit })).rejects.toMatchObject(reused);
    expect(await sessions.get(session.id)).toBeNull();
    await expect(refreshTokens.rotate(first, { admit })).rejects.toMatchObject({ code: "rate_limited" });
  });

  it("rest nowhere: a dump of the store holds none, and makes none without the secret", async () => {
    const { store, clock, signIn } = open();
    const { first } = await signIn();
    const { records } = await store.scan({ name: "s", kind: "partitioned" } as never);
    expect(Buffer.concat(records.map(({ value }) => Buffer.from(value))).includes(first.slice(-40))).toBe(false);
    await expect(open({ store, clock, secrets: ["another secret that is long enough to be one"] }).rotate(first)).rejects.toMatchObject({
      code: "invalid_token",
    });
  });

  it("of an older secret go on under the first, after the switch too", async () => {
    const { store, clock, signIn } = open();
    const { first } = await signIn();
    const fresh = "another secret that is long enough to be one";
    const second = await open({ store, clock, secrets: [fresh, TEST_SECRET] }).rotate(first);
    await expect(open({ store, clock, secrets: [fresh] }).rotate(second)).resolves.toBeTypeOf("string");
  });

  it("rule 9: are refused once their user is disabled, or all of the user's credentials have ended", async () => {
    const { signIn, rotate, principals, sessions } = open();
    const { first, session } = await signIn();
    await principals.raiseEpoch("user-1");
    await expect(rotate(first)).rejects.toMatchObject({ code: "session_revoked" });
    expect(await sessions.get(session.id)).toBeNull();
    const { first: another } = await signIn("user-2");
    await principals.setStatus("user-2", "disabled");
    await expect(rotate(another)).rejects.toMatchObject({ code: "user_disabled" });
  });

  it("take the user's present roles into the session", async () => {
    const { signIn, refreshTokens, principals } = open();
    const { first } = await signIn();
    await principals.setRoles("user-1", ["editor"]);
    expect((await refreshTokens.rotate(first)).session.roles).toEqual(["editor"]);
  });

  it("keep a session for fourteen days from the last refresh, and never beyond thirty", async () => {
    const { clock, signIn, rotate } = open();
    let { first: token } = await signIn();
    for (let day = 13; day <= 26; day += 13) {
      clock.advance(13 * DAY);
      token = await rotate(token);
    }
    clock.advance(4 * DAY);
    await expect(rotate(token)).rejects.toMatchObject(ended);
    const { first } = await signIn();
    clock.advance(14 * DAY);
    await expect(rotate(first)).rejects.toMatchObject(ended);
  });

  it("rule 8: in flight do not bring a session back that ended meanwhile, nor lose another field's write", async () => {
    const { signIn, rotate, sessions } = open();
    const { first, session } = await signIn();
    const [second] = await Promise.all([rotate(first), sessions.updateData(session.id, { cart: 1 }), sessions.setDevice(session.id, "x")]);
    expect(await sessions.get(session.id)).toMatchObject({ data: { cart: 1 }, device: { label: "x" } });
    await Promise.allSettled([rotate(second), sessions.revoke(session.id), rotate(second)]);
    expect(await sessions.get(session.id)).toBeNull();
  });

  it("end their session at sign-out, by the latest one alone", async () => {
    const { signIn, rotate, refreshTokens, clock, sessions } = open({ onReuse: "refuse" });
    const { first, session } = await signIn();
    const second = await rotate(first);
    clock.advance(10);
    await expect(refreshTokens.revoke(first)).rejects.toMatchObject(reused);
    expect(await sessions.get(session.id)).not.toBeNull();
    await refreshTokens.revoke(second);
    expect(await sessions.get(session.id)).toBeNull();
    await expect(refreshTokens.revoke(second)).rejects.toMatchObject(ended);
  });

  it("belong to sessions made for them", async () => {
    const { sessions, refreshTokens } = open();
    const { session } = await sessions.create({ userId: "user-1" });
    await expect(refreshTokens.issue(session)).rejects.toMatchObject({ code: "config_error" });
    await expect(createTestKit().sessions.create({ userId: "user-1", transport: "bearer" })).rejects.toMatchObject({
      code: "config_error",
    });
  });
});
