import type { Clock } from "../clock.ts";
import type { KeyRing } from "../crypto/key-ring.ts";
import { randomDigits as systemDigits } from "../crypto/random.ts";
import { ConfigError, CredentialError } from "../errors.ts";
import type { RecordKey, RecordStore, Write } from "../storage/record-store.ts";
import { CODE_METHOD, createCodeFailures } from "./code-failures.ts";
import { createCodeLimits } from "./code-limits.ts";
import type { Events, RequestSource } from "./events.ts";
import { createKnownSources } from "./known-sources.ts";
import {
  addressTag,
  codeCollection,
  codeMatches,
  decodeCodeRequest,
  encodeCodeRequest,
  issueRequestId,
  parseRequestId,
  sealCode,
  type CodeRequest,
} from "./magic-code-record.ts";
import { resolveMagicCodesOptions, type MagicCodesOptions } from "./magic-code-options.ts";
import { createMagicLinks, type MagicLink } from "./magic-links.ts";
import type { OneTimeTokens } from "./one-time-tokens.ts";
import type { Principals } from "./principals.ts";
import { sourceKey, type Counted, type RateLimits } from "./rate-limits.ts";
import { readable, reportingUnreadable } from "./unreadable-records.ts";

export type { MagicCodesOptions } from "./magic-code-options.ts";

/** What a code is good for. A code asked for one purpose is unknown to every other. */
export type CodePurpose = "sign_in" | "reauthenticate" | "confirm_email" | "change_email";

/** A code on its way. */
export interface MagicCodeMail {
  /** A canonical address. */
  readonly to: string;
  readonly code: string;
  readonly purpose: CodePurpose;
  /** `null` when no user has that address. */
  readonly userId: string | null;
  /** The link in the same mail; `null` when none was asked for. */
  readonly link: MailedLink | null;
  /** One for each code, for a transport that can tell repeats. */
  readonly idempotencyKey: string;
}

/** A link that signs in, as far as the mailer has to know it. */
export interface MailedLink {
  /** Below the base URL of the application: `/auth/magic/link?token=...`. */
  readonly path: string;
  /** The origin of the request, for development without a `baseUrl`. */
  readonly origin: string | null;
}

export interface CodeRequestOptions {
  /** Canonical: codes, limits and the answer are for exactly this text. */
  readonly email: string;
  readonly purpose: CodePurpose;
  readonly source: RequestSource | null;
  /** The user by that address, whose failures count. Default: none is known. */
  readonly userId?: string | null | undefined;
  /** The request this browser had open: its code gives way to the new one. */
  readonly replaces?: string | null | undefined;
  readonly counted?: Counted | undefined;
  /** Puts a link beside the code, for the purpose `sign_in` alone: whichever of the two is used first voids the other. Default: none. */
  readonly link?: LinkRequest | undefined;
}

export interface LinkRequest {
  /** Where its sign-in leads. Default: nowhere in particular. */
  readonly returnTo?: string | null | undefined;
  /** Where the link leads without a `baseUrl`, in development. */
  readonly origin?: string | undefined;
}

export interface CodeGuess {
  /** From the browser's pending cookie or its request; `null` when it has none, then `email` says whose code it is. */
  readonly requestId: string | null;
  /** Canonical. Together with a request id, it must be that request's address. */
  readonly email?: string | undefined;
  readonly code: string;
  readonly purpose: CodePurpose;
  readonly source: RequestSource | null;
  /** When given, the code must have been asked for this user. */
  readonly userId?: string | undefined;
}

/** What a right code proves: that whoever had it reads this mailbox. */
export interface VerifiedCode {
  readonly email: string;
  readonly purpose: CodePurpose;
  /** The user given with the request. Look the address up again before acting on `null`. */
  readonly userId: string | null;
}

/** What a link says of itself to whoever opens it. */
export interface OpenedLink {
  /** Canonical: where it was mailed. */
  readonly email: string;
  /** The user by that address when it was asked for; `null`: nobody had it. */
  readonly userId: string | null;
  /** Where its sign-in leads. Check it on use. */
  readonly returnTo: string | null;
  /** Whether the request id given with it is that of the same request: this browser asked for it. */
  readonly askedHere: boolean;
}

/** Why a guess failed. For the log and for callers in code; over HTTP all are {@link publicCodeError}. */
export type CodeFailure = "code_wrong" | "code_expired" | "code_unknown" | "code_exhausted" | "code_disabled";

/** Short codes sent by email, each tried a counted number of times and spent once. */
export interface MagicCodes {
  /**
   * Mails a code to the address. The request belongs to whoever gets its id; requests by others, however many, neither replace it nor
   * use up its guesses. The mail is queued once the code is stored, and not waited for. Three waits on the store.
   * @throws {RateLimitError} with `retryAfter`. What strangers ask for uses up neither the limits of another source
   *   nor those of a source that a code for this address was redeemed from within 30 days.
   */
  request(options: CodeRequestOptions): Promise<{ requestId: string; expiresAt: number }>;
  /**
   * Spends a code: of any number of right guesses at once, one succeeds. A guess is counted before it is compared.
   * @throws {CredentialError} with a {@link CodeFailure}; {@link RateLimitError} when the source, or without a request id the address, failed too often.
   */
  verify(guess: CodeGuess): Promise<VerifiedCode>;
  /**
   * What a mailed link stands for. Spends nothing. Two reads; none for a forged token or one of another purpose.
   * @throws {CredentialError} 401 `invalid_token`.
   */
  findLink(opened: { readonly token: string; readonly requestId?: string | null | undefined }): Promise<OpenedLink>;
  /**
   * Spends a link, and the code in the same mail: of any number of both at once, one succeeds. It need not be the browser that asked:
   * have the person see the address, as our page does, before you call this. Two reads, two writes one after the other.
   * @throws {CredentialError} 401 `invalid_token`.
   */
  verifyLink(link: {
    readonly token: string;
    readonly source: RequestSource | null;
  }): Promise<VerifiedCode & { readonly returnTo: string | null }>;
  /** Forgets a user's failures, after another proof of who they are. */
  clearFailures(userId: string): Promise<void>;
}

export interface MagicCodesParts {
  readonly store: RecordStore;
  readonly keys: KeyRing;
  readonly clock: Clock;
  readonly events: Events;
  readonly rateLimits: RateLimits;
  readonly principals: Principals;
  readonly oneTimeTokens: OneTimeTokens;
  /** Such as `/auth`. */
  readonly basePath: string;
  /** Queues a mail and returns at once; it is worth nothing after `expiresAt` (Unix ms). */
  readonly send: (mail: MagicCodeMail, expiresAt: number) => void;
  /** Uniform decimal digits. Default: the system's. */
  readonly randomDigits?: (digits: number) => string;
  readonly options?: MagicCodesOptions | undefined;
}

/** The one answer to whoever guesses over HTTP, whatever was wrong with the guess. */
export function publicCodeError(cause?: unknown): CredentialError {
  return new CredentialError("invalid_code", "This code is wrong or no longer good", { cause });
}

/** @throws {ConfigError} when an option is out of bounds. */
export function createMagicCodes(parts: MagicCodesParts): MagicCodes {
  const { store, keys, clock, events, rateLimits, principals, oneTimeTokens, basePath, send, randomDigits = systemDigits } = parts;
  const config = resolveMagicCodesOptions(parts.options ?? {});
  const links = createMagicLinks({ store, events, oneTimeTokens, basePath });
  const known = createKnownSources({ store, keys, clock });
  const limits = createCodeLimits({ rateLimits, known, config });
  const failures = createCodeFailures({ clock, rateLimits, principals, known, config });

  const decoded = reportingUnreadable(events, codeCollection, decodeCodeRequest);

  /** The open request that a guess is about, the guess counted; or why there is none. */
  const findAsked = async (key: RecordKey, guess: CodeGuess): Promise<Found | CodeFailure> => {
    const stored = await store.get(codeCollection, key);
    const request = stored && decoded(stored);
    if (!request || !isMeant(request, guess)) return "code_unknown";
    const { allowed, remaining } = await limits.takeGuess(request.key);
    if (!allowed) return "code_exhausted";
    if (clock.now() >= request.expiresAt) return "code_expired";
    return { request, whenWrong: remaining === 0 ? "code_exhausted" : "code_wrong" };
  };

  /** The same without a request id: among all open requests of the address, whose own guesses stay untouched unless the code is right. */
  const findByAddress = async (guess: CodeGuess): Promise<Found | CodeFailure> => {
    const stored = await store.list(codeCollection, addressTag(guess.email ?? ""));
    const meant = readable(stored, decoded).filter((request) => isMeant(request, guess));
    const right = meant.find((request) => codeMatches(keys, request, guess.code));
    const request = right ?? meant.find(({ userId }) => userId !== null) ?? meant[0];
    if (!request) return "code_unknown";
    if (right && !(await limits.takeGuess(right.key)).allowed) return "code_exhausted";
    if (right && clock.now() >= right.expiresAt) return "code_expired";
    return { request, whenWrong: "code_wrong" };
  };

  return {
    async request({ email, purpose, source, userId = null, replaces = null, counted, link }) {
      if (link && purpose !== "sign_in") throw new ConfigError("link", "a link is for the purpose sign_in alone");
      const reserved = await limits.reserveSend(email, source);
      counted?.(reserved);
      const { requestId, key } = issueRequestId(email);
      const code = randomDigits(config.digits);
      const createdAt = clock.now();
      const expiresAt = createdAt + config.ttl * 1000;
      const bound = { key, purpose, email };
      const record = encodeCodeRequest({ ...bound, ...sealCode(keys, bound, code), userId, createdAt, expiresAt });
      const added: Write = { op: "insert", in: codeCollection, record, max: config.maxOpen };
      const old = replaces === null ? null : parseRequestId(replaces);
      const dropped: Write[] = old ? [{ op: "delete", in: codeCollection, key: old }] : [];
      const together = old === null || old.partition === key.partition;
      const [path] = await Promise.all([
        link ? links.issue({ key, email, userId, returnTo: link.returnTo ?? null, ttl: config.ttl }) : null,
        ...(together ? [store.commit([...dropped, added])] : [store.commit([added]), store.commit(dropped)]),
      ]);
      const mailed = path === null ? null : { path, origin: link?.origin ?? null };
      send({ to: email, code, purpose, userId, link: mailed, idempotencyKey: `magic-code-${key.id}` }, expiresAt);
      events.emit("magic_code.requested", { purpose, link: link !== undefined }, { userId, source });
      return { requestId, expiresAt };
    },

    async verify(guess) {
      const { purpose, source, code } = guess;
      const refuse = (failure: CodeFailure, userId: string | null = null) => {
        events.emit("magic_code.failed", { purpose, method: CODE_METHOD, code: failure }, { userId, source });
        return new CredentialError(failure, MESSAGES[failure]);
      };
      const asked = guess.requestId === null ? null : parseRequestId(guess.requestId);
      if (!config.pattern.test(code)) throw refuse("code_wrong");
      if (!asked && (guess.requestId !== null || guess.email === undefined)) throw refuse("code_unknown");

      const reserved = await limits.reserveGuess(asked ? null : (guess.email ?? null), source);
      const found = asked ? await findAsked(asked, guess) : await findByAddress(guess);
      if (typeof found === "string") throw refuse(found);
      const { request, whenWrong } = found;
      const { email, userId, key, version } = request;
      const from = sourceKey(source?.ip ?? null);
      if (!(await failures.reserve(userId, email, from))) throw refuse("code_disabled", userId);
      if (!codeMatches(keys, request, code)) throw refuse(whenWrong, userId);
      const spent = await store.commit([{ op: "delete", in: codeCollection, key, ifVersion: version }]);
      if (!spent) throw refuse("code_unknown", userId);

      await Promise.all([
        ...reserved.map(rateLimits.give),
        known.remember(email, from),
        userId === null ? undefined : failures.clear(userId),
      ]);
      events.emit("magic_code.verified", { purpose, method: CODE_METHOD }, { userId, source });
      return { email, purpose, userId };
    },

    async findLink({ token, requestId = null }) {
      const { email, userId, returnTo, codeKey } = await links.find(token);
      const asked = requestId === null ? null : parseRequestId(requestId);
      return { email, userId, returnTo, askedHere: asked?.partition === codeKey.partition && asked.id === codeKey.id };
    },

    async verifyLink({ token, source }) {
      const purpose = "sign_in";
      let link: MagicLink | null = null;
      try {
        link = await links.find(token);
        await links.spend(link);
      } catch (error) {
        if (error instanceof CredentialError)
          events.emit("magic_code.failed", { purpose, method: LINK_METHOD, code: error.code }, { userId: link?.userId ?? null, source });
        throw error;
      }
      const { email, userId, returnTo } = link;
      await Promise.all([known.remember(email, sourceKey(source?.ip ?? null)), userId === null ? undefined : failures.clear(userId)]);
      events.emit("magic_code.verified", { purpose, method: LINK_METHOD }, { userId, source });
      return { email, purpose, userId, returnTo };
    },

    clearFailures: failures.clear,
  };
}

/** A request that a guess is compared with. */
interface Found {
  readonly request: CodeRequest;
  readonly whenWrong: CodeFailure;
}

const LINK_METHOD = "magic_link";
const MESSAGES: Readonly<Record<CodeFailure, string>> = {
  code_wrong: "This is not the code",
  code_expired: "This code has expired: ask for a new one",
  code_unknown: "There is no such code: ask for a new one",
  code_exhausted: "Too many wrong guesses: ask for a new code",
  code_disabled: "Codes are disabled for this account after too many wrong guesses: sign in another way",
};

function isMeant(request: CodeRequest, { purpose, email, userId }: CodeGuess): boolean {
  if (request.purpose !== purpose || (email !== undefined && request.email !== email)) return false;
  return userId === undefined || request.userId === userId;
}
