import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { openDatabase } from "../../lib/adapters/sqlite/driver.ts";
import { createAuth } from "../../lib/auth.ts";
import { TEST_SECRET } from "../support/kit.ts";
import { runLatchkey } from "./cli-run.ts";

const dir = mkdtempSync(join(tmpdir(), "latchkey-cli-"));
const from = join(dir, "better.db");
const database = openDatabase(from);
database.exec(`
  create table user (id text primary key, name text, email text, emailVerified integer, image text, createdAt date, updatedAt date, role text);
  create table account (id text primary key, accountId text, providerId text, userId text, accessToken text, refreshToken text, idToken text,
    accessTokenExpiresAt date, refreshTokenExpiresAt date, scope text, password text, createdAt date, updatedAt date);
  insert into user values ('u1', 'Ada', 'ada@example.com', 1, null, '2025-01-02T03:04:05.000Z', '2025-01-02T03:04:05.000Z', 'admin');
  insert into user values ('u2', 'Bob', 'no address', 1, null, '2025-01-02T03:04:05.000Z', '2025-01-02T03:04:05.000Z', 'user');
`);
database.close();
afterAll(() => rmSync(dir, { recursive: true }));

describe("latchkey import better-auth", () => {
  it("counts in a dry run, imports, and leaves alone who is here", async () => {
    const store = { ...memoryStore(), close: async () => {} };
    const config = () => ({
      auth: createAuth({ secret: TEST_SECRET, baseUrl: "https://app.example.com", store, passwords: { requireConfirmedEmail: false } }),
    });
    const run = (...more: string[]) => runLatchkey(["import", "better-auth", "--from", from, ...more], { config: config() });

    const dry = await run("--dry-run");
    expect(await config().auth.users.findById("u1")).toBeNull();
    const done = await run();
    const again = await run();

    expect(dry.out).toContain("users: 1 would be imported, 0 here already, 1 left out, of 2");
    expect(done).toMatchObject({ code: 0, err: expect.stringMatching(/^left out: user u2: \w+$/m) });
    expect(done.out).toContain("users: 1 imported, 0 here already, 1 left out, of 2");
    expect(done.out).toContain("1 users had another role: give it to them with auth.users.setRoles");
    expect(again.out).toContain("users: 0 imported, 1 here already, 1 left out, of 2");
    expect(await config().auth.users.findById("u1")).toMatchObject({ email: "ada@example.com", name: "Ada" });
  });

  it("needs an auth and says which database it cannot read", async () => {
    expect(await runLatchkey(["import", "better-auth", "--from", from], { config: { store: memoryStore() } })).toMatchObject({ code: 2 });
    const auth = createAuth({ secret: TEST_SECRET, baseUrl: "https://app.example.com" });
    const lost = await runLatchkey(["import", "better-auth", "--from", join(dir, "lost.db")], { config: { auth } });
    expect([lost.code, lost.err]).toEqual([1, expect.stringContaining("there is no file")]);
  });
});
