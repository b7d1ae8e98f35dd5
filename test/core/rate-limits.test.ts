import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import { createRateLimits, parseLimit, sourceKey } from "../../lib/core/rate-limits.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { StorageError } from "../../lib/errors.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { recordingStore } from "../support/recording-store.ts";

function createKit() {
  const clock = createTestClock();
  const store = recordingStore(memoryStore({ clock }));
  const events = createEvents(clock);
  const keys = createKeyRing(["a secret of at least thirty-two bytes"]);
  return { clock, store, events, rateLimits: createRateLimits({ store, clock, events, keys }) };
}

const fivePerMinute = { max: 5, windowSeconds: 60 };

describe("limits as text", () => {
  it.each([
    ["5/15m", 5, 900],
    ["1/60s", 1, 60],
    ["20/h", 20, 3600],
    ["100/1h", 100, 3600],
    ["1000/2d", 1000, 172_800],
    ["3/31d", 3, 2_678_400],
  ])("%s is %i in %i seconds", (text, max, windowSeconds) => {
    expect(parseLimit(text)).toEqual({ max, windowSeconds });
  });

  it.each([
    "",
    "5",
    "5/",
    "/5m",
    "0/5m",
    "5/0m",
    "-5/5m",
    "5/5w",
    "5/5M",
    "5 / 5m",
    "5/5m ",
    "1.5/m",
    "5/32d",
    "1e3/m",
    "5/15",
    "٥/5m",
    "5/5m\n",
  ])("%j is refused, naming the option", (text) => {
    expect(() => parseLimit(text, "limits.signIn")).toThrow(expect.objectContaining({ code: "config_error", option: "limits.signIn" }));
  });
});

describe("sources", () => {
  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::ffff:cb00:7107", "203.0.113.7"],
    ["0:0:0:0:0:ffff:203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0DB8:0001:0002::1", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8:0:0:ffff::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["1::", "1:0:0:0::/64"],
    ["203.0.113.7:50123", "203.0.113.7"],
    ["[2001:db8::1]:443", "2001:db8:0:0::/64"],
  ])("rule 41: %s counts as %s", (ip, key) => {
    expect(sourceKey(ip)).toBe(key);
  });

  it.each([null, "", "unknown", "203.0.113", "203.0.113.7:x", "[::1", "::ffff:999.1.1.1", "2001:db8::1::2", "203.0.113.7, 10.0.0.1"])(
    "%j has no bucket",
    (ip) => {
      expect(sourceKey(ip)).toBeNull();
    },
  );

  it("puts all addresses of one /64 into one bucket, and others into others", () => {
    const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
    const half = fc.tuple(group, group, group, group).map((groups) => groups.join(":"));
    const global = fc
      .tuple(fc.integer({ min: 0x2000, max: 0x3fff }), group, group, group)
      .map(([first, ...rest]) => [first.toString(16), ...rest].join(":"));
    fc.assert(
      fc.property(global, global, half, half, (network, other, a, b) => {
        fc.pre(network !== other);
        expect(sourceKey(`${network}:${a}`)).toBe(sourceKey(`${network}:${b}`));
        expect(sourceKey(`${network}:1:${a.split(":").slice(1).join(":")}`)).not.toBe(
          sourceKey(`${other}:1:${b.split(":").slice(1).join(":")}`),
        );
      }),
    );
  });
});

describe("rate limits", () => {
  it("let through as many as the limit, then say when to come back", async () => {
    const { rateLimits, clock } = createKit();
    for (let used = 1; used <= 5; used += 1) {
      expect(await rateLimits.take("test", "a", fivePerMinute)).toMatchObject({
        allowed: true,
        limit: 5,
        remaining: 5 - used,
        retryAfter: 0,
      });
    }
    clock.advance(18.5);
    const refused = await rateLimits.take("test", "a", fivePerMinute);
    expect(refused).toMatchObject({ allowed: false, remaining: 0, retryAfter: 42, resetAt: clock.now() + 41_500 });
  });

  it("start anew once the window has ended, which refused tries do not extend", async () => {
    const { rateLimits, clock } = createKit();
    for (let used = 0; used < 10; used += 1) await rateLimits.take("test", "a", fivePerMinute);
    clock.advance(59.999);
    expect((await rateLimits.take("test", "a", fivePerMinute)).allowed).toBe(false);
    clock.advance(0.001);
    expect(await rateLimits.take("test", "a", fivePerMinute)).toMatchObject({ allowed: true, remaining: 4 });
  });

  it("keep names and keys apart", async () => {
    const { rateLimits } = createKit();
    const once = { max: 1, windowSeconds: 60 };
    expect((await rateLimits.take("one", "a", once)).allowed).toBe(true);
    expect((await rateLimits.take("one", "b", once)).allowed).toBe(true);
    expect((await rateLimits.take("two", "a", once)).allowed).toBe(true);
    expect((await rateLimits.take("one", "a", once)).allowed).toBe(false);
  });

  it("rule 5: reserve before the work: of 50 at once on a limit of 5, 5 are allowed", async () => {
    const { rateLimits } = createKit();
    const all = await Promise.all(Array.from({ length: 50 }, () => rateLimits.take("test", "a", fivePerMinute)));
    expect(all.filter(({ allowed }) => allowed)).toHaveLength(5);
  });

  it("rule 5: what is given back can be used again, and refused tries are not held against the bucket", async () => {
    const { rateLimits } = createKit();
    const first = await rateLimits.take("test", "a", fivePerMinute);
    await Promise.all(Array.from({ length: 50 }, () => rateLimits.take("test", "a", fivePerMinute)));
    await rateLimits.give(first);
    expect((await rateLimits.take("test", "a", fivePerMinute)).allowed).toBe(true);
    expect((await rateLimits.take("test", "a", fivePerMinute)).allowed).toBe(false);
  });

  it("are not widened by uses given back late: a thousand refused at the end of one window buy nothing in the next", async () => {
    const { rateLimits, clock, store } = createKit();
    for (let used = 0; used < 5; used += 1) await rateLimits.take("test", "a", fivePerMinute);
    clock.advance(58.5);
    const before = store.calls.length;
    const late = await Promise.all(Array.from({ length: 100 }, () => rateLimits.take("test", "a", fivePerMinute)));
    expect(store.calls.length - before).toBe(100);
    clock.advance(1.5);
    await rateLimits.take("test", "a", fivePerMinute);
    await Promise.all(late.map(rateLimits.give));
    const next = await Promise.all(Array.from({ length: 10 }, () => rateLimits.take("test", "a", fivePerMinute)));
    expect(next.filter(({ allowed }) => allowed)).toHaveLength(4);
  });

  it("have no bucket for a null key, and ask the store nothing", async () => {
    const { rateLimits, store } = createKit();
    const all = await Promise.all(Array.from({ length: 50 }, () => rateLimits.take("test", null, fivePerMinute)));
    expect(all.every(({ allowed }) => allowed)).toBe(true);
    expect(store.calls).toHaveLength(0);
  });

  it("never show an address to the store", async () => {
    const { rateLimits, store } = createKit();
    await rateLimits.take("test", "alice@example.com", fivePerMinute);
    await rateLimits.take("test", "203.0.113.7", fivePerMinute);
    expect(JSON.stringify(store.calls)).not.toMatch(/alice|203\.0\.113/);
  });

  it("rule 47: a store that cannot count admits nobody", async () => {
    const clock = createTestClock();
    const store = { ...memoryStore({ clock }), count: () => Promise.reject(new StorageError()) };
    const keys = createKeyRing(["a secret of at least thirty-two bytes"]);
    const rateLimits = createRateLimits({ store, clock, events: createEvents(clock), keys });
    await expect(rateLimits.take("test", "a", fivePerMinute)).rejects.toMatchObject({ code: "storage_unavailable" });
    await expect(rateLimits.requireAll([{ name: "test", key: "a", limit: fivePerMinute }])).rejects.toMatchObject({ status: 503 });
  });
});

describe("several limits at once", () => {
  const perMinute = { name: "minute", key: "a", limit: { max: 1, windowSeconds: 60 } };
  const perHour = { name: "hour", key: "a", limit: { max: 2, windowSeconds: 3600 } };
  const perDay = { name: "day", key: "a", limit: { max: 5, windowSeconds: 86_400 } };

  it("are all counted, or none", async () => {
    const { rateLimits, clock } = createKit();
    await rateLimits.requireAll([perMinute, perHour, perDay]);
    for (let tries = 0; tries < 10; tries += 1) {
      await expect(rateLimits.requireAll([perMinute, perHour, perDay])).rejects.toMatchObject({ status: 429, retryAfter: 60 });
    }
    clock.advance(60);
    const [, hour, day] = await rateLimits.requireAll([perMinute, perHour, perDay]);
    expect([hour?.remaining, day?.remaining]).toEqual([0, 3]);
  });

  it("answer with the longest wait of those that refused, and tell which", async () => {
    const { rateLimits, events } = createKit();
    const told: AuthEvent<"rate_limit.exceeded">[] = [];
    events.on("rate_limit.exceeded", (event) => told.push(event));
    await rateLimits.take("minute", "a", perMinute.limit);
    await rateLimits.take("hour", "a", perHour.limit);
    await rateLimits.take("hour", "a", perHour.limit);
    const source = { ip: "203.0.113.7", userAgent: null };
    await expect(rateLimits.requireAll([perMinute, perHour, perDay], source)).rejects.toMatchObject({
      code: "rate_limited",
      retryAfter: 3600,
    });
    expect(told.map(({ details, source: from }) => [details.limit, from?.ip])).toEqual([
      ["minute", "203.0.113.7"],
      ["hour", "203.0.113.7"],
    ]);
  });

  it("rule 5: of 50 at once, as many pass as the narrowest allows, and the others stay whole", async () => {
    const { rateLimits } = createKit();
    const all = await Promise.allSettled(
      Array.from({ length: 50 }, () => rateLimits.requireAll([perHour, { ...perDay, limit: { max: 100, windowSeconds: 86_400 } }])),
    );
    expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    expect((await rateLimits.take("day", "a", { max: 100, windowSeconds: 86_400 })).remaining).toBe(97);
  });
});
