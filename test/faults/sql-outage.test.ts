import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "../adapters/sql/open-store.ts";
import { startMariadb } from "../support/mariadb.ts";
import { startPostgres } from "../support/postgres.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { startFaultApp, type FaultApp } from "./support/app.ts";
import { expectBack, expectFailsClosed, named, pause, startCrowd, statuses, within } from "./support/outage.ts";

type Server = ServerProcess & { readonly url: string };

interface Fault {
  readonly name: string;
  begin(server: Server): Promise<void>;
  end(server: Server): Promise<void>;
}

const faults: readonly Fault[] = [
  { name: "is killed", begin: (server) => server.kill("SIGKILL"), end: (server) => server.restart() },
  { name: "stops answering", begin: async (server) => server.pause(), end: async (server) => server.resume() },
];

describe.each([
  { database: "PostgreSQL", open: () => startPostgres() },
  { database: "MariaDB", open: () => startMariadb() },
])("a $database under load", { timeout: 30_000 }, ({ open }) => {
  let server: Server;
  let app: FaultApp;

  beforeAll(async () => {
    server = await open();
    const { store, end } = openStore(server.url, { collections: [] });
    await store.migrate();
    await end();
    app = await startFaultApp({ kind: "sql", url: server.url });
  });
  afterAll(async () => {
    await app?.stop();
    await server?.stop();
  });

  it.each(faults)("rules 43, 48: that $name makes guards answer 503 in time, and is served again without a restart", async (fault) => {
    const crowd = await startCrowd(app);
    const before = await app.do("health");
    await pause(300);

    const lostAt = performance.now();
    await fault.begin(server);
    await pause(3000);
    const endingAt = performance.now();
    await fault.end(server);
    const answeringAt = performance.now();
    await pause(2800);
    const answers = await crowd.stop();

    expect(statuses(named(within(answers, 0, lostAt), "guarded"))).toEqual([200]);
    expect(statuses(named(within(answers, lostAt + 100, endingAt), "guarded"))).toEqual([503]);
    expectFailsClosed(answers, crowd.users);
    expectBack(answers, answeringAt);
    const after = await app.do("health");
    expect(after.faults).toEqual([]);
    expect(after.listeners).toBe(before.listeners);
    expect(after.timers).toBeLessThanOrEqual(before.timers + 2);
  });
});
