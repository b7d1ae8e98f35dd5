import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openDatabase, valuesFor } from "../adapters/sqlite/driver.ts";
import { ConfigError } from "../errors.ts";

/** A row as its driver gives it: text, numbers, booleans, `null`, perhaps dates. */
export type Row = Readonly<Record<string, unknown>>;

/** A database that is only read. */
export interface SourceDatabase {
  /** The names of a table's columns; none when there is no such table. */
  columns(table: string): Promise<string[]>;
  query(sql: string, values: readonly string[]): Promise<Row[]>;
  quote(name: string): string;
  /** What stands for the value at `position`, counted from 1. */
  placeholder(position: number): string;
  close(): Promise<void>;
}

/**
 * Opens what `from` names, with the driver that the application has installed: `postgres://`, `mysql://` (MariaDB too), or the file of a SQLite
 * database, with or without `file:` or `sqlite:` before it.
 * @throws {ConfigError} when the driver is not installed, or the database cannot be opened.
 */
export async function openSource(from: string): Promise<SourceDatabase> {
  // A drive's letter is no scheme.
  const [, name, slashes] = /^([a-z][a-z0-9+.-]+):(\/\/)?/i.exec(from) ?? [];
  const scheme = name?.toLowerCase();
  try {
    if (slashes && (scheme === "postgres" || scheme === "postgresql")) return await openPostgres(from);
    if (slashes && (scheme === "mysql" || scheme === "mariadb")) return await openMysql(from.replace(/^mariadb:/i, "mysql:"));
    if (scheme === undefined || scheme === "file" || scheme === "sqlite") return openSqlite(pathOf(from));
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const missing = (cause as { code?: unknown } | null)?.code === "ERR_MODULE_NOT_FOUND";
    const driver = scheme?.startsWith("postgres") ? "pg" : "mysql2";
    throw new ConfigError(OPTION, missing ? `install ${driver}, which reads it` : "it cannot be opened", cause);
  }
  throw new ConfigError(OPTION, `there is no reading "${scheme}:": give postgres://, mysql:// or the file of a SQLite database`);
}

const OPTION = "importBetterAuth.from";

function pathOf(from: string): string {
  if (from.startsWith("file://")) return fileURLToPath(from);
  const path = from.replace(/^(?:file|sqlite):(?:\/\/(?=\/))?/, "");
  return path;
}

function openSqlite(path: string): SourceDatabase {
  // Opening would make it. With an `@` it may be a URL without its scheme, and hold a password.
  if (path === "" || !existsSync(path))
    throw new ConfigError(OPTION, path.includes("@") ? "there is no file of that name" : `there is no file "${path}"`);
  const database = openDatabase(path, OPTION);
  database.exec("pragma query_only = on");
  const values = valuesFor(database);
  const query = (sql: string, given: readonly string[]) => database.prepare(sql).all(...values(given)) as Row[];
  return {
    columns: async (table) => query("select name from pragma_table_info(?)", [table]).map(({ name }) => String(name)),
    query: async (sql, given) => query(sql, given),
    quote: (name) => `"${name.replaceAll('"', '""')}"`,
    placeholder: () => "?",
    close: async () => void database.close(),
  };
}

async function openPostgres(url: string): Promise<SourceDatabase> {
  const { default: pg } = await import("pg");
  // Everything as text: a driver's idea of an instant depends on the time zone of this machine.
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    types: { getTypeParser: () => (text: string) => text },
  });
  await client.connect();
  const query = async (text: string, values: readonly string[]) => (await client.query<Row>(text, [...values])).rows;
  return {
    columns: async (table) => {
      const sql = `select column_name as "name" from information_schema.columns where table_name = $1 and table_schema = any (current_schemas(false))`;
      return (await query(sql, [table])).map(({ name }) => String(name));
    },
    query,
    quote: (name) => `"${name.replaceAll('"', '""')}"`,
    placeholder: (position) => `$${position}`,
    close: () => client.end(),
  };
}

async function openMysql(uri: string): Promise<SourceDatabase> {
  const { createConnection } = await import("mysql2/promise");
  const connection = await createConnection({ uri, dateStrings: true, supportBigNumbers: true, connectTimeout: CONNECT_MS });
  // Its instants are `timestamp`s, which it tells in the time zone of the session.
  await connection.query("set time_zone = '+00:00'");
  const query = async (sql: string, values: readonly string[]) => (await connection.query(sql, [...values]))[0] as Row[];
  return {
    columns: async (table) => {
      const sql = "select column_name as `name` from information_schema.columns where table_name = ? and table_schema = database()";
      return (await query(sql, [table])).map(({ name }) => String(name));
    },
    query,
    quote: (name) => `\`${name.replaceAll("`", "``")}\``,
    placeholder: () => "?",
    close: () => connection.end(),
  };
}

const CONNECT_MS = 10_000;
