import { describe, expect, it } from "vitest";
import { addressTag, codeCollection, parseRequestId } from "../../lib/core/magic-code-record.ts";
import { createMagicCodes, type MagicCodeMail, type MagicCodesOptions } from "../../lib/core/magic-codes.ts";
import { createOneTimeTokens } from "../../lib/core/one-time-tokens.ts";
import { createRateLimits } from "../../lib/core/rate-limits.ts";
import { StorageError } from "../../lib/errors.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestKit } from "../support/kit.ts";
import { recordingStore } from "../support/recording-store.ts";

const email = "alice@example.com";
const home = { ip: "203.0.113.7", userAgent: null };
const UNKNOWN = { code: "invalid_token", status: 401 };

function setup({ options, wrap = (store) => store }: { options?: MagicCodesOptions; wrap?: (store: RecordStore) => RecordStore } = {}) {
  const kit = createTestKit();
  const store = recordingStore(wrap(kit.store));
  const mails: MagicCodeMail[] = [];
  const oneTimeTokens = createOneTimeTokens({ ...kit, store });
  const rateLimits = createRateLimits({ ...kit, store });
  const send = (mail: MagicCodeMail) => void mails.push(mail);
  const magicCodes = createMagicCodes({ ...kit, store, rateLimits, oneTimeTokens, basePath: "/auth", send, options });
  const ask = async (asking: Partial<Parameters<typeof magicCodes.request>[0]> = {}) => {
    const { requestId } = await magicCodes.request({ email, purpose: "sign_in", source: home, link: {}, ...asking });
    const { code = "", link } = mails.at(-1) ?? {};
    return { requestId, code, token: /^\/auth\/magic\/link\?token=(.+)$/.exec(link?.path ?? "")?.[1] ?? "" };
  };
  const operations = async (work: () => Promise<unknown>) => {
    store.calls.length = 0;
    await work();
    return store.calls.map(({ operation }) => operation);
  };
  return { ...kit, store, mails, oneTimeTokens, magicCodes, ask, operations };
}

describe("magic links", () => {
  it("prove the mailbox, wherever they are opened", async () => {
    const { ask, magicCodes, mails } = setup();
    const { token } = await ask({ userId: "user-1", link: { returnTo: "/orders", origin: "http://localhost" } });

    expect(token).toMatch(/^[\w-]{86}$/);
    expect(mails).toMatchObject([{ to: email, link: { origin: "http://localhost" } }]);
    expect(await magicCodes.verifyLink({ token, source: home })).toEqual({
      email,
      purpose: "sign_in",
      userId: "user-1",
      returnTo: "/orders",
    });
    await expect(magicCodes.verifyLink({ token, source: home })).rejects.toMatchObject(UNKNOWN);
  });

  it("say of themselves whose they are and who asked, and are not spent by that", async () => {
    const { ask, magicCodes } = setup();
    const { token, requestId } = await ask();
    const other = await ask({ email: "bob@example.com" });

    const opened = { email, userId: null, returnTo: null };
    expect(await magicCodes.findLink({ token, requestId })).toEqual({ ...opened, askedHere: true });
    for (const requestId of [other.requestId, "%%%", null, undefined])
      expect(await magicCodes.findLink({ token, requestId })).toEqual({ ...opened, askedHere: false });
    await magicCodes.verifyLink({ token, source: home });
    await expect(magicCodes.findLink({ token, requestId })).rejects.toMatchObject(UNKNOWN);
  });

  it("are for signing in alone", async () => {
    const { magicCodes, store } = setup();
    for (const purpose of ["reauthenticate", "confirm_email", "change_email"] as const)
      await expect(magicCodes.request({ email, purpose, source: home, link: {} })).rejects.toMatchObject({ code: "config_error" });
    expect(store.calls).toEqual([]);
  });

  it("rule 14: cost the store as much for nobody as for somebody", async () => {
    const { ask, operations, clock, magicCodes } = setup();
    const [known, unknown] = [{ userId: "user-1" }, { userId: null, email: "nobody@example.com" }];
    expect((await operations(() => ask(known))).toSorted()).toEqual((await operations(() => ask(unknown))).toSorted());
    clock.advance(3600);
    const tokens = [(await ask(known)).token, (await ask(unknown)).token];
    for (const token of tokens) expect(await operations(() => magicCodes.findLink({ token }))).toEqual(["get", "get"]);
  });

  it("rule 40: ask the store nothing when forged or of another purpose", async () => {
    const { operations, magicCodes, oneTimeTokens } = setup();
    const reset = await oneTimeTokens.issue({ purpose: "password_reset", userId: "user-1", email, ttl: 600 });
    const other = createTestKit({ secrets: ["a secret of another application, long enough"] });
    const foreign = await createOneTimeTokens(other).issue({ purpose: "magic_link", userId: "user-1", email, ttl: 600 });
    for (const token of ["", "A".repeat(86), reset.token, foreign.token])
      expect(await operations(() => expect(magicCodes.verifyLink({ token, source: home })).rejects.toMatchObject(UNKNOWN))).toEqual([]);
    await oneTimeTokens.find(reset.token, "password_reset");
  });

  it("rule 3: are spent before anything else is done", async () => {
    let failing = false;
    const { ask, magicCodes } = setup({
      wrap: (store) => ({
        ...store,
        commit: (writes) => (failing && writes[0]?.op === "put" ? Promise.reject(new StorageError()) : store.commit(writes)),
      }),
    });
    const { token, requestId, code } = await ask();
    failing = true;
    await expect(magicCodes.verifyLink({ token, source: home })).rejects.toMatchObject({ status: 503 });
    failing = false;
    await expect(magicCodes.verifyLink({ token, source: home })).rejects.toMatchObject(UNKNOWN);
    await expect(magicCodes.verify({ requestId, code, purpose: "sign_in", source: home })).rejects.toMatchObject({ code: "code_unknown" });
  });

  it("rule 1: are void with their code, whoever removed it, also between looking and spending", async () => {
    let meanwhile: (() => Promise<unknown>) | null = null;
    const { ask, magicCodes, store } = setup({
      wrap: (inner) => ({
        ...inner,
        async commit(writes) {
          const first = meanwhile;
          meanwhile = null;
          await first?.();
          return inner.commit(writes);
        },
      }),
    });
    const { token, requestId, code } = await ask();
    meanwhile = () => magicCodes.verify({ requestId, code, purpose: "sign_in", source: home });
    await expect(magicCodes.verifyLink({ token, source: home })).rejects.toMatchObject(UNKNOWN);

    const bob = await ask({ email: "bob@example.com" });
    await store.commit([{ op: "delete", in: codeCollection, key: parseRequestId(bob.requestId)! }]);
    await expect(magicCodes.findLink(bob)).rejects.toMatchObject(UNKNOWN);
    await expect(magicCodes.verifyLink({ token: bob.token, source: home })).rejects.toMatchObject(UNKNOWN);
  });

  it("rule 1: are void when their user's links are revoked between looking and spending", async () => {
    const { ask, magicCodes, oneTimeTokens, store } = setup();
    const { token } = await ask({ userId: "user-1" });
    const { commit } = store;
    let revoked = false;
    Object.assign(store, {
      commit: async (...args: Parameters<RecordStore["commit"]>) => {
        if (!revoked) {
          revoked = true;
          await oneTimeTokens.revokeAll("user-1");
        }
        return commit(...args);
      },
    });
    await expect(magicCodes.verifyLink({ token, source: home })).rejects.toMatchObject(UNKNOWN);
  });

  it("rule 7: end with their code, when `ttl` says", async () => {
    const { ask, magicCodes, clock } = setup({ options: { ttl: 60 } });
    const { token } = await ask();
    clock.advance(59);
    await magicCodes.findLink({ token });
    clock.advance(1);
    await expect(magicCodes.findLink({ token })).rejects.toMatchObject(UNKNOWN);
  });

  it("rule 15: stay good when strangers used up the guesses at the code, and clear the failures of the user", async () => {
    const { ask, magicCodes, principals } = setup();
    const { token, requestId, code } = await ask({ userId: "user-1" });
    const wrong = String((Number(code) + 1) % 10 ** 8).padStart(8, "0");
    for (let guess = 0; guess < 6; guess += 1)
      await magicCodes.verify({ requestId, code: wrong, purpose: "sign_in", source: home }).catch(() => null);

    await magicCodes.verifyLink({ token, source: home });

    expect((await principals.standing("user-1")).principal.failures).toEqual({});
  });

  it("make the source known to the address, as a code does", async () => {
    const { ask, magicCodes, store } = setup();
    const { token } = await ask();
    await magicCodes.verifyLink({ token, source: home });
    const { records } = await store.scan({ kind: "partitioned", name: "code_sources" });
    expect(records.map(({ partition }) => partition)).toEqual([addressTag(email)]);
  });

  it("are told as events, without the token", async () => {
    const { ask, magicCodes, heard } = setup();
    const { token } = await ask({ userId: "user-1" });
    await magicCodes.verifyLink({ token, source: home });
    await expect(magicCodes.verifyLink({ token, source: home })).rejects.toThrow();
    expect(heard.map(({ type, userId, details }) => [type, userId, details])).toEqual([
      ["magic_code.requested", "user-1", { purpose: "sign_in", link: true }],
      ["magic_code.verified", "user-1", { purpose: "sign_in", method: "magic_link" }],
      ["magic_code.failed", null, { purpose: "sign_in", method: "magic_link", code: "invalid_token" }],
    ]);
    expect(JSON.stringify(heard)).not.toContain(token);
  });

  it("rule 49: are refused and kept when the record of their code does not parse", async () => {
    const { ask, magicCodes, store, heard } = setup();
    const { token, requestId } = await ask();
    const key = parseRequestId(requestId)!;
    await store.commit([{ op: "put", in: codeCollection, record: { ...key, value: Buffer.from("?"), expiresAt: null } }]);
    await expect(magicCodes.verifyLink({ token, source: home })).rejects.toMatchObject({ code: "storage_unavailable" });
    expect(heard.map(({ type }) => type)).toEqual(["magic_code.requested", "record.unreadable"]);
    expect(await store.get(codeCollection, key)).not.toBeNull();
  });
});
