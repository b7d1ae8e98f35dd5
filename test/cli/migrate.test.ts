import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { cached } from "../../lib/adapters/cached/index.ts";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { routed } from "../../lib/adapters/routed/index.ts";
import { sqliteStore } from "../../lib/adapters/sqlite/index.ts";
import { createAuth } from "../../lib/auth.ts";
import { directoryCollection } from "../../lib/storage/collection.ts";
import { TEST_SECRET } from "../support/kit.ts";
import { runLatchkey } from "./cli-run.ts";

const dir = mkdtempSync(join(tmpdir(), "latchkey-cli-"));
afterAll(() => rmSync(dir, { recursive: true }));
let files = 0;
const newPath = () => join(dir, `${(files += 1)}.db`);

describe("latchkey migrate", () => {
  it("says what is due, does it, and then has nothing to do", async () => {
    const path = newPath();
    const config = () => ({ store: sqliteStore({ path, collections: [directoryCollection("notes")] }) });

    const due = await runLatchkey(["migrate", "--dry-run"], { config: config() });
    const done = await runLatchkey(["migrate"], { config: config() });
    const again = await runLatchkey(["migrate"], { config: config() });

    expect(due.out).toMatch(/^sqlite: due: version 1 of the tables: latchkey_s, .*\nsqlite: due: version 2 [^]*"notes": latchkey_notes$/);
    expect(done).toEqual({ code: 0, out: due.out.replaceAll("due", "done"), err: "" });
    expect(again).toEqual({ code: 0, out: "sqlite: nothing to do", err: "" });
  });

  it("goes through wrappers, and through what createAuth made", async () => {
    const path = newPath();
    const config = () => {
      const inner = routed({ directory: sqliteStore({ path }), ephemeral: memoryStore() });
      const store = encrypted(cached(inner), { keys: "k".repeat(40), indexKey: "i".repeat(40) });
      return { auth: createAuth({ secret: TEST_SECRET, baseUrl: "https://app.example.com", store }) };
    };

    const done = await runLatchkey(["migrate"], { config: config() });

    expect(done.out).toContain("encrypted(cached(routed(sqlite, memory))): done: version 1");
    expect((await runLatchkey(["migrate"], { config: config() })).out).toContain("nothing to do");
  });

  it("closes what the configuration opened, and calls its close()", async () => {
    const store = sqliteStore({ path: newPath() });
    let closed = 0;
    await runLatchkey(["migrate"], { config: { store, close: () => void (closed += 1) } });

    expect(closed).toBe(1);
    await expect(store.sweep()).rejects.toThrow("The SQLite store is closed");
  });

  it("ends with 1 when the store is away, and says what is underneath", async () => {
    const store = { ...memoryStore(), migrate: () => Promise.reject(new Error("no route to host")) };
    expect(await runLatchkey(["migrate"], { config: { store } })).toEqual({ code: 1, out: "", err: "latchkey: no route to host" });
  });
});

describe("the configuration of a command", () => {
  const load = (path: string) => import(pathToFileURL(path).href);

  it("is latchkey.config in the folder, as a module of either kind", async () => {
    for (const [extension, source] of [
      ["mjs", "export const store = globalThis.configuredStore;"],
      ["cjs", "module.exports = { store: globalThis.configuredStore };"],
    ] as const) {
      const cwd = mkdtempSync(join(dir, "app-"));
      Object.assign(globalThis, { configuredStore: sqliteStore({ path: newPath() }) });
      writeFileSync(join(cwd, `latchkey.config.${extension}`), source);
      expect(await runLatchkey(["migrate", "--dry-run"], { cwd, load })).toMatchObject({
        code: 0,
        out: expect.stringContaining("sqlite: due"),
      });
    }
  });

  it.each([
    [{}, "exports neither `auth`", 2],
    [{ auth: {} }, "not what createAuth() returned", 1],
    [{ store: {} }, "store: lacks get()", 1],
  ])("is refused when it exports %j", async (config, message, code) => {
    expect(await runLatchkey(["migrate"], { config })).toEqual({ code, out: "", err: expect.stringContaining(message) });
  });

  it("is asked for when there is none", async () => {
    expect(await runLatchkey(["migrate"], { cwd: dir })).toMatchObject({ code: 2, err: expect.stringContaining("--config <module>") });
    expect((await runLatchkey(["migrate", "--config", "a.js"], { cwd: dir })).err).toContain(`there is no ${join(dir, "a.js")}`);
  });

  it("in TypeScript, where Node does not load that, is answered with how to run it", async () => {
    const cwd = mkdtempSync(join(dir, "app-"));
    writeFileSync(join(cwd, "latchkey.config.ts"), "");
    const error = Object.assign(new TypeError("Unknown file extension"), { code: "ERR_UNKNOWN_FILE_EXTENSION" });
    const { code, err } = await runLatchkey(["migrate"], { cwd, load: () => Promise.reject(error) });
    expect([code, err]).toEqual([1, expect.stringContaining('NODE_OPTIONS="--import tsx" npx latchkey')]);
  });
});
