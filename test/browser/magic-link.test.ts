import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { startApp } from "../support/app.ts";
import { barriersOn, complaintsOf, launchBrowser } from "./chromium.ts";

vi.setConfig({ testTimeout: 60_000 });

const closing: { close(): Promise<unknown> }[] = [];
let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

/** A webmail on 127.0.0.1, which is another site than the application on localhost. It shows the link that it is told of. */
async function startWebmail() {
  let link = "";
  const server = createServer((_req, res) => res.setHeader("content-type", "text/html").end(`<a href="${link}">Open</a>`));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push({ close: () => new Promise((resolve) => void server.close(resolve)) });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, show: (shown: string) => (link = shown) };
}

/** An application whose form asks for a link, and a webmail. */
async function start(sameSite: "lax" | "strict" = "lax") {
  const webmail = await startWebmail();
  const app = await startApp({
    cookie: { sameSite },
    returnToOrigins: [new URL(webmail.url).origin],
    routes(server) {
      server.get(
        "/",
        (req, res) => void res.send(`<link rel="icon" href="data:,"><p>${req.auth.isAuthenticated ? "Signed in" : "Signed out"}</p>`),
      );
      server.get("/sign-in", (req, res) => {
        const to = req.query["to"] === "webmail" ? webmail.url : "/";
        res.send(`<form method="post" action="/auth/magic/send">
          <input name="email" value="ada@example.com"><input name="link" value="true"><input name="link_return_to" value="${to}">
          <button name="return_to" value="/">Send</button></form>`);
      });
    },
  });
  closing.push(app);
  const arrive = async () => {
    const context = await browser.newContext({ baseURL: app.url });
    context.setDefaultTimeout(15_000);
    closing.push(context);
    const page = await context.newPage();
    return { page, complaints: complaintsOf(page), isSignedIn: async () => (await context.request.get("/auth/me")).ok() };
  };
  return { app, webmail, arrive };
}

describe("a link that signs in, in a browser", () => {
  it.each(["lax", "strict"] as const)("leaves the browser signed in that opens it from a webmail, with SameSite=%s", async (sameSite) => {
    const { app, webmail, arrive } = await start(sameSite);
    const { page, complaints, isSignedIn } = await arrive();
    await page.goto("/sign-in");
    await page.getByRole("button", { name: "Send" }).click();
    webmail.show(await app.mailbox.waitForLink("ada@example.com"));

    await page.goto(webmail.url);
    await page.getByRole("link", { name: "Open" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await barriersOn(page)).toEqual([]);
    expect(await isSignedIn()).toBe(false);
    await page.getByRole("button", { name: "Sign in" }).click();

    await page.getByText("Signed in").waitFor();
    expect(new URL(page.url()).pathname).toBe("/");
    expect(await isSignedIn()).toBe(true);
    expect(complaints.filter((text) => !text.includes("favicon") && !text.includes("404"))).toEqual([]);
  });

  it("leads on to an allowed origin from a browser that did not ask, and says of a used link what to do", async () => {
    const { app, webmail, arrive } = await start();
    const asking = await arrive();
    await asking.page.goto("/sign-in?to=webmail");
    await asking.page.getByRole("button", { name: "Send" }).click();
    const link = await app.mailbox.waitForLink("ada@example.com");
    const { page, isSignedIn } = await arrive();

    await page.goto(link);
    await page.getByText("It was asked for in another browser.").waitFor();
    await page.getByText("a***@example.com").waitFor();
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(webmail.url);

    expect(await isSignedIn()).toBe(true);
    expect(await asking.isSignedIn()).toBe(false);
    await asking.page.goto(link);
    await asking.page.getByRole("alert").getByText("Ask for a new one").waitFor();
    expect(await barriersOn(asking.page)).toEqual([]);
  });
});
