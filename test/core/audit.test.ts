import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createAudit } from "../../lib/core/audit.ts";
import { resolveAuditOptions, type AuditOptions } from "../../lib/core/audit-options.ts";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import { parseLimit, sourceKey } from "../../lib/core/rate-limits.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";

function setUp({ capacity, ...options }: AuditOptions & { capacity?: number } = {}) {
  const clock = createTestClock();
  const inner = memoryStore({ clock });
  let isAway = false;
  let commits = 0;
  let unreadable = {};
  const store: RecordStore = {
    ...inner,
    commit: async (writes) => {
      commits += 1;
      if (isAway) throw new Error("away");
      return inner.commit(writes);
    },
    scan: async (from, page) => ({ ...(await inner.scan(from, page)), ...unreadable }),
  };
  const events = createEvents(clock);
  const config = resolveAuditOptions(options);
  if (!config) throw new Error("not switched on");
  const waits: number[] = [];
  const sleep = async (ms: number) => {
    waits.push(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const audit = createAudit({ store, events, config, sleep, ...(capacity === undefined ? {} : { capacity }) });
  const happen = (userId: string | null, method: string, tenantId: string | null = null) =>
    events.emit("sign_in.failed", { method, code: "invalid_credentials" }, { userId, tenantId });
  return {
    clock,
    events,
    audit,
    happen,
    waits,
    commits: () => commits,
    away: (is: boolean) => (isAway = is),
    damage: () => (unreadable = { unreadable: 1 }),
  };
}

const methods = (entries: readonly AuthEvent[]) =>
  entries.map((entry) => (entry.type === "sign_in.failed" ? entry.details.method : entry.type));

describe("the audit", () => {
  it("lists what happened to a user, the newest first, and nobody else's", async () => {
    const { audit, happen, clock } = setUp();
    happen("alice", "first");
    happen("alice", "second");
    happen("bob", "other");
    clock.advance(1);
    happen("alice", "third");
    await audit.flush();
    const { entries, next } = await audit.list({ userId: "alice" });
    expect(methods(entries)).toEqual(["third", "second", "first"]);
    expect(next).toBeNull();
    expect(entries[0]).toEqual({
      ...{
        id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
        type: "sign_in.failed",
        at: clock.now(),
        userId: "alice",
        tenantId: null,
      },
      ...{ source: null, details: { method: "third", code: "invalid_credentials" } },
    });
    expect(methods((await audit.list()).entries)).toEqual(["third", "other", "second", "first"]);
  });

  it("erases nobody from what administrators did as long as an entry cannot be read: it may be about them", async () => {
    const { audit, events, damage } = setUp();
    events.emit("admin.acted", { action: "user.disable", target: "alice" }, { userId: "root" });
    const forget = () => audit.forgetTarget("alice", () => false);
    await forget();
    expect((await audit.list()).entries).toMatchObject([{ details: { target: "erased" } }]);

    damage();
    await expect(forget()).rejects.toMatchObject({ code: "storage_unavailable", status: 503 });
  });

  it("keeps tenants apart", async () => {
    const { audit, happen } = setUp();
    happen("alice", "here", "acme");
    happen("alice", "there", "other");
    await audit.flush();
    expect(methods((await audit.list({ tenantId: "acme" })).entries)).toEqual(["here"]);
    expect(methods((await audit.list({ tenantId: "acm" })).entries)).toEqual([]);
  });

  it("is read in pages and between two instants, each entry once", async () => {
    const { audit, happen, clock } = setUp();
    const start = clock.now();
    for (let index = 0; index < 25; index += 1) {
      happen("alice", `${index}`);
      clock.advance(1);
    }
    await audit.flush();
    const pages: string[][] = [];
    for (let after: string | undefined; ;) {
      const page = await audit.list({ userId: "alice", limit: 10, after });
      pages.push(methods(page.entries));
      if (page.next === null) break;
      after = page.next;
    }
    expect(pages.map(({ length }) => length)).toEqual([10, 10, 5]);
    expect(pages.flat()).toEqual(Array.from({ length: 25 }, (_, index) => `${24 - index}`));

    const between = { userId: "alice", since: start + 5_000, until: start + 9_000 };
    expect(methods((await audit.list(between)).entries)).toEqual(["8", "7", "6", "5"]);
    const first = await audit.list({ ...between, limit: 3 });
    expect(methods(first.entries)).toEqual(["8", "7", "6"]);
    const last = await audit.list({ ...between, limit: 3, after: first.next ?? "" });
    expect([methods(last.entries), last.next]).toEqual([["5"], null]);
    expect(methods((await audit.list({ ...between, limit: 4 })).entries)).toHaveLength(4);
    expect((await audit.list({ ...between, limit: 4 })).next).toBeNull();
  });

  it("writes what happens together in one commit of up to a hundred", async () => {
    const { audit, happen, commits } = setUp();
    for (let index = 0; index < 250; index += 1) happen("alice", `${index}`);
    await audit.flush();
    expect(commits()).toBe(3);
    expect((await audit.list({ userId: "alice", limit: 1000 })).entries).toHaveLength(250);
  });

  it("waits while the store is away, and loses and doubles nothing", async () => {
    const { audit, happen, away, waits } = setUp();
    away(true);
    happen("alice", "first");
    await expect(audit.flush()).rejects.toThrow("away");
    await expect.poll(() => waits.length).toBeGreaterThan(6);
    expect(waits.slice(0, 6)).toEqual([250, 500, 1000, 2000, 5000, 5000]);
    happen("alice", "second");
    away(false);
    await Promise.all([audit.flush(), audit.flush()]);
    expect(methods((await audit.list({ userId: "alice" })).entries)).toEqual(["second", "first"]);
  });

  it("says how many were lost when there was no more room", async () => {
    const { audit, happen, away } = setUp({ capacity: 3 });
    away(true);
    for (let index = 0; index < 5; index += 1) happen("alice", `${index}`);
    away(false);
    await audit.flush();
    await audit.flush();
    expect((await audit.list()).entries[0]).toMatchObject({ type: "audit.lost", details: { count: 2 } });
    expect(methods((await audit.list({ userId: "alice" })).entries)).toEqual(["2", "1", "0"]);
  });

  it("keeps an entry for as long as it is told", async () => {
    const { audit, happen, clock } = setUp({ retention: 3600 });
    happen("alice", "first");
    await audit.flush();
    clock.advance(3599.999);
    expect((await audit.list()).entries).toHaveLength(1);
    clock.advance(0.001);
    expect((await audit.list()).entries).toEqual([]);
  });

  it("leaves out what anybody can cause at will, unless it is asked for", async () => {
    const usual = setUp();
    const asked = setUp({ events: ["rate_limit.exceeded"] });
    for (const { events, happen, audit } of [usual, asked]) {
      events.emit("rate_limit.exceeded", { limit: "sign_in" });
      happen("alice", "first");
      await audit.flush();
    }
    expect(methods((await usual.audit.list()).entries)).toEqual(["first"]);
    expect(methods((await asked.audit.list()).entries)).toEqual(["rate_limit.exceeded"]);
  });

  it("refuses a query that it does not understand", async () => {
    const { audit } = setUp();
    const wrong = [{ limit: 0 }, { limit: 1001 }, { limit: 1.5 }, { userId: "a", tenantId: "b" }, { tenantId: "" }, { after: "x" }, { since: -1 }, { until: 1.5 }]; // prettier-ignore
    for (const query of wrong) await expect(audit.list(query)).rejects.toMatchObject({ code: "invalid_audit_query" });
  });

  it("holds what an app did, once it is closed", async () => {
    const clock = createTestClock();
    const store = memoryStore({ clock });
    const app = await startApp({ audit: true, store, clock });
    const { session } = await app.auth.sessions.create({ userId: "alice", methods: ["password"] });
    await app.close();
    const events = createEvents(clock);
    const later = createAudit({ store, events, config: { retention: 60, events: new Set() } });
    expect((await later.list({ userId: "alice" })).entries).toMatchObject([
      { type: "session.created", details: { sessionId: session.id } },
    ]);
  });

  it("is off by default", async () => {
    const app = await startApp();
    expect(app.auth.audit).toBeNull();
    await app.close();
  });
});

describe("the audit and those whom nobody knows", () => {
  it("keeps no more of what one source tries than its limits let it try", async () => {
    const google = { name: "google", authenticate: () => {} };
    const app = await startApp({ audit: true, passwords: { requireConfirmedEmail: false }, strategies: [google] });
    const tries: [string, RequestInit][] = [
      ["sign-in", json({ email: "ada@example.com", password: "no, not this one either" })],
      ["magic/verify", json({ email: "ada@example.com", code: "ABCD1234", request_id: `${"a".repeat(22)}.${"a".repeat(22)}` })],
      ["callback/google?state=made-up", {}],
    ];
    // All but five of an hour's, so that the rest is soon tried.
    for (const [name, max] of [
      ["callback", 600],
      ["magicVerify", 300],
    ] as const) {
      const limit = parseLimit(`${max}/1h`, name);
      const take = (ip: string) => app.auth.rateLimits.take(name, String(sourceKey(ip)), limit);
      await Promise.all(["127.0.0.1", "::1"].flatMap((ip) => Array.from({ length: max - 5 }, () => take(ip))));
    }
    for (const [path, init] of tries) {
      const statuses: number[] = [];
      for (let count = 0; count < 10; count += 1) statuses.push((await fetch(`${app.url}/auth/${path}`, init)).status);
      expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429, 429, 429]);
    }
    await app.auth.audit?.flush();
    const kept = await app.auth.audit?.list();
    const codes = kept?.entries.map((entry) => (entry.type === "sign_in.failed" ? entry.details.code : entry.type)).sort();
    const [code, known, password, state] = ["invalid_code", "magic_code.failed", "invalid_credentials", "transaction_not_found"];
    expect(codes).toEqual([code, known, password, state].flatMap((each) => Array.from({ length: 5 }, () => each)).sort());
    await app.close();
  });
});

function json(body: object): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
