import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { createViteServer } from "vitest/node";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { requireAuth } from "../../lib/index.ts";
import { startApp } from "../support/app.ts";
import { launchBrowser } from "./chromium.ts";

vi.setConfig({ testTimeout: 60_000 });

const ada = { email: "ada@example.com", password: "correct horse battery staple" };

let app: Awaited<ReturnType<typeof startApp>>;
let sources: Awaited<ReturnType<typeof createViteServer>>;
let browser: Browser;
beforeAll(async () => {
  // Serves the client's modules to the page without their types.
  sources = await createViteServer({
    ...{ configFile: false, root: fileURLToPath(new URL("../..", import.meta.url)), appType: "custom", logLevel: "error" },
    ...{ server: { middlewareMode: true, hmr: false, ws: false, watch: null }, optimizeDeps: { noDiscovery: true } },
  });
  app = await startApp({
    passwords: { requireConfirmedEmail: false },
    tokens: { audience: "https://api.example.com" },
    routes(to) {
      to.get("/", (_req, res) => void res.type("html").send("<!doctype html><title>A page</title>"));
      to.get("/api/me", requireAuth(), (req, res) => void res.json({ id: req.auth.userId }));
      to.use(sources.middlewares);
    },
  });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await app?.close();
  await sources?.close();
});

it.each(["session", "cookie", "split"] as const)(
  "the client signs in, calls APIs and signs out in a browser, with the %s transport",
  async (transport) => {
    const context = await browser.newContext({ baseURL: app.url });
    const page = await context.newPage();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
    await page.goto("/");
    const email = `${transport}@example.com`;
    const inPage = (work: string) => page.evaluate<unknown>(`(async () => { ${work} })()`);

    await inPage(`const { createClient } = await import("/lib/client/index.ts"); window.client = createClient();`);
    expect(await inPage(`return (await client.signIn({ email: "${email}", password: "nothing like it, this" })).error.code`)).toBe(
      "invalid_credentials",
    );
    const made = await inPage(`return await client.signUp(${JSON.stringify({ ...ada, email, transport })})`);
    expect(made).toMatchObject({ data: { user: { email } } });
    expect(await inPage(`return (await client.meGet()).data.email`)).toBe(email);
    // No script can read what would sign in elsewhere.
    expect(await inPage(`return document.cookie`)).toBe("");

    app.clock.advance(16 * 60);
    asked.length = 0;
    const statuses = await inPage(`return await Promise.all([1, 2, 3].map(async () => (await client.fetch("/api/me")).status))`);
    expect(statuses).toEqual([200, 200, 200]);
    expect(asked.filter((path) => path === "POST /auth/refresh")).toHaveLength(transport === "session" ? 0 : 1);

    expect(await inPage(`return (await client.signOut()).data.success`)).toBe(true);
    expect(await inPage(`return (await client.meGet()).error.status`)).toBe(401);
    expect(await context.cookies()).toEqual([]);
    await context.close();
  },
);

it("the client is not given tokens that scripts could leak", async () => {
  const page = await (await browser.newContext({ baseURL: app.url })).newPage();
  await page.goto("/");
  const refused = await page.evaluate(`(async () => {
    const { createClient } = await import("/lib/client/index.ts");
    return (await createClient().signIn({ ...${JSON.stringify(ada)}, transport: "bearer" })).error.code;
  })()`);
  expect(refused).toBe("insecure_token_transport");
});
