import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { redactWords } from "../../lib/email/delivery.ts";
import { parseSender } from "../../lib/email/sender.ts";

describe("a mail service's words, redacted", () => {
  it.each([
    ["550 5.1.1 <ada@example.com>: user unknown", "550 5.1.1 <[address]>: user unknown"],
    ["to=o'hara+x@mail.example.co.uk, try again", "to=o'[address], try again"],
    ["ada%40example.com is blocked", "[address] is blocked"],
    ["Your code 12345678", "Your code [redacted]"],
    ["Your code 1234 5678 or 123-456", "Your code [redacted] or [redacted]"],
    ["451 4.7.1 greylisted for 300 s", "451 4.7.1 greylisted for 300 s"],
    ["see https://acme.example/magic?token=abc now", "see [link] now"],
    ["smtp://user:pass@mail.example.com refused", "[link] refused"],
    ["key re_123abcDEF456ghiJKL is not valid", "key [redacted] is not valid"],
    ["Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0", "Authorization: Bearer [redacted].[redacted]"],
    ["refresh_token=abc", "refresh_token=[redacted]"],
    ["one\r\ntwo\u0000\u001B[31mthree", "one two [31mthree"],
    ["the domain acme.com is not verified", "the domain acme.com is not verified"],
    ["getaddrinfo ENOTFOUND smtp-relay.eu.example.com", "getaddrinfo ENOTFOUND smtp-relay.eu.example.com"],
    ["", ""],
  ])("turn %j into %j", (words, expected) => {
    expect(redactWords(words)).toBe(expected);
  });

  it("show no address, no code and no token, whatever stands around them, and stay short", () => {
    const local = fc.stringMatching(/^[a-z0-9._+-]{1,20}$/);
    const code = fc.stringMatching(/^[0-9]{6,10}$/);
    const token = fc.uint8Array({ minLength: 32, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString("base64url"));
    const noise = fc.stringMatching(/^[ a-z<>"'(),;:\r\n]{0,20}$/);
    fc.assert(
      fc.property(local, code, token, noise, noise, (name, digits, secret, before, after) => {
        const shown = redactWords(`${before} ${name}@example.com ${after} ${digits} ${before} ${secret} ${after}`);
        expect(shown).not.toContain("@");
        expect(shown).not.toContain(digits);
        expect(shown).not.toContain(secret.slice(0, 16));
        expect(shown.length).toBeLessThanOrEqual(200);
      }),
    );
  });

  it("cut no secret so that its beginning shows", () => {
    expect(redactWords(`${"a ".repeat(990)}${"1234567".repeat(10)}`)).not.toMatch(/\d/);
    expect(redactWords(`${"https://x.example/ ".repeat(104)}verysecret@example.com`)).not.toContain("verysecret");
  });

  it("are looked for in the beginning of a long text alone, which would take minutes else", () => {
    for (const words of ["a".repeat(1e6), "%".repeat(1e6), "a@".repeat(5e5), "1 ".repeat(5e5), '\\"'.repeat(5e5)]) {
      expect(redactWords(words).length).toBeLessThanOrEqual(200);
    }
  });
});

describe("a sender", () => {
  it.each([
    ["login@acme.com", { name: "", address: "login@acme.com", text: "login@acme.com" }],
    ["<login@acme.com>", { name: "", address: "login@acme.com", text: "login@acme.com" }],
    ["Acme <Login@Acme.com>", { name: "Acme", address: "login@acme.com", text: "Acme <login@acme.com>" }],
    [
      "Käse & Co. <login@käse.example>",
      { name: "Käse & Co.", address: "login@xn--kse-qla.example", text: "Käse & Co. <login@xn--kse-qla.example>" },
    ],
    ['"Acme, Inc." <login@acme.com>', { name: "Acme, Inc.", address: "login@acme.com", text: '"Acme, Inc." <login@acme.com>' }],
    ["Acme, Inc. <login@acme.com>", { name: "Acme, Inc.", address: "login@acme.com", text: '"Acme, Inc." <login@acme.com>' }],
    ['"A \\"B\\" \\\\" <login@acme.com>', { name: 'A "B" \\', address: "login@acme.com", text: '"A \\"B\\" \\\\" <login@acme.com>' }],
  ])("is read from %s", (text, sender) => {
    expect(parseSender("x.from", text)).toEqual(sender);
    expect(parseSender("x.from", sender.text)).toEqual(sender);
  });

  it.each([
    undefined, "", " ", "Acme", "Acme <>", "Acme <login>", "login@localhost", "a@acme.com, b@acme.com", "A <a@acme.com>, B <b@acme.com>",
    "Acme <login@acme.com> x", "Acme\r\nBcc: eve@evil.example <login@acme.com>", "Acme\u2028 <login@acme.com>", "Acme\u0000 <login@acme.com>", 7, {}, null,
  ])("is not read from %j", (text) => {
    expect(() => parseSender("x.from", text)).toThrow(expect.objectContaining({ code: "config_error", option: "x.from" }));
  }); // prettier-ignore
});
