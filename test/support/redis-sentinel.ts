import { writeFile } from "node:fs/promises";
import { askRedis, freePort, startServerProcess, until, type ServerProcess } from "./server-process.ts";
import { startRedis, type RedisServer } from "./services.ts";

/** A master and its replicas, watched by three sentinels, on loopback. */
export interface RedisSentinel {
  /** What the sentinels call the master: `new Redis({ sentinels, name })`. */
  readonly name: "latchkey";
  readonly sentinels: readonly ServerProcess[];
  /** The master at the start first, then the replicas. */
  readonly servers: readonly RedisServer[];
  /** The server that the sentinels name as master now. */
  master(): Promise<RedisServer>;
  stop(): Promise<void>;
}

const NAME = "latchkey";

/** Starts it all and waits until every sentinel knows the others and the replicas. About 3 s. A lost master is replaced after about 4 s. */
export async function startSentinel({ replicas = 1 }: { replicas?: 1 | 2 } = {}): Promise<RedisSentinel> {
  const servers: RedisServer[] = [];
  const sentinels: ServerProcess[] = [];
  const stop = async () => void (await Promise.all([...sentinels, ...servers].map((server) => server.stop())));

  try {
    const first = await startRedis();
    servers.push(first);
    for (let count = 0; count < replicas; count++)
      servers.push(await startRedis({ args: ["--replicaof", "127.0.0.1", String(first.port)] }));
    await until("the replicas to be in step", async () => {
      const replication = await askRedis(first.port, "INFO replication");
      return replication.split("state=online").length === replicas + 1;
    });
    for (let count = 0; count < 3; count++) sentinels.push(await startOneSentinel(first.port));
    for (const { port } of sentinels) await until("the sentinels to agree", () => knowsAll(port, replicas));
  } catch (error) {
    await stop();
    throw error;
  }

  const master = async () => {
    const answers = await Promise.all(
      sentinels.map(({ port }) => askRedis(port, `SENTINEL GET-MASTER-ADDR-BY-NAME ${NAME}`).catch(() => "")),
    );
    const named = servers.find(({ port }) => answers.filter((answer) => answer.includes(`\r\n${port}\r\n`)).length >= 2);
    if (!named) throw new Error("the sentinels do not agree on a master");
    return named;
  };
  return { name: NAME, sentinels, servers, master, stop };
}

function startOneSentinel(masterPort: number): Promise<ServerProcess> {
  return startServerProcess({
    command: "redis-sentinel",
    args: async (port, dir) => {
      const lines = [
        ...[`port ${port}`, "bind 127.0.0.1", `dir ${dir}`, `logfile ${dir}/log`, `sentinel monitor ${NAME} 127.0.0.1 ${masterPort} 2`],
        ...[`sentinel down-after-milliseconds ${NAME} 1000`, `sentinel failover-timeout ${NAME} 5000`, `sentinel parallel-syncs ${NAME} 1`],
      ];
      await writeFile(`${dir}/sentinel.conf`, lines.join("\n"));
      return [`${dir}/sentinel.conf`];
    },
    ready: async (port, pid) => (await askRedis(port, "INFO server")).includes(`process_id:${pid}\r\n`),
    port: () => freePort(),
  });
}

/** Whether a sentinel counts all replicas and the two other sentinels. */
async function knowsAll(port: number, replicas: number): Promise<boolean> {
  const answer = await askRedis(port, `SENTINEL MASTER ${NAME}`);
  const field = (name: string) => new RegExp(`\\r\\n${name}\\r\\n\\$\\d+\\r\\n(\\d+)`).exec(answer)?.[1];
  return field("num-slaves") === String(replicas) && field("num-other-sentinels") === "2";
}
