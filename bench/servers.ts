import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startMariadb } from "../test/support/mariadb.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { startRedis } from "../test/support/services.ts";
import { pinToRest } from "./cores.ts";
import type { BackendName } from "./stores.ts";

/** Where a backend is: the URL of a server of its own, or the path of a file. */
export interface Place {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts what a backend keeps its records in, with memory enough for all of them. */
export async function startBackend(name: BackendName): Promise<Place> {
  if (name === "sqlite") {
    const folder = await mkdtemp(join(tmpdir(), "latchkey-bench-"));
    return { url: join(folder, "auth.db"), stop: () => rm(folder, { recursive: true, force: true }) };
  }
  const start = {
    redis: () => startRedis(),
    postgres: () => startPostgres(["-c", "shared_buffers=1GB", "-c", "synchronous_commit=off"]),
    mariadb: () => startMariadb(["--innodb-buffer-pool-size=2G", "--innodb-log-file-size=1G"]),
  }[name];
  const server = await start();
  pinToRest(server.pid);
  return server;
}
