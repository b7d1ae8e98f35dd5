import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { sessionCollection } from "../../lib/core/session-record.ts";
import { ownerTag } from "../../lib/crypto/hash.ts";
import type { Change } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { counting, createTestKit } from "../support/kit.ts";

const DAY = 86_400;

describe("a session", () => {
  it("is found again by its token, with one read and no write", async () => {
    const clock = createTestClock();
    const { store, calls } = counting(memoryStore({ clock }));
    const { sessions } = createTestKit({ clock, store });
    const { session, token } = await sessions.create({ userId: "user-1", methods: ["oidc"], data: { theme: "dark" } });
    for (const name of Object.keys(calls)) delete calls[name];

    const resolved = await sessions.resolve(token);

    expect(resolved.session).toEqual(session);
    expect(calls).toEqual({ get: 1 });
  });

  it.each([undefined, null, "", 7, "*", "x".repeat(256), "half \ud800"])("is nobody's with the user id %j", async (userId) => {
    const { sessions, principals } = createTestKit();
    const invalid = { code: "invalid_user_id", status: 400 };
    await expect(sessions.create({ userId } as never)).rejects.toMatchObject(invalid);
    await expect(sessions.revokeAll(userId as never)).rejects.toMatchObject(invalid);
    await expect(principals.setStatus(userId as never, "disabled")).rejects.toMatchObject(invalid);
    expect((await principals.standing("user-1")).epoch).toEqual([0, 0]);
  });

  it("keeps who, how, where from and the application's data", async () => {
    const { sessions, clock } = createTestKit();
    const userAgent =
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";
    const source = { ip: "192.0.2.7", userAgent };
    const { session } = await sessions.create({
      userId: "user-1",
      methods: ["oidc"],
      source,
      tenantId: "acme",
      type: "app",
      data: { a: [1] },
    });

    expect(await sessions.get(session.id)).toMatchObject({
      userId: "user-1",
      kind: "user",
      type: "app",
      tenantId: "acme",
      methods: ["oidc"],
      createdAt: clock.now(),
      authenticatedAt: clock.now(),
      device: { label: "Chrome on macOS", ip: "192.0.2.7" },
      data: { a: [1] },
    });
  });

  it("ends after a day without use, and at thirty days whatever happens", async () => {
    const { sessions, clock, background } = createTestKit();
    const { token } = await sessions.create({ userId: "user-1" });
    const used = await sessions.create({ userId: "user-1" });

    for (let day = 0; day < 29; day += 1) {
      clock.advance(DAY - 1);
      const { session } = await sessions.resolve(used.token);
      sessions.touch(session!);
      await background.drain(1000);
    }
    expect((await sessions.resolve(token)).failure?.code).toBe("session_not_found");
    expect((await sessions.resolve(used.token)).session).not.toBeNull();

    clock.advance(DAY - 1);
    sessions.touch((await sessions.resolve(used.token)).session!);
    await background.drain(1000);
    clock.advance(29);
    expect((await sessions.resolve(used.token)).session).not.toBeNull();
    clock.advance(1);
    expect((await sessions.resolve(used.token)).session).toBeNull();
  });

  it("rule 7: is over at the very instant its idle life ends", async () => {
    const { sessions, clock } = createTestKit({ life: { idleTtl: 60, absoluteTtl: 600 } });
    const { token } = await sessions.create({ userId: "user-1" });

    clock.set(clock.now() + 59_999);
    expect((await sessions.resolve(token)).session).not.toBeNull();
    clock.set(clock.now() + 1);
    expect((await sessions.resolve(token)).session).toBeNull();
  });

  it("asks the store nothing about a forged, cut, doubled or foreign token", async () => {
    const clock = createTestClock();
    const { store, calls } = counting(memoryStore({ clock }));
    const { sessions } = createTestKit({ clock, store });
    const { token } = await sessions.create({ userId: "user-1" });
    const foreign = await createTestKit({ secrets: ["another secret that is long enough too"] }).sessions.create({ userId: "user-1" });
    calls.get = 0;

    const forged = [
      "",
      "x",
      token.slice(0, -1),
      `${token}A`,
      token.toUpperCase(),
      `${token.slice(0, 50)}${token[50] === "A" ? "B" : "A"}${token.slice(51)}`,
      `${token[0] === "A" ? "B" : "A"}${token.slice(1)}`,
      "a".repeat(107),
      `${token.slice(0, 106)}${String.fromCharCode(token.charCodeAt(106) + 1)}`,
      foreign.token,
    ];
    for (const text of forged) expect((await sessions.resolve(text)).failure?.code).toBe("invalid_token");
    expect(calls.get).toBe(0);
  });

  it("rests without anything that would open it", async () => {
    const { sessions, store } = createTestKit();
    const { token } = await sessions.create({ userId: "user-1" });

    const [record] = await store.list(sessionCollection, ownerTag("user-1"));
    const dump = Buffer.from(record!.value).toString("latin1") + record!.id + record!.partition;
    const secret = Buffer.from(token, "base64url").subarray(32, 64);
    expect(dump).not.toContain(secret.toString("latin1"));
    expect(dump).not.toContain(secret.toString("base64url").slice(2, 40));
  });

  it("is signed anew when an older secret signed it, and refused when that secret is gone", async () => {
    const old = "the old secret, which is long enough to use";
    const current = "the new secret, which is long enough to use";
    const { sessions, store, clock } = createTestKit({ secrets: [old] });
    const { token } = await sessions.create({ userId: "user-1" });

    const during = createTestKit({ secrets: [current, old], store, clock });
    const { resign, session } = await during.sessions.resolve(token);
    expect(session?.userId).toBe("user-1");

    const after = createTestKit({ secrets: [current], store, clock });
    expect((await after.sessions.resolve(token)).failure?.code).toBe("invalid_token");
    expect((await after.sessions.resolve(resign!)).session?.userId).toBe("user-1");
    expect((await after.sessions.resolve(resign!)).resign).toBeNull();
  });

  it("rule 12: gets a new secret by rotation, and the old one is dead at once", async () => {
    const { sessions } = createTestKit();
    const first = await sessions.create({ userId: "user-1", data: { cart: 1 } });
    const second = await sessions.rotate(first.session);

    expect((await sessions.resolve(first.token)).session).toBeNull();
    const { session } = await sessions.resolve(second.token);
    expect(session).toMatchObject({ id: first.session.id, data: { cart: 1 } });
  });

  it("is rotated by one of two requests that hold the same token", async () => {
    const { sessions } = createTestKit();
    const { session } = await sessions.create({ userId: "user-1" });

    const results = await Promise.allSettled(Array.from({ length: 10 }, () => sessions.rotate(session)));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of results) if (result.status === "rejected") expect(result.reason.code).toBe("session_rotated");
  });
});

describe("activity", () => {
  it("is written back at most once a minute", async () => {
    const clock = createTestClock();
    const { store, calls } = counting(memoryStore({ clock }));
    const { sessions, background } = createTestKit({ clock, store });
    const { token } = await sessions.create({ userId: "user-1" });
    calls.commit = 0;

    for (let second = 0; second < 130; second += 1) {
      clock.advance(1);
      sessions.touch((await sessions.resolve(token)).session!);
      await background.drain(1000);
    }
    expect(calls.commit).toBe(2);
  });

  it("rule 8: never brings a removed session back, however late its write", async () => {
    const { sessions, clock, background } = createTestKit();
    const { token } = await sessions.create({ userId: "user-1" });
    clock.advance(61);
    const { session } = await sessions.resolve(token);
    sessions.touch(session!);
    await sessions.revoke(session!.id);
    await background.drain(1000);

    expect((await sessions.resolve(token)).session).toBeNull();
    expect(await sessions.list("user-1")).toEqual([]);
  });

  it("rule 9: is refused when the user's sessions were ended after the proof it is made from", async () => {
    const { sessions, principals } = createTestKit();
    const { epoch } = await principals.activeStanding("user-1");
    await sessions.revokeAll("user-1");

    await expect(sessions.create({ userId: "user-1", epoch })).rejects.toMatchObject({ code: "session_revoked" });
    await expect(sessions.upgrade(null, { userId: "user-1", epoch })).rejects.toMatchObject({ code: "session_revoked" });
    expect(await sessions.list("user-1")).toEqual([]);
    const now = await principals.activeStanding("user-1");
    expect(await sessions.create({ userId: "user-1", epoch: now.epoch })).toMatchObject({ session: { userId: "user-1" } });
  });

  it("rule 9: ends within a minute a session whose epoch has moved, even if its removal was lost", async () => {
    const { sessions, principals, clock, background, heard } = createTestKit();
    const { token } = await sessions.create({ userId: "user-1" });
    await principals.raiseEpoch("user-1");

    clock.advance(60);
    sessions.touch((await sessions.resolve(token)).session!);
    await background.drain(1000);
    expect((await sessions.resolve(token)).session).toBeNull();
    expect(heard.find(({ type }) => type === "session.revoked")?.details).toMatchObject({ reason: "stale_epoch" });
  });

  it("rule 9: ends everybody's sessions within a minute when the global epoch is raised, and lets new ones be made", async () => {
    const { sessions, principals, clock, background } = createTestKit();
    const made = await Promise.all(["user-1", "user-2"].map((userId) => sessions.create({ userId })));
    const guest = await sessions.createGuest();
    await principals.raiseGlobalEpoch();
    const later = await sessions.create({ userId: "user-1" });
    clock.advance(60);
    for (const { token } of [...made, guest, later]) sessions.touch((await sessions.resolve(token)).session!);
    await background.drain(1000);
    const alive = await Promise.all([...made, guest, later].map(({ token }) => sessions.resolve(token)));
    expect(alive.map(({ session }) => session !== null)).toEqual([false, false, false, true]);
  });

  it("rule 34: takes changed roles in within a minute, or at once when asked to", async () => {
    const { sessions, principals, clock, background, store } = createTestKit();
    const { token } = await sessions.create({ userId: "user-1" });
    await principals.setRoles("user-1", ["editor"]);
    expect((await sessions.resolve(token)).session?.roles).toEqual([]);

    const told: Change[] = [];
    await store.watch((change) => told.push(change));
    await sessions.refresh("user-1");
    expect((await sessions.resolve(token)).session?.roles).toEqual(["editor"]);

    await principals.setRoles("user-1", []);
    clock.advance(60);
    sessions.touch((await sessions.resolve(token)).session!);
    await background.drain(1000);
    expect((await sessions.resolve(token)).session?.roles).toEqual([]);
    // Changed rights are told to those who keep sessions in memory; activity alone is not.
    expect(told.filter(({ collection }) => collection === sessionCollection.name)).toHaveLength(2);
    clock.advance(60);
    sessions.touch((await sessions.resolve(token)).session!);
    await background.drain(1000);
    expect(told.filter(({ collection }) => collection === sessionCollection.name)).toHaveLength(2);
  });
});

describe("ending sessions", () => {
  it("tells the first caller true and the second false", async () => {
    const { sessions } = createTestKit();
    const { session } = await sessions.create({ userId: "user-1" });
    expect(await sessions.revoke(session.id)).toBe(true);
    expect(await sessions.revoke(session.id)).toBe(false);
    expect(await sessions.revoke("nonsense")).toBe(false);
  });

  it("leaves another user's session alone", async () => {
    const { sessions } = createTestKit();
    const { session, token } = await sessions.create({ userId: "user-1" });
    expect(await sessions.revoke(session.id, { userId: "user-2" })).toBe(false);
    expect((await sessions.resolve(token)).session).not.toBeNull();
  });

  it("ends all of a user's at once, or all but one", async () => {
    const { sessions } = createTestKit();
    const kept = await sessions.create({ userId: "user-1" });
    const other = await sessions.create({ userId: "user-1" });
    const stranger = await sessions.create({ userId: "user-2" });

    await sessions.revokeAll("user-1", { keep: kept.session });
    expect((await sessions.resolve(kept.token)).session).not.toBeNull();
    expect((await sessions.resolve(other.token)).session).toBeNull();

    await sessions.revokeAll("user-1");
    expect((await sessions.resolve(kept.token)).session).toBeNull();
    expect((await sessions.resolve(stranger.token)).session).not.toBeNull();
  });

  it("keeps the one it spares through the next minute's check", async () => {
    const { sessions, clock, background } = createTestKit();
    const kept = await sessions.create({ userId: "user-1" });
    await sessions.revokeAll("user-1", { keep: kept.session });
    clock.advance(61);
    sessions.touch((await sessions.resolve(kept.token)).session!);
    await background.drain(1000);
    expect((await sessions.resolve(kept.token)).session).not.toBeNull();
  });

  it("rule 9: leaves none of 64 sign-ins that raced with ending them all", async () => {
    const { sessions } = createTestKit();
    const signIns = Array.from({ length: 64 }, () => sessions.create({ userId: "user-1" }));
    await sessions.revokeAll("user-1");
    const made = (await Promise.allSettled(signIns)).flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));

    for (const { token } of made) expect((await sessions.resolve(token)).session).toBeNull();
  });

  it("rule 9: does not bring back the one it should spare when that was ended before, and ends nothing else then", async () => {
    const { sessions, principals } = createTestKit();
    const { session, token } = await sessions.create({ userId: "user-1" });
    await principals.raiseEpoch("user-1"); // as by an ending whose removal was lost
    const later = await sessions.create({ userId: "user-1" });

    await expect(sessions.revokeAll("user-1", { keep: session })).rejects.toMatchObject({ code: "session_revoked" });
    expect((await sessions.resolve(token)).session?.epoch).toEqual([0, 0]);
    expect((await sessions.resolve(later.token)).session).not.toBeNull();
    await expect(sessions.revokeAll("user-2", { keep: later.session })).rejects.toMatchObject({ code: "session_revoked" });
  });

  it("rule 9: of ten sessions that each want to be the last one, one is", async () => {
    const { sessions } = createTestKit();
    const made = await Promise.all(Array.from({ length: 10 }, () => sessions.create({ userId: "user-1" })));
    const results = await Promise.allSettled(made.map(({ session }) => sessions.revokeAll("user-1", { keep: session })));

    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of results) if (result.status === "rejected") expect(result.reason.code).toBe("session_revoked");
    const alive = await Promise.all(made.map(({ token }) => sessions.resolve(token)));
    expect(alive.map(({ session }) => session !== null)).toEqual(results.map(({ status }) => status === "fulfilled"));
  });

  it("refuses a disabled user", async () => {
    const { sessions, principals } = createTestKit();
    await principals.setStatus("user-1", "disabled");
    await expect(sessions.create({ userId: "user-1" })).rejects.toMatchObject({ code: "user_disabled" });
  });
});

describe("how many sessions a user has", () => {
  it("is capped, the oldest giving way, also under racing sign-ins", async () => {
    const { sessions } = createTestKit({ max: 5 });
    const first = await sessions.create({ userId: "user-1" });
    await Promise.all(Array.from({ length: 20 }, () => sessions.create({ userId: "user-1" })));

    expect(await sessions.list("user-1")).toHaveLength(5);
    expect((await sessions.resolve(first.token)).session).toBeNull();
  });

  it("is one under the policy single, also under racing sign-ins", async () => {
    const { sessions } = createTestKit({ policy: "single" });
    const made = await Promise.all(Array.from({ length: 20 }, () => sessions.create({ userId: "user-1" })));
    const alive = await Promise.all(made.map(({ token }) => sessions.resolve(token)));
    expect(alive.filter(({ session }) => session)).toHaveLength(1);
  });

  it("can be counted and listed by operators, expired ones flagged", async () => {
    const { sessions } = createTestKit();
    await sessions.create({ userId: "alice" });
    await sessions.create({ userId: "alice" });
    await sessions.create({ userId: "bob" });
    expect(await sessions.count()).toBe(3);
    expect((await sessions.listAll({ limit: 2 })).sessions).toHaveLength(2);
    expect(await sessions.list("")).toEqual([]);
  });
});

describe("session data", () => {
  it("keeps both of two fields written at once", async () => {
    const { sessions } = createTestKit();
    const { session } = await sessions.create({ userId: "user-1" });
    await Promise.all(Array.from({ length: 20 }, (_, index) => sessions.updateData(session.id, { [`field${index}`]: index })));
    expect(Object.keys((await sessions.get(session.id))!.data)).toHaveLength(20);
  });

  it("rule 35: is all that an update can change, and a rotation changes how and when alone", async () => {
    const { sessions } = createTestKit();
    const { session } = await sessions.create({ userId: "user-1" });
    const claims = {
      userId: "boss",
      kind: "user",
      roles: ["admin"],
      tenantId: "acme",
      epoch: [9, 9],
      expiresAt: 9e15,
      authenticatedAt: 9e15,
    };

    const updated = await sessions.updateData(session.id, { ...claims, ["__proto__"]: { roles: ["admin"] } });
    expect(updated).toEqual({ ...session, data: { ...claims, ["__proto__"]: { roles: ["admin"] } } });
    const { session: rotated } = await sessions.rotate(session, { ...claims, methods: ["test"], authenticatedAt: 1000 } as never);
    expect(rotated).toEqual({ ...updated, methods: ["test"], authenticatedAt: 1000 });
    const made = await sessions.create({
      ...claims,
      userId: "user-2",
      tenantId: null,
      epoch: undefined,
      authenticatedAt: undefined,
    } as never);
    expect(made.session).toMatchObject({ userId: "user-2", roles: [], epoch: [0, 0], expiresAt: session.expiresAt });
  });

  it("rule 35: is not what the application makes of the object it was given", async () => {
    const { sessions, clock, background } = createTestKit();
    const { token } = await sessions.create({ userId: "user-1", data: { cart: [1] } });
    clock.advance(60);
    const { session } = await sessions.resolve(token);
    const before = structuredClone(session!);
    sessions.touch(session!);
    (session!.data["cart"] as number[]).push(2);
    Object.assign(session!, { userId: "boss", roles: ["admin"], tenantId: "acme" });
    await background.drain(1000);
    expect((await sessions.resolve(token)).session).toEqual({
      ...before,
      lastSeenAt: clock.now(),
      idleExpiresAt: clock.now() + DAY * 1000,
    });
  });

  it("drops a field set to undefined and refuses more than it may hold", async () => {
    const { sessions } = createTestKit();
    const { session } = await sessions.create({ userId: "user-1", data: { a: 1, b: 2 } });
    expect((await sessions.updateData(session.id, { a: undefined })).data).toEqual({ b: 2 });
    await expect(sessions.updateData(session.id, { big: "x".repeat(70_000) })).rejects.toMatchObject({ code: "session_data_too_large" });
    await expect(sessions.createGuest({ data: { big: "x".repeat(20_000) } })).rejects.toMatchObject({ code: "session_data_too_large" });
  });
});

describe("a stored session that does not parse", () => {
  const key = (session: { id: string }) => {
    const bytes = Buffer.from(session.id, "base64url");
    return { partition: bytes.subarray(0, 16).toString("base64url"), id: bytes.subarray(16).toString("base64url") };
  };

  it.each(["", "x", "[]", "{}", "\u0001short"])("rule 49: is refused, reported and kept: %j", async (text) => {
    const { sessions, store, heard } = createTestKit();
    const { session, token } = await sessions.create({ userId: "user-1" });
    const record = { ...key(session), value: Buffer.from(text), expiresAt: null };
    await store.commit([{ op: "put", in: sessionCollection, record }]);

    await expect(sessions.resolve(token)).rejects.toMatchObject({ status: 503 });
    expect(heard.at(-1)).toMatchObject({ type: "record.unreadable", details: { collection: sessionCollection.name } });
    await expect(sessions.get(session.id)).rejects.toMatchObject({ status: 503 });
    expect(await store.get(sessionCollection, key(session))).not.toBeNull();
  });

  it("rule 49: hides no other one from lists, and can be ended", async () => {
    const { sessions, store, heard } = createTestKit();
    const broken = await sessions.create({ userId: "user-1" });
    const good = await sessions.create({ userId: "user-1" });
    await store.commit([
      { op: "put", in: sessionCollection, record: { ...key(broken.session), value: Buffer.from("{"), expiresAt: null } },
    ]);

    expect((await sessions.list("user-1")).map(({ id }) => id)).toEqual([good.session.id]);
    expect((await sessions.listAll()).sessions.map(({ id }) => id)).toEqual([good.session.id]);
    expect(await sessions.count()).toBe(1);
    await sessions.refresh("user-1");
    expect(heard.filter(({ type }) => type === "record.unreadable")).toHaveLength(4);
    expect(await sessions.revoke(broken.session.id, { userId: "user-1" })).toBe(true);
    expect(await store.get(sessionCollection, key(broken.session))).toBeNull();
  });
});

describe("tenants", () => {
  it("admit members only, under a new secret", async () => {
    const { sessions } = createTestKit({ membership: (userId, tenantId) => userId === "user-1" && tenantId === "acme" });
    const first = await sessions.create({ userId: "user-1" });
    const { session, token } = await sessions.setTenant(first.session, "acme");
    expect(session.tenantId).toBe("acme");
    expect((await sessions.resolve(first.token)).session).toBeNull();
    await expect(sessions.setTenant(session, "rivals")).rejects.toMatchObject({ code: "not_a_member" });
    expect((await sessions.resolve(token)).session?.tenantId).toBe("acme");
  });

  it("rule 34: are left within a minute by who is no member any more", async () => {
    const members = new Set(["user-1"]);
    const { sessions, clock, background, heard } = createTestKit({ membership: (userId) => members.has(userId) });
    const first = await sessions.create({ userId: "user-1" });
    const { session, token } = await sessions.setTenant(first.session, "acme");
    const use = async () => {
      clock.advance(60);
      sessions.touch((await sessions.resolve(token)).session!);
      await background.drain(1000);
      return (await sessions.resolve(token)).session;
    };

    expect(await use()).toMatchObject({ tenantId: "acme" });
    members.clear();
    expect(await use()).toMatchObject({ id: session.id, tenantId: null });
    expect(heard.at(-1)).toMatchObject({ type: "tenant.left", userId: "user-1", tenantId: "acme", details: { sessionId: session.id } });
    members.add("user-1");
    expect(await use()).toMatchObject({ tenantId: null });
  });

  it("rule 34: are asked about again at the next use, when the callback could not tell", async () => {
    let down = false;
    let asked = 0;
    const membership = () => {
      asked += 1;
      return down ? Promise.reject(new Error("down")) : true;
    };
    const { sessions, clock, background, failures } = createTestKit({ membership });
    const first = await sessions.create({ userId: "user-1" });
    const { token } = await sessions.setTenant(first.session, "acme");
    down = true;
    clock.advance(60);
    for (let use = 1; use <= 3; use += 1) {
      sessions.touch((await sessions.resolve(token)).session!);
      await background.drain(1000);
      expect([asked, failures.length]).toEqual([1 + use, use]);
    }
    expect((await sessions.resolve(token)).session).toMatchObject({ tenantId: "acme" });
  });

  it("rule 32: take an error, undefined or a truthy object of the callback as a no", async () => {
    for (const membership of [() => Promise.reject(new Error("down")), () => undefined as never, () => ({ error: true }) as never]) {
      const { sessions } = createTestKit({ membership });
      const { session } = await sessions.create({ userId: "user-1" });
      await expect(sessions.setTenant(session, "acme")).rejects.toMatchObject({ code: "not_a_member" });
    }
  });
});

describe("the label of a device", () => {
  it("can be set, cut at 80 characters, and removed; of a session that is gone it is not", async () => {
    const { sessions } = createTestKit();
    const { session } = await sessions.create({ userId: "user-1", source: { ip: "192.0.2.7", userAgent: null } });
    expect(await sessions.setDevice(session.id, "x".repeat(100))).toBe(true);
    expect((await sessions.get(session.id))?.device).toEqual({ label: "x".repeat(80), ip: "192.0.2.7" });
    expect(await sessions.setDevice(session.id, null)).toBe(true);
    expect((await sessions.get(session.id))?.device).toEqual({ label: null, ip: "192.0.2.7" });
    await sessions.revoke(session.id);
    expect(await sessions.setDevice(session.id, "phone")).toBe(false);
    expect(await sessions.setDevice("nonsense", "phone")).toBe(false);
  });
});

describe("sweeping", () => {
  it("removes what has expired and says how much of what", async () => {
    const { sessions, clock } = createTestKit();
    await sessions.create({ userId: "user-1" });
    await sessions.createGuest();
    expect(await sessions.sweep()).toEqual({});
    clock.advance(DAY);
    await sessions.create({ userId: "user-1" });
    expect(await sessions.sweep()).toEqual({ [sessionCollection.name]: 2 });
    expect(await sessions.list("user-1")).toHaveLength(1);
  });
});

describe("a guest", () => {
  it("becomes one user, with its data, once", async () => {
    const merged: string[] = [];
    const { sessions } = createTestKit({ onGuestMerge: ({ guestId }) => void merged.push(guestId) });
    const guest = await sessions.createGuest({ data: { cart: 3 } });
    const { session } = await sessions.upgrade(guest.token, { userId: "user-1", methods: ["oidc"] });

    expect(session).toMatchObject({ kind: "user", userId: "user-1", data: { cart: 3 } });
    expect(session.id).not.toBe(guest.session.id);
    expect(merged).toEqual([guest.session.userId]);
    expect((await sessions.resolve(guest.token)).session).toBeNull();
  });

  it("is won by one of two users who claim it at once", async () => {
    const { sessions } = createTestKit();
    const guest = await sessions.createGuest({ data: { cart: 3 } });
    const upgraded = await Promise.all(["a", "b", "c", "d"].map((userId) => sessions.upgrade(guest.token, { userId })));
    expect(upgraded.filter(({ session }) => session.data["cart"] === 3)).toHaveLength(1);
  });

  it("can be claimed again by the same user after a crash in between", async () => {
    let crash = true;
    const { sessions } = createTestKit({
      onGuestMerge() {
        if (crash) throw new Error("crashed");
      },
    });
    const guest = await sessions.createGuest({ data: { cart: 3 } });
    await expect(sessions.upgrade(guest.token, { userId: "user-1" })).rejects.toThrow("crashed");
    expect((await sessions.resolve(guest.token)).session).toBeNull();
    crash = false;
    const { session } = await sessions.upgrade(guest.token, { userId: "user-1" });
    expect(session.data).toEqual({ cart: 3 });
  });
});
