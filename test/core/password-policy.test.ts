import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { countCommonPasswords, isCommonPassword } from "../../lib/core/password-blocklist.ts";
import { resolvePasswordsOptions, type PasswordsOptions } from "../../lib/core/password-options.ts";
import { createPasswordPolicy, passwordForm } from "../../lib/core/password-policy.ts";

const policyOf = (options: PasswordsOptions = {}) =>
  createPasswordPolicy(
    resolvePasswordsOptions({ blocklist: ["Acme Rockets", "acme.example.com"], ...options }, { requireConfirmedEmail: false }),
  );

const GOOD = "seven purple lighthouses";

describe("the password policy", () => {
  it("counts code points, not bytes or UTF-16 units", async () => {
    await expect(policyOf().check("🦊🐝🌲🎲🚲🧊🎻🪁🧭🍋🛶🧵🪵🐚")).rejects.toMatchObject({ code: "weak_password", status: 400 });
    await expect(policyOf().check("🦊🐝🌲🎲🚲🧊🎻🪁🧭🍋🛶🧵🪵🐚🦉")).resolves.toBeTypeOf("string");
  });

  it("takes up to 256 code points and 1,024 bytes, and cuts nothing off", async () => {
    expect(passwordForm("x".repeat(256))).toHaveLength(256);
    expect(passwordForm("x".repeat(257))).toBeNull();
    expect(passwordForm("🦊".repeat(257))).toBeNull();
    expect(passwordForm("x".repeat(1_000_000))).toBeNull();
  });

  it("has one form for each way to write the same text", async () => {
    expect(await policyOf().check("cafe\u0301 au lait, no sugar")).toBe(await policyOf().check("caf\u00e9 au lait, no sugar"));
  });

  it("asks for no digits, capitals or marks", async () => {
    await expect(policyOf().check(GOOD)).resolves.toBe(GOOD);
  });

  it.each([
    "passwordpassword",
    "PasswordPassword1!",
    "123456789012345678",
    "aaaaaaaaaaaaaaaa",
    "qwertyuiopasdfghjkl",
    "iloveyou-football",
    "correcthorsebatterystaple",
  ])("refuses %s, which anybody tries first", async (password) => {
    await expect(policyOf().check(password)).rejects.toMatchObject({ code: "weak_password" });
  });

  it.each(["acmerocketsacmerockets", "acme.example.com99", "ada.lovelace@example.com", "ada.lovelace2024"])(
    "refuses %s, made of the names of the application or the address",
    async (password) => {
      await expect(policyOf({ unsafeMinLength: 8 }).check(password, { email: "ada.lovelace@example.com" })).rejects.toMatchObject({
        code: "weak_password",
      });
    },
  );

  it("derives more than 3,000 common passwords of the least length from its parts", () => {
    expect(countCommonPasswords(15)).toBeGreaterThan(3000);
    expect(isCommonPassword(GOOD)).toBe(false);
  });

  it("goes below 15 only by an option that says what it is", () => {
    expect(() => policyOf({ minLength: 12 })).toThrow(/minLength/);
    expect(() => policyOf({ unsafeMinLength: 7 })).toThrow(/unsafeMinLength/);
    expect(() => policyOf({ minLength: 8 })).toThrow(/minLength: give 15 to 64, or unsafeMinLength/);
    expect(() => policyOf({ argon2: { passes: 1, memory: 19_456 } })).toThrow(/argon2\.memory/);
  });
});

describe("breached passwords", () => {
  const digest = createHash("sha1").update(GOOD).digest("hex").toUpperCase();
  const asked: string[] = [];
  const answering = (body: string, status = 200): typeof fetch => {
    return async (url) => {
      asked.push(url instanceof Request ? url.url : url.toString());
      return new Response(body, { status });
    };
  };

  it("are refused, and only five characters of a hash are sent", async () => {
    asked.length = 0;
    const policy = policyOf({ breached: { fetch: answering(`0000\r\n${digest.slice(5)}:42\r\n`) } });
    await expect(policy.check(GOOD)).rejects.toMatchObject({ code: "weak_password" });
    expect(asked).toEqual([`https://api.pwnedpasswords.com/range/${digest.slice(0, 5)}`]);
  });

  it("are told from padding", async () => {
    await expect(policyOf({ breached: { fetch: answering(`${digest.slice(5)}:0`) } }).check(GOOD)).resolves.toBe(GOOD);
  });

  it("let a password pass when nobody answers, unless told to refuse", async () => {
    const down = answering("", 500);
    await expect(policyOf({ breached: { fetch: down } }).check(GOOD)).resolves.toBe(GOOD);
    await expect(policyOf({ breached: { fetch: down, whenUnknown: "refuse" } }).check(GOOD)).rejects.toMatchObject({
      code: "breach_check_unavailable",
      status: 503,
    });
  });
});
