/** What moves a terminal's cursor, changes its title or turns text around, and ends of lines: a line stays one. */
const CONTROL = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
/** From the scheme to the last `@` of a word: passwords may hold any character, and are often not escaped. */
const PASSWORD = /(\/\/[^\s/:@"']*:)\S*@/g;

/** Longer than any line of ours. */
const MAX_LENGTH = 4000;

/**
 * One line as it is printed. Ids, errors and answers come from databases and servers that may be somebody else's: what would command the
 * terminal is written out as `\u001b`, and what is endless is cut. A password in a URL, which errors like to repeat, is left out.
 */
export function printable(line: string): string {
  const cut = line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}...` : line;
  return cut.replace(PASSWORD, "$1***@").replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
