import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { closeServer, listen } from "../../examples/demo/listen.ts";

vi.setConfig({ testTimeout: 60_000 });

const root = fileURLToPath(new URL("../..", import.meta.url));
const running = new Set<ReturnType<typeof spawn>>();
afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
});

/** Runs the demo's program as `npm start` does. */
function start(env: Record<string, string>) {
  const { NODE_ENV: _, REDIS_URL: __, AUTH_SECRET: ___, ...inherited } = process.env;
  const child = spawn(process.execPath, ["--import", "tsx", "examples/demo/main.ts"], { cwd: root, env: { ...inherited, ...env } });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.once("close", (code) => {
      running.delete(child);
      resolve({ code, output });
    });
  });
  return { child, ended, output: () => output };
}

describe("npm start", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("says where to go, serves, and stops at once on %s", async (signal) => {
    const demo = start({ PORT: "0" });
    await expect.poll(demo.output, { timeout: 30_000 }).toContain("Ctrl-C");
    const url = /http:\/\/localhost:\d+/.exec(demo.output())?.[0] ?? "";
    const page = await fetch(`${url}/`);
    expect([page.status, page.url]).toEqual([200, `${url}/sign-in`]);
    expect(demo.output()).toMatch(/^\n {2}latchkey demo\n/);
    const before = performance.now();
    demo.child.kill(signal);
    expect((await demo.ended).code).toBe(0);
    expect(performance.now() - before).toBeLessThan(3000);
  });

  it("says what is wrong in one line, and ends", async () => {
    const taken = await listen(0);
    try {
      const messages = await Promise.all(
        [
          { PORT: String(taken.port) },
          { PORT: "http" },
          { PORT: "0", REDIS_URL: "localhost" },
          { PORT: "0", REDIS_URL: "redis://u:secret@127.0.0.1:1" },
        ].map(async (env) => start(env).ended),
      );
      expect(messages.map(({ code }) => code)).toEqual([1, 1, 1, 1]);
      const [port, number, url, redis] = messages.map(({ output }) => output.trim());
      expect(port).toBe(`Port ${taken.port} is taken. Choose another: PORT=${taken.port + 1} npm start`);
      expect(number).toBe("PORT=http is no port: give a number from 0 to 65535");
      expect(url).toBe("REDIS_URL is no URL: write it like redis://127.0.0.1:6379");
      expect(redis).toContain("There is no Redis at 127.0.0.1:1.");
      expect(redis).not.toContain("secret");
    } finally {
      await closeServer(taken);
    }
  });
});
