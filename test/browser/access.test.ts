import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { barriersOn } from "./chromium.ts";
import { openDemo } from "./visitors.ts";

vi.setConfig({ testTimeout: 60_000 });

/** What the element with the focus says, and whether it shows that it has it. */
const FOCUSED = `(() => {
  const { activeElement: element } = document;
  const name = element.labels?.[0]?.innerText ?? element.innerText;
  return { name: name.trim(), shown: getComputedStyle(element).outlineStyle === "solid" };
})()`;

let demo: Awaited<ReturnType<typeof openDemo>>;
beforeAll(async () => {
  demo = await openDemo();
});
afterEach(() => demo.empty());
afterAll(() => demo?.close());

describe("the demo", () => {
  it("signs somebody in who has a keyboard alone", async () => {
    const { page, press: _, ...ada } = await demo.arrive();
    const { keyboard } = page;
    const focused = () => page.evaluate<{ name: string; shown: boolean }>(FOCUSED);
    const isAt = async (name: string) => {
      await expect.poll(focused, { timeout: 15_000 }).toEqual({ name, shown: true });
    };
    const tabTo = async (name: string) => {
      for (let step = 0; step < 10; step += 1) {
        await keyboard.press("Tab");
        const now = await focused();
        expect(now.shown).toBe(true);
        if (now.name === name) return;
      }
      throw new Error(`Tab does not lead to "${name}"`);
    };

    await page.goto("/");
    await tabTo("Skip to the content");
    await tabTo("Continue with Demo ID");
    await keyboard.press("Enter");
    await page.waitForURL("http://127.0.0.1:*/**");
    await isAt("Name");
    await keyboard.type(ada.name);
    await keyboard.press("Enter");
    await page.waitForURL(`${demo.url}/`);
    await tabTo("Sign out");
    await keyboard.press("Enter");
    await page.waitForURL("**/sign-in?done=signed_out");

    await tabTo("Email address");
    await keyboard.type(ada.email);
    await keyboard.press("Enter");
    await page.waitForURL("**/sign-in/code");
    await isAt("Code");
    await keyboard.type("12345678");
    await keyboard.press("Enter");
    await ada.isTold("That is not the code");
    expect(ada.complaints).toEqual([]);
  });

  it("works without JavaScript", async () => {
    const ada = await demo.arrive({ javaScriptEnabled: false });
    await ada.signInByCode();
    await ada.page.getByLabel("Name of a new key").fill("cron");
    await ada.press("Create key");
    expect(await ada.region("The key").getByRole("code").innerText()).toMatch(/^sk-/);
    expect(await ada.page.getByRole("button", { name: "Copy" }).count()).toBe(0);
    await ada.page.getByRole("link", { name: "Done" }).click();
    await ada.press("Link your Demo ID");
    await ada.page.getByLabel("Name").fill(ada.name);
    await ada.press("Continue");
    await ada.isTold("Your Demo ID is linked.");
    await ada.press("Sign out");
    await ada.isTold("You are signed out.");
  });

  it.each([
    ["a desk", { viewport: { width: 1280, height: 800 } }],
    ["a phone in the dark", { viewport: { width: 320, height: 640 }, colorScheme: "dark" as const }],
  ])("puts no barrier on any page, at %s", async (_, options) => {
    const ada = await demo.arrive(options);
    const { page } = ada;
    const barriers: Record<string, string[]> = {};
    const look = async () => {
      barriers[await page.title()] = await barriersOn(page);
    };

    await page.goto("/sign-in?error=rate_limited");
    await look();
    await page.getByRole("link", { name: "Continue with Demo ID" }).click();
    await look();
    await ada.askForCode();
    await look();
    await ada.signInWithDemoId();
    await page.getByLabel("Name of a new key").fill("n".repeat(100));
    await ada.press("Create key");
    await look();
    await page.goto("/?done=linked");
    await look();
    await page.goto("/confirm");
    await look();
    expect(ada.complaints).toEqual([]);
    await page.goto("/nothing-here");
    await look();
    await page.context().clearCookies();
    await page.goto("/auth/callback/demo-id?state=unknown&code=x");
    await look();

    expect(Object.keys(barriers).length).toBe(8);
    expect(barriers).toEqual(Object.fromEntries(Object.keys(barriers).map((title) => [title, []])));
  });
});

describe("the demo, when something goes wrong", () => {
  it("says in words that a form was refused", async () => {
    const ada = await demo.arrive();
    await ada.askForCode();
    await ada.page.goto("/sign-in");
    await ada.page.getByLabel("Email address").fill(ada.email);
    await ada.press("Send me a code");
    await ada.isTold("Wait a minute");
    await ada.page.getByLabel("Email address").fill("ada@localhost");
    await ada.press("Send me a code");
    await ada.isTold("That is not an email address");
  });

  it("has a word for every error, also for one that it never heard of", async () => {
    const page = async (query: string) => (await fetch(`${demo.url}/sign-in?${query}`)).text();
    expect(await page("error=constructor&done=__proto__")).toContain("That did not work. Please try again.");
    expect(await page("error=<script>&error=2&done[a]=b")).not.toContain("<script>");
  });

  it("comes back from a sign-in that was cancelled, with a page that its policy lets be styled", async () => {
    const ada = await demo.arrive();
    await ada.page.goto("/auth/login/demo-id");
    await ada.press("Cancel");
    await ada.page.getByRole("heading", { name: "Sign-in did not finish" }).waitFor();
    expect(await ada.page.evaluate("getComputedStyle(document.body).maxWidth")).not.toBe("none");
    expect(ada.complaints.filter((complaint) => complaint.includes("Security Policy"))).toEqual([]);
  });

  it("names what is wrong with a name at the provider, and with a sign-in that is over", async () => {
    const ada = await demo.arrive();
    await ada.page.goto("/auth/login/demo-id");
    const form = ada.page.url();
    await ada.page.getByLabel("Name").fill('"><script>');
    await ada.press("Continue");
    await ada.isTold("letters, digits");
    expect(await ada.page.getByLabel("Name").inputValue()).toBe('"><script>');

    await ada.page.goto(form.replace(/[^/]+$/, "unknown"));
    await ada.page.getByRole("heading", { name: "Start again" }).waitFor();
  });

  it("does nothing for a form of another site", async () => {
    const ada = await demo.arrive();
    await ada.signInWithDemoId();
    const body = `<form method="post" action="${demo.url}/keys"><input name="name" value="stolen"><button>Win</button></form>`;
    await ada.page.route("http://evil.example/", (route) => route.fulfill({ contentType: "text/html", body }));
    await ada.page.goto("http://evil.example/");
    await ada.press("Win");
    await ada.page.waitForURL(`${demo.url}/**`);
    await ada.page.goto("/");
    expect(await ada.region("API keys").getByRole("listitem").count()).toBe(0);
  });

  it("sends a browser that came by the number of this machine to its name", async () => {
    const ada = await demo.arrive();
    await ada.page.goto(`${demo.url.replace("localhost", "127.0.0.1")}/sign-in?done=signed_out`);
    expect(ada.page.url()).toBe(`${demo.url}/sign-in?done=signed_out`);
  });
});
