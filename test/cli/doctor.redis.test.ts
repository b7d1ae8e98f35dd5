import { Redis } from "ioredis";
import { createPool } from "mysql2/promise";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { mysqlStore } from "../../lib/adapters/mysql/index.ts";
import { postgresStore } from "../../lib/adapters/postgres/index.ts";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { collectionsByVersion } from "../../lib/adapters/sql/collections.ts";
import { startMariadb } from "../support/mariadb.ts";
import { startPostgres } from "../support/postgres.ts";
import { startRedis } from "../support/services.ts";
import { runLatchkey } from "./cli-run.ts";

const findingsOf = (out: string) => [...out.matchAll(/^(\w+): .* \[(\w+)\]$/gm)].map(([, level, code]) => `${level} ${code}`);
const ahead = (seconds: number) => ({ now: () => Date.now() + seconds * 1000 });

async function examine(args: readonly string[], prepare: (client: Redis) => Promise<unknown> = async () => {}, clock = ahead(0)) {
  const server = await startRedis({ args });
  const client = new Redis(server.url, clientOptions);
  try {
    await new Promise((resolve) => client.once("ready", resolve));
    await prepare(client);
    const { code, out } = await runLatchkey(["doctor"], { config: { store: redisStore({ client, clock, timeout: 2000 }) } });
    return { code, out, found: findingsOf(out) };
  } finally {
    client.disconnect();
    await server.stop();
  }
}

describe("latchkey doctor, of a Redis", { timeout: 60_000 }, () => {
  it("finds one that may drop users and forgets all at a restart", async () => {
    const { code, out, found } = await examine(["--maxmemory-policy", "allkeys-lru"]);
    expect([code, found]).toEqual([1, ["problem redis_eviction", "problem not_durable", "warning redis_no_replica"]]);
    expect(out).toContain("maxmemory-policy allkeys-lru); set maxmemory-policy noeviction");
  });

  it("finds one that drops sessions alone, and has snapshots alone", async () => {
    const { code, found } = await examine(["--maxmemory-policy", "volatile-ttl", "--save", "3600 1"]);
    expect([code, found]).toEqual([0, ["warning redis_eviction", "warning redis_snapshots", "warning redis_no_replica"]]);
  });

  it("finds one that has dropped keys, by their number", async () => {
    const fill = async (client: Redis) => {
      for (let key = 0; key < 40; key += 1) await client.set(`filling:${key}`, "x".repeat(100_000));
    };
    const { out } = await examine(["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru", "--appendonly", "yes"], fill);
    expect(out).toMatch(/problem: Redis has dropped \d+ keys for want of memory since it started; .* \[redis_evicted\]/);
  });

  it("finds nothing more than a missing replica with one that is set up well", async () => {
    const { code, found } = await examine(["--appendonly", "yes"]);
    expect([code, found]).toEqual([0, ["warning redis_no_replica"]]);
  });

  it("finds a clock that is off", async () => {
    const near = await examine(["--appendonly", "yes"], undefined, ahead(-10));
    expect(near.out).toMatch(/warning: the clock of Redis is (?:[5-9]|10) s ahead of this machine's/);
    const far = await examine(["--appendonly", "yes"], undefined, ahead(120));
    expect([far.code, far.out]).toEqual([1, expect.stringMatching(/problem: the clock of Redis is 1(?:20|1\d) s behind/)]);
  });

  it("says what it could not look at", async () => {
    const forbid = async (client: Redis) => {
      await client.call("ACL", "SETUSER", "app", "on", "nopass", "~*", "&*", "+@all", "-info", "-config");
      await client.call("AUTH", "app", "any");
    };
    const { code, found } = await examine([], forbid);
    expect([code, found]).toEqual([0, ["note redis_info_denied"]]);
  });

  it("finds one that is away", async () => {
    const client = new Redis({ ...clientOptions, host: "127.0.0.1", port: 1, retryStrategy: () => null });
    const { code, out } = await runLatchkey(["doctor"], { config: { store: redisStore({ client }) } });
    expect([code, findingsOf(out)]).toEqual([1, ["problem store_unavailable"]]);
    client.disconnect();
  });
});

describe("latchkey doctor, of a database", { timeout: 60_000 }, () => {
  it("finds the clock of PostgreSQL to be off, and migrations to be due", async () => {
    const server = await startPostgres();
    const pool = new pg.Pool({ connectionString: server.url });
    try {
      const store = postgresStore({ pool, clock: ahead(60) });
      const before = await runLatchkey(["doctor"], { config: { store } });
      expect(findingsOf(before.out)).toEqual([...collectionsByVersion.map(() => "problem migration_pending"), "problem clock_skew"]);
      await postgresStore({ pool }).migrate();
      expect((await runLatchkey(["doctor"], { config: { store: postgresStore({ pool }) } })).out).toBe("0 problems, 0 warnings, 0 notes");
    } finally {
      await pool.end();
      await server.stop();
    }
  });

  it("finds the same of MariaDB", async () => {
    const server = await startMariadb();
    const pool = createPool(server.url);
    try {
      const before = await runLatchkey(["doctor"], { config: { store: mysqlStore({ pool, clock: ahead(60) }) } });
      expect(findingsOf(before.out)).toEqual([...collectionsByVersion.map(() => "problem migration_pending"), "problem clock_skew"]);
      await mysqlStore({ pool }).migrate();
      expect((await runLatchkey(["doctor"], { config: { store: mysqlStore({ pool }) } })).out).toBe("0 problems, 0 warnings, 0 notes");
    } finally {
      await pool.end();
      await server.stop();
    }
  });
});
