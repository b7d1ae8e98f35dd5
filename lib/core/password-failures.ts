import type { Clock } from "../clock.ts";
import { ownerTag } from "../crypto/hash.ts";
import { randomToken } from "../crypto/random.ts";
import { CredentialError, RateLimitError, StorageError } from "../errors.ts";
import { decodeJson, encodeJson, partitionedCollection } from "../storage/collection.ts";
import type { RecordKey, RecordStore } from "../storage/record-store.ts";
import type { MethodFailures, Principals } from "./principals.ts";

/** Whose failures: a user's, kept with the principal; or those at an address nobody has, which looks the same from outside. */
export type FailureSubject = { readonly userId: string } | { readonly address: string };

/** An attempt that counts as failed until it is known to be right. */
export interface ReservedFailure {
  readonly subject: FailureSubject;
  /** Unix ms of the attempt, and of the one before it. */
  readonly at: number;
  readonly before: number;
}

/** Wrong passwords in a row, by account. @see NIST SP 800-63B-4, section 3.2.2. */
export interface PasswordFailures {
  /**
   * Counts an attempt as failed before its password is compared: after five, one at a time, 1 s apart, doubling to 15 minutes. One read and one write.
   * @throws {RateLimitError} `rate_limited`; {@link CredentialError} `password_disabled` after too many in a row, until a reset by mail.
   */
  reserve(subject: FailureSubject): Promise<ReservedFailure>;
  /** Takes back the count of an attempt that was never compared. One read and one write. */
  give(reserved: ReservedFailure): Promise<void>;
  /** Forgets them, after a right password or a reset. */
  clear(userId: string): Promise<void>;
}

export interface PasswordFailuresParts {
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly principals: Principals;
  readonly maxFailures: number;
}

const METHOD = "password";
const FREE = 5;
const MAX_DELAY = 900;
/** How long failures at an address nobody has are remembered, ms: longer than any delay. */
const KEPT = 86_400_000;
const MAX_ATTEMPTS = 100;

const collection = partitionedCollection("password_failures");

export function createPasswordFailures({ store, clock, principals, maxFailures }: PasswordFailuresParts): PasswordFailures {
  /** One failure more; or why this attempt is not even compared. */
  const counted = ({ count, lastAt }: MethodFailures): MethodFailures | CredentialError | RateLimitError => {
    if (count >= maxFailures)
      return new CredentialError(
        "password_disabled",
        "Too many wrong passwords: choose a new one by a link in a mail, or sign in another way",
      );
    const wait = lastAt + delayAfter(count) * 1000 - clock.now();
    if (wait > 0) return new RateLimitError("Too many wrong passwords: try again later", Math.ceil(wait / 1000));
    return { count: count + 1, lastAt: clock.now() };
  };

  /** Changes the failures of one subject, or throws what `change` throws. */
  const change = (subject: FailureSubject, next: (failures: MethodFailures) => MethodFailures) =>
    "userId" in subject ? changeOfUser(subject.userId, next) : changeOfAddress(subject.address, next);

  const changeOfUser = async (userId: string, next: (failures: MethodFailures) => MethodFailures) => {
    await principals.update(userId, (principal) => ({
      ...principal,
      failures: { ...principal.failures, [METHOD]: next(principal.failures[METHOD] ?? NONE) },
    }));
  };

  const changeOfAddress = async (address: string, next: (failures: MethodFailures) => MethodFailures) => {
    const key: RecordKey = { partition: ownerTag(address), id: METHOD };
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const stored = await store.get(collection, key);
      const failures = next(stored ? (decodeJson(stored) as MethodFailures) : NONE);
      const record = { ...key, value: encodeJson({ ...failures, nonce: randomToken(9) }), expiresAt: clock.now() + KEPT };
      const done = stored
        ? await store.commit([{ op: "replace", in: collection, record, ifVersion: stored.version }])
        : await store.commit([{ op: "insert", in: collection, record }]);
      if (done) return;
    }
    throw new StorageError("A failure count is changing too fast");
  };

  return {
    async reserve(subject) {
      let before = NONE;
      let after = NONE;
      await change(subject, (failures) => {
        const next = counted(failures);
        if (next instanceof Error) throw next;
        before = failures;
        return (after = next);
      });
      return { subject, at: after.lastAt, before: before.lastAt };
    },
    give: ({ subject, at, before }) =>
      change(subject, ({ count, lastAt }) => ({ count: Math.max(0, count - 1), lastAt: lastAt === at ? before : lastAt })),
    clear: (userId) => principals.clearFailures(userId, METHOD),
  };
}

const NONE: MethodFailures = { count: 0, lastAt: 0 };

/** Seconds to wait after so many failures. */
function delayAfter(count: number): number {
  return count < FREE ? 0 : Math.min(MAX_DELAY, 2 ** (count - FREE));
}
