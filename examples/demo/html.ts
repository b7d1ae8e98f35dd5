const markup: unique symbol = Symbol("markup");

/** Markup that is safe to send: only {@link html} makes it. */
export interface Html {
  readonly [markup]: string;
}

type Part = Html | string | number | null | undefined | false | readonly Part[];

/** A template whose values are escaped, unless they are {@link Html}. Lists are joined; `null`, `undefined` and `false` are left out. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { [markup]: strings.map((text, index) => text + render(parts[index])).join("") };
}

/** The markup as text, for a response. */
export function toText(page: Html): string {
  return page[markup];
}

function render(part: Part): string {
  if (part === null || part === undefined || part === false) return "";
  if (typeof part === "string" || typeof part === "number") return escape(String(part));
  return markup in part ? part[markup] : part.map(render).join("");
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
