import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const dir = mkdtempSync(join(tmpdir(), "latchkey-cli-"));
const main = fileURLToPath(new URL("../../lib/cli/main.ts", import.meta.url));
const memory = fileURLToPath(new URL("../../lib/adapters/memory/index.ts", import.meta.url));
const tsx = import.meta.resolve("tsx");
afterAll(() => rmSync(dir, { recursive: true }));

function latchkey(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", tsx, main, ...args], {
    cwd: dir,
    encoding: "utf8",
    timeout: 50_000,
  });
  return { status, stdout, stderr };
}

describe("the latchkey program", { timeout: 60_000 }, () => {
  it("loads a configuration in TypeScript under tsx, and ends though that left a timer", () => {
    const source = `import { memoryStore } from ${JSON.stringify(memory)};\nsetInterval(() => {}, 1000);\nexport const store: object = memoryStore();\n`;
    writeFileSync(join(dir, "latchkey.config.ts"), source);
    expect(latchkey("migrate")).toEqual({ status: 0, stdout: "memory: nothing to do\n", stderr: "" });
  });

  it("ends with 2 and writes to stderr when it is called wrongly", () => {
    expect(latchkey("migrat")).toEqual({ status: 2, stdout: "", stderr: expect.stringContaining("did you mean migrate?") });
  });
});
