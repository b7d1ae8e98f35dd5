import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One member of an interface, as its author documented it. */
export interface Member {
  readonly name: string;
  /** As written, on one line, without `| undefined` and `readonly`. */
  readonly type: string;
  readonly optional: boolean;
  /** The docstring, on one line; empty when there is none. */
  readonly doc: string;
}

/** Every TypeScript file below `folder`, by its path. */
export function sourcesBelow(folder: string): ReadonlyMap<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return new Map(names.sort().map((name) => [join(folder, name), readFileSync(join(folder, name), "utf8")]));
}

/**
 * The members of the interface `name`, wherever it is declared.
 * @throws {Error} when there is none of that name.
 */
export function membersOf(name: string, sources: ReadonlyMap<string, string>): readonly Member[] {
  for (const source of sources.values()) {
    const head = new RegExp(`^(?:export )?interface ${name}\\b[^{]*\\{`, "m").exec(source);
    if (head) return parseMembers(source.slice(head.index + head[0].length));
  }
  throw new Error(`there is no interface ${name}`);
}

/** Reads members up to the brace that closes them: docstrings, names, types. */
function parseMembers(text: string): Member[] {
  const members: Member[] = [];
  let rest = text.trimStart();
  let doc = "";
  while (!rest.startsWith("}")) {
    const comment = /^(?:\/\*\*?([\s\S]*?)\*\/|\/\/(.*)\n)/.exec(rest);
    const length = comment ? comment[0].length : lengthOfMember(rest);
    if (comment) doc = oneLine((comment[1] ?? comment[2] ?? "").replaceAll(/^\s*\* ?/gm, ""));
    else {
      members.push({ ...split(rest.slice(0, length)), doc });
      doc = "";
    }
    rest = rest.slice(length).replace(/^[\s;]+/, "");
  }
  return members;
}

/** How far a member goes: to the semicolon that stands in no brackets. */
function lengthOfMember(text: string): number {
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if ("({[<".includes(character)) depth += 1;
    else if (")}]".includes(character) || (character === ">" && text.charAt(index - 1) !== "=")) depth -= 1;
    else if (character === ";" && depth === 0) return index;
  }
  throw new Error("a member does not end");
}

function split(member: string): Omit<Member, "doc"> {
  const clean = oneLine(member.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/\breadonly /g, "")).replaceAll(" | undefined", "");
  const [, name = "", optional = "", rest = ""] = /^"?([\w.]+)"?(\??): ?(.*)$/.exec(clean) ?? [];
  const type = rest.replaceAll(/\((\w+)\)\[\]/g, "$1[]").replace(/^\| /, "").replace(/^\((.*=>.*)\)$/, "$1"); // prettier-ignore
  return { name, type, optional: optional !== "" };
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

/** Text for a cell of a Markdown table; what links within the code becomes its name. */
export function cell(text: string): string {
  return text.replaceAll(/\{@link (\w+)\}/g, "`$1`").replaceAll("|", "\\|");
}
