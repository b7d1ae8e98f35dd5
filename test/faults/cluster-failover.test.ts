import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askRedis, until } from "../support/server-process.ts";
import { startRedisCluster, type RedisCluster, type RedisServer } from "../support/services.ts";
import { startFaultApp, type FaultApp } from "./support/app.ts";
import { expectBack, expectFailsClosed, named, pause, startCrowd, statuses, within } from "./support/outage.ts";

let cluster: RedisCluster;
let app: FaultApp;

beforeAll(async () => {
  cluster = await startRedisCluster();
  app = await startFaultApp({ kind: "cluster", nodes: cluster.nodes.map(({ host, port }) => ({ host, port })) });
});

afterAll(async () => {
  await app?.stop();
  await cluster?.stop();
});

/** Resolves when all other nodes know three masters beside the lost one, and no slot without one. */
async function replaced(lost: RedisServer): Promise<void> {
  const others = cluster.nodes.filter((node) => node !== lost);
  await until("a new master", async () => {
    const nodes = await Promise.all(others.map(({ port }) => askRedis(port, "CLUSTER NODES")));
    const info = await Promise.all(others.map(({ port }) => askRedis(port, "CLUSTER INFO")));
    const isMaster = (line: string) => / (?:myself,)?master /.test(line) && !line.includes(`:${lost.port}@`);
    return (
      nodes.every((view) => view.split("\n").filter(isMaster).length === 3) && info.every((view) => view.includes("cluster_slots_fail:0"))
    );
  });
}

describe("a Cluster under load", { timeout: 30_000 }, () => {
  // The one that only stops goes on as a replica afterwards, so that the other still has one.
  it.each([
    ["stops answering", async (node: RedisServer) => node.pause()],
    ["is killed", (node: RedisServer) => node.kill("SIGKILL")],
  ] as const)(
    "rules 43, 48, 50: loses no session older than a second when a master %s: its replica serves within 2 s, the others never stop",
    async (_name, fault) => {
      const crowd = await startCrowd(app, 30);
      await pause(1200);
      const [lost] = await cluster.masters();

      const lostAt = performance.now();
      await fault(lost!);
      await replaced(lost!);
      const replacedAt = performance.now();
      lost!.resume();
      await pause(4000);
      const answers = await crowd.stop();

      expectFailsClosed(answers, crowd.users);
      expectBack(answers, replacedAt);
      const during = named(within(answers, lostAt + 50, lostAt + 1500), "guarded");
      const served = new Set(during.filter(({ status }) => status === 200).map(({ loop }) => loop));
      expect(served.size, "people whose sessions are elsewhere").toBeGreaterThan(5);
      expect(statuses(named(answers, "guarded").filter(({ loop }) => served.has(loop)))).toEqual([200]);
      expect(statuses(during.filter(({ loop }) => !served.has(loop)))).toEqual([503]);
      expect((await app.do("health")).faults).toEqual([]);
    },
  );
});
