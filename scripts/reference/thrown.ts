/** A code and the status that goes with it, as some place in the code has it. */
export interface Refusal {
  readonly code: string;
  readonly status: number;
}

/** Where each class has its code, what it is when left out, and the status that it answers with. */
const CLASSES: Readonly<Record<string, { readonly at: number; readonly otherwise?: string; readonly status: number }>> = {
  AuthError: { at: 0, status: 400 },
  RequestError: { at: 1, otherwise: "invalid_request", status: 400 },
  CredentialError: { at: 0, status: 401 },
  PermissionError: { at: 0, status: 403 },
  NotFoundError: { at: 1, otherwise: "not_found", status: 404 },
  ConflictError: { at: 0, status: 409 },
  RateLimitError: { at: 2, otherwise: "rate_limited", status: 429 },
  ProviderError: { at: 0, status: 502 },
  EmailDeliveryError: { at: 9, otherwise: "email_delivery_failed", status: 502 },
  StorageError: { at: 9, otherwise: "storage_unavailable", status: 503 },
  ConfigError: { at: 9, otherwise: "config_error", status: 500 },
};

const CREATION = new RegExp(`new (${Object.keys(CLASSES).join("|")})\\(`, "g");

/** What a piece of code throws, or hands on, by `new SomeError(...)`. A code that is not written there as text is not among it. */
export function thrownIn(source: string): readonly Refusal[] {
  const code = source.replaceAll(/^\s*(?:\/?\*|\/\/).*$/gm, "");
  return [...code.matchAll(CREATION)].flatMap(([creation, name = ""], index, all) => {
    const given = argumentsAt(code, (all[index]?.index ?? 0) + creation.length);
    const { at, otherwise, status } = CLASSES[name] ?? { at: 0, status: 500 };
    const text = given[at] === undefined || given[at].startsWith("{") ? otherwise : /^"([a-z_]+)"$/.exec(given[at])?.[1];
    if (text === undefined) return [];
    const own = name === "AuthError" ? given[2] : /\bstatus: (\d{3})\b/.exec(given.at(-1) ?? "")?.[1];
    return [{ code: text, status: Number(own ?? (/[{,] status,/.test(given.at(-1) ?? "") ? 0 : status)) }];
  });
}

/** The arguments of the call whose first one begins at `start`, as written. */
function argumentsAt(code: string, start: number): string[] {
  const found: string[] = [];
  let depth = 1;
  let quote = "";
  let from = start;
  for (let index = start; depth > 0 && index < code.length; index += 1) {
    const character = code.charAt(index);
    if (quote) {
      if (character === "\\") index += 1;
      else if (character === quote) quote = "";
    } else if (`"'\``.includes(character)) quote = character;
    else if ("([{".includes(character)) depth += 1;
    else if (")]}".includes(character)) depth -= 1;
    if ((character === "," && depth === 1 && !quote) || depth === 0) {
      found.push(code.slice(from, index).trim());
      from = index + 1;
    }
  }
  return found.filter((argument) => argument !== "");
}
