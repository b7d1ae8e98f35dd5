import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { createAuth, requireAuth, requireRole, type AuthOptions } from "../../lib/index.ts";
import { createTestClock, fakeProvider, memoryTransport, signInAs } from "../../lib/testing/index.ts";
import { oidc } from "../../strategies/oidc.ts";
import { listen } from "../support/app.ts";

const clock = createTestClock();
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(options: AuthOptions = {}) {
  const email = memoryTransport();
  const auth = createAuth({
    secret: "a secret for tests, of 32 bytes or more",
    clock,
    email,
    tokens: { audience: "https://api.example.com" },
    ...options,
  });
  const app = express().use(auth);
  app.get("/drafts", requireRole("editor"), (req, res) => void res.json({ id: req.auth.userId, methods: req.auth.methods }));
  app.get("/payout", requireAuth({ maxAge: 600, live: true }), (_req, res) => void res.json({}));
  const server: Server = await listen(app);
  closing.push(auth.close, () => server.close());
  return { auth, app, server, email, url: `http://localhost:${(server.address() as AddressInfo).port}` };
}

describe("signInAs", () => {
  it("signs a supertest agent in, with roles and methods, until it signs out", async () => {
    const { auth, server } = await start();
    const agent = request.agent(server);
    const { session } = await signInAs(auth, { id: "ada", roles: ["editor"] }, { agent, methods: ["oidc"] });
    expect((await agent.get("/drafts").expect(200)).body).toEqual({ id: "ada", methods: ["oidc"] });
    expect((await auth.sessions.list("ada")).map(({ id }) => id)).toEqual([session.id]);
    await agent.post("/auth/sign-out").send({}).expect(200);
    await agent.get("/drafts").expect(401);
  });

  it.each(["session", "token", "bearer", "cookie", "split"] as const)("gives the headers of a request by %s", async (transport) => {
    const { auth, url } = await start();
    const { headers } = await signInAs(auth, "ada", { transport });
    const ask = async (path: string) => (await fetch(`${url}${path}`, { headers })).status;
    expect([await ask("/auth/me"), await ask("/drafts"), await ask("/payout")]).toEqual([200, 403, 200]);
    const agent = request.agent(url);
    await signInAs(auth, { id: "eve", email: "eve@example.com" }, { transport, agent });
    expect((await agent.get("/auth/me").expect(200)).body.email).toBe("eve@example.com");
  });

  it("signs somebody in who authenticated long ago: what asks for a fresh proof refuses", async () => {
    const { auth, server } = await start();
    const agent = request.agent(server);
    await signInAs(auth, "ada", { agent, authenticatedAt: clock.now() - 601_000 });
    expect((await agent.get("/payout").expect(401)).body.code).toBe("insufficient_user_authentication");
  });

  it("uses the names of cookies that the application chose, also where they are for https alone", async () => {
    const { auth, server } = await start({ baseUrl: "https://app.example.com", cookie: { name: "acme" } });
    const agent = request.agent(server);
    const { cookie } = await signInAs(auth, "ada", { agent });
    expect(cookie).toMatch(/^__Host-acme=/);
    await agent.get("/auth/me").expect(200);
  });

  it("leaves users that are there as they are, and disabled ones outside", async () => {
    const { auth } = await start();
    await auth.users.create({ id: "ada", name: "Ada" });
    await signInAs(auth, { id: "ada", name: "Eve" });
    expect((await auth.users.findById("ada"))?.name).toBe("Ada");
    await auth.users.disable("ada");
    await expect(signInAs(auth, "ada")).rejects.toMatchObject({ code: "user_disabled" });
  });

  it("says what is missing", async () => {
    const { auth } = await start({ tokens: undefined });
    await expect(signInAs(auth, "ada", { transport: "cookie" })).rejects.toThrow(/tokens: set it/);
    await expect(signInAs({ ...auth } as typeof auth, "ada")).rejects.toThrow(/what createAuth\(\) returned/);
  });
});

describe("the mailbox", () => {
  it("hands out each code once, in the order they came", async () => {
    const { server, email } = await start();
    const agent = request.agent(server);
    await agent.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
    const code = await email.waitForCode("ada@example.com");
    await agent.post("/auth/magic/verify").send({ code }).expect(200);
    await agent.get("/auth/me").expect(200);
    await expect(email.waitForCode("ada@example.com", 10)).rejects.toThrow(/within 10 ms/);
  });
});

describe("the provider in this process", () => {
  it("signs in whom the test says, by OpenID Connect, from the first redirect to the session", async () => {
    const provider = await fakeProvider();
    closing.push(() => provider.close());
    const { issuer, clientId, clientSecret } = provider;
    const strategy = oidc({ name: "acme", issuer, clientId, clientSecret: clientSecret ?? "", allowInsecureRequests: true });
    const { server } = await start({ strategies: [strategy] });
    const agent = request.agent(server);
    provider.signInAs({ sub: "7", email: "grace@example.com", email_verified: true, name: "Grace" });

    const begun = await agent.get("/auth/login/acme").expect(200);
    const callback = new URL(await provider.authorize(begun.body.url));
    await agent.get(callback.pathname + callback.search).expect(200);

    expect((await agent.get("/auth/me").expect(200)).body).toMatchObject({ email: "grace@example.com", name: "Grace" });
  });
});
