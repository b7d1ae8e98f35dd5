import { constantTimeEqual } from "../crypto/hash.ts";
import { StorageError } from "../errors.ts";
import { partitionedCollection } from "../storage/collection.ts";
import type { NewRecord, StoredRecord } from "../storage/record-store.ts";
import type { EpochPair } from "./principals.ts";
import { publicSessionId } from "./session-token.ts";

/** How a session's token travels, fixed when it is made: in our cookie, or in the Authorization header. */
export type SessionTransport = "session" | "token";

/** What we keep for one browser or native client. */
export interface Session {
  /** The public id: names the session, opens nothing. */
  readonly id: string;
  readonly userId: string;
  readonly kind: "user" | "guest";
  /** The application's own distinction; `full` unless it said otherwise. */
  readonly type: string;
  readonly transport: SessionTransport;
  /** Unix ms, as all instants here. */
  readonly createdAt: number;
  /** The absolute end; never moves. */
  readonly expiresAt: number;
  /** The end unless it is used before. */
  readonly idleExpiresAt: number;
  readonly lastSeenAt: number;
  /** The last real authentication. */
  readonly authenticatedAt: number;
  readonly methods: readonly string[];
  readonly tenantId: string | null;
  readonly roles: readonly string[];
  readonly device: SessionDevice | null;
  /** The application's own fields. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly epoch: EpochPair;
  /** The provider's session behind this one, for its logout. */
  readonly idp: { readonly provider: string; readonly issuer: string; readonly sid: string } | null;
}

/** Where a session is used from. */
export interface SessionDevice {
  /** Such as `Chrome on macOS`. */
  readonly label: string | null;
  readonly ip: string | null;
}

/** A session with what only the kit may see of it. */
export interface SessionRecord {
  readonly session: Session;
  readonly tag: string;
  readonly sid: string;
  readonly secretHash: Buffer;
  /** The user that a guest became; such a guest is nobody. */
  readonly mergedInto: string | null;
  readonly version: number;
}

export const sessionCollection = partitionedCollection("s");

/** What most sessions do not need, under one-letter names: bytes count when there are millions of them. */
interface Extras {
  k?: "guest";
  y?: string;
  t?: SessionTransport;
  m?: readonly string[];
  n?: string;
  r?: readonly string[];
  d?: readonly [string | null, string | null];
  x?: Readonly<Record<string, unknown>>;
  e?: EpochPair;
  i?: Session["idp"];
  g?: string;
}

/** `[userId, createdAt ms, life s, idle life s, last seen s after creation, authenticated s after creation, extras]`; zeros at the end are left out. */
type Packed = [string, number, number, number, number?, number?, Extras?];

const HASH_BYTES = 32;

/** The record as it rests: 32 bytes SHA-256 of the secret, then the packed fields as JSON. */
export function encodeSession({ session, tag, sid, secretHash, mergedInto }: Omit<SessionRecord, "version">): NewRecord {
  const s = session;
  const seconds = (from: number, to: number) => Math.max(0, Math.round((to - from) / 1000));
  const extras: Extras = {
    ...(s.kind === "guest" ? { k: "guest" as const } : {}),
    ...(s.type === "full" ? {} : { y: s.type }),
    ...(s.transport === "session" ? {} : { t: s.transport }),
    ...(s.methods.length === 0 ? {} : { m: s.methods }),
    ...(s.tenantId === null ? {} : { n: s.tenantId }),
    ...(s.roles.length === 0 ? {} : { r: s.roles }),
    ...(s.device === null ? {} : { d: [s.device.label, s.device.ip] as const }),
    ...(Object.keys(s.data).length === 0 ? {} : { x: s.data }),
    ...(s.epoch[0] === 0 && s.epoch[1] === 0 ? {} : { e: s.epoch }),
    ...(s.idp === null ? {} : { i: s.idp }),
    ...(mergedInto === null ? {} : { g: mergedInto }),
  };
  const packed: (string | number | Extras)[] = [
    s.userId,
    s.createdAt,
    seconds(s.createdAt, s.expiresAt),
    seconds(s.lastSeenAt, s.idleExpiresAt),
    seconds(s.createdAt, s.lastSeenAt),
    seconds(s.createdAt, s.authenticatedAt),
  ];
  if (Object.keys(extras).length > 0) packed.push(extras);
  else while (packed.length > 4 && packed.at(-1) === 0) packed.pop();
  return {
    partition: tag,
    id: sid,
    value: Buffer.concat([secretHash, Buffer.from(JSON.stringify(packed))]),
    expiresAt: Math.min(s.expiresAt, s.idleExpiresAt),
  };
}

/**
 * A record read back; `id` is its public id where the caller has it already.
 * @throws {StorageError} when the record does not parse: it is refused, never guessed at.
 */
export function decodeSession(stored: StoredRecord, id = publicSessionId(stored.partition, stored.id)): SessionRecord {
  const { partition: tag, id: sid, value, version } = stored;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  let packed: Packed;
  try {
    packed = JSON.parse(bytes.toString("utf8", HASH_BYTES)) as Packed;
    if (!Array.isArray(packed) || typeof packed[0] !== "string" || packed.length < 4) throw new TypeError("not a session");
  } catch (cause) {
    throw new StorageError("A stored session could not be read", { cause });
  }
  const [userId, createdAt, life, idleLife, seen = 0, authenticated = 0, extras = NO_EXTRAS] = packed;
  const lastSeenAt = createdAt + seen * 1000;
  return {
    tag,
    sid,
    version,
    secretHash: bytes.subarray(0, HASH_BYTES),
    mergedInto: extras.g ?? null,
    session: {
      id,
      userId,
      kind: extras.k ?? "user",
      type: extras.y ?? "full",
      transport: extras.t ?? "session",
      createdAt,
      expiresAt: createdAt + life * 1000,
      idleExpiresAt: lastSeenAt + idleLife * 1000,
      lastSeenAt,
      authenticatedAt: createdAt + authenticated * 1000,
      methods: extras.m ?? NONE,
      tenantId: extras.n ?? null,
      roles: extras.r ?? NONE,
      device: extras.d ? { label: extras.d[0], ip: extras.d[1] } : null,
      data: extras.x ?? NO_DATA,
      epoch: extras.e ?? FIRST_EPOCH,
      idp: extras.i ?? null,
    },
  };
}

/** Whether a presented secret is the one this record was made with. */
export function secretMatches(record: SessionRecord, secretHash: Buffer): boolean {
  return constantTimeEqual(record.secretHash, secretHash);
}

const NO_EXTRAS: Extras = Object.freeze({});
const NONE: readonly string[] = Object.freeze([]);
const NO_DATA = Object.freeze({});
const FIRST_EPOCH: EpochPair = Object.freeze([0, 0] as const);
