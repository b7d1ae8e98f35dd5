import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { sqliteStore } from "../../../lib/adapters/sqlite/index.ts";
import { openMariadb } from "../mariadb.ts";
import { openPostgres } from "../postgres.ts";
import { startRedis } from "../services.ts";
import { backends, type ServerKind } from "./backends.ts";

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
    const { url, stop } = await openPostgres();
    return { address: url, stop };
  },
  mariadb: async () => {
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

/** Set up once for a project: starts what its backend needs and tells its tests where. */
export default async function startServers(project: TestProject): Promise<() => Promise<void>> {
  const kinds = backends[project.getProvidedContext().testStore];
  const started = await Promise.all(kinds.map(async (kind) => [kind, await starters[kind]()] as const));
  project.provide("testStoreServers", Object.fromEntries(started.map(([kind, { address }]) => [kind, address])));
  return async () => void (await Promise.all(started.map(([, { stop }]) => stop())));
}
