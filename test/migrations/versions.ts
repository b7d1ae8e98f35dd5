import { readFileSync } from "node:fs";
import { collectionsByVersion } from "../../lib/adapters/sql/collections.ts";
import type { Dialect } from "../../lib/adapters/sql/dialect.ts";
import { migration } from "../../lib/adapters/sql/migrations.ts";
import type { Answer, Statement } from "../../lib/adapters/sql/program.ts";
import { columnOf, createTables, lookupsOf } from "../../lib/adapters/sql/tables.ts";
import type { Collection, StoredRecord } from "../../lib/storage/record-store.ts";

/** 1, 2, ... to the newest. */
export const versions: readonly number[] = collectionsByVersion.map((_, index) => index + 1);

/** The collections that are there at a version. */
export function collectionsAt(version: number): readonly Collection[] {
  return collectionsByVersion.slice(0, version).flat();
}

/** What a migration from nothing sends, by the version it leads to. */
export function statementsByVersion(dialect: Dialect): readonly (readonly Statement[])[] {
  const program = migration(dialect, createTables("test", "latchkey", collectionsAt(versions.length)), 0);
  const sent: Statement[][] = [[]];
  const answer: Answer = { rows: [{ version: null }], affected: 0, insertId: 0 };
  for (let step = program.next(); !step.done; step = program.next(answer)) {
    if (step.value.reads) continue;
    if (step.value.sql.startsWith("insert into")) sent.push([]);
    else sent.at(-1)?.push(step.value);
  }
  return sent.slice(0, versions.length);
}

/** Where the statements of a version are kept as they were released. */
export function releasedFile(dialect: Dialect["name"], version: number): URL {
  return new URL(`./released/${dialect}-${version}.sql`, import.meta.url);
}

/** Statements that bring an empty database to a version as it was released, under another prefix. */
export function releasedSchema(dialect: Dialect["name"], version: number, prefix: string): string[] {
  return versions
    .slice(0, version)
    .flatMap((each) => [
      ...readFileSync(releasedFile(dialect, each), "utf8")
        .split(";\n")
        .filter((statement) => statement.trim() !== ""),
      `insert into latchkey_versions (version, applied_at) values (${each}, 1767225600000)`,
    ])
    .map((statement) => statement.replaceAll("latchkey_", `${prefix}_`));
}

/** The statement that puts a record into its table, whatever today's program writes. */
export function insertStatement(dialect: Dialect["name"], prefix: string, from: Collection, record: StoredRecord): string {
  const bytes = (value: Uint8Array) => {
    const hex = Buffer.from(value).toString("hex");
    return dialect === "postgres" ? `decode('${hex}', 'hex')` : `x'${hex}'`;
  };
  const text = (value: string | null | undefined) => (value === null || value === undefined ? "null" : bytes(Buffer.from(value)));
  const key = from.kind === "partitioned" ? { [dialect === "mysql" ? "`partition`" : "partition"]: text(record.partition) } : {};
  const columns: Record<string, string> = {
    ...key,
    id: text(record.id),
    version: String(record.version),
    expires_at: String(record.expiresAt),
    value: bytes(record.value),
    ...Object.fromEntries(lookupsOf(from).map((lookup) => [columnOf(lookup), text(record.lookups[lookup])])),
  };
  const table = createTables("test", prefix, [from]).of(from);
  return `insert into ${table} (${Object.keys(columns).join(", ")}) values (${Object.values(columns).join(", ")})`;
}
