import type { Clock } from "../clock.ts";
import type { KeyRing } from "../crypto/key-ring.ts";
import { randomToken } from "../crypto/random.ts";
import { createSealer } from "../crypto/seal.ts";
import { ConflictError, RequestError, StorageError } from "../errors.ts";
import { directoryKey } from "../storage/collection.ts";
import type { Page, RecordStore, StoredRecord, Write } from "../storage/record-store.ts";
import type { Events } from "./events.ts";
import { assertNewToken, assertTokenChange, type NewToken, type TokenChange } from "./new-token.ts";
import { decodeToken, encodeToken, hashToken, sealContext, tokenCollection, type KeptToken, type TokenRecord } from "./token-record.ts";
import { readable, reportingUnreadable } from "./unreadable-records.ts";

export type { NewToken, TokenChange } from "./new-token.ts";
export type { TokenRecord } from "./token-record.ts";

/**
 * Tokens that the application issues or got elsewhere, kept for its users: found by id, by the token, by user. The store holds a hash to
 * find each by and its text sealed. These are records: no guard of ours takes such a token for a credential.
 * A token is gone for every call from the millisecond of its end on, and one that was revoked stays so, whatever is written later.
 */
export interface Tokens {
  /**
   * Keeps a token, over the one that has its id; a revocation of that one stays. One read and one write.
   * @throws {ConflictError} `token_taken` when the access token is kept under another id, or the id is another user's;
   *   {@link RequestError} `invalid_token_record`, `invalid_user_id`.
   */
  store(token: NewToken): Promise<TokenRecord>;
  /** One record, a revoked one too: `revokedAt` tells. `null` when there is none. One read. */
  get(id: string): Promise<TokenRecord | null>;
  /** The record of a token that is good: `null` for one that is unknown, expired or revoked. One read. */
  getByAccessToken(accessToken: string): Promise<TokenRecord | null>;
  /** The tokens themselves, opened; for code, never for a browser. `null` when there is no such record, or it was revoked. One read. */
  open(id: string): Promise<{ accessToken: string; refreshToken: string | null } | null>;
  /**
   * Changes the fields given; a revocation made at the same time stays. One read and one write.
   * @returns the changed record; `null` when there is none: nothing is written then. @throws as {@link Tokens.store}.
   */
  update(id: string, change: TokenChange): Promise<TokenRecord | null>;
  /** Counts a use: `useCount` and `lastUsedAt`. `null` when there is no such token, or it was revoked. One read and one write. */
  markUsed(id: string): Promise<TokenRecord | null>;
  /** Ends a token for good; its record stays until its end. Another call changes nothing. @returns whether it is there. One read and one write. */
  revoke(id: string, reason?: string | null): Promise<boolean>;
  /** Removes a record; one that is not there is no matter. One write. */
  delete(id: string): Promise<void>;
  /** A user's records, revoked ones too, in id order: a page of up to 1000 (default 100) behind `after`. One read. */
  list(userId: string, page?: Page): Promise<{ tokens: TokenRecord[]; next: string | null }>;
  /** {@link Tokens.store} for up to 100 tokens, all or none. A read each, at once, and one write. */
  storeMany(tokens: readonly NewToken[]): Promise<TokenRecord[]>;
  /** Removes up to 100 records, all or none. @returns how many were there just before. A read each, at once, and one write. */
  deleteMany(ids: readonly string[]): Promise<{ deleted: number }>;
  /** Revokes all tokens of a user, a hundred at once; may be repeated until it succeeds. @returns how many were good until now. */
  revokeForUser(userId: string, reason?: string | null): Promise<{ revoked: number }>;
  /** Removes all records of a user, a hundred at once; may be repeated until it succeeds. @returns how many there were. */
  deleteForUser(userId: string): Promise<{ deleted: number }>;
}

export interface TokensParts {
  readonly store: RecordStore;
  /** What seals the tokens. */
  readonly keys: KeyRing;
  readonly clock: Clock;
  /** Where a record that cannot be read is reported. Default: nowhere. */
  readonly events?: Events | null;
}

const HOUR = 3_600_000;
/** Records one commit writes. */
const BATCH = 100;
const MAX_PAGE = 1000;
const MAX_REASON = 255;
/** Far more than contention on one token makes likely. */
const MAX_ATTEMPTS = 100;

/** The token records of one `createAuth`. */
export function createTokens({ store, keys, clock, events = null }: TokensParts): Tokens {
  const sealer = createSealer(keys, "token records");
  const decoded = reportingUnreadable(events, tokenCollection, decodeToken);

  const readAll = async (ids: readonly string[]): Promise<(KeptToken | null)[]> => {
    const stored = await Promise.all(ids.map((id) => store.get(tokenCollection, directoryKey(id))));
    return stored.map((each) => each && decoded(each));
  };
  const read = async (id: string) => (await readAll([id]))[0] ?? null;

  const withSecrets = (
    id: string,
    { accessToken, refreshToken }: TokenChange,
    old: KeptToken | null,
  ): Pick<KeptToken, "hash" | "sealed"> => {
    const seal = (field: keyof KeptToken["sealed"], text: string) => sealer.seal(text, sealContext(id, field));
    return {
      hash: accessToken === undefined ? (old?.hash ?? "") : hashToken(accessToken),
      sealed: {
        accessToken: accessToken === undefined ? (old?.sealed.accessToken ?? "") : seal("accessToken", accessToken),
        refreshToken: refreshToken === undefined ? (old?.sealed.refreshToken ?? null) : refreshToken && seal("refreshToken", refreshToken),
      },
    };
  };

  /** A whole new record; of the one before only that it was revoked stays. */
  const replacement = (id: string, token: NewToken, old: KeptToken | null): KeptToken => {
    if (old && old.token.userId !== token.userId) throw taken();
    const { revokedAt = null, revokedReason = null } = old?.token ?? {};
    const fresh: TokenRecord = {
      ...{ id, userId: token.userId, tokenType: "Bearer", subject: null, issuer: null, clientId: null },
      ...{ issuedAt: clock.now(), expiresAt: clock.now() + HOUR, scopes: [], permissions: [], roles: [], method: "unknown", metadata: {} },
      ...{ hasRefreshToken: false, revokedAt, revokedReason, lastUsedAt: null, useCount: 0 },
    };
    return { ...withSecrets(id, token, null), token: changed(fresh, token), version: old?.version ?? 0 };
  };

  const written = (record: KeptToken): Write =>
    record.version === 0
      ? { op: "insert", in: tokenCollection, record: encodeToken(record) }
      : { op: "replace", in: tokenCollection, record: encodeToken(record), ifVersion: record.version };

  /** Whether one of these access tokens is kept under another id. */
  const isTaken = async (records: readonly KeptToken[]): Promise<boolean> => {
    const holders = await Promise.all(records.map(({ hash }) => store.find(tokenCollection, "accessToken", hash, { limit: 1 })));
    return holders.some(([holder], index) => holder !== undefined && holder.id !== records[index]?.token.id);
  };

  /** Compare-and-set, tried again on the newer record. `next` may give the record back to leave it. `null` when it is gone. */
  const change = async (id: string, next: (record: KeptToken) => KeptToken): Promise<KeptToken | null> => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const record = await read(id);
      if (!record) return null;
      const made = next(record);
      if (made === record || (await store.commit([written(made)]))) return made;
      if (made.hash !== record.hash && (await isTaken([made]))) throw taken();
    }
    throw tooFast();
  };

  const storeMany: Tokens["storeMany"] = async (tokens) => {
    if (tokens.length > BATCH) throw tooMany();
    tokens.forEach(assertNewToken);
    // In id order, so that no two writers wait for each other.
    const named = tokens.map((token) => ({ token, id: token.id ?? randomToken(16) }));
    const sorted = [...named].sort((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
    const ids = sorted.map(({ id }) => id);
    if (new Set(ids).size < ids.length || new Set(tokens.map(({ accessToken }) => accessToken)).size < ids.length) throw taken();
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const old = await readAll(ids);
      const records = sorted.map(({ id, token }, index) => replacement(id, token, old[index] ?? null));
      if (await store.commit(records.map(written))) {
        const byId = new Map(records.map((record) => [record.token.id, record.token]));
        return named.flatMap(({ id }) => byId.get(id) ?? []);
      }
      if (await isTaken(records)) throw taken();
    }
    throw tooFast();
  };

  const pageOf = (userId: string, limit: number, after?: string): Promise<StoredRecord[]> =>
    store.find(tokenCollection, "userId", userId, { limit, ...(after === undefined ? {} : { after }) });

  const revoked = (record: KeptToken, reason: string | null): KeptToken => ({
    ...record,
    token: { ...record.token, revokedAt: clock.now(), revokedReason: reason?.slice(0, MAX_REASON) ?? null },
  });

  /** @returns whether it is there, and whether this call revoked it. */
  const revoke = async (id: string, reason: string | null) => {
    let now = false;
    const there = await change(id, (record) => {
      now = record.token.revokedAt === null;
      return now ? revoked(record, reason) : record;
    });
    return { there: there !== null, now: there !== null && now };
  };

  return {
    async store(token) {
      const [stored] = await storeMany([token]);
      return stored as TokenRecord;
    },
    storeMany,

    async get(id) {
      return (await read(id))?.token ?? null;
    },

    async getByAccessToken(accessToken) {
      const [stored] = await store.find(tokenCollection, "accessToken", hashToken(accessToken), { limit: 1 });
      const token = stored && decoded(stored).token;
      return token && token.revokedAt === null ? token : null;
    },

    async open(id) {
      const record = await read(id);
      if (!record || record.token.revokedAt !== null) return null;
      const { accessToken, refreshToken } = record.sealed;
      return {
        accessToken: sealer.open(accessToken, sealContext(id, "accessToken")),
        refreshToken: refreshToken && sealer.open(refreshToken, sealContext(id, "refreshToken")),
      };
    },

    async update(id, fields) {
      assertTokenChange(fields);
      const next = (record: KeptToken) => ({ ...record, ...withSecrets(id, fields, record), token: changed(record.token, fields) });
      return (await change(id, next))?.token ?? null;
    },

    async markUsed(id) {
      const used = ({ lastUsedAt, useCount, ...token }: TokenRecord) => ({
        ...token,
        lastUsedAt: Math.max(clock.now(), lastUsedAt ?? 0),
        useCount: useCount + 1,
      });
      const record = await change(id, (current) =>
        current.token.revokedAt === null ? { ...current, token: used(current.token) } : current,
      );
      return record && record.token.revokedAt === null ? record.token : null;
    },

    revoke: async (id, reason = null) => (await revoke(id, reason)).there,

    async delete(id) {
      await store.commit([{ op: "delete", in: tokenCollection, key: directoryKey(id) }]);
    },

    async list(userId, { limit = 100, after } = {}) {
      if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
        throw new RequestError(`A page is 1 to ${MAX_PAGE} tokens`, "invalid_page");
      }
      const page = await pageOf(userId, limit, after);
      const next = page.length < limit ? null : (page.at(-1)?.id ?? null);
      return { tokens: readable(page, decoded).map(({ token }) => token), next };
    },

    async deleteMany(ids) {
      if (ids.length > BATCH) throw tooMany();
      const unique = [...new Set(ids)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const stored = await Promise.all(unique.map((id) => store.get(tokenCollection, directoryKey(id))));
      await store.commit(unique.map((id) => ({ op: "delete", in: tokenCollection, key: directoryKey(id) })));
      return { deleted: stored.filter(Boolean).length };
    },

    async revokeForUser(userId, reason = null) {
      let count = 0;
      for (let after: string | undefined; ;) {
        const page = await pageOf(userId, BATCH, after);
        const good = readable(page, decoded).filter(({ token }) => token.revokedAt === null);
        if (await store.commit(good.map((record) => written(revoked(record, reason))))) count += good.length;
        // One of them changed meanwhile: each for itself, then.
        else for (const { token } of good) count += Number((await revoke(token.id, reason)).now);
        if (page.length < BATCH) return { revoked: count };
        after = page.at(-1)?.id;
      }
    },

    async deleteForUser(userId) {
      let count = 0;
      for (let attempt = 0; attempt < MAX_ATTEMPTS * BATCH; attempt += 1) {
        const page = await pageOf(userId, BATCH);
        if (page.length === 0) return { deleted: count };
        await store.commit(page.map(({ id }) => ({ op: "delete", in: tokenCollection, key: directoryKey(id) })));
        count += page.length;
      }
      throw tooFast();
    },
  };
}

/** The record with the fields given; what it was revoked and used by is none of them. */
function changed(token: TokenRecord, change: TokenChange): TokenRecord {
  const { tokenType, subject, issuer, clientId, issuedAt, expiresAt, scopes, permissions, roles, method, metadata } = change;
  const fields = { tokenType, subject, issuer, clientId, issuedAt, expiresAt, method };
  const lists = { scopes, permissions, roles };
  const given = (named: Readonly<Record<string, unknown>>) => Object.entries(named).filter(([, value]) => value !== undefined);
  return {
    ...token,
    ...(Object.fromEntries(given(fields)) as Partial<TokenRecord>),
    ...(Object.fromEntries(given(lists).map(([name, list]) => [name, [...new Set(list as string[])]])) as Partial<TokenRecord>),
    ...(metadata === undefined ? {} : { metadata: JSON.parse(JSON.stringify(metadata)) as Record<string, unknown> }),
    hasRefreshToken: change.refreshToken === undefined ? token.hasRefreshToken : change.refreshToken !== null,
  };
}

function taken(): ConflictError {
  return new ConflictError("token_taken", "This token, or its id, is kept already");
}

function tooMany(): RequestError {
  return new RequestError(`At most ${BATCH} tokens at once`, "too_many_tokens");
}

function tooFast(): StorageError {
  return new StorageError("A token is changing too fast");
}
