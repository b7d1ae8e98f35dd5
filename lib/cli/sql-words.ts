/** How one database says what the views need. All take and give SQL expressions. */
export interface SqlWords {
  quote(name: string): string;
  /** Bytes of UTF-8 as text. */
  text(bytes: string): string;
  /** The bytes if their first is this one, in hexadecimal, else NULL: so that nothing is read that is something else. */
  beginning(bytes: string, first: string): string;
  /** Bytes from a place on, counted from 1; up to the end without a length. */
  part(bytes: string, from: number | string, length?: string): string;
  /** A whole number written in `length` bytes, the highest first. */
  integer(bytes: string, from: number, length: number): string;
  /** Bytes of JSON as JSON; none as NULL. */
  asJson(bytes: string): string;
  /** A field of JSON as text: `name`, `d[0]`. JSON's null is NULL. */
  field(json: string, path: string): string;
  numberField(json: string, path: string): string;
  flag(json: string, path: string): string;
  /** Unix ms as a timestamp. */
  time(ms: string): string;
  concat(left: string, right: string): string;
  /** A NULL that stands for text. */
  readonly none: string;
  /** That a row has not expired. */
  readonly live: string;
}

/**
 * What stands behind `\\u` in JSON and is no character that these databases take: one such name, made up by anybody, would fail every
 * query of the view. Backslashes are written otherwise before, so that one that stands for itself begins no escape.
 */
const NO_CHARACTER = "(?:0000|d[89a-f][0-9a-f]{2})";

const ALPHABET = "0123456789ABCDEF";

const postgres: SqlWords = {
  quote: (name) => `"${name}"`,
  text: (bytes) => `convert_from(${bytes}, 'UTF8')`,
  beginning: (bytes, first) => `case when substring(${bytes} from 1 for 1) = '\\x${first}'::bytea then ${bytes} end`,
  part: (bytes, from, length) => `substring(${bytes} from (${from})::int${length === undefined ? "" : ` for (${length})::int`})`,
  integer: (bytes, from, length) => `('x' || encode(substring(${bytes} from ${from} for ${length}), 'hex'))::bit(${length * 8})::bigint`,
  asJson: (bytes) =>
    `nullif(regexp_replace(replace(convert_from(${bytes}, 'UTF8'), '\\\\', '\\u005c'), '\\\\u${NO_CHARACTER}', '?', 'g'), '')::json`,
  field: (json, path) => `${json} #>> '{${path.replace(/\[(\d+)\]/g, ",$1")}}'`,
  numberField: (json, path) => `(${postgres.field(json, path)})::bigint`,
  flag: (json, path) => `(${postgres.field(json, path)})::boolean`,
  time: (ms) => `to_timestamp((${ms}) / 1000.0)`,
  concat: (left, right) => `${left} || '.' || ${right}`,
  none: "null::text",
  live: "(expires_at is null or expires_at > extract(epoch from clock_timestamp()) * 1000)",
};

const mysql: SqlWords = {
  quote: (name) => `\`${name}\``,
  text: (bytes) => `convert(${bytes} using utf8mb4)`,
  beginning: (bytes, first) => `case when substring(${bytes}, 1, 1) = x'${first}' then ${bytes} end`,
  part: (bytes, from, length) => `substring(${bytes}, ${from}${length === undefined ? "" : `, ${length}`})`,
  integer: (bytes, from, length) => `cast(conv(hex(substring(${bytes}, ${from}, ${length})), 16, 10) as signed)`,
  asJson: (bytes) =>
    `nullif(regexp_replace(replace(convert(${bytes} using utf8mb4), '\\\\\\\\', '\\\\u005c'), '\\\\\\\\u${NO_CHARACTER}', '?'), '')`,
  field(json, path) {
    const found = `json_extract(${json}, '$.${path}')`;
    return `case when json_type(${found}) <> 'NULL' then json_unquote(${found}) end`;
  },
  numberField: (json, path) => `cast(${mysql.field(json, path)} as signed)`,
  flag: (json, path) => `(${mysql.field(json, path)}) = 'true'`,
  time: (ms) => `from_unixtime((${ms}) / 1000)`,
  concat: (left, right) => `concat(${left}, '.', ${right})`,
  none: "cast(null as char(1))",
  live: "(expires_at is null or expires_at > unix_timestamp(now(3)) * 1000)",
};

const sqlite: SqlWords = {
  quote: (name) => `"${name}"`,
  text: (bytes) => `cast(${bytes} as text)`,
  beginning: (bytes, first) => `case when substr(${bytes}, 1, 1) = x'${first}' then ${bytes} end`,
  part: (bytes, from, length) => `substr(${bytes}, ${from}${length === undefined ? "" : `, ${length}`})`,
  // SQLite has no way back from hexadecimal: digit by digit.
  integer: (bytes, from, length) =>
    `(${Array.from({ length: length * 2 }, (_, digit) => {
      const hex = `substr(hex(substr(${bytes}, ${from}, ${length})), ${digit + 1}, 1)`;
      return `(instr('${ALPHABET}', ${hex}) - 1) * ${16 ** (length * 2 - 1 - digit)}`;
    }).join(" + ")})`,
  asJson: (bytes) => `nullif(cast(${bytes} as text), '')`,
  field: (json, path) => `json_extract(${json}, '$.${path}')`,
  numberField: (json, path) => sqlite.field(json, path),
  flag: (json, path) => sqlite.field(json, path),
  time: (ms) => `strftime('%Y-%m-%dT%H:%M:%fZ', (${ms}) / 1000.0, 'unixepoch')`,
  concat: (left, right) => `${left} || '.' || ${right}`,
  none: "null",
  live: "(expires_at is null or expires_at > (julianday('now') - 2440587.5) * 86400000)",
};

export const sqlWords = { postgres, mysql, sqlite } as const;
