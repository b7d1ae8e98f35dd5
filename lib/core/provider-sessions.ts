import { sha256 } from "../crypto/hash.ts";
import { partitionedCollection } from "../storage/collection.ts";
import type { RecordKey, RecordStore } from "../storage/record-store.ts";
import type { Session } from "./session-record.ts";

/** A session at a provider: what its `sid` means is up to the issuer. */
export interface ProviderSessionName {
  readonly issuer: string;
  readonly sid: string;
}

/**
 * Which of our sessions were made from which session of a provider, so that the end of that one finds them by its `sid` alone, whoever's
 * they are. A record is written before its session and looked at again after, so that an ending in between is not missed.
 *
 * @see OpenID Connect Back-Channel Logout 1.0, section 2.1; OpenID Connect Front-Channel Logout 1.0, section 3.
 */
export interface ProviderSessions {
  /** Notes that a session is about to be made. One write; none for a session that no provider named. */
  note(session: Session): Promise<void>;
  /** Whether the provider's session behind this one goes on as far as we were told. One read; none for a session that no provider named. */
  goesOn(session: Session): Promise<boolean>;
  /** Marks a session of a provider as over. @returns the public ids of the sessions made from it. One read, and one write. */
  end(name: ProviderSessionName): Promise<string[]>;
  /** Forgets sessions that were ended. Until it is called, `end` names them again. One write. */
  forget(name: ProviderSessionName, sessionIds: readonly string[]): Promise<void>;
}

/** Partition: hash of issuer and sid. Id: our session's public id. It ends when the session does. */
export const providerSessionCollection = partitionedCollection("provider_sessions");

const GOES_ON = Buffer.from("1");
const ENDED = Buffer.from("0");

export function createProviderSessions({ store }: { readonly store: RecordStore }): ProviderSessions {
  return {
    async note({ id, idp, expiresAt }) {
      if (!idp) return;
      const record = { partition: partitionOf(idp), id, value: GOES_ON, expiresAt };
      await store.commit([{ op: "put", in: providerSessionCollection, record }]);
    },

    async goesOn({ id, idp }) {
      if (!idp) return true;
      const record = await store.get(providerSessionCollection, { partition: partitionOf(idp), id });
      return record !== null && !Buffer.from(record.value).equals(ENDED);
    },

    async end(name) {
      const records = await store.list(providerSessionCollection, partitionOf(name));
      // Marked, not removed: whoever is told again after a failure has to find them.
      const marks = records.map(({ partition, id, expiresAt }) => ({ partition, id, expiresAt, value: ENDED }));
      if (marks.length > 0) await store.commit(marks.map((record) => ({ op: "put", in: providerSessionCollection, record })));
      return records.map(({ id }) => id);
    },

    async forget(name, sessionIds) {
      const partition = partitionOf(name);
      const keys = sessionIds.map<RecordKey>((id) => ({ partition, id }));
      if (keys.length > 0) await store.commit(keys.map((key) => ({ op: "delete", in: providerSessionCollection, key })));
    },
  };
}

/** Each part behind its length, so that no two pairs run together to the same text. */
function partitionOf({ issuer, sid }: ProviderSessionName): string {
  return sha256(`${Buffer.byteLength(issuer)}:${issuer}${sid}`).toString("base64url");
}
