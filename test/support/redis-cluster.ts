import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { askRedis, until } from "./server-process.ts";
import { startRedis, type RedisServer } from "./services.ts";

/** Three masters with one replica each, on loopback. */
export interface RedisCluster {
  /** Every node, masters and replicas. `new Redis.Cluster(cluster.nodes)` takes them as they are. */
  readonly nodes: readonly RedisServer[];
  /** The nodes that are masters now. */
  masters(): Promise<RedisServer[]>;
  stop(): Promise<void>;
}

const BUS_OFFSET = 10_000;

/** Starts a cluster and waits until every node knows all slots and all replicas. About 3 s. A lost master is replaced after about 4 s. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const args = [
    "--cluster-enabled",
    "yes",
    "--cluster-config-file",
    "nodes.conf",
    "--cluster-node-timeout",
    "2000",
    "--cluster-require-full-coverage",
    "no",
  ];
  const started = await Promise.allSettled(Array.from({ length: 6 }, () => startRedis({ args, busOffset: BUS_OFFSET })));
  const nodes = started.flatMap((node) => (node.status === "fulfilled" ? [node.value] : []));
  const stop = async () => void (await Promise.all(nodes.map((node) => node.stop())));

  try {
    for (const node of started) if (node.status === "rejected") throw node.reason;
    const addresses = nodes.map(({ host, port }) => `${host}:${port}`);
    await promisify(execFile)("redis-cli", ["--cluster", "create", ...addresses, "--cluster-replicas", "1", "--cluster-yes"]);
    for (const { port } of nodes) await until("the cluster to agree", () => isSettled(port));
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, stop, masters: () => mastersAmong(nodes) };
}

async function isSettled(port: number): Promise<boolean> {
  if (!(await askRedis(port, "CLUSTER INFO")).includes("cluster_state:ok")) return false;
  const nodes = await askRedis(port, "CLUSTER NODES");
  return nodes.match(/slave /g)?.length === 3 && !nodes.includes("handshake");
}

async function mastersAmong(nodes: readonly RedisServer[]): Promise<RedisServer[]> {
  const roles = await Promise.all(nodes.map(({ port }) => askRedis(port, "ROLE").catch(() => "")));
  return nodes.filter((_, index) => roles[index]?.includes("master"));
}
