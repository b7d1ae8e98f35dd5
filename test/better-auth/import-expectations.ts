import { readFileSync } from "node:fs";
import request from "supertest";
import { beforeAll, describe, expect, it } from "vitest";
import type { Auth } from "../../lib/auth.ts";
import { importBetterAuth, type ImportBetterAuthOptions, type SkippedByImport } from "../../lib/better-auth/index.ts";
import type { UserStore } from "../../lib/core/users.ts";
import type { User } from "../../lib/core/users.ts";
import { betterAuthHashes } from "../../lib/core/password-hashing.ts";
import type { AuthOptions } from "../../lib/options.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { github } from "../../strategies/github.ts";
import { google } from "../../strategies/google.ts";
import { startApp } from "../support/app.ts";
import { locationOf, startProviderApp, userOf } from "../support/provider-app.ts";
import { openSqliteUsers } from "../support/sqlite-users.ts";
import { openTestStore } from "../support/test-store.ts";
import { startFakeGoogle } from "../support/fake-google.ts";

export const fixture = (name: "sqlite" | "postgres" | "mysql") =>
  readFileSync(new URL(`../fixtures/better-auth/${name}.sql`, import.meta.url), "utf8");

const NOW = Date.parse("2026-12-01T00:00:00Z");
const GOOGLE = "https://accounts.google.com";
const client = { clientId: "g-client", clientSecret: "g-secret" };

const email = (name: string) => `${name}@example.com`;

/** What better-auth's database of the fixtures becomes. */
const WHOLE = {
  dryRun: false,
  users: { read: 12, imported: 11, unchanged: 0, skipped: 1 },
  accounts: { imported: 5, skipped: 0 },
  passwords: { imported: 7, skipped: 0 },
  skipped: { anonymous: 1 },
  leftBehind: { encryptedTokens: 1, roles: 1, secondFactors: 1 },
};

/** An application over which the users of a better-auth come. */
export async function startImport(from: string, options: AuthOptions = {}) {
  const clock = createTestClock(NOW);
  const store = options.store ?? openTestStore({ clock });
  const writes: string[] = [];
  const watched: RecordStore = {
    ...store,
    commit: (given) => {
      writes.push(...given.map(({ op, in: { name } }) => `${op} ${name}`));
      return store.commit(given);
    },
  };
  const app = await startApp({
    clock,
    strategies: [google(client), github(client)],
    passwords: { foreignHashes: [betterAuthHashes], argon2: { memory: 12_288, passes: 3 } },
    ...options,
    store: watched,
  });
  const skipped: SkippedByImport[] = [];
  const run = (more: Partial<ImportBetterAuthOptions> = {}) =>
    importBetterAuth({ from, auth: app.auth, clock, onSkipped: (each) => skipped.push(each), ...more });
  const find = async (address: string) => (await app.auth.users.findByEmail(address)) as User;
  const signIn = (address: string, password: string) =>
    request(app.url).post("/auth/sign-in").send({ email: address, password, transport: "token" });
  return { ...app, clock, store, writes, skipped, run, find, signIn };
}

type Import = Awaited<ReturnType<typeof startImport>>;

async function withImport(from: string, options: AuthOptions, check: (given: Import) => Promise<void>): Promise<void> {
  const given = await startImport(from, options);
  try {
    await check(given);
  } finally {
    await given.close();
  }
}

/** What an import from any kind of database does; `source` is the better-auth of the fixtures. */
export function importExpectations(kind: string, source: () => string): void {
  describe(`importing better-auth from ${kind}`, () => {
    const importing = (check: (given: Import) => Promise<void>, options: AuthOptions = {}) => withImport(source(), options, check);

    it("brings every user with their accounts, and says what it did", () =>
      importing(async ({ auth, run, find, skipped }) => {
        expect(await run()).toEqual(WHOLE);
        expect(skipped).toEqual([{ userId: expect.any(String), provider: null, reason: "anonymous" }]);

        const zoe = await find("zoe@example.com");
        expect(zoe).toMatchObject({ name: "Zoë Müller 🦊", emailVerified: true, image: null });
        expect(zoe.id).toMatch(/^[A-Za-z0-9]{32}$/);
        expect([zoe.createdAt < NOW, zoe.createdAt > Date.parse("2026-01-01")]).toEqual([true, true]);
        const many = await find(email("many"));
        const linked = (await auth.accounts.listForUser(many.id)).map(({ providerId, issuer, accountId }) => [
          providerId,
          issuer,
          accountId,
        ]);
        expect(linked.sort(([a = ""], [b = ""]) => (a < b ? -1 : 1))).toEqual([
          ["credential", "", many.id],
          ["github", "https://github.com", "4000001"],
          ["google", GOOGLE, "google-many"],
        ]);
      }));

    it("keeps the tokens of providers, sealed, and leaves out what better-auth had encrypted", () =>
      importing(async ({ auth, run, find, store }) => {
        await run();
        const tokensOf = async (address: string, provider: string) => {
          const accounts = await auth.accounts.listForUser((await find(address)).id);
          return auth.accounts.getTokens(accounts.find(({ providerId }) => providerId === provider)?.id ?? "");
        };
        expect(await tokensOf(email("g.only"), "google")).toMatchObject({
          accessToken: "ya29.google-only",
          refreshToken: "1//google-only",
          idToken: expect.stringMatching(/^eyJ/),
          scope: "openid email profile",
          accessTokenExpiresAt: expect.any(Number),
        });
        expect(await tokensOf(email("many"), "github")).toMatchObject({ accessToken: "gho_4000001", scope: "read:user user:email" });
        expect(await tokensOf(email("sealed"), "google")).toBeNull();
        const { records } = await store.scan({ kind: "directory", name: "accounts", lookups: { identity: "unique", userId: "plain" } });
        expect(records.length).toBe(12);
        expect(records.some(({ value }) => /ya29|gho_/.test(Buffer.from(value).toString()))).toBe(false);
      }));

    it("lets people sign in by their old password, and hashes it anew", () =>
      importing(
        async ({ auth, run, find, signIn }) => {
          await run();
          const { id } = await find("zoe@example.com");
          expect(await auth.accounts.findPassword(id)).toMatch(/^[0-9a-f]{32}:/);
          expect((await signIn("Zoe@example.com", "correct horse battery staple!")).status).toBe(401);
          expect((await signIn("Zoe@example.com", "correct horse battery staple")).status).toBe(200);
          expect(await auth.accounts.findPassword(id)).toMatch(/^\$argon2id\$/);
          expect((await signIn("zoe@example.com", "correct horse battery staple")).status).toBe(200);
          // Typed with "fi" where the old one had a ligature: both are the same after NFKC.
          expect((await signIn(email("unconfirmed"), "fine pässwörd with ligature")).status).toBe(200);
        },
        { passwords: { foreignHashes: [betterAuthHashes], requireConfirmedEmail: false, argon2: { memory: 12_288, passes: 3 } } },
      ));

    it("signs in through a provider whom it did before, whatever address it says by now", async () => {
      const fake = await startFakeGoogle();
      const app = await startProviderApp({ strategies: [google({ ...client, fetch: fake.fetch })] });
      await importBetterAuth({ from: source(), auth: app.auth });
      Object.assign(fake.user, { sub: "google-only", email: "moved@example.com" });
      const person = app.person();
      await person.go(fake.authorize(locationOf(await person.go("/auth/login/google"))));
      const user = await app.auth.users.findByEmail(email("g.only"));
      expect((await userOf(person))?.id).toBe(user?.id);
      expect(await app.auth.users.findByEmail("moved@example.com")).toBeNull();
      await app.close();
      await fake.close();
    });

    it("rule 17: takes an unconfirmed address only from who gave it, and leaves it unconfirmed", () =>
      importing(async ({ auth, run, find, signIn }) => {
        await run();
        expect(await find(email("unconfirmed"))).toMatchObject({ emailVerified: false, name: "未確認" });
        const refused = await signIn(email("unconfirmed"), "ﬁne pässwörd with ligature");
        expect([refused.status, refused.body.code]).toEqual([403, "email_not_confirmed"]);
        // GitHub said of somebody's address that nobody had confirmed it.
        expect(await auth.users.findByEmail("stranger@example.com")).toBeNull();
        const identity = { provider: "github", issuer: "https://github.com", subject: "4000002" };
        const hub = await auth.accounts.findByIdentity(identity);
        expect(await auth.users.findById(hub?.userId ?? "")).toMatchObject({ email: null, emailVerified: false, name: "Hub" });
        // Nobody can come in as the invited one without proving the address.
        expect(await find(email("invited"))).toMatchObject({ emailVerified: false });
        // And whoever proves an address takes it from who only claimed it.
        const { id } = await find(email("unconfirmed"));
        await auth.signIn.withEmail(email("unconfirmed"));
        expect(await auth.accounts.findPassword(id)).toBeNull();
      }));

    it("keeps out whom better-auth had banned, and lets in whose ban has ended", () =>
      importing(async ({ run, signIn }) => {
        await run();
        const refused = await signIn(email("banned"), "the password of banned");
        expect([refused.status, refused.body.code]).toEqual([401, "user_disabled"]);
        expect((await signIn(email("forgiven"), "the password of forgiven")).status).toBe(200);
      }));

    it("gives nobody a role", () =>
      importing(async ({ auth, run, find }) => {
        await run();
        const { principal } = await auth.principals.standing((await find(email("boss"))).id);
        expect(principal.roles).toEqual([]);
      }));

    it("changes nothing when it is run again, and says so", () =>
      importing(async ({ auth, run, find, writes }) => {
        await run();
        const { id } = await find(email("many"));
        const [google] = (await auth.accounts.listForUser(id)).filter(({ providerId }) => providerId === "google");
        await auth.accounts.unlink({ userId: id, accountId: google?.id ?? "", otherWaysIn: 0 });
        await auth.users.update(id, { email: "new@example.com", name: "Renamed" });
        const before = writes.length;
        const again = await run();
        expect(again).toMatchObject({
          users: { read: 12, imported: 0, unchanged: 11, skipped: 1 },
          accounts: { imported: 0, skipped: 0 },
          passwords: { imported: 0, skipped: 0 },
        });
        expect(writes.slice(before)).toEqual([]);
        expect(await auth.users.findById(id)).toMatchObject({ email: "new@example.com", name: "Renamed" });
        expect(await auth.accounts.listForUser(id)).toHaveLength(2);
      }));

    it("brings nobody back who was deleted here", () =>
      importing(async ({ auth, run, find, skipped }) => {
        await run();
        for (const name of ["zoe", "banned"]) await auth.users.delete((await find(email(name))).id);
        const again = await run();
        expect(again.skipped).toMatchObject({ removed: 2 });
        expect(skipped.filter(({ reason }) => reason === "removed")).toHaveLength(2);
        expect(await auth.users.findByEmail("zoe@example.com")).toBeNull();
      }));

    it("writes nothing in a dry run, and counts what it would do", () =>
      importing(async ({ run, writes }) => {
        expect(await run({ dryRun: true })).toEqual({ ...WHOLE, dryRun: true });
        expect(writes).toEqual([]);
        expect(await run()).toEqual(WHOLE);
      }));

    it("overwrites nobody: an address or an identity that is taken is left out and told", () =>
      importing(async ({ auth, run, find, skipped }) => {
        const here = await auth.users.create({ email: "zoe@example.com", emailVerified: true, name: "Here before" });
        const identity = { provider: "google", issuer: GOOGLE, subject: "google-many" };
        const rest = {
          email: null,
          emailVerified: false,
          name: null,
          image: null,
          tokens: null,
          providerSessionId: null,
          authenticatedAt: null,
        };
        await auth.accounts.link({ userId: here.id, identity: { ...identity, ...rest } });
        const dry = await run({ dryRun: true });
        const report = await run();
        expect(report).toEqual({ ...dry, dryRun: false });
        expect(report).toMatchObject({
          users: { read: 12, imported: 10, unchanged: 0, skipped: 2 },
          accounts: { imported: 4, skipped: 1 },
          skipped: { anonymous: 1, email_taken: 1, identity_taken: 1 },
        });
        const many = await find(email("many"));
        expect(skipped).toContainEqual({ userId: many.id, provider: "google", reason: "identity_taken" });
        expect((await find("zoe@example.com")).id).toBe(here.id);
        expect((await auth.accounts.findByIdentity(identity))?.userId).toBe(here.id);
        expect(await auth.accounts.findPassword(here.id)).toBeNull();
      }));

    it("leaves out accounts of providers that are not configured, and passwords that could not be compared", () =>
      importing(
        async ({ run, find, auth }) => {
          const report = await run();
          expect(report).toMatchObject({
            accounts: { imported: 3, skipped: 2 },
            passwords: { imported: 0, skipped: 7 },
            skipped: { unknown_provider: 2, unknown_hash: 7 },
          });
          expect(await auth.accounts.listForUser((await find(email("many"))).id)).toHaveLength(1);
        },
        { strategies: [google(client)], passwords: true },
      ));

    it("goes on where it broke off", () =>
      importing(async ({ run, store, auth }) => {
        let left = 9;
        const commit = store.commit;
        const failing: Auth = auth;
        const { create } = failing.users;
        const broken = {
          ...auth.users,
          create: async (user?: Parameters<typeof create>[0]) => (left-- > 0 ? create(user) : Promise.reject(new Error("away"))),
        };
        await expect(run({ auth: { ...pick(auth), users: broken } })).rejects.toThrow("away");
        expect(store.commit).toBe(commit);
        const report = await run();
        expect(report.users.imported + report.users.unchanged).toBe(11);
        expect(report.users.imported).toBe(2);
        expect(await run()).toMatchObject({ users: { imported: 0, unchanged: 11 } });
      }));

    it("lets two imports run at once", () =>
      importing(async ({ run, auth, find }) => {
        const reports = await Promise.all([run(), run(), run()]);
        for (const { users } of reports) expect(users.imported + users.unchanged).toBe(11);
        expect(await auth.accounts.listForUser((await find(email("many"))).id)).toHaveLength(3);
      }));

    it("works in batches, and tells of each", () =>
      importing(async ({ run }) => {
        const read: number[] = [];
        const report = await run({ batchSize: 5, onProgress: ({ users }) => read.push(users.read) });
        expect(read).toEqual([5, 10, 12]);
        expect(report).toEqual(WHOLE);
      }));

    describe("with users of the application's own", () => {
      let users: UserStore & { close(): void };
      beforeAll(() => {
        users = openSqliteUsers();
        return () => users.close();
      });

      it("gives accounts and passwords to those who are there, once", async () => {
        await importing(
          async ({ run, auth, find, signIn }) => {
            await run();
            const { id } = await find("zoe@example.com");
            expect((await signIn("zoe@example.com", "correct horse battery staple")).status).toBe(200);
            expect(await users.findById(id)).toMatchObject({ email: "zoe@example.com" });
            expect(await auth.accounts.listForUser((await find(email("many"))).id)).toHaveLength(3);
          },
          { users },
        );
        // The same table, and a latchkey that has not seen its people.
        await importing(
          async ({ run, auth, find, signIn }) => {
            expect(await run()).toMatchObject({ passwords: { imported: 7 }, accounts: { imported: 5 } });
            expect((await signIn("zoe@example.com", "correct horse battery staple")).status).toBe(200);
            expect((await signIn(email("banned"), "the password of banned")).status).toBe(401);
            expect(await auth.accounts.listForUser((await find(email("many"))).id)).toHaveLength(3);
            expect(await run()).toMatchObject({ users: { imported: 0, unchanged: 11 }, passwords: { imported: 0 } });
          },
          { users },
        );
      });
    });
  });
}

function pick({ users, accounts, principals, passwords }: Auth) {
  return { users, accounts, principals, passwords };
}
