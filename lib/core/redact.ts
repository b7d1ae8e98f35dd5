import { StorageError } from "../errors.ts";

/** Names whose values are secrets, in a provider's request or reply. */
const SECRETS = [
  "client_secret", "code_verifier", "client_assertion", "refresh_token", "access_token", "id_token", "id_token_hint", "oauth_token_secret",
  "oauth_verifier", "assertion", "code",
]; // prettier-ignore

/**
 * A secret's name, what stands between it and its value, and the value: in quotes, which may be escaped ones, or bare up to a delimiter.
 * A quoted value may hold `\"`, and one without an end reaches to the end of the text. A name is a whole word: `postcode=5` stays.
 */
const NAMED = new RegExp(
  [
    `(?<!\\w)(${SECRETS.join("|")})`,
    `(\\\\*["']?\\s*[:=]\\s*)`,
    `(?:(\\\\+["'])[\\s\\S]*?(?:(?<!\\\\)\\3|$)|(["'])(?:\\\\[\\s\\S]?|(?!\\4)[^\\\\])*(?:\\4|$)|[^\\s&;,"'}\\])\\\\]+)`,
  ].join(""),
  "gi",
);

/** `text` fit for a log: the values of tokens, codes and secrets are replaced, in forms, queries, JSON and what `util.inspect` prints. */
export function redact(text: string): string {
  return text.replace(NAMED, (match: string, name: string, between: string, escaped: string | undefined, quote: string | undefined) => {
    const delimiter = escaped ?? quote ?? "";
    // "status code: 400" is no secret.
    if (delimiter === "" && name.toLowerCase() === "code" && between.includes(":")) return match;
    return `${name}${between}${delimiter}[redacted]${delimiter}`;
  });
}

/** What an error of whatever origin says, fit for a log. */
export function messageOf(error: unknown): string {
  return redact(error instanceof Error ? error.message : String(error));
}

/** Why a store could not be asked, in our own words: those of the error, and of the outages that caused it. Of
 * a driver's words, which may hold values, its code alone. */
export function outageOf({ message, cause }: StorageError): string {
  if (cause instanceof StorageError) return redact(`${message}: ${outageOf(cause)}`);
  const { code } = (cause ?? {}) as { code?: unknown };
  return redact(typeof code === "string" ? `${message} (${code})` : message);
}
