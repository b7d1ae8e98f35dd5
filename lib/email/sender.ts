import { normaliseEmail } from "../core/email-address.ts";
import { ConfigError } from "../errors.ts";

/** Whom our mails are from. */
export interface Sender {
  /** Empty when there is none. */
  readonly name: string;
  /** Canonical. */
  readonly address: string;
  /** Both, as a `From` header has them: `Acme <login@acme.com>`. */
  readonly text: string;
}

/**
 * Reads `login@acme.com`, `Acme <login@acme.com>` or `"Acme, Inc." <login@acme.com>`.
 * @throws {ConfigError} naming `option`: nothing given, no address in it, or a control character, which might begin another header.
 */
export function parseSender(option: string, from: unknown): Sender {
  if (from === undefined || from === "") throw new ConfigError(option, "is missing: set it to the sender, such as Acme <login@acme.com>");
  const parts = typeof from === "string" && !CONTROL.test(from) ? MAILBOX.exec(from) : null;
  const address = parts && canonical(parts[2] ?? parts[3] ?? "");
  if (!parts || !address) throw new ConfigError(option, "give one address, with or without a name: Acme <login@acme.com>");
  const name = unquoted((parts[1] ?? "").trim());
  return { name, address, text: name === "" ? address : `${quoted(name)} <${address}>` };
}

const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const MAILBOX = /^(?:([^<>]*)<([^<>]+)>|([^<>]+))$/;
/** What a name may hold only in quotes. @see RFC 5322 section 3.2.3, but for the dot, which everybody takes. */
const SPECIAL = /[()[\]:;@\\,"]/;

function canonical(text: string): string | null {
  try {
    return normaliseEmail(text);
  } catch {
    return null;
  }
}

function unquoted(name: string): string {
  return /^".*"$/.test(name) ? name.slice(1, -1).replaceAll(/\\(.)/g, "$1").trim() : name;
}

function quoted(name: string): string {
  return SPECIAL.test(name) ? `"${name.replaceAll(/["\\]/g, "\\$&")}"` : name;
}
