import { domainToASCII } from "node:url";
import { RequestError } from "../errors.ts";

/** The longest address, and the longest part before its `@`, in bytes. @see RFC 5321 sections 4.5.3.1.1 and 4.5.3.1.3. */
const MAX_ADDRESS = 254;
const MAX_LOCAL = 64;
/** No longer text is even looked at: compatibility forms shrink by NFKC, but not this much. */
const MAX_INPUT = 1024;

/** A dot-atom. @see RFC 5322 section 3.2.3; quoted strings and comments are left out on purpose. */
const LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
/** Host names in ASCII with a dot, whose last label is no number: neither `localhost` nor an IP address. @see RFC 1123 section 2.1. */
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?=[a-z0-9-]*[a-z])[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** What a domain may be written in before it is turned to ASCII: letters, marks, digits, dots, hyphens. */
const WRITTEN_DOMAIN = /^[\p{L}\p{M}\p{N}.。-]+$/u;

/**
 * The canonical form of an email address: the one text that is compared, stored and mailed.
 * NFKC first, then a narrow grammar: one `@`, a dot-atom in ASCII of at most 64 bytes before it, a domain with a dot after it (an
 * internationalised one becomes punycode), 254 bytes in all; then lower case. Spaces around it are dropped, no other ones taken. It is
 * stricter than RFC 5322, so that no mailer reads one address as another, or as two; mailboxes on bare hosts and IP addresses are refused.
 *
 * @throws {RequestError} `invalid_email`.
 */
export function normaliseEmail(text: string): string {
  const address = canonical(text);
  if (address === null) throw new RequestError("This is not an email address", "invalid_email");
  return address;
}

function canonical(text: string): string | null {
  if (text.length > MAX_INPUT) return null;
  const [local, written, ...more] = text
    .normalize("NFKC")
    .replace(/^ +| +$/g, "")
    .toLowerCase()
    .split("@");
  if (local === undefined || written === undefined || more.length > 0) return null;
  if (local.length > MAX_LOCAL || !LOCAL.test(local) || !WRITTEN_DOMAIN.test(written)) return null;
  const domain = domainToASCII(written);
  if (!DOMAIN.test(domain)) return null;
  const address = `${local}@${domain}`;
  return address.length <= MAX_ADDRESS ? address : null;
}

/** An address as logs and screens may show it: `alice@acme.com` is `al***@acme.com`; what is no address is `***`. */
export function maskEmail(address: string): string {
  const normal = canonical(address);
  if (normal === null) return "***";
  const at = normal.indexOf("@");
  // Of a short name at most half shows.
  return `${normal.slice(0, Math.min(2, Math.floor(at / 2)))}***${normal.slice(at)}`;
}
