import express from "express";
import { ConflictError, createAuth, requireAuth, type User, type UserStore } from "latchkey";
import pg from "pg";

export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL ?? "postgres://127.0.0.1/app" });
pool.on("error", (error) => console.error(error.message));

// Your table, with your names. The unique index is what gives an address to one person only.
export const table = `create table if not exists people (
  id text primary key, mail text unique, mail_verified boolean not null, full_name text, picture text,
  joined_at timestamptz not null, changed_at timestamptz not null
)`;
interface Person {
  id: string;
  mail: string | null;
  mail_verified: boolean;
  full_name: string | null;
  picture: string | null;
  joined_at: Date;
  changed_at: Date;
}

async function one(sql: string, values: unknown[]): Promise<User | null> {
  const { rows } = await pool.query<Person>(sql, values);
  const [person] = rows;
  if (!person) return null;
  const { id, mail: email, mail_verified: emailVerified, full_name: name, picture: image, joined_at, changed_at } = person;
  return { id, email, emailVerified, name, image, createdAt: joined_at.getTime(), updatedAt: changed_at.getTime() };
}

const isTaken = (error: unknown) => error instanceof pg.DatabaseError && error.code === "23505";
const mailTaken = (cause: unknown) => new ConflictError("email_taken", "Another user has this email address", { cause });

export const users: UserStore = {
  findByEmail: (email) => one("select * from people where mail = $1", [email]),
  findById: (id) => one("select * from people where id = $1", [id]),
  async create(user) {
    const { id, email, emailVerified, name, image, createdAt, updatedAt } = user;
    const values = [id, email, emailVerified, name, image, new Date(createdAt), new Date(updatedAt)];
    try {
      await pool.query("insert into people values ($1, $2, $3, $4, $5, $6, $7)", values);
      return user;
    } catch (error) {
      if (!isTaken(error)) throw error;
      const existing = await users.findById(id); // a first sign-in that is tried again
      if (existing) return existing;
      throw mailTaken(error);
    }
  },
  async update(id, { email, emailVerified, name, image, updatedAt = Date.now() }) {
    const changed_at = new Date(updatedAt);
    const given = Object.entries({ mail: email, mail_verified: emailVerified, full_name: name, picture: image, changed_at });
    const set = given.filter(([, value]) => value !== undefined); // null is given, undefined is not
    const assignments = set.map(([column], index) => `${column} = $${index + 2}`).join(", ");
    try {
      return await one(`update people set ${assignments} where id = $1 returning *`, [id, ...set.map(([, value]) => value)]);
    } catch (error) {
      throw isTaken(error) ? mailTaken(error) : error;
    }
  },
  async delete(id) {
    await pool.query("delete from people where id = $1", [id]);
  },
};

const auth = createAuth({ secret: process.env.AUTH_SECRET, users });
const app = express();
app.use(auth);
app.get("/me", requireAuth({ user: true }), (req, res) => {
  res.json(req.user);
});
app.listen(3000);
