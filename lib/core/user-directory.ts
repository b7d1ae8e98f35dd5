import { StorageError } from "../errors.ts";
import { decodeJson, directoryCollection, directoryKey, encodeJson } from "../storage/collection.ts";
import type { NewRecord, RecordStore, StoredRecord } from "../storage/record-store.ts";
import type { Events } from "./events.ts";
import { reportingUnreadable } from "./unreadable-records.ts";
import { emailTaken, type User, type UserStore } from "./users.ts";

export const userCollection = directoryCollection("users", { email: "unique" });

/** Keeps users in our own directory; the email address is a unique lookup. Reads cost one round trip, changes two. */
export function directoryUserStore(store: RecordStore, events: Events): UserStore {
  const decoded = reportingUnreadable(events, userCollection, decodeUser);

  const read = (id: string) => store.get(userCollection, directoryKey(id));

  return {
    async findByEmail(email) {
      const [record] = await store.find(userCollection, "email", email, { limit: 1 });
      return record ? decoded(record) : null;
    },

    async findById(id) {
      const record = await read(id);
      return record ? decoded(record) : null;
    },

    async create(user) {
      if (await store.commit([{ op: "insert", in: userCollection, record: encodeUser(user) }])) return user;
      const existing = await read(user.id);
      if (!existing) throw emailTaken();
      return decoded(existing);
    },

    async update(id, fields) {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const current = await read(id);
        if (!current) return null;
        const user = { ...decoded(current), ...fields };
        const write = { op: "replace" as const, in: userCollection, record: encodeUser(user), ifVersion: current.version };
        if (await store.commit([write])) return user;
        const holder = user.email === null ? null : await this.findByEmail(user.email);
        if (holder && holder.id !== id) throw emailTaken();
      }
      throw new StorageError("A user is changing too fast");
    },

    async delete(id) {
      await store.commit([{ op: "delete", in: userCollection, key: directoryKey(id) }]);
    },
  };
}

/** Far more than contention on one person's record makes likely. */
const MAX_ATTEMPTS = 100;

function encodeUser({ id, ...user }: User): NewRecord {
  return { ...directoryKey(id), value: encodeJson(user), expiresAt: null, lookups: { email: user.email } };
}

/** @throws {StorageError} when the record does not parse. */
export function decodeUser(record: StoredRecord): User {
  const stored = decodeJson(record) as Partial<User> | null;
  if (typeof stored?.createdAt !== "number" || typeof stored.emailVerified !== "boolean") {
    throw new StorageError("A stored user could not be read");
  }
  const { email = null, emailVerified, emailVerifiedAt = null, name = null, image = null, createdAt, updatedAt = createdAt } = stored;
  return { id: record.id, email, emailVerified, emailVerifiedAt, name, image, createdAt, updatedAt };
}
