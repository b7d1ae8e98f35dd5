import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openStore } from "../adapters/sql/open-store.ts";
import { startMariadb } from "./mariadb.ts";
import { startPostgres } from "./postgres.ts";
import { until } from "./server-process.ts";

describe.each([
  { name: "PostgreSQL", start: () => startPostgres() },
  { name: "MariaDB", start: () => startMariadb() },
])("a $name that a test starts", ({ start }) => {
  it("can be frozen, killed and started again, and leaves nothing", { timeout: 60_000 }, async () => {
    const server = await start();
    const { query, end } = openStore(server.url);
    expect(await query("select 1 as one")).toEqual([{ one: 1 }]);

    server.pause();
    const frozen = query("select 2 as two");
    expect(await Promise.race([frozen, new Promise((resolve) => setTimeout(resolve, 100, "no answer"))])).toBe("no answer");
    server.resume();
    expect(await frozen).toEqual([{ two: 2 }]);

    const { pid } = server;
    await server.kill("SIGKILL");
    await server.restart();
    expect(server.pid).not.toBe(pid);
    await until("it to answer again", async () => (await query("select 3 as three")).length === 1);

    await end();
    await server.stop();
    await server.stop();
    expect(existsSync(server.dir)).toBe(false);
    expect(spawnSync("ps", ["-o", "pid=", "-p", String(server.pid)], { encoding: "utf8" }).stdout.trim()).toBe("");
  });
});
