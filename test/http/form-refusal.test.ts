import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startApp } from "../support/app.ts";

let app: Awaited<ReturnType<typeof startApp>>;

beforeEach(async () => {
  app = await startApp();
});
afterEach(() => app.close());

const NAVIGATION = { "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate", accept: "text/html" };
const submit = (path: string, fields: Record<string, string>, headers: Record<string, string> = NAVIGATION) =>
  request(app.server).post(path).type("form").set(headers).send(fields);

describe("a form that is refused", () => {
  it("leads to its error_to, with the code of the error", async () => {
    const response = await submit("/auth/magic/verify", { code: "12345678", return_to: "/", error_to: "/code?step=2#form" });
    expect([response.status, response.headers["location"]]).toEqual([303, "/code?step=2&error=invalid_code#form"]);
    expect(response.headers["cache-control"]).toBe("no-store");
  });

  it("leads there from a guard too, which refuses before the form is read", async () => {
    const response = await submit("/auth/sign-out", { error_to: "/sign-in" });
    expect(response.headers["location"]).toBe("/sign-in?error=authentication_required");
  });

  it("leads there when it is too often or misshapen", async () => {
    const send = (email: string) => submit("/auth/magic/send", { email, return_to: "/code", error_to: "/sign-in" });
    expect((await send("ada@example.com")).headers["location"]).toBe("/code");
    expect((await send("ada@example.com")).headers["location"]).toBe("/sign-in?error=rate_limited");
    expect((await send("no address")).headers["location"]).toBe("/sign-in?error=invalid_email");
  });

  it("never leads to another origin", async () => {
    for (const target of ["https://evil.example/x", "//evil.example", "/\\evil.example", "javascript:alert(1)"]) {
      const response = await submit("/auth/magic/verify", { code: "12345678", error_to: target });
      expect([target, response.headers["location"]]).toEqual([target, "/?error=invalid_code"]);
    }
  });

  it("gets a problem document without error_to, as scripts and cross-site forms do with it", async () => {
    const answers = [
      await submit("/auth/magic/verify", { code: "12345678" }),
      await submit(
        "/auth/magic/verify",
        { code: "12345678", error_to: "/x" },
        { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" },
      ),
      await submit("/auth/magic/verify", { code: "12345678", error_to: "/x" }, { ...NAVIGATION, "sec-fetch-site": "cross-site" }),
    ];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [401, "invalid_code"],
      [401, "invalid_code"],
      [403, "cross_site_request"],
    ]);
  });

  it("does not wait for a body that was refused for its size", async () => {
    const response = await submit("/auth/tenant", { error_to: "/x", filler: "x".repeat(20_000) });
    expect([response.status, response.body.code]).toEqual([401, "authentication_required"]);
  });
});
