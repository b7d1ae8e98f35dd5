import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const CODE = /^(```|~~~)[\s\S]*?^\1$/gm;
const LINK = /(?<!!)\[[^\]]*\]\(([^)\s]+)\)/g;

/** Links of `pages` within the repository at `root` that lead to no file, or to no heading of it, in words. */
export function brokenLinks(root: string, pages: readonly string[]): readonly string[] {
  return pages.flatMap((page) => {
    const text = readFileSync(join(root, page), "utf8").replaceAll(CODE, "").replaceAll(/`[^`\n]*`/g, "");
    const targets = [...text.matchAll(LINK)].map(([, target = ""]) => target).filter((target) => !/^[a-z]+:/.test(target));
    return targets.flatMap((target) => {
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : normalize(join(dirname(page), path));
      if (file.startsWith("..") || !existsSync(join(root, file))) return [`${page}: "${target}" leads to no file`];
      if (anchor === undefined || headings(join(root, file)).has(anchor)) return [];
      return [`${page}: "${target}" leads to no heading of ${file}`];
    });
  }); // prettier-ignore
}

/** The anchors that GitHub and npm make of the headings of a page. */
function headings(file: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [, title = ""] of readFileSync(file, "utf8")
    .replaceAll(CODE, "")
    .matchAll(/^#{1,6} (.+)$/gm)) {
    const words = title.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = words.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").trim().replaceAll(/\s/g, "-"); // prettier-ignore
    let name = anchor;
    for (let again = 1; found.has(name); again += 1) name = `${anchor}-${again}`;
    found.add(name);
  }
  return found;
}
