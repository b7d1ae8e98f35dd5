import { once } from "node:events";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cached } from "../../lib/adapters/cached/index.ts";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { createTestClock, recordStoreConformance } from "../../lib/testing/index.ts";
import { createTestKit } from "../support/kit.ts";
import { redisUrl } from "../support/services.ts";

let client: Redis;
let other: Redis;
let opened = 0;
const newPrefix = () => `cached ${process.pid} ${(opened += 1)}:`;

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions);
  other = new Redis(await redisUrl(), clientOptions);
});

afterAll(() => {
  client.disconnect();
  other.disconnect();
});

// Rule 11: the contract suite, races included, through the wrapper, which keeps what the suite reads.
recordStoreConformance(
  "cached(redis)",
  async ({ clock }) => {
    const collections = ["conformance_notes", "conformance_marks"];
    return cached(redisStore({ client, clock, prefix: newPrefix() }), { clock, collections });
  },
  { describe, it },
);

/** Two processes, as far as Redis can tell, whose clock stands still: only notices can end what they keep. */
async function twoProcesses() {
  const [clock, prefix] = [createTestClock(), newPrefix()];
  const subscribers = [client, other].map((own) => own.duplicate());
  await Promise.all(subscribers.map((subscriber) => once(subscriber, "ready")));
  const [here, there] = [client, other].map((own, index) => {
    const store = cached(redisStore({ client: own, clock, prefix, subscriber: subscribers[index] }), { clock, maxAge: 60 });
    return createTestKit({ clock, store });
  });
  if (!here || !there) throw new Error("there are two");
  const warm = await here.sessions.create({ userId: "warm" });
  for (const { sessions } of [here, there]) await sessions.resolve(warm.token); // both listen, soon
  await here.sessions.revoke(warm.session.id);
  await untilRefused(there, warm.token);

  const close = async () => {
    for (const { store } of [here, there]) await store.close();
    for (const subscriber of subscribers) subscriber.disconnect();
  };
  return { clock, here, there, subscribers, close };
}

/** Waits until a session is refused, and says how many ms that took. */
async function untilRefused({ sessions }: Pick<ReturnType<typeof createTestKit>, "sessions">, token: string): Promise<number> {
  const start = performance.now();
  while ((await sessions.resolve(token)).session) {
    if (performance.now() - start > 5000) throw new Error("still served after 5 s");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return performance.now() - start;
}

describe("two caches over one Redis", () => {
  it("drop in one process what was revoked in the other, long before it is too old", async () => {
    const { here, there, close } = await twoProcesses();
    const waited: number[] = [];
    for (let round = 0; round < 50; round++) {
      const { token, session } = await here.sessions.create({ userId: `user-${round % 5}` });
      expect((await there.sessions.resolve(token)).session?.id).toBe(session.id);
      await (round % 2 === 0 ? here.sessions.revoke(session.id) : here.sessions.revokeAll(session.userId));
      expect((await here.sessions.resolve(token)).session ?? null).toBeNull();
      waited.push(await untilRefused(there, token));
    }
    await close();

    expect(waited.length).toBe(50);
  });

  it("keep to maxAge alone when the stream of notices is cut", async () => {
    const { here, there, clock, subscribers, close } = await twoProcesses();
    const { token, session } = await here.sessions.create({ userId: "ann" });
    await there.sessions.resolve(token);
    for (const subscriber of subscribers) subscriber.disconnect();

    await here.sessions.revoke(session.id);

    clock.advance(59.999);
    expect((await there.sessions.resolve(token)).session?.id).toBe(session.id);
    clock.advance(0.001);
    expect((await there.sessions.resolve(token)).session ?? null).toBeNull();
    await close();
  });

  it("rule 8: never keep a session whose revoke raced its fill, in 400 rounds", async () => {
    const { here, there, close } = await twoProcesses();
    let served = 0;
    for (let round = 0; round < 400; round++) {
      const { token, session } = await here.sessions.create({ userId: "ann" });
      const fills = Array.from({ length: 3 }, async () => (await there.sessions.resolve(token)).session);
      const [, ...found] = await Promise.all([here.sessions.revoke(session.id), ...fills]);
      served += found.filter(Boolean).length;
      await untilRefused(there, token);
    }
    await close();

    expect(served).toBeGreaterThan(0);
  });
});
