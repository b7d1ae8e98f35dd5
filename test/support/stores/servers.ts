import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { sqliteStore } from "../../../lib/adapters/sqlite/index.ts";
import { startRedis } from "../services.ts";
import { backends, type Backend, type ServerAddresses, type ServerKind } from "./backends.ts";

/** One server for all files of a project: where it is, and its end. */
interface Started {
  readonly address: string;
  stop(): Promise<unknown>;
}

const starters: Record<ServerKind, () => Promise<Started>> = {
  redis: async () => {
    const given = process.env["REDIS_URL"];
    if (given) return { address: given, stop: async () => {} };
    const { url, stop } = await startRedis();
    return { address: url, stop };
  },
  postgres: async () => {
    const { openPostgres } = await import("../postgres.ts");
    const { url, stop } = await openPostgres();
    return { address: url, stop };
  },
  mariadb: async () => {
    const { openMariadb } = await import("../mariadb.ts");
    const { url, stop } = await openMariadb();
    return { address: url, stop };
  },
  sqlite: async () => {
    const dir = await mkdtemp(join(tmpdir(), "latchkey-test-store-"));
    const address = join(dir, "empty.db");
    const store = sqliteStore({ path: address });
    await store.migrate();
    await store.close();
    return { address, stop: () => rm(dir, { recursive: true }) };
  },
};

/** Starts what a backend needs: where that is, and its end. Drivers are loaded when they are needed. */
export async function startServersOf(backend: Backend): Promise<{ servers: ServerAddresses; stop(): Promise<void> }> {
  const started = await Promise.all(backends[backend].map(async (kind) => [kind, await starters[kind]()] as const));
  return {
    servers: Object.fromEntries(started.map(([kind, { address }]) => [kind, address])),
    stop: async () => void (await Promise.all(started.map(([, { stop }]) => stop()))),
  };
}

/** Where `openPostgres` and `openMariadb` look for a server before they start one. */
const VARIABLES = { postgres: "POSTGRES_URL", mariadb: "MYSQL_URL" } as const;

/**
 * Set up once for a project: starts what its backend needs and tells its tests where. Until its end, tests of other projects that only need
 * a database find it, too.
 */
export default async function startServers(project: TestProject): Promise<() => Promise<void>> {
  const { servers, stop } = await startServersOf(project.getProvidedContext().testStore);
  project.provide("testStoreServers", servers);
  const told = Object.entries(VARIABLES).flatMap(([kind, variable]) => {
    const address = servers[kind as keyof typeof VARIABLES];
    if (address === undefined || process.env[variable]) return [];
    process.env[variable] = address;
    return [variable];
  });
  return async () => {
    for (const variable of told) delete process.env[variable];
    await stop();
  };
}
