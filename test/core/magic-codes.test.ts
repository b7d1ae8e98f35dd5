import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import { addressTag, codeCollection, parseRequestId } from "../../lib/core/magic-code-record.ts";
import {
  createMagicCodes,
  publicCodeError,
  type CodeGuess,
  type MagicCodeMail,
  type MagicCodesOptions,
} from "../../lib/core/magic-codes.ts";
import { createOneTimeTokens } from "../../lib/core/one-time-tokens.ts";
import { createPrincipals } from "../../lib/core/principals.ts";
import { createRateLimits } from "../../lib/core/rate-limits.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { CredentialError, StorageError } from "../../lib/errors.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { recordingStore } from "../support/recording-store.ts";

const SECRET = "a secret of at least thirty-two bytes";
const NEWER = "a newer secret of thirty-two bytes or more";
const email = "alice@example.com";
const from = (ip: string | null) => ({ ip, userAgent: null });
const home = from("203.0.113.7");

interface Given {
  options?: MagicCodesOptions;
  secrets?: string[];
  wrap?: (store: RecordStore) => RecordStore;
}

function createKit({ options = {}, secrets = [SECRET], wrap = (store) => store }: Given = {}) {
  const clock = createTestClock();
  const store = recordingStore(wrap(memoryStore({ clock })));
  const events = createEvents(clock);
  const told: AuthEvent[] = [];
  events.on("*", (event) => told.push(event));
  const principals = createPrincipals(store);
  const mails: (MagicCodeMail & { expiresAt: number })[] = [];
  const send = (mail: MagicCodeMail, expiresAt: number) => void mails.push({ ...mail, expiresAt });
  /** Another process on the same store, with these secrets. */
  const withSecrets = (list: string[]) => {
    const keys = createKeyRing(list);
    return createMagicCodes({
      store,
      keys,
      clock,
      events,
      principals,
      send,
      options,
      rateLimits: createRateLimits({ store, clock, events, keys }),
      oneTimeTokens: createOneTimeTokens({ store, keys, clock, events }),
      basePath: "/auth",
    });
  };
  const magicCodes = withSecrets(secrets);
  /** Asks for a code and reads the mail. */
  const ask = async (asking: Partial<Parameters<typeof magicCodes.request>[0]> = {}) => {
    const { requestId, expiresAt } = await magicCodes.request({ email, purpose: "sign_in", source: home, ...asking });
    return { requestId, expiresAt, code: mails.at(-1)!.code };
  };
  const guess = (guessed: Partial<CodeGuess> & Pick<CodeGuess, "requestId" | "code">) =>
    magicCodes.verify({ purpose: "sign_in", source: home, ...guessed });
  const failuresOf = async (userId: string) => (await principals.standing(userId)).principal.failures["magic_code"]?.count ?? 0;
  const operations = async (work: () => Promise<unknown>) => {
    store.calls.length = 0;
    await work();
    return store.calls.map(({ operation }) => operation);
  };
  return { magicCodes, withSecrets, ask, guess, failuresOf, operations, clock, store, told, mails, principals };
}

const fulfilled = (results: readonly PromiseSettledResult<unknown>[]) => results.filter(({ status }) => status === "fulfilled").length;

/** A code of the same length that is not this one; `n` of them differ. */
const wrong = (code: string, n = 1) => String((Number(code) + n) % 10 ** code.length).padStart(code.length, "0");

describe("magic codes", () => {
  it("are mailed, and prove the mailbox to the browser that asked", async () => {
    const { ask, guess, mails, clock } = createKit();
    const { requestId, code, expiresAt } = await ask({ userId: "user-1" });
    expect(code).toMatch(/^\d{8}$/);
    expect(requestId).toMatch(/^[\w-]{64}$/);
    expect(expiresAt).toBe(clock.now() + 600_000);
    expect(mails).toEqual([
      {
        to: email,
        code,
        purpose: "sign_in",
        userId: "user-1",
        link: null,
        idempotencyKey: expect.stringMatching(/^magic-code-/),
        expiresAt,
      },
    ]);
    expect(await guess({ requestId, code })).toEqual({ email, purpose: "sign_in", userId: "user-1" });
  });

  it("rule 1: are spent once: of 50 right guesses at once, one succeeds", async () => {
    for (let round = 0; round < 5; round += 1) {
      const { ask, magicCodes } = createKit({ options: { tries: 5 } });
      const { requestId, code } = await ask({ userId: "user-1" });
      const results = await Promise.allSettled(
        Array.from({ length: 50 }, (_, n) => magicCodes.verify({ requestId, code, purpose: "sign_in", source: from(`198.51.100.${n}`) })),
      );
      expect(fulfilled(results)).toBe(1);
    }
  });

  it("rule 1: are spent once also when half of the guesses come without the request id", async () => {
    const { ask, magicCodes } = createKit({ options: { guessesPerAddress: "50/h" } });
    const { requestId, code } = await ask();
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, n) =>
        magicCodes.verify({ ...(n % 2 ? { requestId } : { requestId: null, email }), code, purpose: "sign_in", source: home }),
      ),
    );
    expect(fulfilled(results)).toBe(1);
  });

  it("are unknown once spent", async () => {
    const { ask, guess } = createKit();
    const { requestId, code } = await ask();
    await guess({ requestId, code });
    await expect(guess({ requestId, code })).rejects.toMatchObject({ code: "code_unknown" });
    await expect(guess({ requestId: null, email, code })).rejects.toMatchObject({ code: "code_unknown" });
  });

  it("rule 5: reserve an attempt before comparing it: after 50 wrong guesses at once the right one is refused", async () => {
    const { ask, guess, failuresOf } = createKit();
    const { requestId, code } = await ask({ userId: "user-1" });
    const results = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => guess({ requestId, code: wrong(code, n + 1) })));
    const codes = results.map((result) => (result.status === "rejected" ? (result.reason as CredentialError).code : "right"));
    expect(codes.filter((each) => each === "code_wrong")).toHaveLength(4);
    expect(codes.filter((each) => each === "code_exhausted")).toHaveLength(46);
    expect(await failuresOf("user-1")).toBe(5);
    await expect(guess({ requestId, code })).rejects.toMatchObject({ code: "code_exhausted" });
    await expect(guess({ requestId: null, email, code })).rejects.toMatchObject({ code: "code_exhausted" });
  });

  it("rule 5: give what was reserved back on success, so that only failures add up", async () => {
    const { ask, guess, failuresOf, clock } = createKit();
    for (let day = 0; day < 110; day += 1) {
      const { requestId, code } = await ask({ userId: "user-1" });
      await expect(guess({ requestId, code: wrong(code) })).rejects.toMatchObject({ code: "code_wrong" });
      await guess({ requestId, code });
      expect(await failuresOf("user-1")).toBe(0);
      clock.advance(1800);
    }
  });

  it("tell the fifth miss from those before it", async () => {
    const { ask, guess } = createKit();
    const { requestId, code } = await ask();
    for (let miss = 1; miss <= 4; miss += 1)
      await expect(guess({ requestId, code: wrong(code) })).rejects.toMatchObject({ code: "code_wrong" });
    await expect(guess({ requestId, code: wrong(code) })).rejects.toMatchObject({ code: "code_exhausted" });
  });

  it("may be guessed right at the fifth try", async () => {
    const { ask, guess } = createKit();
    const { requestId, code } = await ask();
    for (let miss = 1; miss <= 4; miss += 1) await expect(guess({ requestId, code: wrong(code) })).rejects.toThrow();
    expect(await guess({ requestId, code })).toMatchObject({ email });
  });

  it("rule 7: expire by the time inside the record, and then say so", async () => {
    const { ask, guess, clock } = createKit({ wrap: neverDropping });
    const first = await ask();
    clock.advance(599.999);
    expect(await guess(first)).toMatchObject({ email });
    const second = await ask();
    clock.advance(600);
    await expect(guess(second)).rejects.toMatchObject({ code: "code_expired" });
    await expect(guess({ ...second, requestId: null, email })).rejects.toMatchObject({ code: "code_expired" });
    clock.advance(86_400);
    await expect(guess(second)).rejects.toMatchObject({ code: "code_expired" });
  });

  it("rule 2: are unknown when their record is gone", async () => {
    const { ask, guess, store } = createKit();
    const { requestId, code } = await ask();
    await store.commit([{ op: "clear", in: codeCollection, partition: addressTag(email) }]);
    await expect(guess({ requestId, code })).rejects.toMatchObject({ code: "code_unknown" });
  });

  it("rule 4: are unknown for another purpose, address or user, and not consumed by such a guess", async () => {
    const { ask, guess } = createKit();
    const { requestId, code } = await ask({ purpose: "reauthenticate", userId: "user-1" });
    const unknown = { code: "code_unknown" };
    for (let tries = 0; tries < 7; tries += 1) {
      await expect(guess({ requestId, code })).rejects.toMatchObject(unknown);
      await expect(guess({ requestId, code, purpose: "reauthenticate", email: "bob@example.com" })).rejects.toMatchObject(unknown);
      await expect(guess({ requestId, code, purpose: "reauthenticate", userId: "user-2" })).rejects.toMatchObject(unknown);
    }
    await expect(guess({ requestId: null, email, code })).rejects.toMatchObject(unknown);
    expect(await guess({ requestId, code, purpose: "reauthenticate", email, userId: "user-1" })).toMatchObject({ userId: "user-1" });
  });

  it("of one address say nothing of another's", async () => {
    const { ask, guess } = createKit();
    const alice = await ask();
    const bob = await ask({ email: "bob@example.com" });
    await expect(guess({ requestId: alice.requestId, code: bob.code })).rejects.toMatchObject({ code: "code_wrong" });
    expect(await guess(bob)).toMatchObject({ email: "bob@example.com" });
    expect(await guess(alice)).toMatchObject({ email });
  });

  it.each([
    "",
    "1234567",
    "123456789",
    "1234567a",
    "12345678\n",
    " 12345678",
    "1234 5678",
    "-1234567",
    "+1234567",
    "1e000007",
    "١٢٣٤٥٦٧٨",
    "0x123456",
  ])("rule 40: refuse the misshapen code %j without asking the store", async (code) => {
    const { ask, guess, operations } = createKit();
    const { requestId } = await ask();
    const used = await operations(async () => {
      await expect(guess({ requestId, code })).rejects.toMatchObject({ code: "code_wrong" });
      await expect(guess({ requestId: null, email, code })).rejects.toMatchObject({ code: "code_wrong" });
    });
    expect(used).toEqual([]);
  });

  it.each(["", "x", "a".repeat(63), "a".repeat(65), `${"a".repeat(63)}\n`, `${"a".repeat(63)}=`, "../".repeat(22).slice(0, 64)])(
    "rule 40: refuse the misshapen request id %j without asking the store, address or not",
    async (requestId) => {
      const { guess, operations } = createKit();
      const used = await operations(async () => {
        await expect(guess({ requestId, code: "12345678" })).rejects.toMatchObject({ code: "code_unknown" });
        await expect(guess({ requestId, email, code: "12345678" })).rejects.toMatchObject({ code: "code_unknown" });
        await expect(guess({ requestId: null, code: "12345678" })).rejects.toMatchObject({ code: "code_unknown" });
      });
      expect(used).toEqual([]);
    },
  );

  it("give callers in code the reason, and whoever guesses over HTTP one answer", () => {
    const answer = publicCodeError(new CredentialError("code_expired", "expired"));
    expect(answer).toMatchObject({ code: "invalid_code", status: 401, retryAfter: undefined });
    expect(answer.message).toBe(publicCodeError().message);
  });

  it("keep the digits, life and tries that were asked for", async () => {
    const { ask, guess, clock } = createKit({ options: { digits: 6, ttl: 120, tries: 2 } });
    const { requestId, code, expiresAt } = await ask();
    expect(code).toMatch(/^\d{6}$/);
    expect(expiresAt).toBe(clock.now() + 120_000);
    await expect(guess({ requestId, code: wrong(code) })).rejects.toMatchObject({ code: "code_wrong" });
    await expect(guess({ requestId, code: wrong(code) })).rejects.toMatchObject({ code: "code_exhausted" });
    await expect(guess({ requestId, code })).rejects.toMatchObject({ code: "code_exhausted" });
  });

  it.each([
    [{ digits: 5 }],
    [{ digits: 11 }],
    [{ digits: 6.5 }],
    [{ ttl: 601 }],
    [{ ttl: 59 }],
    [{ tries: 0 }],
    [{ tries: 6 }],
    [{ cooldown: 0 }],
    [{ maxFailures: 101 }],
    [{ maxFailures: 4 }],
    [{ sendsPerAddress: "lots" }],
    [{ sendsPerSource: "" }],
    [{ sendsPerAddressAndSource: "5" }],
    [{ guessesPerAddress: "0/h" }],
  ])("cannot be configured as %j", (options) => {
    expect(() => createKit({ options })).toThrow(
      expect.objectContaining({ code: "config_error", option: `magicCodes.${Object.keys(options)[0]}` }),
    );
  });
});

describe("magic codes at rest", () => {
  it("are a keyed hash: neither code nor request id is in the store", async () => {
    const { ask, store } = createKit();
    const { requestId, code } = await ask();
    const written = JSON.stringify(store.calls) + Buffer.from((await store.list(codeCollection, addressTag(email)))[0]!.value).toString();
    expect(written).not.toContain(code);
    expect(written).not.toContain(requestId.slice(22));
    expect(parseRequestId(requestId)!.partition).toBe(addressTag(email));
  });

  it("hold after a new secret was put before the old one", async () => {
    const { ask, withSecrets } = createKit();
    const { requestId, code } = await ask();
    const after = withSecrets([NEWER, SECRET]);
    await expect(after.verify({ requestId, code: wrong(code), purpose: "sign_in", source: home })).rejects.toMatchObject({
      code: "code_wrong",
    });
    expect(await after.verify({ requestId, code, purpose: "sign_in", source: home })).toMatchObject({ email });
  });

  it("rule 49: are kept, and answered as an outage, when their secret is gone", async () => {
    const { ask, withSecrets, guess } = createKit();
    const { requestId, code } = await ask();
    await expect(withSecrets([NEWER]).verify({ requestId, code, purpose: "sign_in", source: home })).rejects.toMatchObject({ status: 503 });
    expect(await guess({ requestId, code })).toMatchObject({ email });
  });

  it("rule 49: are refused and reported when they do not parse", async () => {
    const { ask, guess, store, told } = createKit();
    const { requestId, code } = await ask();
    for (const value of ["{", "null", "[]", "{}", '{"email":"alice@example.com"}']) {
      const record = { ...parseRequestId(requestId)!, value: Buffer.from(value), expiresAt: null };
      await store.commit([{ op: "put", in: codeCollection, record }]);
      await expect(guess({ requestId, code })).rejects.toBeInstanceOf(StorageError);
      expect(told.at(-1)).toMatchObject({ type: "record.unreadable", details: { collection: "codes" } });
    }
  });
});

describe("asking for a code", () => {
  it("rule 46: mails nothing before the code is stored", async () => {
    const { ask, mails } = createKit({ wrap: (store) => ({ ...store, commit: () => Promise.reject(new StorageError()) }) });
    await expect(ask()).rejects.toMatchObject({ status: 503 });
    expect(mails).toEqual([]);
  });

  it("rule 22: does not wait for the mail, and tells it when it is worth nothing", async () => {
    const { ask, mails, clock } = createKit();
    await ask();
    expect(mails[0]!.expiresAt).toBe(clock.now() + 600_000);
    clock.advance(60);
    await ask();
    expect(new Set(mails.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
  });

  it("rule 14: does the same work whether or not a user has the address", async () => {
    const { ask, guess, operations } = createKit();
    const known = await operations(() => ask({ userId: "user-1" }));
    const unknown = await operations(() => ask({ email: "nobody@example.com" }));
    expect(unknown).toEqual(known);
    const a = await ask({ userId: "user-1", source: from("198.51.100.1") });
    const b = await ask({ email: "nobody@example.com", source: from("198.51.100.1") });
    const waits = async (asked: typeof a) => (await operations(() => guess({ ...asked, code: wrong(asked.code) }).catch(() => {}))).length;
    // One read of two principals at once stands for one read of one.
    expect(await waits(b)).toBe((await waits(a)) + 1);
  });

  it("again within a minute is refused, saying when to come back", async () => {
    const { ask, clock, mails } = createKit();
    await ask();
    clock.advance(20.2);
    await expect(ask()).rejects.toMatchObject({ status: 429, retryAfter: 40 });
    expect(mails).toHaveLength(1);
    clock.advance(39.8);
    await ask();
  });

  it("is limited to five an hour for one address and source", async () => {
    const { ask, clock } = createKit();
    for (let sent = 0; sent < 5; sent += 1) {
      await ask();
      clock.advance(60);
    }
    await expect(ask()).rejects.toMatchObject({ status: 429, retryAfter: 3300 });
    clock.advance(3300);
    await ask();
  });

  it("sends one mail of 20 asked for at once", async () => {
    const { ask, mails } = createKit();
    expect(fulfilled(await Promise.allSettled(Array.from({ length: 20 }, () => ask())))).toBe(1);
    expect(mails).toHaveLength(1);
  });

  it("is limited to twenty an hour for one source, whatever the addresses", async () => {
    const { ask, mails } = createKit();
    const results = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => ask({ email: `user-${n}@example.com` })));
    expect(fulfilled(results)).toBe(20);
    expect(mails).toHaveLength(20);
    await ask({ email: "user-49@example.com", source: from("198.51.100.1") });
  });

  it("is limited to twenty an hour for one address, whatever the sources", async () => {
    const { ask, mails } = createKit();
    const results = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => ask({ source: from(`198.51.100.${n}`) })));
    expect(fulfilled(results)).toBe(20);
    expect(mails).toHaveLength(20);
    await ask({ email: "bob@example.com" });
  });

  it("has no source bucket when the source is unknown, but the address limits hold", async () => {
    const { ask } = createKit();
    for (let n = 0; n < 30; n += 1) await ask({ email: `user-${n}@example.com`, source: n % 2 ? from(null) : null });
    await expect(ask({ email: "user-1@example.com", source: null })).rejects.toMatchObject({ status: 429, retryAfter: 60 });
  });

  it("rule 15: is not stopped by strangers who ask for the same address", async () => {
    const { ask, guess } = createKit();
    const strangers = Array.from({ length: 19 }, (_, n) => ask({ source: from(`198.51.100.${n}`) }));
    await Promise.all(strangers);
    const { requestId, code } = await ask();
    expect(await guess({ requestId, code })).toMatchObject({ email });
  });

  it("rule 15: is open to a source that redeemed a code lately, even when strangers used up the address", async () => {
    const { ask, guess, clock } = createKit();
    await guess(await ask());
    clock.advance(29 * 86_400);
    await Promise.allSettled(Array.from({ length: 50 }, (_, n) => ask({ source: from(`198.51.100.${n}`) })));
    await expect(ask({ source: from("192.0.2.1") })).rejects.toMatchObject({ status: 429 });
    const { requestId, code } = await ask();
    expect(await guess({ requestId, code })).toMatchObject({ email });
    for (let sent = 0; sent < 4; sent += 1) {
      clock.advance(60);
      await ask();
    }
    clock.advance(60);
    await expect(ask()).rejects.toMatchObject({ status: 429 });
  });

  it("rule 15: leaves an open request as it is, however many strangers ask", async () => {
    const { ask, guess, clock } = createKit();
    const mine = await ask();
    for (let hour = 0; hour < 2; hour += 1) {
      await Promise.allSettled(Array.from({ length: 100 }, (_, n) => ask({ source: from(`198.51.100.${n}`) })));
      clock.advance(299);
    }
    expect(await guess(mine)).toMatchObject({ email });
  });

  it("rule 6: again from the same browser ends the code before, and gives no guesses back to it", async () => {
    const { ask, guess, failuresOf, clock } = createKit();
    const first = await ask({ userId: "user-1" });
    for (let miss = 0; miss < 5; miss += 1) await expect(guess({ ...first, code: wrong(first.code) })).rejects.toThrow();
    clock.advance(60);
    const second = await ask({ userId: "user-1", replaces: first.requestId });
    expect(await failuresOf("user-1")).toBe(5);
    await expect(guess(first)).rejects.toMatchObject({ code: "code_unknown" });
    await expect(guess({ ...second, code: wrong(second.code) })).rejects.toMatchObject({ code: "code_wrong" });
    expect(await failuresOf("user-1")).toBe(6);
    expect(await guess(second)).toMatchObject({ userId: "user-1" });
    expect(await failuresOf("user-1")).toBe(0);
  });

  it("rule 6: a new code does not revive an exhausted one that stays open", async () => {
    const { ask, guess, clock } = createKit();
    const first = await ask();
    for (let miss = 0; miss < 5; miss += 1) await expect(guess({ ...first, code: wrong(first.code) })).rejects.toThrow();
    clock.advance(60);
    await ask();
    await expect(guess(first)).rejects.toMatchObject({ code: "code_exhausted" });
  });

  it("with a corrected address ends the code to the mistyped one", async () => {
    const { ask, guess } = createKit();
    const mistyped = await ask({ email: "alcie@example.com" });
    const right = await ask({ replaces: mistyped.requestId });
    await expect(guess(mistyped)).rejects.toMatchObject({ code: "code_unknown" });
    expect(await guess(right)).toMatchObject({ email });
  });

  it("takes no harm from a request id that is none", async () => {
    const { ask, guess } = createKit();
    expect(await guess(await ask({ replaces: "garbage" }))).toMatchObject({ email });
  });
});

describe("guessing without the request id", () => {
  it("works with the address, for a code typed into another browser", async () => {
    const { ask, guess } = createKit();
    const { code } = await ask({ userId: "user-1" });
    expect(await guess({ requestId: null, email, code, source: from("198.51.100.1") })).toMatchObject({ userId: "user-1" });
  });

  it("finds the right one of several open codes", async () => {
    const { ask, guess } = createKit();
    const asked = [];
    for (let n = 0; n < 4; n += 1) asked.push(await ask({ source: from(`198.51.100.${n}`) }));
    await guess({ requestId: null, email, code: asked[2]!.code });
    expect(await guess(asked[1]!)).toMatchObject({ email });
    await expect(guess(asked[2]!)).rejects.toMatchObject({ code: "code_unknown" });
  });

  it("is limited to ten an hour for the address, which touches nobody who has the id", async () => {
    const { ask, guess, clock } = createKit();
    const { requestId, code } = await ask();
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => guess({ requestId: null, email, code: wrong(code, n + 1), source: from(`198.51.100.${n}`) })),
    );
    const statuses = results.map((result) => (result.status === "rejected" ? (result.reason as CredentialError).status : 200));
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(40);
    await expect(guess({ requestId: null, email, code })).rejects.toMatchObject({ code: "rate_limited", retryAfter: 3600 });
    expect(await guess({ requestId, code })).toMatchObject({ email });
    clock.advance(3600);
    await expect(guess({ requestId: null, email, code })).rejects.toMatchObject({ code: "code_unknown" });
  });

  it("rule 5: a right guess is given back to the ten", async () => {
    const { ask, guess, clock } = createKit({ options: { guessesPerAddress: "2/h" } });
    for (let n = 0; n < 4; n += 1) {
      const { code } = await ask();
      await guess({ requestId: null, email, code });
      clock.advance(60);
    }
  });
});

describe("failures", () => {
  it("of one source are limited to a hundred an hour, and successes are not counted", async () => {
    const { ask, guess, magicCodes } = createKit();
    const mine = await ask();
    const unknown = Buffer.alloc(48, 1).toString("base64url");
    for (let n = 0; n < 99; n += 1)
      await expect(guess({ requestId: unknown, code: "12345678" })).rejects.toMatchObject({ code: "code_unknown" });
    expect(await guess(mine)).toMatchObject({ email });
    await expect(guess({ requestId: unknown, code: "12345678" })).rejects.toMatchObject({ code: "code_unknown" });
    await expect(guess({ requestId: unknown, code: "12345678" })).rejects.toMatchObject({ status: 429 });
    await expect(
      magicCodes.verify({ requestId: unknown, code: "12345678", purpose: "sign_in", source: from("::ffff:203.0.113.7") }),
    ).rejects.toMatchObject({ status: 429 });
    await expect(guess({ requestId: unknown, code: "12345678", source: from(null) })).rejects.toMatchObject({ code: "code_unknown" });
  });

  /** Wrong guesses at codes of the user, each with its own request, until `count` are counted or one is refused as disabled. */
  const fail = async ({ ask, guess, clock }: ReturnType<typeof createKit>, count: number, source = from("198.51.100.1")) => {
    const codes: string[] = [];
    for (let n = 0; n < count; n += 1) {
      clock.advance(3600);
      const asked = await ask({ userId: "user-1", source });
      await guess({ ...asked, code: wrong(asked.code), source }).catch((error: CredentialError) => codes.push(error.code));
    }
    return codes;
  };

  it("a hundred in a row disable the method, even for the right code, until another proof", async () => {
    const kit = createKit();
    const { ask, guess, magicCodes, failuresOf, clock } = kit;
    await guess(await ask({ userId: "user-1" }));
    expect(new Set(await fail(kit, 100, home))).toEqual(new Set(["code_wrong"]));
    clock.advance(3600);
    const last = await ask({ userId: "user-1" });
    await expect(guess(last)).rejects.toMatchObject({ code: "code_disabled" });
    expect(await failuresOf("user-1")).toBe(100);
    await magicCodes.clearFailures("user-1");
    expect(await guess(last)).toMatchObject({ userId: "user-1" });
  });

  it("rule 15: of strangers alone do not disable it for a source that the user is known by", async () => {
    const kit = createKit();
    const { ask, guess, failuresOf, clock } = kit;
    await guess(await ask({ userId: "user-1" }));
    const codes = await fail(kit, 90);
    expect(codes.filter((code) => code === "code_wrong")).toHaveLength(80);
    expect(codes.filter((code) => code === "code_disabled")).toHaveLength(10);
    expect(await failuresOf("user-1")).toBe(80);
    clock.advance(3600);
    expect(await guess(await ask({ userId: "user-1" }))).toMatchObject({ userId: "user-1" });
    expect(await failuresOf("user-1")).toBe(0);
  });

  it("rule 5: are counted before the comparison: of 50 right guesses at once at the limit none is compared", async () => {
    const kit = createKit({ options: { maxFailures: 5 } });
    await fail(kit, 4);
    kit.clock.advance(3600);
    const asked = await Promise.all(Array.from({ length: 20 }, (_, n) => kit.ask({ userId: "user-1", source: from(`192.0.2.${n}`) })));
    const results = await Promise.allSettled(asked.map((one, n) => kit.guess({ ...one, source: from(`192.0.2.${n}`) })));
    expect(fulfilled(results)).toBe(0);
    expect(await kit.failuresOf("user-1")).toBe(4);
  });

  it("are told as events, without the code", async () => {
    const { ask, guess, told } = createKit();
    const { requestId, code } = await ask({ userId: "user-1" });
    await expect(guess({ requestId, code: wrong(code) })).rejects.toThrow();
    await guess({ requestId, code });
    expect(told.map(({ type, userId, details }) => [type, userId, details])).toEqual([
      ["magic_code.requested", "user-1", { purpose: "sign_in", link: false }],
      ["magic_code.failed", "user-1", { purpose: "sign_in", method: "magic_code", code: "code_wrong" }],
      ["magic_code.verified", "user-1", { purpose: "sign_in", method: "magic_code" }],
    ]);
    expect(JSON.stringify(told)).not.toContain(code);
  });

  it("rule 47: that cannot be counted refuse the guess, and leave the code unspent", async () => {
    let down = false;
    const { ask, guess } = createKit({
      wrap: (store) => ({ ...store, count: (...args) => (down ? Promise.reject(new StorageError()) : store.count(...args)) }),
    });
    const { requestId, code } = await ask();
    down = true;
    await expect(guess({ requestId, code })).rejects.toMatchObject({ status: 503 });
    down = false;
    expect(await guess({ requestId, code })).toMatchObject({ email });
  });

  it("rule 3: a code is spent before anything else is done with it", async () => {
    let failing = false;
    const { ask, guess } = createKit({
      wrap: (store) => ({
        ...store,
        commit: (writes) => (failing && writes[0]?.op === "put" ? Promise.reject(new StorageError()) : store.commit(writes)),
      }),
    });
    const { requestId, code } = await ask();
    failing = true;
    await expect(guess({ requestId, code })).rejects.toMatchObject({ status: 503 });
    failing = false;
    await expect(guess({ requestId, code })).rejects.toMatchObject({ code: "code_unknown" });
  });
});

/** A store that drops nothing by itself. */
function neverDropping(store: RecordStore): RecordStore {
  return {
    ...store,
    commit: (writes) =>
      store.commit(writes.map((write) => ("record" in write ? { ...write, record: { ...write.record, expiresAt: null } } : write))),
  };
}
