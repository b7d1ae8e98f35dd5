import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { safeCause } from "../../lib/core/provider-failure.ts";
import { redact } from "../../lib/core/redact.ts";

describe("redact", () => {
  it.each([
    ["client_secret=abc&grant_type=x", "client_secret=[redacted]&grant_type=x"],
    ["https://app/cb?code=abc&state=s", "https://app/cb?code=[redacted]&state=s"],
    ["failed: refresh_token=abc", "failed: refresh_token=[redacted]"],
    ["code_verifier = abc; next", "code_verifier = [redacted]; next"],
    ['{"access_token":"abc","x":1}', '{"access_token":"[redacted]","x":1}'],
    ['{"id_token" : "a\\"bc" , "x":1}', '{"id_token" : "[redacted]" , "x":1}'],
    ["{ client_assertion: 'abc' }", "{ client_assertion: '[redacted]' }"],
    ['{"body":"{\\"access_token\\":\\"a\\\\\\"bc\\",\\"x\\":1}"}', '{"body":"{\\"access_token\\":\\"[redacted]\\",\\"x\\":1}"}'],
    ['access_token="abc\\', 'access_token="[redacted]"'],
    ["the status code: 400", "the status code: 400"],
    ['{"access_token":"no end', '{"access_token":"[redacted]"'],
    ['{"refresh_token":"ümläut €"}', '{"refresh_token":"[redacted]"}'],
    ["Client_Secret=abc", "Client_Secret=[redacted]"],
    ["error_code=7 and postcode=123", "error_code=7 and postcode=123"],
    ["nothing here", "nothing here"],
  ])("turns %s into %s", (text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  it("leaves no value of a secret's name, whatever it holds, in JSON or a form", () => {
    const secret = fc.string({ minLength: 6, unit: "grapheme" }).map((text) => `SECRET${text}`);
    const name = fc.constantFrom("client_secret", "code_verifier", "client_assertion", "refresh_token", "access_token", "id_token", "code");
    fc.assert(
      fc.property(name, secret, (key, value) => {
        expect(redact(JSON.stringify({ a: 1, [key]: value, b: "c" }))).not.toContain("SECRET");
        expect(redact(`a=1&${new URLSearchParams({ [key]: value })}&b=c`)).not.toContain("SECRET");
      }),
    );
  });
});

describe("the cause of a provider's failure", () => {
  it("keeps what helps, and drops what libraries hang on errors", () => {
    const error = Object.assign(new Error("exchange failed: code=abc123"), {
      code: "E_GRANT",
      request: { headers: { authorization: "Bearer s3cret" } },
      oauthError: { statusCode: 400, data: '{"error":"invalid_grant","refresh_token":"s3cret"}' },
      cause: new Error("client_secret=s3cret"),
    });

    const cause = safeCause(error) as Error & { cause?: Error };

    expect(cause.message).toBe('exchange failed: code=[redacted] (E_GRANT, 400, {"error":"invalid_grant","refresh_token":"[redacted]"})');
    expect(cause.cause?.message).toBe("client_secret=[redacted]");
    expect(`${cause.stack} ${JSON.stringify(cause)} ${cause.cause?.stack}`).not.toMatch(/s3cret|abc123/);
  });
});
