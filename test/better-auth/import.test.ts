import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDatabase } from "../../lib/adapters/sqlite/driver.ts";
import { importBetterAuth } from "../../lib/better-auth/index.ts";
import { microsoft } from "../../strategies/microsoft.ts";
import { x } from "../../strategies/x.ts";
import { fixture, importExpectations, startImport } from "./import-expectations.ts";

const folder = mkdtempSync(join(tmpdir(), "latchkey-better-auth-"));
const path = join(folder, "auth.db");

const write = (file: string, sql: string) => {
  const database = openDatabase(join(folder, file));
  database.exec(sql);
  database.close();
  return join(folder, file);
};

beforeAll(() => void write("auth.db", fixture("sqlite")));
afterAll(() => rmSync(folder, { recursive: true }));

importExpectations("a SQLite file", () => path);

describe("what is imported from", () => {
  it("may be renamed tables in snake case, with instants in seconds and ids that are numbers", async () => {
    const renamed = write(
      "renamed.db",
      `create table people (id integer primary key, name text, email text, email_verified integer, created_at integer);
       create table logins (id integer primary key, user_id integer, provider_id text, account_id text, access_token text, access_token_expires_at integer);
       insert into people values (9, 'Nine', 'nine@example.com', 1, 1700000000), (10, 'Ten', 'ten@example.com', 1, 1700000001);
       insert into logins values (1, 10, 'goog', 12345, 'token', 1700003600);`,
    );
    const { auth, run, close } = await startImport(`file:${renamed}`);
    const tables = { user: "people", account: "logins" };
    const report = await run({ tables, providers: { goog: "google" }, batchSize: 1 });
    expect(report).toMatchObject({ users: { imported: 2 }, accounts: { imported: 1 } });
    expect(await auth.users.findByEmail("nine@example.com")).toMatchObject({ id: "9", createdAt: 1_700_000_000_000 });
    const [account] = await auth.accounts.listForUser("10");
    expect(account).toMatchObject({ providerId: "google", accountId: "12345", accessTokenExpiresAt: 1_700_003_600_000 });
    await close();
  });

  it("may know people of Microsoft by another id than the one they sign in by, which is in their ID token", async () => {
    const iss = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
    const idToken = (claims: object) => `e30.${Buffer.from(JSON.stringify({ iss, ...claims })).toString("base64url")}.`;
    const ms = write(
      "microsoft.db",
      `${fixture("sqlite").split("insert into")[0]}
       insert into "user" ("id", "name", "email", "emailVerified", "createdAt", "updatedAt") values
         ('u1', 'one', 'one@example.com', 1, '2026-01-01', '2026-01-01'), ('u2', 'two', 'two@example.com', 1, '2026-01-01', '2026-01-01'),
         ('u3', 'three', 'three@example.com', 1, '2026-01-01', '2026-01-01'), ('u4', 'four', 'four@example.com', 1, '2026-01-01', '2026-01-01');
       insert into "account" ("id", "accountId", "providerId", "userId", "idToken", "createdAt", "updatedAt") values
         ('a1', 'oid-1', 'microsoft', 'u1', '${idToken({ sub: "sub-1", oid: "oid-1" })}', '2026-01-01', '2026-01-01'),
         ('a2', 'sub-2', 'microsoft', 'u2', '${idToken({ sub: "sub-2", oid: "oid-2" })}', '2026-01-01', '2026-01-01'),
         ('a3', 'oid-3', 'microsoft', 'u3', '${idToken({ sub: "sub-4", oid: "oid-4" })}', '2026-01-01', '2026-01-01'),
         ('a4', 'oid-4', 'microsoft', 'u4', null, '2026-01-01', '2026-01-01'),
         ('a5', 't-1', 'twitter', 'u4', null, '2026-01-01', '2026-01-01');`,
    );
    const client = { clientId: "client", clientSecret: "secret" };
    const { auth, run, close } = await startImport(ms, { strategies: [microsoft(client), x(client)] });
    expect(await run()).toMatchObject({ accounts: { imported: 3, skipped: 2 }, skipped: { unknown_subject: 2 } });
    for (const [subject, userId] of Object.entries({ "sub-1": "u1", "sub-2": "u2" })) {
      expect(await auth.accounts.findByIdentity({ provider: "microsoft", issuer: iss, subject })).toMatchObject({ userId });
    }
    expect(await auth.accounts.listForUser("u4")).toMatchObject([{ providerId: "x", accountId: "t-1" }]);
    await close();
  });

  it("may hold people whom nobody could tell apart here, or who have no way in", async () => {
    const odd = write(
      "odd.db",
      `${fixture("sqlite").split("insert into")[0]}
       insert into "user" ("id", "name", "email", "emailVerified", "createdAt", "updatedAt") values
         ('*', 'star', 'star@example.com', 1, '2026-01-01', '2026-01-01'),
         ('u1', 'one', 'STRASSE@example.com', 1, '2026-01-01', '2026-01-01'),
         ('u2', 'two', 'strasse@example.com', 1, '2026-01-01', '2026-01-01'),
         ('u3', 'three', '"quoted name"@example.com', 1, '2026-01-01', '2026-01-01'),
         ('u4', 'four', '"quoted too"@example.com', 1, '2026-01-01', '2026-01-01');
       insert into "account" ("id", "accountId", "providerId", "userId", "createdAt", "updatedAt") values
         ('a1', 'same', 'google', 'u4', '2026-01-01', '2026-01-01'), ('a2', 'same', 'google', 'u4', '2026-01-01', '2026-01-01'),
         ('a3', 'same', 'google', 'u2', '2026-01-01', '2026-01-01'), ('a4', 'x', 'nobody', 'u1', '2026-01-01', '2026-01-01');`,
    );
    const { auth, run, close } = await startImport(odd);
    const dry = await run({ dryRun: true });
    const report = await run();
    expect(report.users).toEqual({ read: 5, imported: 2, unchanged: 0, skipped: 3 });
    expect(dry.users).toEqual(report.users);
    expect(report.skipped).toMatchObject({ invalid_id: 1, email_taken: 1, no_way_in: 1 });
    expect(await auth.users.findById("u4")).toMatchObject({ email: null, emailVerified: false });
    await close();
  });

  it("is refused when it is no such database, and none is made", async () => {
    const { run, close } = await startImport(path);
    const other = write("other.db", `create table "user" (id text); create table things (id text);`);
    for (const [from, message] of [
      [join(folder, "missing.db"), /no file/],
      [other, /no column email/],
      [write("empty.db", "create table things (id text)"), /no table "user" or "users"/],
      ["mongodb://localhost/auth", /no reading "mongodb:"/],
      ["postgres:/ada:swordfish@localhost/auth", /^(?!.*swordfish).*no reading "postgres:"/],
      ["mysql:ada:swordfish@localhost/auth", /^(?!.*swordfish).*no reading "mysql:"/],
      ["//ada:swordfish@localhost/auth", /no file of that name/],
      ["", /give a database/],
    ] as const) {
      await expect(run({ from })).rejects.toMatchObject({ name: "ConfigError", message: expect.stringMatching(message) });
    }
    expect(() => openDatabase(join(folder, "missing", "x.db"))).toThrow();
    await close();
  });

  it.each([
    ["none", "null"],
    ["bytes", "x'00ff'"],
    ["numbers too large to be told apart", "9007199254740993"],
  ])("is refused when its ids are %s, rather than read for ever or one for another", async (kind, id) => {
    const odd = write(
      `${kind}.db`,
      `create table user (id, email text, emailVerified int); create table account (userId, providerId text, accountId text);
       insert into user values (${id}, 'odd@example.com', 1);`,
    );
    const { auth, run, close } = await startImport(odd);
    await expect(run({ batchSize: 1 })).rejects.toThrow(/importBetterAuth\.tables\.user: an id is neither text nor|too large/);
    expect(await auth.users.findByEmail("odd@example.com")).toBeNull();
    await close();
  });

  it("is read, never written", async () => {
    const { run, close } = await startImport(path);
    await run();
    const database = openDatabase(path);
    const before = database.prepare(`select count(*) as n from "user"`).all();
    database.close();
    expect(before).toEqual([{ n: 12 }]);
    await close();
  });

  it("refuses options it does not know, and an application that is none", async () => {
    const { auth, close } = await startImport(path);
    const refuse = (options: object) =>
      expect(importBetterAuth({ from: path, auth, ...options } as never)).rejects.toMatchObject({ name: "ConfigError" });
    await refuse({ dryrun: true });
    await refuse({ dryRun: "yes" });
    await refuse({ auth: {} });
    await refuse({ batchSize: 0 });
    await refuse({ providers: { google: 1 } });
    await refuse({ tables: { users: "people" } });
    await refuse({ onProgress: "log" });
    await close();
  });
});
