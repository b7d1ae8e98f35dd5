import { Redis } from "ioredis";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cached } from "../../lib/adapters/cached/index.ts";
import { encrypted, reencrypt } from "../../lib/adapters/encrypted/index.ts";
import { poolOptions, postgresStore } from "../../lib/adapters/postgres/index.ts";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { routed } from "../../lib/adapters/routed/index.ts";
import { createTestClock, recordStoreConformance } from "../../lib/testing/index.ts";
import { startApp } from "../support/app.ts";
import { openPostgres, type PostgresServer } from "../support/postgres.ts";
import { redisUrl } from "../support/services.ts";

const [KEY, NEXT_KEY] = ["a key for tests, of 32 bytes or more", "the key after it, of 32 bytes or more"];
const KEYS = { keys: KEY, indexKey: "an index key for tests, of 32 bytes" };
const prefix = `wrapped_${process.pid}`;

let server: Pick<PostgresServer, "url" | "stop">;
let pool: pg.Pool;
let client: Redis;
let opened = 0;

beforeAll(async () => {
  server = await openPostgres();
  pool = new pg.Pool({ connectionString: server.url, ...poolOptions });
  client = new Redis(await redisUrl(), clientOptions);
});

afterAll(async () => {
  client.disconnect();
  await pool.end();
  await server.stop();
});

const newRedisPrefix = () => `encrypted postgres ${process.pid} ${(opened += 1)}:`;

// Rule 11: the contract suite, races included, through all wrappers over what production has.
recordStoreConformance(
  "encrypted(cached(routed(postgres, redis)))",
  async ({ clock, collections }) => {
    const directory = postgresStore({ pool, prefix, clock, collections });
    const both = routed({ directory, ephemeral: redisStore({ client, clock, prefix: newRedisPrefix() }) });
    const store = encrypted(cached(both, { clock, collections: ["conformance_notes", "conformance_marks"] }), KEYS);
    await store.migrate();
    const tables = [...collections.map(({ name }) => name), "counters"].map((name) => `${prefix}_${name}`);
    await pool.query(`truncate ${tables.join(", ")}`);
    return store;
  },
  { describe, it },
);

describe("an encrypted store over PostgreSQL and Redis", () => {
  it("leaves nothing of a person in the tables in the clear, and loses nobody when its keys are rotated", async () => {
    const [clock, redisPrefix, tables] = [createTestClock(), newRedisPrefix(), `${prefix}_kit`];
    const open = () =>
      routed({ directory: postgresStore({ pool, prefix: tables, clock }), ephemeral: redisStore({ client, clock, prefix: redisPrefix }) });
    const store = encrypted(open(), KEYS);
    await store.migrate();
    const app = await startApp({ clock, store });
    const email = "canary.person@example.com";
    const user = await app.auth.users.create({ email, name: "Canary the Person" });
    const { token } = await app.auth.sessions.create({ userId: user.id });

    const { rows } = await pool.query<{ row: string }>(`select u::text as row, encode(u.value, 'escape') as value from ${tables}_users u`);
    expect(rows.length).toBe(2); // one, and the mark of the index key
    for (const canary of [email, "anary"]) expect(JSON.stringify(rows)).not.toContain(canary);

    expect(await reencrypt(open(), { ...KEYS, keys: [NEXT_KEY, KEY] })).toMatchObject({ failed: 0, finished: true });
    await app.close();
    const next = await startApp({ clock, store: encrypted(open(), { ...KEYS, keys: NEXT_KEY }) });
    expect((await next.auth.sessions.resolve(token)).session?.userId).toBe(user.id);
    await expect(next.auth.users.create({ email })).rejects.toMatchObject({ code: "email_taken" });
    await next.close();
  });
});
