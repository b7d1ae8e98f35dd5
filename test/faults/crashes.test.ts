import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { startMariadb } from "../support/mariadb.ts";
import { startPostgres } from "../support/postgres.ts";
import { startRedis } from "../support/services.ts";
import { idsOf, insertNewcomer, openShared, parts, type SharedStore } from "./support/newcomers.ts";
import { pause } from "./support/outage.ts";

interface Place {
  readonly at: SharedStore;
  /** `null`: the process that writes is all there is. */
  readonly server: { kill(signal: "SIGKILL"): Promise<void>; restart(): Promise<void> } | null;
  end(): Promise<void>;
}

const places: Readonly<Record<string, () => Promise<Place>>> = {
  async Redis() {
    const server = await startRedis({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
    return { at: { kind: "server", url: server.url }, server, end: server.stop };
  },
  async PostgreSQL() {
    const server = await startPostgres();
    return { at: { kind: "sql", url: server.url }, server, end: server.stop };
  },
  async MariaDB() {
    const server = await startMariadb();
    return { at: { kind: "sql", url: server.url }, server, end: server.stop };
  },
  async SQLite() {
    const dir = mkdtempSync(join(tmpdir(), "latchkey-crashes-"));
    return { at: { kind: "file", path: join(dir, "auth.db") }, server: null, end: async () => rmSync(dir, { recursive: true }) };
  },
};

/** A process that writes without end, and what was acknowledged to it. */
async function startWriter(at: SharedStore) {
  const child = fork(fileURLToPath(new URL("./support/newcomers-process.ts", import.meta.url)), [JSON.stringify(at)], {
    execArgv: ["--import", "tsx"],
  });
  const acknowledged: string[] = [];
  child.on("message", (id: string) => acknowledged.push(id));
  const acknowledges = async (count: number) => {
    const target = acknowledged.length + count;
    while (acknowledged.length < target && child.exitCode === null) await pause(5);
  };
  await acknowledges(1);
  return {
    acknowledged,
    acknowledges,
    async kill() {
      const closed = once(child, "close");
      child.kill("SIGKILL");
      await closed;
    },
  };
}

describe.each(Object.entries(places).map(([name, open]) => ({ name, open })))("$name", { timeout: 60_000 }, ({ open }) => {
  it("rule 43: has all that was acknowledged before a process or the server was killed, and nothing half", async () => {
    const { at, server, end } = await open();
    const { store, disconnect } = openShared(at);
    try {
      await store.migrate();
      const acknowledged: string[] = [];
      for (let crash = 0; crash < 2; crash += 1) {
        const writer = await startWriter(at);
        await writer.acknowledges(20);
        if (server && crash === 1) {
          await server.kill("SIGKILL");
          await server.restart();
          await writer.acknowledges(20); // the same process goes on
        }
        await writer.kill();
        acknowledged.push(...writer.acknowledged);
      }

      await expect.poll(() => insertNewcomer(store, "after").catch(() => false), { timeout: 5000 }).toBe(true);
      const [users = [], ...others] = await Promise.all(parts.map((part) => idsOf(store, part)));
      expect(others).toEqual([users, users]);
      expect(acknowledged.length).toBeGreaterThan(40);
      expect(acknowledged.filter((id) => !users.includes(id))).toEqual([]);
      // Beside those there are at most what each of the four lanes was at when its process was killed.
      expect(users.length - acknowledged.length).toBeLessThanOrEqual(1 + 2 * 4);
      for (const id of acknowledged.slice(-5)) expect(await insertNewcomer(store, id), "repeated").toBe(true);
    } finally {
      await store.close();
      await disconnect();
      await end();
    }
  });
});
