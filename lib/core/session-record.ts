import { constantTimeEqual } from "../crypto/hash.ts";
import { StorageError } from "../errors.ts";
import { partitionedCollection } from "../storage/collection.ts";
import type { NewRecord, StoredRecord } from "../storage/record-store.ts";
import type { EpochPair } from "./principals.ts";
import type { RefreshState } from "./refresh-token-text.ts";
import { publicSessionId } from "./session-token.ts";

/**
 * How a session's credentials travel, fixed when it is made: its token in our cookie (`session`) or in the Authorization header (`token`);
 * or an access and a refresh token, in bodies and that header (`bearer`), in two cookies (`cookie`), or with the access token in halves
 * (`split`): what scripts may read in bodies and that header, its signature and the refresh token in cookies.
 */
export type SessionTransport = (typeof TRANSPORTS)[number];

export const TRANSPORTS = ["session", "token", "bearer", "cookie", "split"] as const;

/** Whether sessions of a transport have refresh tokens. */
export function hasRefreshTokens(transport: SessionTransport | undefined): boolean {
  return transport === "bearer" || transport === "cookie" || transport === "split";
}

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
  /** What its refresh tokens are made of; `null` for a session that has none. */
  readonly refresh: RefreshState | null;
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
  /** The last two, ms before `rotatedAt`, are left out while they are 0. */
  f?: readonly [n: number, seed: string, keyId: string, rotatedAt: number, current?: number, previous?: number];
}

/**
 * The record as it rests, integers big-endian: format 1; SHA-256 of the secret (32 bytes); created, Unix ms (6); life, idle life and last
 * seen after creation, s (3 each); authenticated after creation, s, signed: it may have been before (4); length of the user id (2), the
 * user id; the extras as JSON, if there are any.
 */
const FORMAT = 1;
const HASH = 1;
const CREATED = HASH + 32;
const LIFE = CREATED + 6;
const IDLE_LIFE = LIFE + 3;
const SEEN = IDLE_LIFE + 3;
const AUTHENTICATED = SEEN + 3;
const USER_LENGTH = AUTHENTICATED + 4;
const USER = USER_LENGTH + 2;

/** @throws {RangeError} for a user id beyond 64 KB. */
export function encodeSession({ session, tag, sid, secretHash, mergedInto, refresh }: Omit<SessionRecord, "version">): NewRecord {
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
    ...(refresh === null ? {} : { f: packRefresh(refresh) }),
  };
  const user = Buffer.from(s.userId);
  const rest = Buffer.from(Object.keys(extras).length > 0 ? JSON.stringify(extras) : "");
  const value = Buffer.alloc(USER + user.length + rest.length);
  value.writeUInt8(FORMAT);
  secretHash.copy(value, HASH);
  value.writeUIntBE(s.createdAt, CREATED, 6);
  value.writeUIntBE(seconds(s.createdAt, s.expiresAt), LIFE, 3);
  value.writeUIntBE(seconds(s.lastSeenAt, s.idleExpiresAt), IDLE_LIFE, 3);
  value.writeUIntBE(seconds(s.createdAt, s.lastSeenAt), SEEN, 3);
  value.writeInt32BE(Math.max(-(2 ** 31), Math.round((s.authenticatedAt - s.createdAt) / 1000)), AUTHENTICATED);
  value.writeUInt16BE(user.length, USER_LENGTH);
  user.copy(value, USER);
  rest.copy(value, USER + user.length);
  return { partition: tag, id: sid, value, expiresAt: Math.min(s.expiresAt, s.idleExpiresAt) };
}

/**
 * A record read back; `id` is its public id where the caller has it already.
 * @throws {StorageError} when the record does not parse: it is refused, never guessed at.
 */
export function decodeSession(stored: StoredRecord, id = publicSessionId(stored.partition, stored.id)): SessionRecord {
  const { partition: tag, id: sid, value, version } = stored;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const restAt = bytes.length < USER || bytes[0] !== FORMAT ? Infinity : USER + bytes.readUInt16BE(USER_LENGTH);
  if (restAt > bytes.length) throw new StorageError("A stored session could not be read");
  const extras = restAt === bytes.length ? NO_EXTRAS : parseExtras(bytes.toString("utf8", restAt));
  const createdAt = bytes.readUIntBE(CREATED, 6);
  const lastSeenAt = createdAt + bytes.readUIntBE(SEEN, 3) * 1000;
  return {
    tag,
    sid,
    version,
    secretHash: bytes.subarray(HASH, CREATED),
    mergedInto: extras.g ?? null,
    refresh: extras.f ? unpackRefresh(extras.f) : null,
    session: {
      id,
      userId: bytes.toString("utf8", USER, restAt),
      kind: extras.k ?? "user",
      type: extras.y ?? "full",
      transport: extras.t ?? "session",
      createdAt,
      expiresAt: createdAt + bytes.readUIntBE(LIFE, 3) * 1000,
      idleExpiresAt: lastSeenAt + bytes.readUIntBE(IDLE_LIFE, 3) * 1000,
      lastSeenAt,
      authenticatedAt: createdAt + bytes.readInt32BE(AUTHENTICATED) * 1000,
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

function packRefresh({ n, seed, keyId, rotatedAt, generations: { current, previous } }: RefreshState): NonNullable<Extras["f"]> {
  const state = [n, seed, keyId, rotatedAt] as const;
  return previous === rotatedAt ? state : [...state, rotatedAt - current, rotatedAt - previous];
}

/** Of a record from before there were generations only the latest tokens are fresh, until the next refresh. */
function unpackRefresh([n, seed, keyId, rotatedAt, current = 0, previous = 0]: NonNullable<Extras["f"]>): RefreshState {
  return { n, seed, keyId, rotatedAt, generations: { current: rotatedAt - current, previous: rotatedAt - previous } };
}

function parseExtras(text: string): Extras {
  try {
    const extras: unknown = JSON.parse(text);
    if (typeof extras === "object" && extras !== null && !Array.isArray(extras)) return extras;
  } catch {
    // refused below: the parser's words may quote the record
  }
  throw new StorageError("A stored session could not be read");
}

/** Whether a presented secret is the one this record was made with. */
export function secretMatches(record: SessionRecord, secretHash: Buffer): boolean {
  return constantTimeEqual(record.secretHash, secretHash);
}

const NO_EXTRAS: Extras = Object.freeze({});
const NONE: readonly string[] = Object.freeze([]);
const NO_DATA = Object.freeze({});
const FIRST_EPOCH: EpochPair = Object.freeze([0, 0] as const);
