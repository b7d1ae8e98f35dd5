import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { kitCollections } from "../../../lib/adapters/sql/collections.ts";

const core = new URL("../../../lib/core/", import.meta.url);

it("every collection of the kit has a table, with a column for each of its lookups", () => {
  const declared = readdirSync(core)
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => [
      ...readFileSync(new URL(file, core), "utf8").matchAll(/(partitioned|directory)Collection\("(\w+)"(?:, (\{.*?\}))?\)/g),
    ])
    .map(([, kind, name, lookups]) => [
      name,
      kind,
      ...[...(lookups ?? "").matchAll(/(\w+): "(\w+)"/g)].map((lookup) => lookup.slice(1).join()),
    ]);

  const made = kitCollections.map((each) => [
    each.name,
    each.kind,
    ...("lookups" in each ? Object.entries(each.lookups).map((lookup) => lookup.join()) : []),
  ]);

  expect(declared.length).toBeGreaterThan(5);
  const byName = (lists: unknown[][]) => lists.map((list) => list.join(" ")).sort();
  expect(byName(made)).toEqual(byName(declared));
});
