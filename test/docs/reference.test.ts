import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { resolveApiKeysOptions } from "../../lib/core/api-key-options.ts";
import { resolveAuditOptions } from "../../lib/core/audit-options.ts";
import { eventNames } from "../../lib/core/events.ts";
import { resolveMagicCodesOptions } from "../../lib/core/magic-code-options.ts";
import { resolvePasswordsOptions } from "../../lib/core/password-options.ts";
import { parseLimit } from "../../lib/core/rate-limits.ts";
import { resolveTokensOptions } from "../../lib/core/token-options.ts";
import { resolveCookie, resolveSession } from "../../lib/session-options.ts";
import { referencePages } from "../../scripts/make-reference.ts";
import { membersOf, sourcesBelow } from "../../scripts/reference/interfaces.ts";
import { thrownIn } from "../../scripts/reference/thrown.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const library = sourcesBelow(join(root, "lib"));
const page = (name: string) => readFileSync(join(root, "docs/reference", name), "utf8");

describe("the reference", () => {
  it("is what the code says: run `npm run make:reference`", async () => {
    for (const [path, text] of await referencePages()) expect(readFileSync(path, "utf8"), basename(path)).toBe(text);
  });

  it("has every code that the library throws or documents", () => {
    const errors = page("errors.md");
    const strict = [...library.values()].flatMap(thrownIn).map(({ code }) => code);
    const loose = [...library.values()].flatMap((text) => [...text.matchAll(/Error\(\s*"([a-z]+(?:_[a-z]+)+)"/g)].map(([, code]) => code));
    const documented = [...library.values()].flatMap((text) => [...text.matchAll(/"[45]\d\d ([a-z_]+)"/g)].map(([, code]) => code));
    const codes = new Set([...strict, ...loose, ...documented].filter((code) => code !== "not_invited")); // a hook's, in an example
    expect(codes.size).toBeGreaterThan(70);
    expect([...codes].filter((code) => !errors.includes(`| \`${code}\` `))).toEqual([]);
  });

  it("has every event, and says of each when it is told", () => {
    const events = page("events.md");
    const members = membersOf("EventDetails", library);
    expect(members.map(({ name }) => name).sort()).toEqual([...eventNames].sort());
    expect(members.filter(({ doc }) => doc === "")).toEqual([]);
    expect([...eventNames].filter((name) => !events.includes(`| \`${name}\` `))).toEqual([]);
  });
});

describe("the documented defaults", () => {
  /** What the docstring of an option says that it is when it is left out, as the resolver would have it. */
  const documented = (name: string) =>
    Object.fromEntries(membersOf(name, library).map(({ name: option, doc }) => [option, /Default: `?([^.`]+)`?/.exec(doc)?.[1] ?? ""]));
  const numbers = (name: string) =>
    Object.entries(documented(name)).flatMap(([option, value]) =>
      /^[\d,]+$/.test(value) ? [[option, Number(value.replaceAll(",", ""))] as const] : [],
    );

  it.each([
    ["MagicCodesOptions", { ...resolveMagicCodesOptions({}), cooldown: resolveMagicCodesOptions({}).cooldown.windowSeconds }],
    ["ApiKeysOptions", resolveApiKeysOptions({})],
    ["PasswordsOptions", resolvePasswordsOptions({}, { requireConfirmedEmail: true })],
    ["Argon2Options", resolvePasswordsOptions({}, { requireConfirmedEmail: true }).argon2],
    ["TokensOptions", resolveTokensOptions({ audience: "api" }, { origin: null, absoluteTtl: 2_592_000 }) ?? {}],
    ["SessionOptions", resolveSession({}, { tokens: false })],
  ])("are those of the resolver: %s", (name, resolved) => {
    const given = numbers(name);
    expect(given.length).toBeGreaterThan(0);
    expect(resolved).toMatchObject(Object.fromEntries(given));
  });

  it("are those of the resolver where they are words and limits", () => {
    const codes = resolveMagicCodesOptions({});
    for (const option of ["sendsPerAddressAndSource", "sendsPerAddress", "sendsPerSource", "guessesPerAddress"] as const)
      expect(codes[option], option).toEqual(parseLimit(documented("MagicCodesOptions")[option] ?? "", option));
    expect(resolveApiKeysOptions({})).toMatchObject({ prefix: documented("ApiKeysOptions")["prefix"], ttl: 365 * 86_400 });
    expect(resolveAuditOptions(true)).toMatchObject({ retention: 90 * 86_400 });
    expect(resolveTokensOptions({ audience: "api" }, { origin: null, absoluteTtl: 2_592_000 })?.refreshTtl).toBe(14 * 86_400);
    const session = resolveSession({}, { tokens: false });
    expect(session).toMatchObject({ policy: documented("SessionOptions")["policy"], life: { idleTtl: 86_400, absoluteTtl: 30 * 86_400 } });
    expect(resolveCookie({}, "https://app.example.com", false)).toMatchObject({ name: "sid", sameSite: "lax", accessName: "sid-access" });
  });
});
