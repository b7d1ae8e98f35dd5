import type { BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { expect } from "vitest";
import { startDemo } from "../../examples/demo/demo.ts";
import { complaintsOf, launchBrowser } from "./chromium.ts";

/** The longest to wait for anything to show, ms. */
const PATIENCE = 15_000;

/** The demo on ports of its own, its terminal, and people who come to it with a browser each. */
export async function openDemo({ redisUrl }: { redisUrl?: string } = {}) {
  let printed = "";
  const print = (text: string) => {
    printed += text;
  };
  const demo = await startDemo({ port: 0, redisUrl, print });
  const browser = await launchBrowser();
  const contexts = new Set<BrowserContext>();
  const run = Date.now().toString(36);
  let people = 0;

  /** The code that was printed for an address. */
  const codeFor = async (email: string) => {
    const code = () => / (\d{4} \d{4})\n/.exec(printed.split(`mail to ${email}`)[1] ?? "")?.[1] ?? "";
    await expect.poll(code, { timeout: PATIENCE }).not.toBe("");
    return code();
  };

  return {
    url: demo.url,

    /** Somebody new, with nothing in their browser. */
    async arrive(options: BrowserContextOptions = {}) {
      const context = await browser.newContext({ baseURL: demo.url, ...options });
      contexts.add(context);
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      people += 1;
      return createVisitor({ page, url: demo.url, name: `ada.${run}.${people}`, codeFor });
    },

    /** Sends everybody home. */
    async empty() {
      await Promise.all([...contexts].map((context) => context.close()));
      contexts.clear();
    },

    async close() {
      await browser.close();
      await demo.close();
    },
  };
}

interface VisitorParts {
  readonly page: Page;
  readonly url: string;
  readonly name: string;
  codeFor(email: string): Promise<string>;
}

function createVisitor({ page, url, name, codeFor }: VisitorParts) {
  const email = `${name}@example.com`;
  const press = (button: string | RegExp) => page.getByRole("button", { name: button, exact: typeof button === "string" }).click();

  const askForCode = async () => {
    await page.goto("/sign-in");
    await page.getByLabel("Email address").fill(email);
    await press("Send me a code");
    await page.waitForURL("**/sign-in/code");
    return codeFor(email);
  };

  return {
    page,
    name,
    email,
    /** What the browser's console complained about so far. */
    complaints: complaintsOf(page),
    press,
    askForCode,
    /** A part of the page, by its heading. */
    region: (title: string) => page.getByRole("region", { name: title, exact: true }),
    /** Waits until the page says this of what has happened. */
    async isTold(text: string) {
      await expect.poll(() => page.getByRole("status").first().innerText(), { timeout: PATIENCE }).toContain(text);
    },

    /** Signs in at the provider; as somebody who has an account, under their name. */
    async signInWithDemoId(as = name) {
      await page.goto("/");
      await page.getByRole("link", { name: "Continue with Demo ID" }).click();
      await page.getByLabel("Name").fill(as);
      await press("Continue");
      await page.waitForURL(`${url}/`);
    },

    async signInByCode() {
      const code = await askForCode();
      await page.getByLabel("Code").fill(code);
      await press("Sign in");
      await page.waitForURL(`${url}/`);
    },
  };
}
