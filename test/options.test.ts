import { describe, expect, it, vi } from "vitest";
import { memoryStore } from "../lib/adapters/memory/index.ts";
import { consoleTransport } from "../lib/email/console.ts";
import { ConfigError } from "../lib/errors.ts";
import { resolveOptions, type AuthOptions } from "../lib/options.ts";
import type { RecordStore } from "../lib/storage/record-store.ts";
import { TEST_SECRET } from "./support/kit.ts";

const persistent: RecordStore = { ...memoryStore(), name: "test", persistent: true };
const production: AuthOptions = { secret: TEST_SECRET, baseUrl: "https://app.example.com", store: persistent };

describe("createAuth in production", () => {
  it("starts with a secret, a base URL and a store that lasts", () => {
    expect(resolveOptions(production, "production")).toMatchObject({ origin: "https://app.example.com", cookie: { secure: true } });
  });

  it.each([
    ["secret", { secret: undefined }, "is missing"],
    ["secret", { secret: "" }, "is missing"],
    ["secret", { secret: [undefined] }, "is missing"],
    ["baseUrl", { baseUrl: undefined }, "is missing"],
    ["baseUrl", { baseUrl: "http://app.example.com" }, "use https"],
    ["store", { store: undefined }, "outlives the process"],
    ["store", { store: memoryStore() }, "forgets everything"],
    ["email", { email: consoleTransport() }, "prints codes instead of mailing them"],
  ] as const)("refuses to start for want of %s: %j", (option, change, fix) => {
    expect(() => resolveOptions({ ...production, ...(change as Partial<AuthOptions>) }, "production")).toThrow(fix);
    try {
      resolveOptions({ ...production, ...(change as Partial<AuthOptions>) }, "production");
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      expect((error as ConfigError).option).toBe(option);
    }
  });
});

describe("an option", () => {
  it.each([
    [{ baseURL: "x" }, 'createAuth.baseURL: unknown option; did you mean "baseUrl"?'],
    [{ totally: 1 }, "unknown option; there are: secret"],
    [{ baseUrl: "app.example.com" }, "baseUrl"],
    [{ baseUrl: "ftp://x" }, "baseUrl"],
    [{ baseUrl: "https://app.example.com/path" }, "basePath"],
    [{ basePath: "auth" }, "basePath"],
    [{ basePath: "/auth/" }, "basePath"],
    [{ strategies: [{}] }, "strategies"],
    [{ strategies: [{ name: "a/b", authenticate() {} }] }, "strategies"],
    [
      {
        strategies: [
          { name: "a", authenticate() {} },
          { name: "a", authenticate() {} },
        ],
      },
      'two are named "a"',
    ],
    [{ email: {} }, "email"],
    [{ session: { idle: 1 } }, "session.idle"],
    [{ session: { preset: "lax" } }, "session.preset"],
    [{ session: { absoluteTtl: 31 * 86_400 } }, "session.absoluteTtl"],
    [{ session: { idleTtl: 100, absoluteTtl: 50 } }, "session.idleTtl"],
    [{ session: { policy: "one" } }, "session.policy"],
    [{ session: { max: 0 } }, "session.max"],
    [{ session: { membership: true } }, "session.membership"],
    [{ cookie: { name: "a b" } }, "cookie.name"],
    [{ cookie: { name: "__Host-sid" } }, "cookie.name"],
    [{ cookie: { sameSite: "none" } }, "cookie.sameSite"],
    [{ baseUrl: "https://app.example.com", cookie: { domain: "other.com" } }, '"other.com" is not above app.example.com'],
    [{ baseUrl: "https://app.example.com", cookie: { domain: "pp.example.com" } }, "cookie.domain"],
    [{ strategies: [function google() {}] }, "strategies: one was not called"],
    [Object.assign(new (class Client {})(), { status: "ready" }), "createAuth: give one options object, such as { secret }"],
    [{ cookie: { sameSite: "Lax" } }, "cookie.sameSite"],
    [{ apiKeys: { prefx: "x" } }, "apiKeys.prefx"],
    [{ trustedOrigins: ["https://a.example/"] }, "trustedOrigins"],
    [{ trustedOrigins: ["*"] }, "trustedOrigins"],
    [{ returnToOrigins: [] }, "returnToOrigins"],
    [{ secret: 5 }, "secret"],
    [{ magicCodes: { digit: 6 } }, 'magicCodes.digit: unknown option; did you mean "digits"?'],
    [{ magicCodes: { digits: 5 } }, "magicCodes.digits"],
    [{ magicCodes: { ttl: 601 } }, "magicCodes.ttl"],
    [{ magicCodes: { sendsPerAddress: "many" } }, "magicCodes.sendsPerAddress"],
    [{ emailTemplates: { magicCode: "text" } }, "emailTemplates.magicCode"],
    [{ emailTemplates: { magicLink() {} } }, "emailTemplates.magicLink"],
    [{ appName: "Acme\r\nBcc: all@acme.com" }, "appName"],
    [{ signInUrl: "//evil.example" }, "signInUrl"],
    [{ signInUrl: "sign-in" }, "signInUrl"],
    [{ users: { findById() {} } }, "users: lacks findByEmail()"],
    [{ loadUser: "false" }, "loadUser"],
    [{ allowInsecureCookies: "false" }, "allowInsecureCookies"],
    [{ allowTokensInBrowsers: 0 }, "allowTokensInBrowsers"],
  ])("that is misshapen stops the start and is named: %j", (options, message) => {
    expect(() => resolveOptions(options as AuthOptions, undefined)).toThrow(message);
  });

  it("may be undefined, as what comes from the environment is", () => {
    const nothing = Object.fromEntries(
      [
        "secret",
        "baseUrl",
        "basePath",
        "store",
        "email",
        "session",
        "cookie",
        "apiKeys",
        "strategies",
        "magicCodes",
        "emailTemplates",
        "appName",
        "users",
        "signInUrl",
        "loadUser",
        "linkByEmail",
        "trustedOrigins",
        "returnToOrigins",
        "allowInsecureCookies",
        "allowTokensInBrowsers",
        "clock",
      ].map((name) => [name, undefined]),
    );
    expect(() => resolveOptions(nothing as AuthOptions, undefined)).not.toThrow();
  });

  it("of a domain above the host of baseUrl is taken, and mail may go to a place of the application's own in production", () => {
    for (const domain of ["example.com", ".example.com", "App.Example.com"])
      expect(resolveOptions({ ...production, cookie: { domain } }, "production").cookie.domain).toBe(domain);
    expect(() => resolveOptions({ ...production, email: consoleTransport({ write: () => {} }) }, "production")).not.toThrow();
  });

  it("that links accounts by a strategy that is not there is warned of", () => {
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const strategies = [{ name: "google", authenticate: () => {} }];
    resolveOptions({ ...production, strategies, linkByEmail: ["google", "googel"] }, "production");
    expect(warned.mock.calls.map(String)).toEqual(['latchkey: linkByEmail: there is no strategy named "googel"']);
    warned.mockRestore();
  });

  it("is left as it was given", () => {
    const options = Object.freeze({ secret: Object.freeze([TEST_SECRET]), session: Object.freeze({ policy: "single" as const }) });
    expect(resolveOptions(options, undefined).session.policy).toBe("single");
  });
});
