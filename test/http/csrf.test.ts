import express from "express";
import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { ConfigError } from "../../lib/errors.ts";
import { csrf, requireAuth } from "../../lib/index.ts";
import { startApp } from "../support/app.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const app of closing.splice(0)) await app.close();
});

describe("csrf()", () => {
  it("rule 36: protects cookies of the application's own", async () => {
    const app = express().use(csrf({ origin: "https://app.example.com", trustedOrigins: ["https://admin.example.com"] }));
    app.all("/", (_req, res) => void res.json({}));
    const post = (headers: Record<string, string>) => request(app).post("/").set(headers);
    await post({}).expect(200);
    await post({ "sec-fetch-site": "same-origin" }).expect(200);
    await post({ "sec-fetch-site": "none" }).expect(200);
    await post({ origin: "https://app.example.com" }).expect(200);
    await post({ origin: "https://admin.example.com", "sec-fetch-site": "same-site" }).expect(200);
    for (const origin of ["null", "https://app.example.com.evil.example", "http://app.example.com", "https://app.example.com:8443", ""])
      await post({ origin, "sec-fetch-site": "cross-site" }).expect(403);
    await post({ "sec-fetch-site": "cross-site" }).expect(403);
    await request(app).get("/").set("sec-fetch-site", "cross-site").expect(200);
  });

  it.each([
    [undefined, "csrf"],
    [{}, "csrf.origin: is missing"],
    [{ origin: undefined }, "csrf.origin: is missing"],
    [{ origin: "https://app.example.com/" }, "csrf.origin"],
    [{ origin: "app.example.com" }, "csrf.origin"],
    [{ origin: "https://app.example.com", trusted: ["https://x.example"] }, "csrf.trusted: unknown option"],
    [{ origin: "https://app.example.com", trustedOrigins: [] }, "csrf.trustedOrigins"],
    [{ origin: "https://app.example.com", trustedOrigins: ["*"] }, "csrf.trustedOrigins"],
  ])("stops the start over misshapen options: %j", (options, message) => {
    expect(() => csrf(options as never)).toThrow(ConfigError);
    expect(() => csrf(options as never)).toThrow(message);
  });
});

describe("the session cookie", () => {
  const start = async (options: Parameters<typeof startApp>[0]) => {
    const app = await startApp({
      baseUrl: "https://app.example.com",
      ...options,
      routes: (server) => server.all("/pay", requireAuth({ kinds: ["session", "guest"] }), (_req, res) => void res.json({})),
    });
    closing.push(app);
    const { token } = await app.auth.sessions.create({ userId: "user-1" });
    const name = "__Host-sid";
    return (method: "get" | "post" | "put" | "patch" | "delete", headers: Record<string, string>) =>
      request(app.server)
        [method]("/pay")
        .set({ cookie: `${name}=${token}`, ...headers });
  };

  it("rule 36: acts on no unsafe request from elsewhere, whatever the method, and on safe ones always", async () => {
    const ask = await start({ trustedOrigins: ["https://admin.example.com"] });
    const elsewhere = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };
    for (const method of ["post", "put", "patch", "delete"] as const) {
      const refused = await ask(method, elsewhere).expect(403);
      expect(refused.body.code).toBe("cross_site_request");
      await ask(method, { "sec-fetch-site": "same-origin" }).expect(200);
      await ask(method, { origin: "https://app.example.com" }).expect(200);
      await ask(method, { origin: "https://admin.example.com", "sec-fetch-site": "cross-site" }).expect(200);
      await ask(method, { origin: "null" }).expect(403);
      await ask(method, {}).expect(200);
    }
    await ask("get", elsewhere).expect(200);
  });

  it("rule 36: that travels everywhere (SameSite=None) acts on no unsafe request that does not say where it is from", async () => {
    const ask = await start({ cookie: { sameSite: "none" } });
    await ask("post", {}).expect(403);
    await ask("post", { origin: "https://app.example.com" }).expect(200);
    await ask("post", { "sec-fetch-site": "same-origin" }).expect(200);
    await ask("get", {}).expect(200);
  });
});
