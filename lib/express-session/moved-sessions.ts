import { createSecretKey, hkdfSync } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import { openBytes, sealBytes } from "../crypto/seal.ts";
import { randomToken } from "../crypto/random.ts";
import { StorageError } from "../errors.ts";
import type { RecordStore, StoredRecord, Write } from "../storage/record-store.ts";
import { movedSessionCollection as collection, sessionKey } from "./session-collection.ts";

/** Which sessions of express-session became which of ours: by a claim that one request can make, across all processes. */
export interface MovedSessions {
  /** The token that an old session became within the last minute, or `null`. One read. @throws {StorageError} */
  find(sid: string): Promise<string | null>;
  /**
   * The token that an old session became. Of any number of callers at once one calls `move`, the others wait for what it led to; for
   * a minute, callers that come later get the same token, so that parallel requests and lost answers sign nobody out.
   * `null` when `move` says that there is nothing to move: nothing is kept then. Two writes of the store, or one read.
   * @throws {StorageError} when the one who moves it takes too long; what `move` throws.
   */
  once(sid: string, move: () => Promise<MovedTo | null>): Promise<string | null>;
}

/** What an old session became. */
export interface MovedTo {
  readonly token: string;
  /** Takes it back, when somebody else was faster after all. */
  undo(): Promise<unknown>;
}

/** Seconds after which the claim of somebody who went away counts no more. */
const CLAIM_TTL = 10;
/** Seconds for which late callers get the token that others got. */
const GRACE = 60;
/** Milliseconds between two looks at a claim of somebody else, and how many of them. */
const PAUSE = 20;
const LOOKS = 60;

export function createMovedSessions(store: RecordStore, clock: Clock): MovedSessions {
  const writeFor = (sid: string, value: Uint8Array, ttl: number) => ({
    in: collection,
    record: { ...sessionKey("", sid), value, expiresAt: clock.now() + ttl * 1000 },
  });

  const dropClaim = async (sid: string) => {
    const write: Write = { op: "delete", in: collection, key: sessionKey("", sid), ifVersion: 1 };
    // Who comes next waits for the claim to end where this fails too.
    await store.commit([write]).catch(() => {});
  };

  /** Moves a session that this caller claimed. `undefined`: the claim was lost. */
  const claimed = async (sid: string, move: () => Promise<MovedTo | null>): Promise<string | null | undefined> => {
    let moved: MovedTo | null = null;
    try {
      moved = await move();
      if (moved === null) {
        await dropClaim(sid);
        return null;
      }
      const write = writeFor(sid, seal(sid, moved.token), GRACE);
      if (await store.commit([{ op: "replace", ...write, ifVersion: 1 }])) return moved.token;
    } catch (error) {
      await dropClaim(sid);
      throw error;
    }
    await moved.undo();
    return undefined;
  };

  return {
    async find(sid) {
      const found = await store.get(collection, sessionKey("", sid));
      return found && isMoved(found) ? open(sid, found) : null;
    },

    async once(sid, move) {
      for (let look = 0; look < LOOKS; look += 1) {
        const found = await store.get(collection, sessionKey("", sid));
        if (found && isMoved(found)) return open(sid, found);
        if (!found && (await store.commit([{ op: "insert", ...writeFor(sid, Buffer.from(randomToken(16)), CLAIM_TTL) }]))) {
          const token = await claimed(sid, move);
          if (token !== undefined) return token;
        }
        await delay(PAUSE);
      }
      throw new StorageError("A session of express-session is being moved for too long");
    },
  };
}

/** A claim is at its first version, what it led to at the second. */
function isMoved({ version }: StoredRecord): boolean {
  return version > 1;
}

/** The store knows a hash of the id alone, so what it keeps opens for nobody but those who bring the cookie. */
function keyOf(sid: string) {
  return createSecretKey(Buffer.from(hkdfSync("sha256", sid, "", "latchkey express-session moved", 32)));
}

function seal(sid: string, token: string): Uint8Array {
  return sealBytes(keyOf(sid), Buffer.from(token), Buffer.from(sid));
}

function open(sid: string, { value }: StoredRecord): string {
  try {
    return openBytes(keyOf(sid), value, Buffer.from(sid)).toString();
  } catch (cause) {
    throw new StorageError("What a session of express-session became could not be read", { cause });
  }
}
