import Database from "libsql";
import { emailTaken, type User, type UserStore } from "../../lib/core/users.ts";

interface Row extends Omit<User, "emailVerified"> {
  emailVerified: 0 | 1;
}

/** An application's own users, in a table of SQLite that keeps everything. */
export function openSqliteUsers(): UserStore & { close(): void } {
  const database = new Database(":memory:");
  database.exec(`create table users (
    id text primary key, email text unique, emailVerified integer not null, emailVerifiedAt integer,
    name text, image text, createdAt integer not null, updatedAt integer not null
  )`);
  const toUser = (row: unknown): User | null => {
    if (!row) return null;
    const { id, email, emailVerified, emailVerifiedAt = null, name, image, createdAt, updatedAt } = row as Row;
    return { id, email, emailVerified: emailVerified === 1, emailVerifiedAt, name, image, createdAt, updatedAt };
  };
  const taken = (error: unknown) => (error as { code?: string }).code === "SQLITE_CONSTRAINT_UNIQUE";
  const column = (value: unknown) => (typeof value === "boolean" ? Number(value) : (value ?? null));

  return {
    findByEmail: async (email) => toUser(database.prepare("select * from users where email = ?").get(email)),
    findById: async (id) => toUser(database.prepare("select * from users where id = ?").get(id)),
    async create(user) {
      const existing = await this.findById(user.id);
      if (existing) return existing;
      const { id, email, emailVerified, emailVerifiedAt, name, image, createdAt, updatedAt } = user;
      const values = [id, email, emailVerified, emailVerifiedAt, name, image, createdAt, updatedAt];
      try {
        database.prepare("insert into users values (?, ?, ?, ?, ?, ?, ?, ?)").run(...values.map(column));
        return user;
      } catch (error) {
        const other = await this.findById(id);
        if (other) return other;
        throw taken(error) ? emailTaken(error) : error;
      }
    },
    async update(id, fields) {
      const set = Object.keys(fields).map((name) => `${name} = ?`);
      try {
        database.prepare(`update users set ${set.join(", ")} where id = ?`).run(...Object.values(fields).map(column), id);
      } catch (error) {
        throw taken(error) ? emailTaken(error) : error;
      }
      return this.findById(id);
    },
    async delete(id) {
      database.prepare("delete from users where id = ?").run(id);
    },
    close: () => void database.close(),
  };
}
