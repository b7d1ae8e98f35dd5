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

/** Set up once for a project: starts what its backend needs and tells its tests where. */
export default async function startServers(project: TestProject): Promise<() => Promise<void>> {
  const { servers, stop } = await startServersOf(project.getProvidedContext().testStore);
  project.provide("testStoreServers", servers);
  return stop;
}
