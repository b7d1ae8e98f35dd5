import { expect } from "vitest";
import { createAuth } from "../../lib/auth.ts";
import type { Identity } from "../../lib/core/strategy.ts";
import { sessionCollection } from "../../lib/core/session-record.ts";
import { userCollection } from "../../lib/core/user-directory.ts";
import { directoryKey } from "../../lib/storage/collection.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { memoryTransport } from "../../lib/email/memory.ts";
import { TEST_SECRET } from "../support/kit.ts";
import { runLatchkey } from "./cli-run.ts";

type Rows = Readonly<Record<string, unknown>>[];

/** A database, and a store over it. `run` takes what was printed; `dateOf` reads a timestamp of the driver's. */
export interface SchemaDatabase {
  readonly dialect: "postgres" | "mysql" | "sqlite";
  readonly store: RecordStore;
  run(sql: string): Promise<unknown>;
  rows(sql: string): Promise<Rows>;
  quote(name: string): string;
  milliseconds(time: unknown): number;
}

/** What `latchkey schema` prints leaves nothing to do for migrate(), and the store works on it. */
export async function checkSchema({ dialect, store, run }: SchemaDatabase): Promise<void> {
  const { code, out } = await runLatchkey(["schema", "--dialect", dialect]);
  expect(code).toBe(0);
  await run(out);

  expect((await store.inspect?.())?.filter(({ code }) => code === "migration_pending")).toEqual([]);
  await store.migrate();
}

/** The views show what createAuth keeps, under better-auth's names, and no secrets. */
export async function checkViews({ dialect, store, run, rows, quote, milliseconds }: SchemaDatabase): Promise<void> {
  const mail = memoryTransport();
  const auth = createAuth({ secret: TEST_SECRET, baseUrl: "https://app.example.com", store, email: mail, passwords: true });
  const { out } = await runLatchkey(["schema", "--dialect", dialect, "--better-auth"]);
  await run(out);
  const before = Date.now();
  const ada = await auth.users.create({ email: "ada@example.com", emailVerified: true, name: 'Ada "Ä" O\'Null' });
  const bob = await auth.users.create({ email: "bob@example.com" });
  // Names and data that JSON can hold, and these databases cannot.
  const odd = await auth.users.create({ email: "odd@example.com", name: '\\\\u0000 \0\0 \ud800 \\\0 \\"' });
  await auth.sessions.create({ userId: odd.id, data: { note: "\0 \udfff" } });
  const source = { ip: "203.0.113.9", userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" };
  const { session } = await auth.sessions.create({ userId: ada.id, methods: ["magic_code"], source });
  await auth.sessions.create({ userId: bob.id, methods: ["magic_code"] });
  await auth.sessions.createGuest();
  const tokens = {
    ...{ accessToken: "at-secret", refreshToken: "rt-secret", idToken: null, scope: "openid email" },
    ...{ accessTokenExpiresAt: before + 3600_000, refreshTokenExpiresAt: null },
  };
  const identity: Identity = {
    ...{ provider: "company", issuer: "https://login.example.com", subject: "4711", email: "ada@example.com", emailVerified: true },
    ...{ name: "Ada", image: null, tokens, providerSessionId: null, authenticatedAt: null },
  };
  await auth.signIn.linkIdentity(ada.id, identity);
  await auth.magicCodes.request({ email: "ada@example.com", purpose: "sign_in", source: null });

  const people = await rows(`select * from ${quote("user")} order by email`);
  expect(people).toHaveLength(3);
  if (dialect !== "sqlite") expect(people[2]).toMatchObject({ name: '\\\\u0000 ?? ? \\? \\"' });
  expect(people[0]).toMatchObject({ id: ada.id, name: ada.name, email: "ada@example.com", image: null });
  expect(people.map(({ emailVerified }) => Boolean(emailVerified))).toEqual([true, false, false]);
  expect(people[1]).toMatchObject({ name: null });
  expect(milliseconds(people[0]?.["createdAt"])).toBe(ada.createdAt);

  const joined = await rows(
    `select s.*, u.email from ${quote("session")} s join ${quote("user")} u on u.id = s.${quote("userId")} order by u.email`,
  );
  expect(joined).toHaveLength(3);
  expect(joined[0]).toMatchObject({
    userId: ada.id,
    token: null,
    ipAddress: "203.0.113.9",
    userAgent: "Firefox on Linux",
    email: "ada@example.com",
  });
  expect(joined[1]).toMatchObject({ userId: bob.id, ipAddress: null, userAgent: null });
  expect(milliseconds(joined[0]?.["createdAt"])).toBe(session.createdAt);
  expect(milliseconds(joined[0]?.["updatedAt"])).toBe(session.lastSeenAt);
  expect(milliseconds(joined[0]?.["expiresAt"])).toBe(Math.min(session.expiresAt, session.idleExpiresAt));
  expect(Buffer.from(session.id, "base64url").subarray(16).toString("base64url")).toBe(joined[0]?.["id"]);

  const accounts = await rows(`select * from ${quote("account")} order by ${quote("providerId")}`);
  const none = { accessToken: null, refreshToken: null, idToken: null, password: null };
  expect(accounts).toEqual([
    expect.objectContaining({ providerId: "company", accountId: "4711", userId: ada.id, scope: "openid email", ...none }),
  ]);
  expect(milliseconds(accounts[0]?.["accessTokenExpiresAt"])).toBe(tokens.accessTokenExpiresAt);

  const sent = await rows(`select * from ${quote("verification")}`);
  expect(sent).toEqual([expect.objectContaining({ identifier: "ada@example.com", value: null })]);
  expect(milliseconds(sent[0]?.["expiresAt"])).toBeGreaterThan(before);
  await auth.sessions.revokeAll(ada.id);
  expect(await rows(`select * from ${quote("session")}`)).toHaveLength(2);

  const sealed = { value: Buffer.from([0xe5, 1, 0xff, 0xfe, 0x80]), expiresAt: null };
  await store.commit([{ op: "insert", in: userCollection, record: { ...directoryKey("sealed"), ...sealed } }]);
  await store.commit([{ op: "insert", in: sessionCollection, record: { partition: "p", id: "sealed", ...sealed } }]);
  expect(await rows(`select * from ${quote("user")}`)).toHaveLength(3);
  expect(await rows(`select * from ${quote("session")}`)).toHaveLength(2);
  await auth.close();
}
