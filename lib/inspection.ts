import { isLoopback } from "./loopback.ts";
import type { AuthConfig } from "./options.ts";
import { NOT_DURABLE, unavailable, type Finding } from "./storage/finding.ts";
import type { RecordStore } from "./storage/record-store.ts";

/** How a `createAuth` is configured, and what is wrong with it. Shows no secret. */
export interface Inspection {
  /** An origin; `null` in development without `baseUrl`. */
  readonly baseUrl: string | null;
  readonly basePath: string;
  /** What to register at each provider; without a `baseUrl` the paths alone. */
  readonly callbackUrls: readonly { readonly provider: string; readonly url: string }[];
  readonly secureCookies: boolean;
  /** Of the configuration first, then of the store; one that is away is a finding too. */
  readonly findings: readonly Finding[];
}

export async function inspectAuth(config: AuthConfig, store: RecordStore): Promise<Inspection> {
  const { origin, basePath, cookie, strategies } = config;
  return {
    baseUrl: origin,
    basePath,
    callbackUrls: [...strategies.keys()].map((provider) => ({ provider, url: `${origin ?? ""}${basePath}/callback/${provider}` })),
    secureCookies: cookie.secure,
    findings: [...secretFindings(config.secrets, config.madeUpSecret), ...addressFindings(config), ...(await inspectStore(store))],
  };
}

/** What is found of a store, also that it is away. */
export async function inspectStore(store: RecordStore): Promise<readonly Finding[]> {
  const lasting: readonly Finding[] = store.persistent
    ? []
    : [
        {
          code: NOT_DURABLE,
          level: "problem",
          message: `the store is ${store.name}, which forgets all at a restart`,
          fix: "give a store that lasts",
        },
      ];
  try {
    return [...lasting, ...((await store.inspect?.()) ?? [])];
  } catch (error) {
    return [...lasting, unavailable(store.name, error)];
  }
}

const MAKE_ONE = "make one with: openssl rand -base64 48";

function secretFindings(secrets: readonly string[], madeUp: boolean): Finding[] {
  if (madeUp) {
    const message = "there is no `secret`: each process makes one up, and sessions end with it";
    return [{ code: "secret_missing", level: "problem", message, fix: MAKE_ONE }];
  }
  const findings: Finding[] = [];
  for (const [index, secret] of secrets.entries()) {
    const which = secrets.length === 1 ? "the secret" : `secret ${index + 1} of ${secrets.length}`;
    if (isWeak(secret)) {
      const message = `${which} looks made by hand, not at random`;
      findings.push({ code: "secret_weak", level: "problem", message, fix: `put a new one first and drop this one later; ${MAKE_ONE}` });
    }
    if (secrets.indexOf(secret) < index) {
      const message = `${which} is the same as secret ${secrets.indexOf(secret) + 1}`;
      findings.push({ code: "secret_duplicate", level: "warning", message, fix: "drop it: what was meant may be a secret left out" });
    }
  }
  return findings;
}

/** Whether text is unlikely to be 32 random bytes or more, however written: it has words in it, or repeats itself. */
function isWeak(secret: string): boolean {
  if (/change.?me|example|placeholder|default|secret|password|your[-_ ]|(.)\1{6}|0123456|1234567|abcdefg|qwerty/i.test(secret)) return true;
  const counts = new Map<string, number>();
  for (const character of secret) counts.set(character, (counts.get(character) ?? 0) + 1);
  const length = [...secret].length;
  let bits = 0; // Shannon's, by single characters
  for (const count of counts.values()) bits -= count * Math.log2(count / length);
  return bits < MIN_BITS;
}

/** 32 random characters of base64 have about 150, 64 of hexadecimal about 240. */
const MIN_BITS = 120;

function addressFindings({ origin, cookie }: AuthConfig): Finding[] {
  if (origin === null) {
    const message = "there is no `baseUrl`: only loopback hosts such as localhost are served";
    return [
      { code: "base_url_missing", level: "warning", message, fix: "set it to where the application is reached: https://app.example.com" },
    ];
  }
  if (cookie.secure || isLoopback(new URL(origin).hostname)) return [];
  const message = `baseUrl is ${origin}: cookies go over plain http, and anybody on the way can take them`;
  return [
    { code: "insecure_cookies", level: "problem", message, fix: "serve it over https, say so in baseUrl, and drop allowInsecureCookies" },
  ];
}
