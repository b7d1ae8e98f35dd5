import { randomToken } from "../crypto/random.ts";
import { CredentialError, RequestError, StorageError } from "../errors.ts";
import { decodeJson, directoryCollection, directoryKey, encodeJson } from "../storage/collection.ts";
import type { RecordStore, StoredRecord } from "../storage/record-store.ts";
import type { Events } from "./events.ts";
import { reportingUnreadable } from "./unreadable-records.ts";

/** What we always keep of a user, whoever keeps the profile: whether and under which epoch its credentials count, and its roles. */
export interface Principal {
  readonly userId: string;
  /** What was issued under another value no longer counts. */
  readonly epoch: number;
  readonly status: "active" | "disabled";
  readonly roles: readonly string[];
  /** Consecutive failures by sign-in method, and whether that method is disabled for it. */
  readonly failures: Readonly<Record<string, MethodFailures>>;
}

export interface MethodFailures {
  readonly count: number;
  /** Unix ms of the last failure. */
  readonly lastAt: number;
}

/** The user's epoch and the global one. A credential carries the pair it was made under; any difference refuses it. */
export type EpochPair = readonly [user: number, global: number];

/** What a credential needs to know of its owner. */
export interface Standing {
  readonly principal: Principal;
  readonly epoch: EpochPair;
}

export const principalCollection = directoryCollection("principals");

/** The reserved principal whose epoch is the global one; no user id may be it. */
const EVERYBODY = "*";
const MAX_ID = 255;

/** @throws {RequestError} `invalid_user_id` for what cannot name a user: nothing, no text, half characters, `*`, or more than 255 characters. */
export function assertUserId(userId: unknown): void {
  if (typeof userId !== "string" || userId === "" || userId === EVERYBODY || userId.length > MAX_ID || /\p{Cs}/u.test(userId)) {
    throw new RequestError(`A user id is a text of 1 to ${MAX_ID} characters, and not "${EVERYBODY}"`, "invalid_user_id");
  }
}

/**
 * Principals, kept in the directory store. One that was never written reads as active, at epoch 0, without roles:
 * an application's own users need no registration. Ending credentials never depends on deleting a principal.
 */
export interface Principals {
  /** The principal and the epoch pair. Two reads at once: one wait. */
  standing(userId: string): Promise<Standing>;
  /** As {@link Principals.standing}, refused (`user_disabled`) when the user is disabled. */
  activeStanding(userId: string): Promise<Standing>;
  /** Changes a principal by compare-and-set, tried again on the newer record until it holds. */
  update(userId: string, change: (principal: Principal) => Principal): Promise<Principal>;
  /**
   * Raises the epoch: every credential made before is refused from the next check on. With `from`, only if it is that one still.
   * @returns whether it was raised.
   */
  raiseEpoch(userId: string, from?: number): Promise<boolean>;
  /** Raises the global epoch: everybody's credentials end. */
  raiseGlobalEpoch(): Promise<void>;
  /** Raises the epoch and refuses new credentials (`disabled`), or admits them again (`active`). */
  setStatus(userId: string, status: Principal["status"]): Promise<void>;
  setRoles(userId: string, roles: readonly string[]): Promise<void>;
  /** Forgets the failures of one way to sign in. One read, and a write where there were any. */
  clearFailures(userId: string, method: string): Promise<void>;
}

export function createPrincipals(store: RecordStore, events: Events | null = null): Principals {
  const decoded = reportingUnreadable(events, principalCollection, decode);

  const read = async (userId: string) => {
    const record = await store.get(principalCollection, directoryKey(userId));
    return record ? { principal: decoded(record), version: record.version } : { principal: fresh(userId), version: 0 };
  };

  const update: Principals["update"] = async (userId, change) => {
    assertUserId(userId);
    return replace(userId, change);
  };

  const replace: Principals["update"] = async (userId, change) => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const { principal, version } = await read(userId);
      const next = change(principal);
      if (next === principal) return principal;
      // A store takes an insert of what is already there as a repeated command. The nonce keeps two first writers apart, or both would think they won.
      const value = encodeJson(version === 0 ? { ...encode(next), nonce: randomToken(9) } : encode(next));
      const record = { ...directoryKey(userId), value, expiresAt: null };
      const write =
        version === 0
          ? { op: "insert" as const, in: principalCollection, record }
          : { op: "replace" as const, in: principalCollection, record, ifVersion: version };
      if (await store.commit([write])) return next;
    }
    throw new StorageError("A user record is changing too fast");
  };

  const raise = (principal: Principal) => ({ ...principal, epoch: principal.epoch + 1 });

  const standing: Principals["standing"] = async (userId) => {
    assertUserId(userId);
    const [own, everybody] = await Promise.all([read(userId), read(EVERYBODY)]);
    return { principal: own.principal, epoch: [own.principal.epoch, everybody.principal.epoch] };
  };

  return {
    standing,
    async activeStanding(userId) {
      const found = await standing(userId);
      if (found.principal.status !== "active") throw new CredentialError("user_disabled", "This account is disabled");
      return found;
    },
    update,
    async raiseEpoch(userId, from) {
      let raised = false;
      await update(userId, (principal) => {
        raised = from === undefined || principal.epoch === from;
        return raised ? raise(principal) : principal;
      });
      return raised;
    },
    async raiseGlobalEpoch() {
      await replace(EVERYBODY, raise);
    },
    async setStatus(userId, status) {
      await update(userId, (principal) => (principal.status === status ? principal : { ...raise(principal), status }));
    },
    async setRoles(userId, roles) {
      await update(userId, (principal) => ({ ...principal, roles: [...new Set(roles)] }));
    },
    async clearFailures(userId, method) {
      await update(userId, (principal) => {
        if (!principal.failures[method]) return principal;
        const { [method]: _, ...failures } = principal.failures;
        return { ...principal, failures };
      });
    },
  };
}

/** Whether two epoch pairs are the same. */
export function sameEpoch(a: EpochPair, b: EpochPair): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

/** Far more than contention on one person's record makes likely. */
const MAX_ATTEMPTS = 100;

function fresh(userId: string): Principal {
  return { userId, epoch: 0, status: "active", roles: [], failures: {} };
}

function encode({ userId: _, ...stored }: Principal): Omit<Principal, "userId"> {
  return stored;
}

function decode(record: StoredRecord): Principal {
  const { epoch, status, roles, failures } = (decodeJson(record) ?? {}) as Partial<Principal>;
  if (!Number.isInteger(epoch) || (status !== "active" && status !== "disabled") || !Array.isArray(roles) || !failures) {
    throw new StorageError("A user record could not be read");
  }
  return { userId: record.id, epoch: epoch as number, status, roles, failures };
}
