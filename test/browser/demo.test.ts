import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startDemo } from "../../examples/demo/demo.ts";
import { redisUrl } from "../support/services.ts";
import { barriersOn, complaintsOf, launchBrowser } from "./chromium.ts";

type Demo = Awaited<ReturnType<typeof startDemo>>;

let browser: Browser;
let contexts: BrowserContext[] = [];
beforeAll(async () => {
  browser = await launchBrowser();
});
afterEach(async () => {
  await Promise.all(contexts.map((context) => context.close()));
  contexts = [];
});
afterAll(() => browser?.close());

describe.each(["memory", "Redis"])("the demo, with its records in %s", (where) => {
  let demo: Demo;
  let printed = "";
  let people = 0;

  beforeAll(async () => {
    demo = await startDemo({
      port: 0,
      redisUrl: where === "Redis" ? await redisUrl() : undefined,
      print: (text) => {
        printed += text;
      },
    });
  });
  afterAll(() => demo?.close());

  /** A person with a browser of their own. */
  const arrive = async (options: BrowserContextOptions = {}) => {
    const context = await browser.newContext({ baseURL: demo.url, ...options });
    contexts.push(context);
    context.setDefaultTimeout(5000);
    const page = await context.newPage();
    return { page, complaints: complaintsOf(page), name: `ada.${where.toLowerCase()}.${Date.now()}.${(people += 1)}` };
  };

  const press = (page: Page, name: string | RegExp) => page.getByRole("button", { name, exact: typeof name === "string" }).click();

  const region = (page: Page, name: string) => page.getByRole("region", { name, exact: true });

  const signInWithDemoId = async (page: Page, name: string) => {
    await page.goto("/");
    await page.getByRole("link", { name: "Continue with Demo ID" }).click();
    await page.getByLabel("Name").fill(name);
    await press(page, "Continue");
    await page.waitForURL(`${demo.url}/`);
  };

  /** The code last printed for an address. */
  const codeFor = async (email: string) => {
    const code = () => / (\d{4} \d{4})\n/.exec(printed.split(`mail to ${email}`)[1] ?? "")?.[1];
    await expect.poll(code, { timeout: 5000 }).toBeDefined();
    return code() ?? "";
  };

  const askForCode = async (page: Page, email: string) => {
    await page.goto("/sign-in");
    await page.getByLabel("Email address").fill(email);
    await press(page, "Send me a code");
    await page.waitForURL("**/sign-in/code");
    return codeFor(email);
  };

  const signInByCode = async (page: Page, email: string) => {
    const code = await askForCode(page, email);
    await page.getByLabel("Code").fill(code);
    await press(page, "Sign in");
    await page.waitForURL(`${demo.url}/`);
  };

  it("signs in through the OpenID provider, and out", async () => {
    const { page, complaints, name } = await arrive();
    await signInWithDemoId(page, name);
    expect(await region(page, "You").innerText()).toContain(`${name}@demo-id.example`);
    expect(await region(page, "Linked accounts").innerText()).toContain(`as ${name}`);

    await page.getByRole("banner").getByRole("button", { name: "Sign out" }).click();
    expect(await page.getByRole("status").innerText()).toBe("You are signed out.");
    await page.goto("/");
    expect(new URL(page.url()).pathname).toBe("/sign-in");
    expect(complaints).toEqual([]);
  });

  it("signs in by the code that the terminal shows, once the code is right", async () => {
    const { page, complaints, name } = await arrive();
    const code = await askForCode(page, `${name}@example.com`);
    const wrong = code === "1234 5678" ? "8765 4321" : "1234 5678";
    await page.getByLabel("Code").fill(wrong);
    await press(page, "Sign in");
    expect(await page.getByRole("status").innerText()).toContain("That is not the code");

    await page.getByLabel("Code").fill(code);
    await press(page, "Sign in");
    await page.waitForURL(`${demo.url}/`);
    expect(await region(page, "You").innerText()).toContain("by mailed code");
    expect(complaints).toEqual([]);
  });

  it("shows where somebody is signed in, and ends a session elsewhere", async () => {
    const { page, complaints, name } = await arrive();
    const phone = await arrive({
      userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1",
    });
    const tablet = await arrive();
    for (const device of [page, phone.page, tablet.page]) await signInWithDemoId(device, name);

    await page.reload();
    const sessions = region(page, "Where you are signed in");
    expect(await sessions.getByRole("listitem").count()).toBe(3);
    expect(await sessions.getByRole("listitem").filter({ hasText: "this device" }).count()).toBe(1);
    await sessions.getByRole("button", { name: "Sign out Safari on iOS" }).click();
    expect(await page.getByRole("status").innerText()).toBe("That session has ended.");
    await phone.page.reload();
    expect(phone.page.url()).toContain("/sign-in?error=session_not_found");
    await tablet.page.reload();
    expect(tablet.page.url()).toBe(`${demo.url}/`);

    await press(page, "Sign out everywhere else");
    expect(await page.getByRole("status").innerText()).toBe("You are signed out everywhere else.");
    await tablet.page.reload();
    expect(tablet.page.url()).toContain("/sign-in?error=");
    expect(await sessions.getByRole("listitem").count()).toBe(1);
    expect([...complaints, ...phone.complaints, ...tablet.complaints]).toEqual([]);
  });

  it("makes an API key that opens the guarded endpoint until it is revoked", async () => {
    const { page, complaints, name } = await arrive({ permissions: ["clipboard-read", "clipboard-write"] });
    await signInWithDemoId(page, name);
    await page.getByLabel("Name of a new key").fill('<b>nightly "report"</b>');
    await press(page, "Create key");
    const key = await region(page, "The key").getByRole("code").innerText();
    expect(await region(page, "Try it").getByRole("code").innerText()).toBe(`curl -H "Authorization: Bearer ${key}" ${demo.url}/api/hello`);
    await region(page, "The key").getByRole("button", { name: "Copy" }).click();
    await expect.poll(() => page.evaluate("navigator.clipboard.readText()")).toBe(key);

    const hello = () => fetch(`${demo.url}/api/hello`, { headers: { authorization: `Bearer ${key}` } });
    const opened = await hello();
    expect([opened.status, await opened.json()]).toEqual([200, expect.objectContaining({ message: expect.stringMatching(/^Hello, Ada/) })]);
    expect((await fetch(`${demo.url}/api/hello`)).status).toBe(401);

    await page.getByRole("link", { name: "Done" }).click();
    const keys = region(page, "API keys");
    expect(await keys.getByRole("listitem").innerText()).toContain('<b>nightly "report"</b>');
    expect(await page.content()).not.toContain(key);
    await keys.getByRole("button", { name: /^Revoke/ }).click();
    expect(await page.getByRole("status").innerText()).toBe("That key no longer opens anything.");
    expect((await hello()).status).toBe(401);
    expect(complaints).toEqual([]);
  });

  it("links the provider to an account that came by code, confirms it, and unlinks it", async () => {
    const { page, complaints, name } = await arrive();
    await signInByCode(page, `${name}@example.com`);
    await press(page, "Link your Demo ID");
    await page.getByLabel("Name").fill(name);
    await press(page, "Continue");
    expect(await page.getByRole("status").innerText()).toBe("Your Demo ID is linked.");

    await page.goto("/confirm");
    await press(page, "Confirm with Demo ID");
    await page.getByLabel("Name").fill(name);
    await press(page, "Continue");
    expect(await page.getByRole("status").innerText()).toContain("Thank you");
    expect(await region(page, "You").innerText()).toContain("by mailed code and Demo ID");

    await press(page, /^Unlink/);
    expect(await page.getByRole("status").innerText()).toBe("Your Demo ID is unlinked.");
    expect(complaints).toEqual([]);
  });
});
