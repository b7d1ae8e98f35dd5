import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { oidc } from "../../strategies/oidc.ts";
import { startApp } from "../support/app.ts";
import { startOidcProvider } from "../support/oidc-provider.ts";
import { freePort } from "../support/server-process.ts";
import { systemClock } from "../../lib/clock.ts";
import { launchBrowser } from "./chromium.ts";

vi.setConfig({ testTimeout: 60_000 });

const CLIENT = { clientId: "app", clientSecret: "a client secret of the tests alone" };
const closing: { close(): Promise<void> }[] = [];
let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

/** An application on localhost, a provider on 127.0.0.1, which is another site, and somebody in front of a browser. */
async function arrive(sameSite: "lax" | "strict", responseMode: "query" | "form_post") {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const named = (name: string) => oidc({ issuer, ...CLIENT, name, responseMode });
  const app = await startApp({
    clock: systemClock,
    strategies: [named("company"), named("second")],
    cookie: { sameSite },
    routes(server) {
      server.get("/", (req, res) => {
        const button =
          '<form method="post" action="/auth/accounts/second/link"><button name="return_to" value="/linked">Link</button></form>';
        res.send(req.auth.isAuthenticated ? `<p>Signed in</p>${button}` : '<a href="/auth/login/company?return_to=/">Sign in</a>');
      });
      server.get("/linked", (_req, res) => void res.send("<p>Linked</p>"));
    },
  });
  closing.push(app);
  const redirect_uris = ["company", "second"].map((name) => `${app.url}/auth/callback/${name}`);
  const clients = [{ client_id: CLIENT.clientId, client_secret: CLIENT.clientSecret, redirect_uris }];
  closing.push(await startOidcProvider({ port, clients }));
  const context = await browser.newContext({ baseURL: app.url });
  context.setDefaultTimeout(15_000);
  closing.push(context);
  return { app, page: await context.newPage() };
}

/** Through the provider's forms, to the application again. */
async function agree(page: Page, login: string): Promise<void> {
  await page.waitForURL("http://127.0.0.1:*/**");
  await page.locator('input[name="login"]').fill(login);
  await page.locator('input[name="password"]').fill("any");
  await page.locator('button[type="submit"]').click();
  await page.locator('input[name="prompt"][value="consent"]').waitFor({ state: "attached" });
  await page.locator('button[type="submit"]').click();
}

describe.each([
  { sameSite: "lax", responseMode: "query" },
  { sameSite: "lax", responseMode: "form_post" },
  { sameSite: "strict", responseMode: "query" },
  { sameSite: "strict", responseMode: "form_post" },
] as const)("in a browser, with SameSite=$sameSite cookies and answers by $responseMode", ({ sameSite, responseMode }) => {
  it("a person comes back signed in, and links a second account to the same session", async () => {
    const { app, page } = await arrive(sameSite, responseMode);
    await page.goto("/");
    await page.getByText("Sign in").click();
    await agree(page, "ada");
    await page.getByText("Signed in").waitFor();

    // The provider knows them by now, and asks no more.
    await page.getByRole("button", { name: "Link" }).click();
    await page.getByText("Linked").waitFor();

    const user = await app.auth.users.findByEmail("ada@example.com");
    const accounts = await app.auth.accounts.listForUser(user?.id ?? "");
    expect(accounts.map(({ providerId }) => providerId).toSorted()).toEqual(["company", "second"]);
    expect(await app.auth.sessions.list(user?.id ?? "")).toHaveLength(1);
  });
});
