import { Redis } from "ioredis";
import { Strategy } from "passport";
import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createAuth, type Auth } from "../../lib/auth.ts";
import { ConfigError } from "../../lib/errors.ts";
import { accessTokenGuard } from "../../lib/http/access-token-guard.ts";
import { apiKeyGuard } from "../../lib/http/api-key-guard.ts";
import { csrf } from "../../lib/http/csrf.ts";
import { rateLimit } from "../../lib/http/rate-limit.ts";
import { requireAuth, requireRole } from "../../lib/http/require-auth.ts";
import { identify } from "../../lib/oauth/identify.ts";
import type { AuthOptions } from "../../lib/options.ts";
import { httpTransport } from "../../lib/email/http.ts";
import { consoleTransport } from "../../lib/email/console.ts";
import { resendTransport } from "../../lib/email/resend.ts";
import { smtpTransport } from "../../lib/email/smtp.ts";
import { redisStore } from "../../lib/adapters/redis/index.ts";
import { github } from "../../strategies/github.ts";
import { google } from "../../strategies/google.ts";
import { oauth2 } from "../../strategies/oauth2.ts";
import { oidc } from "../../strategies/oidc.ts";
import { TEST_SECRET } from "../support/kit.ts";

/** What people hand over by mistake: an unset or misread variable, one thing for a list, a list for one thing, the wrong object. */
const JUNK: readonly (readonly [name: string, value: unknown])[] = [
  ["null", null],
  ["zero", 0],
  ["a negative number", -1],
  ["a fraction", 0.5],
  ["no number", Number.NaN],
  ["a number", 4_000_000_000],
  ["an empty text", ""],
  ["a text", "oops oops"],
  ["true", true],
  ['"false"', "false"],
  ["an empty list", []],
  ["a list with null", [null]],
  ["a list with a number", [1]],
  ["a list with an object", [{}]],
  ["an empty object", {}],
  ["a function", () => null],
];

/** A factory, options that it takes, and what of the junk makes sense for it after all. */
interface Case {
  readonly make: (options: never) => unknown;
  readonly valid: () => Record<string, unknown>;
  /** What errors name instead of the factory, where it is made of another. */
  readonly where?: string;
  readonly fine: Readonly<Record<string, readonly string[]>>;
}

const ON_OR_OFF = ["true"];
const ANY_TEXT = ["a text", '"false"'];
const ANY_NAME = ['"false"'];
const A_FUNCTION = ["a function"];
const CLIENT = { clientId: "id", clientSecret: "secret" };
const CLIENT_FINE = {
  clientId: ANY_TEXT,
  clientSecret: ["null", ...ANY_TEXT],
  name: ANY_NAME,
  fetch: A_FUNCTION,
  authorizationParameters: ["an empty object"],
  prompt: ANY_TEXT,
  loginHint: ANY_TEXT,
  profile: A_FUNCTION,
  allowInsecureRequests: ON_OR_OFF,
};

/** With `inside` the options are those of one option of createAuth. */
const auth = (inside?: keyof AuthOptions) => (options: object) => {
  const store = { ...memoryStore(), persistent: true };
  const base = { secret: TEST_SECRET, baseUrl: "https://app.example.com", store };
  const made: Auth = createAuth({ ...base, ...(inside ? { [inside]: options } : options) });
  void made.close();
};

const CASES: Readonly<Record<string, Case>> = {
  createAuth: {
    make: auth(),
    valid: () => ({}),
    fine: {
      sweepEvery: ["zero"],
      signInUrl: ["an empty text"],
      secret: ["an empty text", "an empty list"],
      baseUrl: ["an empty text"],
      strategies: ["an empty list"],
      appName: ["an empty text", ...ANY_TEXT],
      session: ["an empty object"],
      cookie: ["an empty object"],
      magicCodes: ["an empty object"],
      emailTemplates: ["an empty object"],
      apiKeys: ["true", "an empty object"],
      audit: ["true", "an empty object"],
      passwords: ["true", "an empty object"],
      loadUser: ON_OR_OFF,
      allowInsecureCookies: ON_OR_OFF,
      allowTokensInBrowsers: ON_OR_OFF,
      linkByEmail: [],
    },
  },
  session: { make: auth("session"), valid: () => ({}), fine: { max: ["a number"], membership: A_FUNCTION, onGuestMerge: A_FUNCTION } },
  cookie: { make: auth("cookie"), valid: () => ({}), fine: { name: ANY_NAME, accessName: ANY_NAME, refreshName: ANY_NAME } },
  apiKeys: {
    make: auth("apiKeys"),
    valid: () => ({}),
    fine: { ttl: ["a number"], idleTtl: ["a number"], max: ["a number"], allowNoExpiry: ON_OR_OFF, prefix: ANY_NAME },
  },
  audit: { make: auth("audit"), valid: () => ({}), fine: { retention: ["a number"] } },
  magicCodes: { make: auth("magicCodes"), valid: () => ({}), fine: { cooldown: [] } },
  tokens: {
    make: auth("tokens"),
    valid: () => ({ audience: "https://api.example.com" }),
    fine: { audience: ANY_TEXT, issuer: ANY_TEXT, grace: ["zero"], stateless: ON_OR_OFF, claims: A_FUNCTION },
  },
  passwords: {
    make: auth("passwords"),
    valid: () => ({}),
    fine: {
      blocklist: [],
      breached: ["true", "an empty object"],
      argon2: ["an empty object"],
      foreignHashes: ["an empty list"],
      requireConfirmedEmail: ON_OR_OFF,
      onSignUp: A_FUNCTION,
      onSignIn: A_FUNCTION,
    },
  },
  emailTemplates: {
    make: auth("emailTemplates"),
    valid: () => ({}),
    fine: {
      magicCode: A_FUNCTION,
      confirmEmail: A_FUNCTION,
      changeEmail: A_FUNCTION,
      resetPassword: A_FUNCTION,
      accountExists: A_FUNCTION,
      passwordChanged: A_FUNCTION,
      emailChanged: A_FUNCTION,
    },
  },
  requireAuth: { make: requireAuth, valid: () => ({}), fine: { live: ON_OR_OFF, user: ON_OR_OFF, signInUrl: ["an empty text"] } },
  apiKeyGuard: { make: apiKeyGuard, where: "requireAuth", valid: () => ({}), fine: {} },
  accessTokenGuard: {
    make: accessTokenGuard,
    valid: () => ({ issuer: "https://app.example.com", audience: "https://api.example.com" }),
    fine: { audience: ANY_TEXT, fetch: A_FUNCTION },
  },
  rateLimit: { make: rateLimit, valid: () => ({ name: "n", limit: "5/15m" }), fine: { name: ANY_NAME, key: A_FUNCTION } },
  csrf: { make: csrf, valid: () => ({ origin: "https://app.example.com" }), fine: { trustedOrigins: ["an empty list"] } },
  redisStore: {
    make: redisStore,
    valid: () => ({ client: new Redis({ lazyConnect: true }) }),
    fine: { timeout: ["a fraction", "a number"], prefix: ANY_TEXT },
  },
  resendTransport: {
    make: resendTransport,
    valid: () => ({ client: { emails: { send() {} } }, from: "a@b.example" }),
    fine: { timeout: ["a fraction"] },
  },
  smtpTransport: {
    make: smtpTransport,
    valid: () => ({ transporter: { sendMail() {} }, from: "a@b.example" }),
    fine: { timeout: ["a fraction"] },
  },
  httpTransport: {
    make: httpTransport,
    valid: () => ({ url: "https://mail.example/send", from: "a@b.example" }),
    fine: {
      timeout: ["a fraction"],
      apiKey: ANY_TEXT,
      headers: ["an empty object"],
      body: A_FUNCTION,
      fetch: A_FUNCTION,
      allowInsecureRequests: ON_OR_OFF,
    },
  },
  consoleTransport: { make: consoleTransport, valid: () => ({}), fine: { write: A_FUNCTION } },
  oidc: { make: oidc, valid: () => ({ ...CLIENT, issuer: "https://login.example.com" }), fine: CLIENT_FINE },
  google: { make: google, valid: () => CLIENT, fine: CLIENT_FINE },
  github: { make: github, valid: () => CLIENT, fine: CLIENT_FINE },
};

/** The error that a factory refuses options with; `null` when it takes them. */
function refusal(make: (options: never) => unknown, options: unknown): unknown {
  try {
    make(options as never);
    return null;
  } catch (error) {
    return error;
  }
}

/** Every option that a factory knows, as it says itself: a new one is tested without being listed here. */
function optionsOf({ make, valid }: Case): string[] {
  const error = refusal(make, { ...valid(), unheardOfBefore: 1 });
  return /there are: (.*)$/.exec((error as ConfigError).message)?.[1]?.split(", ") ?? [];
}

/** Names the option, then says what to do. */
const HELPFUL = /^latchkey: [\w.]+: .*\b(?:give|is|set|use|write|leave|must|needs?|include|make|lacks|unknown|names?)\b.+/s;

describe.each(Object.entries(CASES))("the options of %s", (name, subject) => {
  const options = optionsOf(subject);

  it("are known to it, and stop the start when it knows them not", () => {
    expect(options.length).toBeGreaterThan(0);
    const [first = ""] = options;
    const misspelt = refusal(subject.make, { ...subject.valid(), [`${first}e`]: 1 });
    expect(misspelt).toBeInstanceOf(ConfigError);
    expect((misspelt as ConfigError).message).toContain(`did you mean "${first}"?`);
  });

  it.each(options)("stop the start when %s is what it cannot be, naming it and what to do", (option) => {
    const wrong: unknown[] = [];
    for (const [kind, value] of JUNK) {
      const error = refusal(subject.make, { ...subject.valid(), [option]: value });
      // `null` may count as absent; then whatever is the default holds.
      if (error === null && (kind === "null" || subject.fine[option]?.includes(kind))) continue;
      const names =
        error instanceof ConfigError &&
        [option, `${subject.where ?? name}.${option}`, name].some((path) => error.option === path || error.option.startsWith(`${path}.`));
      if (!names || !HELPFUL.test(error.message)) wrong.push([kind, error instanceof Error ? `${error.name}: ${error.message}` : "taken"]);
    }
    expect(wrong).toEqual([]);
  });
});

describe("a store, a strategy or a provider", () => {
  it("that is none is refused at start", () => {
    const named = (options: object) => (refusal(auth(), options) as ConfigError | null)?.message;
    for (const method of ["get", "list", "find", "take", "commit", "count", "scan", "sweep", "watch", "close"]) {
      expect(named({ store: { ...memoryStore(), persistent: true, [method]: undefined } })).toMatch(
        new RegExp(`store: lacks ${method}\\(\\)`),
      );
    }
    class Nameless extends Strategy {
      override authenticate() {}
    }
    expect(named({ strategies: [new Nameless()] })).toMatch(/strategies: .*give the strategy a name/);
    expect(named({ strategies: [Nameless] })).toMatch(/strategies: .*give what it returns/);
    expect(named({ strategies: [{}] })).toMatch(/strategies: .*authenticate\(\)/);
    expect(named({ strategies: new Nameless() })).toMatch(/strategies: give a list/);
    expect(refusal(identify as never, undefined)).toBeInstanceOf(ConfigError);
    expect(refusal(((roles: never) => requireRole(roles)) as never, [])).toBeInstanceOf(ConfigError);
    for (const provider of [undefined, null, {}, { name: "x" }, { name: 1 }])
      expect(refusal(((given: never) => oauth2(given, CLIENT)) as never, provider)).toBeInstanceOf(ConfigError);
    for (const make of [oidc, google, github]) expect(refusal(make, undefined)).toBeInstanceOf(ConfigError);
  });

  it("of a secret that is too short says how to make one", () => {
    expect((refusal(auth(), { secret: "short" }) as ConfigError).message).toMatch(/^latchkey: secret: .*openssl rand/);
    expect((refusal(auth(), { secret: [TEST_SECRET, "short"] }) as ConfigError).message).toMatch(/^latchkey: secret: .*openssl rand/);
  });
});
