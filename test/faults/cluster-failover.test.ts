import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askRedis, until } from "../support/server-process.ts";
import { startRedisCluster, type RedisCluster } from "../support/services.ts";
import { startFaultApp, type FaultApp } from "./support/app.ts";
import { expectBack, expectFailsClosed, named, pause, startCrowd, within } from "./support/outage.ts";

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

describe("a master of a Cluster that is killed under load", () => {
  it("rules 43, 48, 50: loses no session older than a second, its replica serves within 2 s, and the other masters go on", async () => {
    const crowd = await startCrowd(app, 30);
    await pause(1200);
    const [old] = await cluster.masters();

    const killedAt = performance.now();
    await old!.kill("SIGKILL");
    await until("a new master", async () => (await cluster.masters()).length === 3);
    await until("the cluster to be whole", async () => {
      const living = cluster.nodes.filter((node) => node !== old);
      return (await Promise.all(living.map(({ port }) => askRedis(port, "CLUSTER INFO")))).every((info) =>
        info.includes("cluster_state:ok"),
      );
    });
    const wholeAt = performance.now();
    await pause(4000);
    const answers = await crowd.stop();

    expectFailsClosed(answers, crowd.users);
    expectBack(answers, wholeAt);
    const served = new Set(
      named(within(answers, killedAt + 500, wholeAt), "guarded")
        .filter(({ status }) => status === 200)
        .map(({ loop }) => loop),
    );
    expect(served.size, "people whose master stayed").toBeGreaterThan(5);
    expect((await app.do("health")).faults).toEqual([]);
  });
});
