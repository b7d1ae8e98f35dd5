import { scryptSync } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { bcryptHashes, betterAuthHashes, createPasswordHasher } from "../../lib/core/password-hashing.ts";
import { createPasswordQueue } from "../../lib/core/password-queue.ts";

/** What argon2 really compared, and how it ended. */
const compared = vi.hoisted((): { price: string; matched: boolean }[] => []);
vi.mock("@node-rs/argon2", async (original) => {
  const argon2 = await original<typeof import("@node-rs/argon2")>();
  return {
    ...argon2,
    async verify(stored: string, password: string) {
      const matched = await argon2.verify(stored, password);
      compared.push({ price: stored.split("$").slice(0, 4).join("$"), matched });
      return matched;
    },
  };
});

const PASSWORD = "seven purple lighthouses";
const cost = { memory: 19_456, passes: 2, lanes: 1 };
const hasher = createPasswordHasher({
  cost,
  foreignHashes: [betterAuthHashes, bcryptHashes(async (password, stored) => stored.endsWith(password))],
});

describe("hashing passwords", () => {
  it("writes argon2id with the parameters, a salt of its own and 32 bytes", async () => {
    const [a, b] = await Promise.all([hasher.hash(PASSWORD), hasher.hash(PASSWORD)]);
    expect(a).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    expect(a).not.toBe(b);
    expect(await hasher.verify(PASSWORD, a)).toEqual({ matches: true, outdated: false });
    expect(await hasher.verify(`${PASSWORD}!`, a)).toEqual({ matches: false, outdated: false });
  });

  it("tells a hash of other parameters, to be written again", async () => {
    const older = createPasswordHasher({ cost: { memory: 12_288, passes: 3, lanes: 1 }, foreignHashes: [] });
    expect(await hasher.verify(PASSWORD, await older.hash(PASSWORD))).toEqual({ matches: true, outdated: true });
  });

  it("verifies hashes of better-auth and of bcrypt, to be written again", async () => {
    const salt = "0123456789abcdef0123456789abcdef";
    const key = scryptSync(PASSWORD, salt, 64, { N: 16_384, r: 16, p: 1, maxmem: 64 * 1024 * 1024 }).toString("hex");
    expect(await hasher.verify(PASSWORD, `${salt}:${key}`)).toEqual({ matches: true, outdated: true });
    expect(await hasher.verify("another one altogether", `${salt}:${key}`)).toEqual({ matches: false, outdated: false });
    expect(await hasher.verify(PASSWORD, `$2b$10$${PASSWORD}`)).toEqual({ matches: true, outdated: true });
  });

  it("rule 49: lets nobody in by a stored hash that does not read", async () => {
    for (const stored of ["", "junk", "$argon2id$v=19$m=19456,t=2,p=1$short"]) {
      expect(await hasher.verify(PASSWORD, stored)).toEqual({ matches: false, outdated: false });
    }
  });

  it("recognises no hash that was imported at a price that nobody can have meant, and pays for none", async () => {
    const rest = "c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const argon2 = (memory: number, passes: number) => `$argon2id$v=19$m=${memory},t=${passes},p=1$${rest}`;
    const fair = [
      argon2(65_536, 3),
      argon2(1_048_576, 4),
      argon2(2_097_152, 1),
      `$argon2i$m=65536,t=2,p=4$${rest}`,
      "$2b$12$x",
      "$2y$16$x",
    ];
    const absurd = [argon2(19_456, 100_000), argon2(4_294_967_295, 1), argon2(262_144, 40), "$2b$31$x", "$2b$17$x"];
    expect(fair.filter((stored) => !hasher.recognises(stored))).toEqual([]);
    expect(absurd.filter((stored) => hasher.recognises(stored))).toEqual([]);
    const started = performance.now();
    for (const stored of absurd) expect(await hasher.verify("x", stored)).toEqual({ matches: false, outdated: false });
    expect(performance.now() - started).toBeLessThan(20_000);
    const dear = createPasswordHasher({ cost: { memory: 1_048_576, passes: 10, lanes: 1 }, foreignHashes: [] });
    expect(dear.recognises(argon2(1_048_576, 10))).toBe(true);
  });

  it("rule 14: compares at the full price for nobody as for somebody, and not at all for a megabyte", async () => {
    const stored = await hasher.hash(PASSWORD);
    for (const [password, against] of [
      ["another one altogether", stored],
      ["another one altogether", null],
      ["another one altogether", "of no format that is known"],
    ] as const) {
      compared.length = 0;
      expect(await hasher.verify(password, against)).toEqual({ matches: false, outdated: false });
      // Compared to the end: a hash that does not read would have cost nothing.
      expect(compared).toEqual([{ price: "$argon2id$v=19$m=19456,t=2,p=1", matched: false }]);
    }
    compared.length = 0;
    await hasher.verify("x".repeat(1_000_000), null);
    expect(compared).toEqual([]);
  });
});

describe("the queue of hashes", () => {
  it("runs so many at once, in order, and refuses with 503 when too many wait", async () => {
    const queue = createPasswordQueue({ concurrency: 2, waiting: 3 });
    const open: (() => void)[] = [];
    const order: number[] = [];
    const job = (n: number) =>
      queue.run(() => {
        order.push(n);
        return new Promise<void>((resolve) => open.push(resolve));
      });
    const jobs = [0, 1, 2, 3, 4].map(job);
    await expect(job(5)).rejects.toMatchObject({ code: "too_busy", status: 503, retryAfter: 1 });
    expect(order).toEqual([0, 1]);
    while (open.length > 0) {
      open.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(jobs);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  it("refuses with 503 whose turn does not come in time, and goes on", async () => {
    const queue = createPasswordQueue({ concurrency: 1, patience: 10 });
    let finish = () => {};
    const first = queue.run(() => new Promise<void>((resolve) => (finish = resolve)));
    await expect(queue.run(async () => 1)).rejects.toMatchObject({ code: "too_busy" });
    finish();
    await first;
    expect(await queue.run(async () => 2)).toBe(2);
  });

  it("goes on after a job that failed", async () => {
    const queue = createPasswordQueue({ concurrency: 1 });
    await expect(queue.run(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(await queue.run(async () => 1)).toBe(1);
  });
});
