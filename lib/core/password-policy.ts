import { createHash } from "node:crypto";
import { AuthError, RequestError } from "../errors.ts";
import { isCommonPassword } from "./password-blocklist.ts";
import type { BreachedPasswordsOptions } from "./password-options.ts";

/** What decides whether somebody may have a password. No rules of composition, no ageing. @see NIST SP 800-63B-4, section 3.1.1.2. */
export interface PasswordPolicy {
  /**
   * Resolves to the password in the form that is hashed: NFKC.
   * @throws {RequestError} 400 `weak_password`, whose message says why; {@link AuthError} 503 `breach_check_unavailable` where that was asked for.
   */
  check(
    password: string,
    about?: { readonly email?: string | null | undefined; readonly name?: string | null | undefined },
  ): Promise<string>;
}

export interface PasswordPolicyParts {
  /** In code points. */
  readonly minLength: number;
  /** Texts of the application that are no passwords: its name, its domain, and what it adds. */
  readonly blocklist: readonly string[];
  readonly breached: BreachedPasswordsOptions | null;
}

/** Code points, and bytes in UTF-8, of the longest password. @see OWASP ASVS 5.0, 6.2.9. */
const MAX_LENGTH = 256;
const MAX_BYTES = 1024;

/** The form of a password that is hashed; `null` for what is too long to be one, and is never hashed. */
export function passwordForm(password: string): string | null {
  if (password.length > MAX_BYTES) return null;
  const form = password.normalize("NFKC");
  return [...form].length <= MAX_LENGTH && Buffer.byteLength(form) <= MAX_BYTES ? form : null;
}

export function createPasswordPolicy({ minLength, blocklist, breached }: PasswordPolicyParts): PasswordPolicy {
  const ours = blocklist.map(folded);

  return {
    async check(password, { email = null, name = null } = {}) {
      const form = passwordForm(password);
      if (form === null) throw weak(`A password has at most ${MAX_LENGTH} characters`);
      if ([...form].length < minLength) throw weak(`A password has at least ${minLength} characters: several words make a good one`);
      const text = folded(form);
      const own = [email, ...(email?.split("@") ?? []), name].flatMap((part) => (part ? [folded(part)] : []));
      if (isCommonPassword(form) || [...ours, ...own].some((known) => isMadeOf(text, known))) {
        throw weak("This password is too easy to guess: choose another one");
      }
      if (breached && (await isBreached(form, breached))) {
        throw weak("This password was found among stolen ones: choose another one");
      }
      return form;
    },
  };
}

function weak(message: string): RequestError {
  return new RequestError(message, "weak_password");
}

/** Without capitals, spaces and marks. */
function folded(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "");
}

/** Whether it is that text, alone or repeated, and at most four digits more. */
function isMadeOf(password: string, known: string): boolean {
  if (known.length < 3) return false;
  const bare = password.replace(/\d{1,4}$/, "");
  return [password, bare].some((text) => text.length > 0 && text === known.repeat(Math.ceil(text.length / known.length)));
}

const RANGES = "https://api.pwnedpasswords.com/range/";

/**
 * Asks whether the password was found in a breach, by the first five characters of its SHA-1: what is asked tells nobody the password.
 * @see https://haveibeenpwned.com/API/v3#PwnedPasswords
 */
async function isBreached(form: string, { fetch = globalThis.fetch, timeout = 2, whenUnknown = "allow" }: BreachedPasswordsOptions) {
  const digest = createHash("sha1").update(form).digest("hex").toUpperCase();
  try {
    const response = await fetch(`${RANGES}${digest.slice(0, 5)}`, {
      headers: { "add-padding": "true" },
      redirect: "error",
      signal: AbortSignal.timeout(timeout * 1000),
    });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const lines = (await response.text()).split(/\r?\n/);
    // Padding has a count of 0.
    return lines.some((line) => line.startsWith(`${digest.slice(5)}:`) && !/:0+$/.test(line));
  } catch (cause) {
    if (whenUnknown === "allow") return false;
    throw new AuthError("breach_check_unavailable", "The password could not be checked: try again later", 503, { cause, retryAfter: 5 });
  }
}
