import { once } from "node:events";
import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientOptions, redisStore } from "../../../lib/adapters/redis/index.ts";
import { ownerTag } from "../../../lib/crypto/hash.ts";
import { createAuth, type Auth } from "../../../lib/index.ts";
import type { RecordStore } from "../../../lib/storage/record-store.ts";
import { TEST_SECRET } from "../../support/kit.ts";
import { startRedisCluster, type RedisCluster } from "../../support/services.ts";
import { note, notes, people, person } from "./samples.ts";

let cluster: RedisCluster;
let client: Cluster;
let store: RecordStore;
let auth: Auth;

beforeAll(async () => {
  cluster = await startRedisCluster();
  client = new Cluster([...cluster.nodes], { redisOptions: clientOptions });
  await once(client, "ready"); // its own commands may be lost before that; those of the store wait for it
  store = redisStore({ client, timeout: 3000 });
  auth = createAuth({ secret: TEST_SECRET, baseUrl: "http://localhost", store, apiKeys: true });
});

afterAll(async () => {
  await auth.close();
  client.disconnect();
  await cluster.stop();
});

/** A connection to the master that has a slot, and one to a master that has not. */
const mastersOf = async (slot: number) => {
  const slots = await client.cluster("SLOTS");
  const masters = slots.flatMap(([from, to, master]) => {
    const [host, port] = master ?? [];
    return host && port ? [{ has: from <= slot && slot <= to, port, node: new Redis(port, host, { lazyConnect: true }) }] : [];
  });
  const [source, target] = [masters.find(({ has }) => has), masters.find(({ has }) => !has)];
  if (!source || !target) throw new Error("a cluster of one master");
  return { source, target, end: () => masters.forEach(({ node }) => node.disconnect()) };
};

describe("in a Cluster", () => {
  it("one owner's sessions and API keys share a slot, and owners spread over all masters", async () => {
    const slotOf = (key: string) => client.cluster("KEYSLOT", key) as Promise<number>;
    const nodes = new Set<number>();
    const slots = await client.cluster("SLOTS");
    for (let user = 0; user < 30; user += 1) {
      const userId = `user-${user}`;
      await auth.sessions.create({ userId });
      await auth.apiKeys.create({ userId, name: "ci" });
      const tag = ownerTag(userId);
      const slot = await slotOf(`lk:{${tag}}s`);
      expect(await client.exists(`lk:{${tag}}s`)).toBe(1);
      for (const collection of ["apikeys", "k", "anything"]) expect(await slotOf(`lk:{${tag}}${collection}`)).toBe(slot);
      nodes.add(slots.findIndex(([from, to]) => from <= slot && slot <= to));
    }
    expect(nodes.size).toBe(slots.length);
  });

  it("a directory that is moving between nodes never lets a unique lookup be taken twice", async () => {
    const taken = person("owner");
    const thief = person("thief", { lookups: taken.lookups ?? {} });
    await store.commit([{ op: "insert", in: people, record: taken }]);
    const slot = Number(await client.cluster("KEYSLOT", "lk:d{d}people:owner"));
    const { source, target, end } = await mastersOf(slot);
    const [from, to] = [String(await source.node.cluster("MYID")), String(await target.node.cluster("MYID"))];
    await target.node.cluster("SETSLOT", slot, "IMPORTING", from);
    await source.node.cluster("SETSLOT", slot, "MIGRATING", to);

    const keys = (await source.node.cluster("GETKEYSINSLOT", slot, 1000)) as string[];
    const outcomes: unknown[] = [];
    for (const key of keys) {
      // What is neither here nor there yet is refused as an outage; what can be decided is decided rightly.
      outcomes.push(await store.commit([{ op: "insert", in: people, record: thief }]).catch((error: { code: string }) => error.code));
      outcomes.push((await store.find(people, "team", "red").catch(() => [taken])).length);
      await source.node.migrate("127.0.0.1", target.port, key, 0, 2000);
    }
    for (const { node } of [source, target]) await node.cluster("SETSLOT", slot, "NODE", to);
    end();

    expect(outcomes).not.toContain(true);
    expect(await store.commit([{ op: "insert", in: people, record: thief }])).toBe(false);
    expect((await store.find(people, "email", "owner@example.com")).map(({ id }) => id)).toEqual(["owner"]);
    expect(
      (await store.find(people, "team", "red")).map(({ id }) => id),
      "no lookup lost it on the way",
    ).toEqual(["owner"]);
  });

  it("a partition that moved to another node is followed there", async () => {
    const record = note("a", { partition: "moving" });
    await store.commit([{ op: "insert", in: notes, record }]);
    const slot = Number(await client.cluster("KEYSLOT", "lk:{moving}notes"));
    const { source, target, end } = await mastersOf(slot);
    const [from, to] = [String(await source.node.cluster("MYID")), String(await target.node.cluster("MYID"))];
    await target.node.cluster("SETSLOT", slot, "IMPORTING", from);
    await source.node.cluster("SETSLOT", slot, "MIGRATING", to);
    await source.node.migrate("127.0.0.1", target.port, "lk:{moving}notes", 0, 2000);

    expect((await store.get(notes, record))?.id).toBe("a");
    expect(await store.commit([{ op: "replace", in: notes, record, ifVersion: 1 }])).toBe(true);
    for (const { node } of [source, target]) await node.cluster("SETSLOT", slot, "NODE", to);
    end();

    expect((await store.take(notes, record))?.version).toBe(2);
    expect(await store.list(notes, "moving")).toEqual([]);
  });
});
