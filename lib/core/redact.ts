/** Names whose values are secrets, in a provider's request or reply. */
const SECRETS = [
  "client_secret", "code_verifier", "client_assertion", "refresh_token", "access_token", "id_token", "id_token_hint", "oauth_token_secret",
  "oauth_verifier", "assertion", "code",
]; // prettier-ignore

const NAMES = SECRETS.join("|");
/** `"name": "value"`; the value may hold `\"`, and one without an end reaches to the end of the text. */
const QUOTED = new RegExp(`(["'])(${NAMES})\\1(\\s*[:=]\\s*)(["'])(?:\\\\[\\s\\S]|(?!\\4)[\\s\\S])*(?:\\4|$)`, "gi");
/** `name=value` and `name: value`, up to a delimiter. A name is a whole word: `error_code=5` stays. */
const PLAIN = new RegExp(`(?<![\\w"'])(${NAMES})(\\s*=\\s*|:\\s*)(?:"(?:\\\\[\\s\\S]|[^"\\\\])*(?:"|$)|[^\\s&;,"'}\\])]+)`, "gi");

/** `text` fit for a log: the values of tokens, codes and secrets are replaced, in forms, queries and JSON. */
export function redact(text: string): string {
  return text
    .replace(QUOTED, (_, quote: string, name: string, colon: string) => `${quote}${name}${quote}${colon}"[redacted]"`)
    .replace(PLAIN, "$1$2[redacted]");
}
