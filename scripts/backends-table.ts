/**
 * Checks that docs/backends.md is what a run of the tests gave, which was told to write it down by `TEST_BACKENDS_FILE`.
 *
 *     npx tsx scripts/backends-table.ts RESULTS [--write]      --write writes the page instead
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import type { BackendResults } from "./backends-reporter.ts";

const [file = "", option] = process.argv.slice(2);
const page = fileURLToPath(new URL("../docs/backends.md", import.meta.url));
const results = JSON.parse(readFileSync(file, "utf8")) as BackendResults;
const rendered = await format(render(results), { ...(await resolveConfig(page)), parser: "markdown" });

if (option === "--write") {
  writeFileSync(page, rendered);
} else if (readFileSync(page, "utf8") !== rendered) {
  console.error("docs/backends.md is not what the tests gave: run `npm run docs:backends`, and see what changed");
  process.exit(1);
}

function render({ conformance }: BackendResults): string {
  const depth = (name: string) => name.split("(").length;
  const backends = Object.keys(conformance).sort((a, b) => depth(a) - depth(b) || (a < b ? -1 : 1));
  const rules = new Map<string, Set<string>>();
  for (const sections of Object.values(conformance)) {
    for (const [section, names] of Object.entries(sections)) {
      const known = rules.get(section) ?? new Set();
      for (const name of Object.keys(names)) known.add(name);
      rules.set(section, known);
    }
  }
  const mark = (passed: boolean | undefined) => (passed === undefined ? "not run" : passed ? "✓" : "FAILS");
  const counted = (backend: string, section: string) => {
    const results = Object.values(conformance[backend]?.[section] ?? {});
    return `${results.filter(Boolean).length}/${rules.get(section)?.size ?? 0}`;
  };

  const sections = [...rules.keys()];
  const tables = [...rules].map(([section, names]) => [
    `### ${section}`,
    table(
      ["Rule", ...backends.map((_, index) => String(index + 1))],
      [...names].map((name) => [name.replaceAll("|", "\\|"), ...backends.map((backend) => mark(conformance[backend]?.[section]?.[name]))]),
    ),
  ]);
  return [
    "# Backends and what each was shown to do",
    "Written by `npm run docs:backends` from a run of the tests; CI refuses it when its own run gives something else.",
    "## The contract of stores",
    "Every backend, alone and in the wrappers, runs the suite `recordStoreConformance` of `latchkey/testing`. Rules passed, of all, by section; " +
      "`mysql` is shown on MariaDB:",
    table(
      ["No.", "Backend", ...sections],
      backends.map((name, index) => [String(index + 1), `\`${name}\``, ...sections.map((section) => counted(name, section))]),
    ),
    "## The tests of the kit",
    "The files `test/http/**/*.test.ts`, without `bad-input.test.ts`, and `test/core/auth-storage.test.ts` (`auth.kv`, " +
      "`auth.tokens`, erasing, exporting and sweeping) run on memory, Redis, PostgreSQL, MariaDB, SQLite, `routed` (PostgreSQL " +
      "with Redis), and `encrypted` around Redis; those of sessions and `auth.kv` through `cached`, too. CI fails when one fails anywhere. `test/http/bad-input.test.ts`, " +
      "every wrong input to every route, runs on memory alone.",
    "The races of two processes, `test/races/*.test.ts`, all run on Redis and PostgreSQL, each process with connections of " +
      "its own; those of caps on sessions, codes, rate limits, refresh tokens and users on MariaDB and one SQLite file too; and " +
      "all of them, `routed` (PostgreSQL with Redis) included, with `npm run test:soak`, but for `fresh-tokens.test.ts`, which " +
      "needs Redis and PostgreSQL.",
    "## Rule by rule",
    "The numbers are those of the first table.",
    ...tables.flat(),
  ].join("\n\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
