import type { Clock } from "../clock.ts";
import { sha256 } from "../crypto/hash.ts";
import { StorageError } from "../errors.ts";
import { decodeJson, encodeJson, partitionedCollection } from "../storage/collection.ts";
import type { RecordKey, RecordStore, StoredRecord } from "../storage/record-store.ts";
import type { Session } from "./session-record.ts";
import { isProviderStrategy } from "./strategy.ts";

/** A session at a provider: what its `sid` means is up to the issuer. */
export interface ProviderSessionName {
  readonly issuer: string;
  readonly sid: string;
}

/** Somebody at a provider. */
export interface ProviderSubject {
  readonly issuer: string;
  readonly subject: string;
}

/** Whom a provider vouched for in a sign-in, and when. */
export interface ProviderAssertion extends ProviderSubject {
  /** Unix ms by the provider's clock, in whole seconds: the `iat` of its ID token. */
  readonly issuedAt: number;
  /** Unix ms by ours, from before the provider was asked. */
  readonly askedAt: number;
}

/**
 * Which of our sessions were made from which session of a provider, so that the end of that one finds them by its `sid` alone, whoever's
 * they are; and for ten minutes what the provider ended, for those that are being made meanwhile. A session's record here is written before
 * the session, and what was ended is looked at after; an ending is written before sessions are looked for. So one of them sees the other.
 *
 * @see OpenID Connect Back-Channel Logout 1.0, section 2.1; OpenID Connect Front-Channel Logout 1.0, section 3.
 */
export interface ProviderSessions {
  /** Notes that a session is about to be made. One write; none for a session that no provider named. */
  note(session: Session): Promise<void>;
  /**
   * Whether what is behind this session goes on as far as we were told: the provider's session that it names, and the person's sign-in
   * there, unless that is newer than what was ended. One wait: two reads for the former, and one for the latter.
   */
  goesOn(session: Session, assertion: ProviderAssertion | null): Promise<boolean>;
  /**
   * Marks a session of a provider as over, told by a word of `issuedAt` (Unix ms by the provider's clock; `null`: it did not say when).
   * @returns the public ids of the sessions made from it. One read, and two writes.
   */
  end(name: ProviderSessionName, issuedAt: number | null): Promise<string[]>;
  /** Marks all that somebody began there as over, told by a word of `issuedAt`. What was begun before is for the caller to find. One write. */
  endAllOf(subject: ProviderSubject, issuedAt: number): Promise<void>;
  /** Forgets sessions that were ended. Until it is called, `end` names them again. One write. */
  forget(name: ProviderSessionName, sessionIds: readonly string[]): Promise<void>;
}

export interface ProviderSessionsParts {
  readonly store: RecordStore;
  readonly clock: Clock;
  /** The configured strategies, by name: what says under what a session's name is one. Default: none, so each issuer has names of its own. */
  readonly strategies?: ReadonlyMap<string, object> | undefined;
}

/**
 * Partition: hash of issuer and sid. Id: our session's public id; it ends when the session does. Or partition: that, or the hash of issuer and
 * subject. Id: `ended`.
 */
export const providerSessionCollection = partitionedCollection("provider_sessions");

const GOES_ON = Buffer.from("1");
const ENDED = Buffer.from("0");
/** Shorter than any session's id. */
const ENDING = "ended";
/** Seconds that an ending is kept: longer than a sign-in takes once the provider is asked. */
const ENDING_TTL = 600;

export function createProviderSessions({ store, clock, strategies = new Map() }: ProviderSessionsParts): ProviderSessions {
  const sidIssuers = [...strategies.values()].flatMap((strategy) =>
    isProviderStrategy(strategy) && typeof strategy.sidIssuer === "string" ? [{ strategy, sidIssuer: strategy.sidIssuer }] : [],
  );

  const sessionPartition = ({ issuer, sid }: ProviderSessionName) => {
    const under = sidIssuers.find(({ strategy }) => strategy.speaksFor(issuer))?.sidIssuer ?? issuer;
    return partitionOf({ issuer: under, sid });
  };

  const markEnding = async (partition: string, issuedAt: number | null) => {
    const now = clock.now();
    const record = { partition, id: ENDING, value: encodeJson([issuedAt, now]), expiresAt: now + ENDING_TTL * 1000 };
    await store.commit([{ op: "put", in: providerSessionCollection, record }]);
  };

  return {
    async note({ id, idp, expiresAt }) {
      if (!idp) return;
      const record = { partition: sessionPartition(idp), id, value: GOES_ON, expiresAt };
      await store.commit([{ op: "put", in: providerSessionCollection, record }]);
    },

    async goesOn({ id, idp }, assertion) {
      const there = idp && sessionPartition(idp);
      const read = (partition: string, record: string) => store.get(providerSessionCollection, { partition, id: record });
      // Not by listing what was made from the provider's session: that may be as much as somebody likes.
      const [own, ...endings] = await Promise.all([
        there && read(there, id),
        there && assertion && read(there, ENDING),
        assertion && read(subjectPartition(assertion), ENDING),
      ]);
      if (idp && (!own || Buffer.from(own.value).equals(ENDED))) return false;
      return !assertion || !endings.some((record) => record && ends(record, assertion));
    },

    async end(name, issuedAt) {
      const partition = sessionPartition(name);
      await markEnding(partition, issuedAt);
      const records = (await store.list(providerSessionCollection, partition)).filter(({ id }) => id !== ENDING);
      // Marked, not removed: whoever is told again after a failure has to find them.
      const marks = records.map(({ id, expiresAt }) => ({ partition, id, expiresAt, value: ENDED }));
      if (marks.length > 0) await store.commit(marks.map((record) => ({ op: "put", in: providerSessionCollection, record })));
      return records.map(({ id }) => id);
    },

    endAllOf: (subject, issuedAt) => markEnding(subjectPartition(subject), issuedAt),

    async forget(name, sessionIds) {
      const partition = sessionPartition(name);
      const keys = sessionIds.map<RecordKey>((id) => ({ partition, id }));
      if (keys.length > 0) await store.commit(keys.map((key) => ({ op: "delete", in: providerSessionCollection, key })));
    },
  };
}

/**
 * Whether an ending is about what was asserted: it is newer by the provider's clock, or we were told of it after we had begun to ask. The
 * first does not depend on how our machines' clocks differ, nor the second on how many of both fit into a second.
 */
function ends(record: StoredRecord, { issuedAt, askedAt }: ProviderAssertion): boolean {
  const value = decodeJson(record);
  const [endedAt, toldAt] = Array.isArray(value) ? (value as unknown[]) : [];
  if (typeof toldAt !== "number") throw new StorageError("A stored record could not be read");
  return toldAt > askedAt || (typeof endedAt === "number" && endedAt > issuedAt);
}

/** Each part behind its length, so that no two pairs run together to the same text. */
function partitionOf({ issuer, sid }: ProviderSessionName): string {
  return sha256(`${Buffer.byteLength(issuer)}:${issuer}${sid}`).toString("base64url");
}

/** Begins otherwise than that of any session. */
function subjectPartition({ issuer, subject }: ProviderSubject): string {
  return sha256(`sub:${Buffer.byteLength(issuer)}:${issuer}${subject}`).toString("base64url");
}
