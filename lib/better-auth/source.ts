import { ConfigError } from "../errors.ts";
import type { Row, SourceDatabase } from "./databases.ts";

/** A user of better-auth, with what better-auth keeps of how they sign in. Instants are Unix ms. */
export interface SourceUser {
  readonly id: string;
  readonly name: string | null;
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly image: string | null;
  readonly createdAt: number | null;
  /** Of the plugin `anonymous`. */
  readonly anonymous: boolean;
  /** Of the plugin `admin`. */
  readonly role: string | null;
  readonly banned: boolean;
  readonly banExpiresAt: number | null;
  /** Of the plugin `two-factor`. */
  readonly twoFactor: boolean;
  readonly accounts: readonly SourceAccount[];
}

export interface SourceAccount {
  readonly providerId: string;
  readonly accountId: string;
  readonly accessToken: string | null;
  readonly refreshToken: string | null;
  readonly idToken: string | null;
  readonly accessTokenExpiresAt: number | null;
  readonly refreshTokenExpiresAt: number | null;
  readonly scope: string | null;
  readonly password: string | null;
  readonly createdAt: number | null;
}

/** What better-auth's tables are called, where they were renamed. */
export interface SourceTables {
  readonly user?: string | undefined;
  readonly account?: string | undefined;
}

const USER = [
  "id",
  "name",
  "email",
  "emailVerified",
  "image",
  "createdAt",
  "isAnonymous",
  "role",
  "banned",
  "banExpires",
  "twoFactorEnabled",
];
const ACCOUNT = [
  "userId", "providerId", "accountId", "accessToken", "refreshToken", "idToken", "accessTokenExpiresAt", "refreshTokenExpiresAt", "scope", "password", "createdAt",
]; // prettier-ignore
const NEEDED = ["id", "email", "emailVerified", "userId", "providerId", "accountId"];

/**
 * All users in the order of their ids, a page at a time: two queries each. Columns are found in camel case, as better-auth writes them, and in
 * snake case, as they often are under Drizzle and Prisma. Nothing else is read: no session, no secret of a second factor.
 * @throws {ConfigError} when there are no such tables.
 */
export async function* readUsers(database: SourceDatabase, tables: SourceTables, pageSize: number): AsyncGenerator<SourceUser[]> {
  const { quote, placeholder } = database;
  const users = await findTable(database, "user", tables.user, USER);
  const accounts = await findTable(database, "account", tables.account, ACCOUNT);
  const id = users.column("id");
  const userId = accounts.column("userId");
  for (let after: string | null = null; ;) {
    const behind: string = after === null ? "" : ` where ${id} > ${placeholder(1)}`;
    const sql = `select ${users.columns} from ${quote(users.name)}${behind} order by ${id} limit ${pageSize}`;
    const rows: Row[] = await database.query(sql, after === null ? [] : [after]);
    if (rows.length === 0) return;
    const ids = rows.map(({ id: given }) => idOf(given));
    const places = ids.map((_, index) => placeholder(index + 1)).join(", ");
    const own = await database.query(`select ${accounts.columns} from ${quote(accounts.name)} where ${userId} in (${places})`, ids);
    const byUser = new Map<string, SourceAccount[]>(ids.map((each) => [each, []]));
    for (const row of own) byUser.get(String(row["userId"]))?.push(toAccount(row));
    yield rows.map((row) => toUser(row, byUser.get(idOf(row["id"])) ?? []));
    after = ids.at(-1) ?? null;
  }
}

interface Table {
  readonly name: string;
  /** A list for `select`, each under the name that better-auth gives it. */
  readonly columns: string;
  column(name: string): string;
}

async function findTable(
  database: SourceDatabase,
  kind: "user" | "account",
  given: string | undefined,
  wanted: readonly string[],
): Promise<Table> {
  const candidates = given === undefined ? [kind, `${kind}s`] : [given];
  for (const name of candidates) {
    const there = new Map((await database.columns(name)).map((column) => [plain(column), column]));
    if (there.size === 0) continue;
    const known = wanted.filter((column) => there.has(plain(column)));
    const missing = wanted.find((column) => NEEDED.includes(column) && !known.includes(column));
    if (missing) throw new ConfigError(`importBetterAuth.tables.${kind}`, `"${name}" has no column ${missing}: is it better-auth's?`);
    const column = (wantedName: string) => database.quote(there.get(plain(wantedName)) ?? wantedName);
    return { name, column, columns: known.map((each) => `${column(each)} as ${database.quote(each)}`).join(", ") };
  }
  throw new ConfigError(`importBetterAuth.tables.${kind}`, `there is no table "${candidates.join('" or "')}": give the name that it has`);
}

/** `email_verified` and `emailVerified` alike. */
function plain(column: string): string {
  return column.replaceAll("_", "").toLowerCase();
}

function toUser(row: Row, accounts: readonly SourceAccount[]): SourceUser {
  return {
    id: idOf(row["id"]),
    name: text(row["name"]),
    email: text(row["email"]),
    emailVerified: flag(row["emailVerified"]),
    image: text(row["image"]),
    createdAt: instant(row["createdAt"]),
    anonymous: flag(row["isAnonymous"]),
    role: text(row["role"]),
    banned: flag(row["banned"]),
    banExpiresAt: instant(row["banExpires"]),
    twoFactor: flag(row["twoFactorEnabled"]),
    accounts,
  };
}

function toAccount(row: Row): SourceAccount {
  return {
    providerId: text(row["providerId"]) ?? "",
    accountId: text(row["accountId"]) ?? "",
    accessToken: text(row["accessToken"]),
    refreshToken: text(row["refreshToken"]),
    idToken: text(row["idToken"]),
    accessTokenExpiresAt: instant(row["accessTokenExpiresAt"]),
    refreshTokenExpiresAt: instant(row["refreshTokenExpiresAt"]),
    scope: text(row["scope"]),
    password: text(row["password"]),
    createdAt: instant(row["createdAt"]),
  };
}

/** What tells one user from the others: the next page begins behind it, and accounts are found by it. */
function idOf(value: unknown): string {
  const id = value === "" ? "" : text(value);
  if (id === null)
    throw new ConfigError("importBetterAuth.tables.user", "an id is neither text nor a whole number up to 2^53: give it as text");
  return id;
}

/** What is empty is none; ids and the like may be numbers. One too large for a number was rounded to another's. */
function text(value: unknown): string | null {
  if (typeof value === "bigint" || Number.isSafeInteger(value)) return String(value);
  return typeof value === "string" && value !== "" ? value : null;
}

/** True only for what databases write for true. */
function flag(value: unknown): boolean {
  return value === true || value === 1 || value === 1n || value === "t" || value === "true" || value === "1";
}

/** Below this a number counts seconds: as milliseconds it would be in 1973. */
const SECONDS = 100_000_000_000;

/** Text without a zone is in UTC, as better-auth and its adapters write it. */
export function instant(value: unknown): number | null {
  if (value === null || value === undefined || value === "") return null;
  if (value instanceof Date) return finite(value.getTime());
  if (typeof value !== "string" || /^\d+(\.\d+)?$/.test(value)) {
    const number = Number(value);
    return finite(Math.floor(number < SECONDS ? number * 1000 : number));
  }
  const zone = /(Z|[+-]\d\d(:?\d\d)?)$/i.exec(value.replace(/^\d{4}-\d\d-\d\d/, ""))?.[0];
  const day = value.slice(0, value.length - (zone?.length ?? 0)).replace(" ", "T");
  const time = day.includes("T") ? day : `${day}T00:00:00`;
  return finite(Date.parse(`${time}${zone === undefined ? "Z" : zone.length === 3 ? `${zone}:00` : zone}`));
}

function finite(number: number): number | null {
  return Number.isFinite(number) ? number : null;
}
