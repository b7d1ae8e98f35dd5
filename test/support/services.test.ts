import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { askRedis, until } from "./server-process.ts";
import { redisUrl, startRedis, startRedisCluster, startSentinel } from "./services.ts";

describe("the services that tests start", () => {
  it("give a Redis that can be frozen, killed and started again, and leave nothing", async () => {
    const redis = await startRedis();
    expect(await askRedis(redis.port, "PING")).toContain("PONG");

    redis.pause();
    const frozen = askRedis(redis.port, "PING");
    expect(await Promise.race([frozen, new Promise((resolve) => setTimeout(resolve, 100, "no answer"))])).toBe("no answer");
    redis.resume();
    expect(await frozen).toContain("PONG");

    const { pid } = redis;
    await redis.kill("SIGKILL");
    await expect(askRedis(redis.port, "PING")).rejects.toThrow("ECONNREFUSED");
    await redis.restart();
    expect(redis.pid).not.toBe(pid);
    expect(await askRedis(redis.port, "PING")).toContain("PONG");

    await redis.stop();
    await redis.stop();
    expect(isRunning(redis.pid)).toBe(false);
    expect(existsSync(redis.dir)).toBe(false);
  });

  it("share one Redis between all who only need one", async () => {
    expect(await redisUrl()).toBe(await redisUrl());
  });

  it("die with a test process that is killed before it could stop them", async () => {
    const program = `
      import { startRedis } from ${JSON.stringify(new URL("./services.ts", import.meta.url).href)};
      const { pid, dir } = await startRedis();
      process.send({ pid, dir });
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const [{ pid, dir }] = (await once(child, "message")) as [{ pid: number; dir: string }];
    expect(isRunning(pid)).toBe(true);

    child.kill("SIGKILL");

    await until("the server to end", async () => !isRunning(pid) && !existsSync(dir));
  });

  it("give a cluster of three masters with a replica each", async () => {
    const cluster = await startRedisCluster();
    try {
      expect(cluster.nodes).toHaveLength(6);
      expect(await cluster.masters()).toHaveLength(3);
    } finally {
      await cluster.stop();
    }
    expect(cluster.nodes.filter(({ pid, dir }) => isRunning(pid) || existsSync(dir))).toEqual([]);
  });

  it("give a master with replicas whose sentinels replace it", async () => {
    const sentinel = await startSentinel({ replicas: 2 });
    try {
      const before = await sentinel.master();
      expect(before).toBe(sentinel.servers[0]);
      await before.kill("SIGKILL");
      await until("a new master", async () => (await sentinel.master()) !== before);
    } finally {
      await sentinel.stop();
    }
  });
});

/** Whether a process lives: one that ended but that nobody has waited for does not. */
function isRunning(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.startsWith("Z");
}
