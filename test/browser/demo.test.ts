import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { redisUrl } from "../support/services.ts";
import { openDemo } from "./visitors.ts";

vi.setConfig({ testTimeout: 60_000 });

const IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1";

describe.each(["memory", "Redis"])("the demo, with its records in %s", (where) => {
  let demo: Awaited<ReturnType<typeof openDemo>>;

  beforeAll(async () => {
    demo = await openDemo(where === "Redis" ? { redisUrl: await redisUrl() } : {});
  });
  afterEach(() => demo.empty());
  afterAll(() => demo?.close());

  it("signs in through the OpenID provider, and out", async () => {
    const ada = await demo.arrive();
    await ada.signInWithDemoId();
    expect(await ada.region("You").innerText()).toContain(`${ada.name}@demo-id.example`);
    expect(await ada.region("Linked accounts").innerText()).toContain(`as ${ada.name}`);

    await ada.page.getByRole("banner").getByRole("button", { name: "Sign out" }).click();
    await ada.isTold("You are signed out.");
    await ada.page.goto("/");
    expect(new URL(ada.page.url()).pathname).toBe("/sign-in");
    expect(ada.complaints).toEqual([]);
  });

  it("signs in by the code that the terminal shows, once the code is right", async () => {
    const ada = await demo.arrive();
    const code = await ada.askForCode();
    await ada.page.getByLabel("Code").fill(code === "1234 5678" ? "8765 4321" : "1234 5678");
    await ada.press("Sign in");
    await ada.isTold("That is not the code");

    await ada.page.getByLabel("Code").fill(code);
    await ada.press("Sign in");
    await ada.page.waitForURL(`${demo.url}/`);
    expect(await ada.region("You").innerText()).toContain("by mailed code");
    expect(ada.complaints).toEqual([]);
  });

  it("ends a session elsewhere, and then all but this one", async () => {
    const ada = await demo.arrive();
    const phone = await demo.arrive({ userAgent: IPHONE });
    const tablet = await demo.arrive();
    for (const device of [ada, phone, tablet]) await device.signInWithDemoId(ada.name);

    await ada.page.reload();
    const sessions = ada.region("Where you are signed in");
    expect(await sessions.getByRole("listitem").count()).toBe(3);
    expect(await sessions.getByRole("listitem").filter({ hasText: "this device" }).count()).toBe(1);
    await sessions.getByRole("button", { name: "Sign out Safari on iOS" }).click();
    await ada.isTold("That session has ended.");
    await phone.page.reload();
    expect(new URL(phone.page.url()).pathname).toBe("/sign-in");
    await phone.isTold("Your session has ended. Sign in again.");
    await tablet.page.reload();
    expect(tablet.page.url()).toBe(`${demo.url}/`);

    await ada.press("Sign out everywhere else");
    await ada.isTold("You are signed out everywhere else.");
    expect(await sessions.getByRole("listitem").count()).toBe(1);
    await tablet.page.reload();
    expect(new URL(tablet.page.url()).pathname).toBe("/sign-in");
    expect([...ada.complaints, ...phone.complaints, ...tablet.complaints]).toEqual([]);
  });

  it("makes an API key that opens the guarded endpoint until it is revoked", async () => {
    const ada = await demo.arrive({ permissions: ["clipboard-read", "clipboard-write"] });
    await ada.signInWithDemoId();
    await ada.page.getByLabel("Name of a new key").fill('<b>nightly "report"</b>');
    await ada.press("Create key");
    const key = await ada.region("The key").getByRole("code").innerText();
    const curl = `curl -H "Authorization: Bearer ${key}" ${demo.url}/api/hello`;
    expect(await ada.region("Try it").getByRole("code").innerText()).toBe(curl);
    await ada.region("The key").getByRole("button", { name: "Copy" }).click();
    await expect.poll(() => ada.page.evaluate("navigator.clipboard.readText()")).toBe(key);

    const hello = () => fetch(`${demo.url}/api/hello`, { headers: { authorization: `Bearer ${key}` } });
    const opened = await hello();
    expect([opened.status, await opened.json()]).toEqual([
      200,
      { message: expect.stringMatching(/^Hello, Ada /), userId: expect.any(String) },
    ]);
    expect((await fetch(`${demo.url}/api/hello`)).status).toBe(401);

    await ada.page.getByRole("link", { name: "Done" }).click();
    const keys = ada.region("API keys");
    expect(await keys.getByRole("listitem").innerText()).toContain('<b>nightly "report"</b>');
    expect(await ada.page.content()).not.toContain(key);
    await keys.getByRole("button", { name: /^Revoke/ }).click();
    await ada.isTold("That key no longer opens anything.");
    expect((await hello()).status).toBe(401);
    expect(ada.complaints).toEqual([]);
  });

  it("links the provider to an account that came by code, confirms with it, and unlinks it", async () => {
    const ada = await demo.arrive();
    await ada.signInByCode();
    await ada.press("Link your Demo ID");
    await ada.page.getByLabel("Name").fill(ada.name);
    await ada.press("Continue");
    await ada.isTold("Your Demo ID is linked.");

    await ada.page.goto("/confirm");
    await ada.press("Confirm with Demo ID");
    await ada.page.getByLabel("Name").fill(ada.name);
    await ada.press("Continue");
    await ada.isTold("Thank you");
    expect(await ada.region("You").innerText()).toContain("by mailed code and Demo ID");

    await ada.press(/^Unlink/);
    await ada.isTold("Your Demo ID is unlinked.");
    expect(await ada.region("Linked accounts").innerText()).toContain("None yet");
    expect(ada.complaints).toEqual([]);
  });
});
