import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { kitCollections } from "../../lib/adapters/sql/collections.ts";
import { memoryTransport } from "../../lib/email/memory.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import {
  IDENTITY, openKit, PASSWORD, SEALED_TRANSACTION, SESSION, SOURCE, STORE_KEYS, TOKEN, TRANSACTION, WITHOUT_TOKENS,
} from "../fixtures/record-kit.ts"; // prettier-ignore

const frozenSchema = z.object({
  at: z.number(),
  opens: z.record(z.string(), z.string()),
  records: z.array(
    z.object({
      ...{ in: z.string(), partition: z.string(), id: z.string(), value: z.base64(), version: z.number() },
      expiresAt: z.number().nullable(),
      lookups: z.record(z.string(), z.string().nullable()),
    }),
  ),
});
const frozen = z
  .object({ plain: frozenSchema, encrypted: frozenSchema })
  .parse(JSON.parse(readFileSync(new URL("../fixtures/records.json", import.meta.url), "utf8")));

const wraps = { plain: (store: RecordStore) => store, encrypted: (store: RecordStore) => encrypted(store, STORE_KEYS) };

/** A store as it was left when the records were frozen, and what opens it. */
async function thaw(how: keyof typeof wraps) {
  const { at, opens, records } = frozen[how];
  const clock = createTestClock(at);
  const store = memoryStore({ clock });
  for (const { in: name, value, version: _version, ...record } of records) {
    const from = kitCollections.find((collection) => collection.name === name);
    if (!from) throw new Error(`There is no collection ${name} any more: say in a migration what becomes of it`);
    const { lookups, ...rest } = { ...record, value: Buffer.from(value, "base64") };
    await store.commit([{ op: "put", in: from, record: from.kind === "directory" ? { ...rest, lookups } : rest }]);
  }
  const secret = (name: string) => opens[name] ?? "";
  return { ...openKit(wraps[how](store), clock, memoryTransport()), secret, userId: secret("userId") };
}

describe.each(["plain", "encrypted"] as const)("records that an earlier version wrote, %s,", (how) => {
  let kit: Awaited<ReturnType<typeof thaw>>;
  const unreadable: unknown[] = [];
  beforeEach(async () => {
    kit = await thaw(how);
    unreadable.length = 0;
    kit.auth.events.on("record.unreadable", (event) => unreadable.push(event));
  });
  afterEach(async () => {
    await kit.auth.close();
    expect(unreadable).toEqual([]);
  });

  it("are of every collection", () => {
    expect(new Set(frozen[how].records.map((record) => record.in))).toEqual(new Set(kitCollections.map(({ name }) => name)));
  });

  it("are sessions that go on, with all that was in them", async () => {
    const { session, failure } = await kit.auth.sessions.resolve(kit.secret("session"));
    expect(failure).toBeNull();
    const { methods, transport, tenantId, idp } = SESSION;
    const device = { label: expect.stringContaining("Firefox"), ip: SOURCE.ip };
    const data = { ...SESSION.data, theme: "dark" };
    expect(session).toMatchObject({
      userId: kit.userId,
      kind: "user",
      methods,
      transport,
      tenantId,
      idp,
      device,
      data,
      roles: ["editor", "admin"],
    });
    expect(session && (await kit.auth.refreshTokens?.issue(session))).toMatch(/^[\w-]+$/);
  });

  it("are sessions that their provider's sign-out finds", async () => {
    const { ended } = await kit.providerLogout.withSession({ issuer: IDENTITY.issuer, sid: "sid-1" }, {});
    expect(ended).toBe(1);
    expect((await kit.auth.sessions.resolve(kit.secret("session"))).session).toBeNull();
  });

  it("are logout tokens that count once", async () => {
    const [shown] = frozen[how].records.filter((record) => record.in === "logout_tokens");
    expect(await kit.providerLogout.withToken(WITHOUT_TOKENS, { provider: "acme" })).toEqual({ ended: 0 });
    const { records } = await kit.auth.store.scan({ kind: "partitioned", name: "logout_tokens" });
    expect(records.map(({ id, version }) => [id, version])).toEqual([[shown?.id, 1]]);
  });

  it("are API keys that let in", async () => {
    const apiKey = await kit.auth.apiKeys.authenticate(kit.secret("apiKey"));
    expect(apiKey).toMatchObject({ userId: kit.userId, name: "Deploy", scopes: ["read"], tenantId: "acme" });
  });

  it("are users, what is kept of them, and their failures", async () => {
    expect(await kit.auth.users.findByEmail("ada@example.com")).toMatchObject({ id: kit.userId, name: "Ada", emailVerified: true });
    const { principal } = await kit.auth.principals.standing(kit.userId);
    expect(principal).toMatchObject({ status: "active", roles: ["editor", "admin"], failures: { password: { count: 1 } } });
  });

  it("are passwords, and provider accounts with their tokens", async () => {
    expect(await kit.auth.passwords.signIn({ email: "ada@example.com", password: PASSWORD, source: SOURCE })).toMatchObject({
      userId: kit.userId,
    });
    expect(await kit.auth.accounts.findByIdentity(IDENTITY)).toMatchObject({ id: kit.secret("accountId"), userId: kit.userId });
    expect(await kit.auth.accounts.getTokens(kit.secret("accountId"))).toEqual(IDENTITY.tokens);
  });

  it("are codes and links that are under way", async () => {
    const guess = { requestId: kit.secret("requestId"), code: kit.secret("code"), purpose: "sign_in", source: SOURCE } as const;
    expect(await kit.auth.magicCodes.verify(guess)).toMatchObject({ email: "ada@example.com", userId: kit.userId });
    expect(await kit.oneTimeTokens.find(kit.secret("reset"), "password_reset")).toMatchObject({
      userId: kit.userId,
      email: "ada@example.com",
    });
  });

  it("are sign-ins under way at a provider, in clear and sealed", async () => {
    expect(await kit.transactions.take(TRANSACTION)).toEqual(TRANSACTION.data);
    expect(await kit.transactions.take(SEALED_TRANSACTION)).toEqual(SEALED_TRANSACTION.data);
  });

  it("are the application's own tokens and values", async () => {
    expect(await kit.auth.tokens.get(TOKEN.id)).toMatchObject({
      userId: kit.userId,
      scopes: TOKEN.scopes,
      metadata: TOKEN.metadata,
      method: "mfa",
    });
    expect(await kit.auth.tokens.getByAccessToken(TOKEN.accessToken)).toMatchObject({ id: TOKEN.id });
    expect((await kit.auth.kv.get("greeting"))?.toString()).toBe("hällo");
  });

  it("are what happened", async () => {
    const { entries } = (await kit.auth.audit?.list({ userId: kit.userId })) ?? { entries: [] };
    expect(entries.map(({ type }) => type)).toContain("account.linked");
    expect(await kit.auth.export(kit.userId)).toMatchObject({ hasPassword: true, user: { name: "Ada" } });
  });
});
