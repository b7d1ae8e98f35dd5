import { accountCollection } from "../core/account-record.ts";
import { codeCollection } from "../core/magic-code-record.ts";
import { sessionCollection } from "../core/session-record.ts";
import { userCollection } from "../core/user-directory.ts";
import { partitionedCollection } from "../storage/collection.ts";
import type { Tables } from "../adapters/sql/tables.ts";
import { sqlWords, type SqlWords } from "./sql-words.ts";

/**
 * Views over the tables that are named as better-auth's tables and columns are, for queries and joins. Tokens, password hashes and what is
 * made of them are always NULL. Rows that are sealed by `encrypted()` are left out: no database can read them.
 *
 * @see https://www.better-auth.com/docs/concepts/database#core-schema
 */
export function betterAuthViews(dialect: keyof typeof sqlWords, tables: Tables): readonly string[] {
  const words = sqlWords[dialect];
  return [
    "-- Views for reading, named as better-auth's tables and columns are. Nothing can be written through them.",
    "-- In a database that has a table of such a name already, run this in a schema or database of its own.",
    "-- NULL always: tokens and passwords. Left out: what has expired, and all that is encrypted.",
    ...userView(words, tables),
    ...sessionView(words, tables),
    ...accountView(words, tables),
    ...verificationView(words, tables),
  ];
}

function userView(words: SqlWords, tables: Tables): string[] {
  const { text, field, flag, time, numberField } = words;
  return [
    "",
    "-- Not in better-auth: roles and the like, which are in principals.",
    ...view(words, {
      name: "user",
      table: tables.of(userCollection),
      columns: {
        id: text("id"),
        name: field("v", "name"),
        email: field("v", "email"),
        emailVerified: flag("v", "emailVerified"),
        image: field("v", "image"),
        createdAt: time(numberField("v", "createdAt")),
        updatedAt: time(numberField("v", "updatedAt")),
      },
    }),
  ];
}

/** Where things are in a session's bytes, counted from 1, as `core/session-record.ts` writes them. */
const SESSION = { format: "01", created: [34, 6], seen: [46, 3], userLength: [53, 2], user: 55 } as const;

function sessionView(words: SqlWords, tables: Tables): string[] {
  const { text, part, integer, field, time, asJson, quote, live } = words;
  const length = integer("v", ...SESSION.userLength);
  const created = integer("v", ...SESSION.created);
  const opened = [
    `select id, v, expires_at, ${created} as created_at, ${created} + ${integer("v", ...SESSION.seen)} * 1000 as seen_at,`,
    `  ${text(part("v", SESSION.user, length))} as user_id, ${asJson(part("v", `${SESSION.user} + ${length}`))} as x`,
    `from (select id, expires_at, ${words.beginning("value", SESSION.format)} as v from ${quote(tables.of(sessionCollection))} where ${live}) as sealed`,
  ];
  const columns = {
    id: text("id"),
    expiresAt: time("expires_at"),
    token: words.none,
    createdAt: time("created_at"),
    updatedAt: time("seen_at"),
    ipAddress: field("x", "d[1]"),
    userAgent: field("x", "d[0]"),
    userId: "user_id",
  };
  return [
    "",
    "-- id is the second half of the id in our API, which is base64url of the 16 bytes of partition and those of id.",
    "-- userAgent is our label of it, such as Chrome on macOS. Guests are left out: they are no users.",
    `create view ${quote("session")} as select`,
    list(words, columns),
    `from (${opened.join("\n")}) as opened`,
    `where v is not null and ${field("x", "k")} is null;`,
  ];
}

function accountView(words: SqlWords, tables: Tables): string[] {
  const { text, field, time, numberField, none } = words;
  return [
    "",
    "-- Accounts whose first sign-in did not finish are left out: they have no user yet.",
    ...view(words, {
      name: "account",
      table: tables.of(accountCollection),
      columns: {
        id: text("id"),
        accountId: field("v", "accountId"),
        providerId: field("v", "providerId"),
        userId: field("v", "userId"),
        accessToken: none,
        refreshToken: none,
        idToken: none,
        accessTokenExpiresAt: time(numberField("v", "accessTokenExpiresAt")),
        refreshTokenExpiresAt: time(numberField("v", "refreshTokenExpiresAt")),
        scope: field("v", "scope"),
        password: none,
        createdAt: time(numberField("v", "createdAt")),
        updatedAt: time(numberField("v", "updatedAt")),
      },
      where: `${field("v", "pending")} is null`,
    }),
  ];
}

function verificationView(words: SqlWords, tables: Tables): string[] {
  const { text, field, time, numberField, none, concat } = words;
  const columns = {
    id: concat(text(words.quote("partition")), text("id")),
    identifier: field("v", "email"),
    value: none,
    expiresAt: time(numberField("v", "expiresAt")),
    createdAt: time(numberField("v", "createdAt")),
    updatedAt: time(numberField("v", "createdAt")),
  };
  const [codes, links] = [codeCollection, partitionedCollection("one_time_tokens")].map((from) =>
    view(words, { name: "verification", table: tables.of(from), columns, keys: ["partition", "id"] }),
  );
  return [
    "",
    "-- Codes that were mailed, then links. identifier is the address; value, what was mailed, is known to nobody.",
    ...(codes ?? []).map((line) => line.replace(/;$/, "")),
    "union all select",
    ...(links ?? []).slice(1),
  ];
}

interface ViewParts {
  readonly name: string;
  readonly table: string;
  readonly columns: Readonly<Record<string, string>>;
  /** What the columns are made of, beside the value. */
  readonly keys?: readonly string[];
  readonly where?: string;
}

/** A view of the live rows of a table whose values are JSON: that is `v` in its columns. */
function view(words: SqlWords, { name, table, columns, keys = ["id"], where }: ViewParts): string[] {
  const { quote, live, beginning, asJson } = words;
  const opened = `select ${keys.map(quote).join(", ")}, ${asJson(beginning("value", "7B"))} as v from ${quote(table)} where ${live}`;
  return [
    `create view ${quote(name)} as select`,
    list(words, columns),
    `from (${opened}) as opened`,
    `where v is not null${where === undefined ? "" : ` and ${where}`};`,
  ];
}

function list({ quote }: SqlWords, columns: Readonly<Record<string, string>>): string {
  return Object.entries(columns)
    .map(([name, expression]) => `  ${expression} as ${quote(name)}`)
    .join(",\n");
}
