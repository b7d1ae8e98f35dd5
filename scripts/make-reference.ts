/**
 * Writes what the code itself knows best: docs/reference/ (errors, events, options, routes), and the tables of options in the pages of docs/.
 *
 *     npm run make:reference
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import { errorsPage } from "./reference/errors.ts";
import { eventsPage } from "./reference/events.ts";
import { routesPage } from "./reference/routes.ts";
import { sourcesBelow } from "./reference/interfaces.ts";
import { optionsPage, withTables } from "./reference/options.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The text of every page that is made, wholly or in parts, by its path. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const library = sourcesBelow(join(root, "lib"));
  const everything = new Map([...library, ...sourcesBelow(join(root, "strategies"))]);
  const head = "<!-- Made from the code by `npm run make:reference`. -->\n\n";
  const made = [
    ["errors", errorsPage(everything)],
    ["events", eventsPage(library)],
    ["options", optionsPage(library)],
    ["routes", routesPage()],
  ].map(([name, text]) => [join(root, "docs/reference", `${name}.md`), `${head}${text}`] as const);
  const pages = readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(root, "docs", name))
    .map((path) => [path, readFileSync(path, "utf8")] as const)
    .filter(([, text]) => text.includes("<!-- options "))
    .map(([path, text]) => [path, withTables(text, library)] as const);
  const style = await resolveConfig(join(root, "package.json"));
  return new Map(
    await Promise.all(
      [...made, ...pages].map(async ([path, text]) => [path, await format(text, { ...style, parser: "markdown" })] as const),
    ),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of await referencePages()) writeFileSync(path, text);
}
