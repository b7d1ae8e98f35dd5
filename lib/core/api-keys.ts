import type { Clock } from "../clock.ts";
import { constantTimeEqual } from "../crypto/hash.ts";
import { ConflictError, CredentialError, NotFoundError, RequestError, StorageError } from "../errors.ts";
import type { RecordKey, RecordStore, Write } from "../storage/record-store.ts";
import {
  checkedName,
  checkedScopes,
  narrowed,
  renewed,
  sameRoles,
  type ApiKeyContents,
  type IssuedApiKey,
  type NewApiKey,
} from "./api-key-contents.ts";
import { resolveApiKeysOptions, type ApiKeysOptions } from "./api-key-options.ts";
import { apiKeyCollection, decodeApiKey, encodeApiKey, endOf, type ApiKey, type ApiKeyRecord } from "./api-key-record.ts";
import { apiKeyTag, createApiKeyTexts } from "./api-key-text.ts";
import type { Background } from "./background.ts";
import type { Events, RequestSource } from "./events.ts";
import { mayStay, type Membership } from "./membership.ts";
import { sameEpoch, type Principals, type Standing } from "./principals.ts";
import { readable, reportingUnreadable } from "./unreadable-records.ts";

export type { IssuedApiKey, NewApiKey } from "./api-key-contents.ts";
export type { ApiKeysOptions } from "./api-key-options.ts";
export type { ApiKey } from "./api-key-record.ts";
export { apiKeyPattern, looksLikeApiKey } from "./api-key-text.ts";

/** API keys: long-lived bearer secrets that users make for programs. Whoever has one acts as its owner, with at most the owner's rights. */
export interface ApiKeys {
  /**
   * Makes a key. The owner's epoch is read again after the insert and before anything is returned, so a key that raced with
   * the ending of all credentials is refused. Three waits on the store, two where it keeps order.
   * @throws {RequestError} `invalid_name`, `invalid_scope` or `invalid_ttl`; PermissionError `insufficient_scope`;
   *   {@link ConflictError} `too_many_api_keys`; {@link CredentialError} `user_disabled` or `credentials_ended`.
   */
  create(options: NewApiKey): Promise<IssuedApiKey>;
  /**
   * Whose key it is. One store read; none for a mistyped one. The use is noted at most once a minute, off the response path, and then
   * it is checked that the owner still stands as before.
   * @throws {CredentialError} `invalid_token`, whatever is wrong with it; {@link StorageError} when nobody can tell.
   */
  authenticate(key: string, use?: { source?: RequestSource | null }): Promise<ApiKey>;
  /** An owner's live keys, the oldest first. One read. */
  list(userId: string): Promise<ApiKey[]>;
  /** One live key of this owner, or `null`. One read. */
  get(userId: string, id: string): Promise<ApiKey | null>;
  /** Ends one key. @returns what it was. @throws {NotFoundError} when it is unknown, or someone else's. */
  revoke(userId: string, id: string, from?: { source?: RequestSource | null }): Promise<ApiKey>;
  /** Takes the owner's present roles into all their keys, at once. */
  refresh(userId: string): Promise<void>;
  /** Ends all keys of an owner in one command: on disabling, deleting, resetting. Idempotent. */
  revokeAll(userId: string, from?: { source?: RequestSource | null }): Promise<void>;
  /**
   * Makes a successor with the same name, scopes and length of life, and lets the old key live for `overlap` seconds more (default 24 h),
   * in one commit. A key is rotated once.
   * @throws {NotFoundError}; {@link ConflictError} `api_key_rotated` when it has a successor, or `too_many_api_keys`.
   */
  rotate(userId: string, id: string, options?: { overlap?: number; source?: RequestSource | null }): Promise<IssuedApiKey>;
}

export interface ApiKeysParts {
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly principals: Principals;
  readonly events: Events;
  readonly background: Background;
  readonly options?: ApiKeysOptions | undefined;
  /** Asked at the minute's check about keys of a tenant. Default: keys stay where they are. */
  readonly membership?: Membership | null | undefined;
}

const DAY = 86_400;
/** Between two write-backs of one key's use. */
const USE_INTERVAL = 60_000;
const MAX_OVERLAP = 30 * DAY;
/** Far more than contention on one key makes likely. */
const MAX_ATTEMPTS = 100;

/** @throws {ConfigError} when an option is out of bounds. */
export function createApiKeys({ store, clock, principals, events, background, options = {}, membership = null }: ApiKeysParts): ApiKeys {
  const { prefix, ttl, idleTtl, allowNoExpiry, max } = resolveApiKeysOptions(options);
  const texts = createApiKeyTexts(prefix);

  const isLive = ({ apiKey }: ApiKeyRecord) => {
    const end = endOf(apiKey);
    return end === null || clock.now() < end;
  };

  const idleEnd = (now: number) => (idleTtl === null ? null : now + idleTtl * 1000);

  const read = async (key: RecordKey): Promise<ApiKeyRecord | null> => {
    const stored = await store.get(apiKeyCollection, key);
    const record = stored && decoded(stored);
    return record && isLive(record) ? record : null;
  };

  const decoded = reportingUnreadable(events, apiKeyCollection, decodeApiKey);

  /** Changes a live key by compare-and-set, tried again on the newer record. One that is gone does not come back. */
  const change = async (key: RecordKey, next: (record: ApiKeyRecord) => ApiKeyRecord): Promise<void> => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const record = await read(key);
      if (!record) return;
      const written = encodeApiKey(next(record));
      if (await store.commit([{ op: "replace", in: apiKeyCollection, record: written, ifVersion: record.version }])) return;
    }
    throw tooFast();
  };

  const remove = ({ apiKey, tag }: Pick<ApiKeyRecord, "apiKey" | "tag">) =>
    store.commit([{ op: "delete", in: apiKeyCollection, key: { partition: tag, id: apiKey.id } }]);

  const revoked = (userId: string, keyId: string | null, source: RequestSource | null = null) =>
    events.emit("api_key.revoked", { keyId }, { userId, source });

  const stands = ({ principal, epoch }: Standing, made: ApiKeyRecord["epoch"]) => principal.status === "active" && sameEpoch(epoch, made);

  /** Commits what makes `made`, then makes sure that nothing ended in between what it was made under. */
  const commitAndRecheck = async (writes: readonly Write[], made: Omit<ApiKeyRecord, "version">): Promise<boolean> => {
    const committed = store.commit(writes);
    const { userId } = made.apiKey;
    const [done, after] = store.ordered
      ? await Promise.all([committed, principals.standing(userId)])
      : [await committed, await principals.standing(userId)];
    if (!done || stands(after, made.epoch)) return done;
    await remove(made);
    throw endedMeanwhile();
  };

  /** The minute's check and write-back. What it finds stale it ends; what it writes cannot bring a removed key back. */
  const noteUse = async (record: ApiKeyRecord, usedAt: number, source: RequestSource | null) => {
    const { apiKey, epoch, roleLimit, version } = record;
    const { id, userId, tenantId } = apiKey;
    const standing = await principals.standing(userId);
    if (!stands(standing, epoch) || !(await mayStay(membership, apiKey))) {
      await remove(record);
      revoked(userId, id, source);
      return;
    }
    const roles = narrowed(standing.principal.roles, roleLimit);
    const written = encodeApiKey({ ...record, apiKey: { ...apiKey, roles, lastUsedAt: usedAt, idleExpiresAt: idleEnd(usedAt) } });
    const quiet = sameRoles(roles, apiKey.roles) ? ({ quiet: true } as const) : {};
    await store.commit([{ op: "replace", in: apiKeyCollection, record: written, ifVersion: version, ...quiet }]);
    events.emit("api_key.used", { keyId: id }, { userId, tenantId, source });
  };

  /** A new key and its text, not yet stored. */
  const make = ({ principal, epoch }: Standing, contents: ApiKeyContents, roleLimit: readonly string[] | null): Made => {
    const now = clock.now();
    const { id, tag, hash, key, keyPrefix } = texts.issue(apiKeyTag(contents.userId));
    const fresh = {
      roles: narrowed(principal.roles, roleLimit),
      createdAt: now,
      idleExpiresAt: idleEnd(now),
      lastUsedAt: null,
      replacedBy: null,
    };
    return { key, record: { apiKey: { id, keyPrefix, ...contents, ...fresh }, tag, hash, epoch, roleLimit } };
  };

  const lifeOf = (asked: number | null | undefined): number | null => {
    if (asked === undefined) return ttl;
    if (asked === null ? allowNoExpiry : Number.isInteger(asked) && asked >= 1 && (asked <= ttl || allowNoExpiry)) return asked;
    throw new RequestError(allowNoExpiry ? "ttl is whole seconds from 1" : `ttl is whole seconds from 1 to ${ttl}`, "invalid_ttl");
  };

  const keyOf = (userId: string, id: string): RecordKey => ({ partition: apiKeyTag(userId), id });

  return {
    async create({ userId, name, scopes = [], grantable, ttl: asked, tenantId = null, roles, source = null, epoch }) {
      const contents = { userId, tenantId, name: checkedName(name), scopes: checkedScopes(scopes, grantable) };
      const life = lifeOf(asked);
      const standing = await principals.activeStanding(userId);
      if (epoch && !stands(standing, epoch)) throw endedMeanwhile();
      const expiresAt = life === null ? null : clock.now() + life * 1000;
      const { key, record } = make(standing, { ...contents, expiresAt }, roles ? [...roles] : null);
      const insert: Write = { op: "insert", in: apiKeyCollection, record: encodeApiKey(record), max, over: "refuse" };
      if (!(await commitAndRecheck([insert], record))) throw tooMany();
      events.emit("api_key.created", { keyId: record.apiKey.id, name: contents.name }, { userId, tenantId, source });
      return { apiKey: record.apiKey, key };
    },

    async authenticate(key, { source = null } = {}) {
      const parsed = texts.parse(key);
      if (!parsed) throw invalidKey();
      const record = await read({ partition: parsed.tag, id: parsed.id });
      if (!record || !constantTimeEqual(record.hash, parsed.hash)) throw invalidKey();
      const { apiKey } = record;
      const now = clock.now();
      if (apiKey.lastUsedAt === null || now - apiKey.lastUsedAt >= USE_INTERVAL) {
        // A copy: what the application does to the one it is given must not be written back.
        const copy = { ...record, apiKey: structuredClone(apiKey) };
        background.run(`api key ${apiKey.id}`, () => noteUse(copy, now, source));
      }
      return apiKey;
    },

    async list(userId) {
      const stored = await store.list(apiKeyCollection, apiKeyTag(userId));
      return readable(stored, decoded)
        .filter(isLive)
        .map(({ apiKey }) => apiKey);
    },

    async get(userId, id) {
      return (await read(keyOf(userId, id)))?.apiKey ?? null;
    },

    async revoke(userId, id, { source = null } = {}) {
      const taken = await store.take(apiKeyCollection, keyOf(userId, id));
      if (!taken) throw unknownKey();
      revoked(userId, id, source);
      return decoded(taken).apiKey;
    },

    async refresh(userId) {
      const { roles } = (await principals.standing(userId)).principal;
      const stored = await store.list(apiKeyCollection, apiKeyTag(userId));
      for (const { apiKey } of readable(stored, decoded)) {
        await change(keyOf(userId, apiKey.id), (record) => ({
          ...record,
          apiKey: { ...record.apiKey, roles: narrowed(roles, record.roleLimit) },
        }));
      }
    },

    async revokeAll(userId, { source = null } = {}) {
      await store.commit([{ op: "clear", in: apiKeyCollection, partition: apiKeyTag(userId) }]);
      revoked(userId, null, source);
    },

    async rotate(userId, id, { overlap = DAY, source = null } = {}) {
      if (!Number.isInteger(overlap) || overlap < 0 || overlap > MAX_OVERLAP) {
        throw new RequestError(`overlap is whole seconds from 0 to ${MAX_OVERLAP}`, "invalid_overlap");
      }
      const standing = await principals.activeStanding(userId);
      let old = await read(keyOf(userId, id));
      if (!old) throw unknownKey();
      const next = make(standing, renewed(old.apiKey, clock.now()), old.roleLimit);
      const successor = next.record.apiKey;
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        if (!stands(standing, old.epoch)) throw unknownKey();
        if (old.apiKey.replacedBy !== null) throw new ConflictError("api_key_rotated", "This key has a successor: rotate that one");
        // Keys in their overlap count up to twice the cap, so that rotating works at the cap, and rotating in a loop fills no store.
        const insert: Write = { op: "insert", in: apiKeyCollection, record: encodeApiKey(next.record), max: 2 * max, over: "refuse" };
        const done = await commitAndRecheck([retire(old, successor.id, overlap), insert], next.record);
        const now: ApiKeyRecord | null = done ? null : await read(keyOf(userId, id));
        if (done || now?.apiKey.replacedBy === successor.id) {
          events.emit("api_key.rotated", { keyId: id, replacedBy: successor.id }, { userId, tenantId: successor.tenantId, source });
          return { apiKey: successor, key: next.key };
        }
        if (!now) throw unknownKey();
        if (now.version === old.version) throw tooMany();
        old = now;
      }
      throw tooFast();
    },
  };

  /** Ends a key at once, or after the overlap; never later than it would have ended anyway. */
  function retire(old: ApiKeyRecord, successor: string, overlap: number): Write {
    const { apiKey, tag, version } = old;
    if (overlap === 0) return { op: "delete", in: apiKeyCollection, key: { partition: tag, id: apiKey.id }, ifVersion: version };
    const end = clock.now() + overlap * 1000;
    const expiresAt = apiKey.expiresAt === null ? end : Math.min(end, apiKey.expiresAt);
    const record = encodeApiKey({ ...old, apiKey: { ...apiKey, expiresAt, replacedBy: successor } });
    return { op: "replace", in: apiKeyCollection, record, ifVersion: version };
  }

  function tooMany() {
    return new ConflictError("too_many_api_keys", `There are ${max} API keys already: revoke one first`);
  }
}

interface Made {
  readonly key: string;
  readonly record: Omit<ApiKeyRecord, "version">;
}

function endedMeanwhile(): CredentialError {
  return new CredentialError("credentials_ended", "All credentials of this user were ended meanwhile");
}

/** One answer to every key that is not good. */
function invalidKey(): CredentialError {
  return new CredentialError("invalid_token", "The API key is not valid");
}

function tooFast(): StorageError {
  return new StorageError("An API key is changing too fast");
}

function unknownKey(): NotFoundError {
  return new NotFoundError("No such API key");
}
