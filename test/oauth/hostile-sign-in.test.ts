import { afterEach, describe, expect, it, vi } from "vitest";
import { fakeProvider, faults, type FakeEndpoint, type FakeProvider, type Fault } from "../../lib/testing/provider/index.ts";
import { briefly, locationOf, startProviderApp, userOf, type Person, type ProviderApp } from "../support/provider-app.ts";
import { relyingParty } from "../conformance-rp/relying-party.ts";

const SECRET = "a client secret of the tests alone";
const closing: { close(): Promise<void> }[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  for (const each of closing.splice(0).reverse()) await each.close();
});

/** What five seconds are from here to the end of the test. */
function hurry(deadline: number): void {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => timeout((ms / 5000) * deadline));
}

/** An application with two providers, one of which is about to go wrong. */
async function start(): Promise<{ app: ProviderApp; hostile: FakeProvider; honest: FakeProvider; underWay: () => number }> {
  let underWay = 0;
  const counted = (url: string, init: RequestInit) => {
    underWay += 1;
    return fetch(url, init).finally(() => (underWay -= 1));
  };
  const hostile = await fakeProvider({ clientSecret: SECRET });
  const honest = await fakeProvider({ user: { sub: "grace", email: "grace@example.com", email_verified: true } });
  const strategies = [relyingParty(hostile, { name: "hostile", fetch: counted }), relyingParty(honest, { name: "honest" })];
  const app = await startProviderApp({ strategies, routes: (server) => server.get("/healthy", (_req, res) => void res.json("yes")) });
  closing.push(hostile, honest, app);
  return { app, hostile, honest, underWay: () => underWay };
}

/** Up to the callback, which `person` has not gone to. */
async function begun(person: Person, provider: FakeProvider, name: string): Promise<string> {
  return provider.authorize(locationOf(await person.go(`/auth/login/${name}`)));
}

async function signInHonestly({ app, honest }: Awaited<ReturnType<typeof start>>): Promise<string | null | undefined> {
  const grace = app.person();
  await grace.go(await begun(grace, honest, "honest"));
  return (await userOf(grace))?.email;
}

describe("a sign-in at a provider that went wrong", () => {
  it.each<[string, FakeEndpoint, Fault, string]>([
    ["hangs", "token", faults.hang(), "provider_unavailable"],
    ["is cut off", "token", faults.cut(), "provider_unavailable"],
    ["answers 500", "userinfo", faults.answer(500, SECRET), "provider_unavailable"],
    ["answers garbage", "keys", faults.garbage(), "invalid_provider_response"],
    ["repeats our secret", "token", faults.answer(400, { error: "invalid_client", error_description: SECRET }), "provider_error"],
    ["is without an end", "userinfo", faults.huge(64 * 1024 * 1024), "invalid_provider_response"],
    ["redirects", "token", faults.redirect("http://169.254.169.254/"), "invalid_provider_response"],
  ])("rule 43: by one that %s, shows a page, is spent, and leaves other ways in alone", async (_, endpoint, fault, code) => {
    const ground = await start();
    const { app, hostile } = ground;
    const ada = app.person();
    const callback = await begun(ada, hostile, "hostile");
    hostile.break(endpoint, fault);
    hurry(300);

    const before = performance.now();
    const [answer, other] = await Promise.all([ada.go(callback), signInHonestly(ground)]);

    expect(other).toBe("grace@example.com");
    expect(performance.now() - before).toBeLessThan(4000);
    const html = await answer.text();
    expect([answer.status, answer.headers.get("content-type")]).toEqual([502, "text/html; charset=utf-8"]);
    expect(html).toContain("Sign-in did not finish");
    expect(html).toContain('href="/auth/login/hostile"');
    expect(ada.cookie("__Host-sid")).toBeUndefined();
    const failed = app.events.filter(({ type }) => type === "sign_in.failed");
    expect(failed.map(({ details }) => details)).toEqual([{ method: "hostile", code }]);
    const told = JSON.stringify([html, [...answer.headers], app.events]);
    for (const secret of [SECRET, new URL(callback).searchParams.get("code") ?? ""]) expect(told).not.toContain(secret);

    hostile.mend();
    const again = await ada.go(callback, { headers: { accept: "application/json" } });
    expect(await briefly(again)).toEqual([401, "transaction_not_found"]);
    await ada.go(await begun(ada, hostile, "hostile"));
    expect((await userOf(ada))?.email).toBe("ada@example.com");
  });

  it.each<[string, Fault, string]>([
    ["hangs", faults.hang(), "provider_unavailable"],
    ["is down", faults.reset(), "provider_unavailable"],
    ["answers a page", faults.page(), "invalid_provider_response"],
  ])("rule 43: by one that %s, is not begun, and works when it is back", async (_, fault, code) => {
    const ground = await start();
    const { app, hostile } = ground;
    hostile.break("discovery", fault);
    hurry(300);
    const ada = app.person();

    const answer = await ada.go("/auth/login/hostile", { headers: { accept: "application/json" } });

    expect(await briefly(answer)).toEqual([502, code]);
    expect(ada.cookie("__Host-sid-oauth")).toBeUndefined();
    expect(await signInHonestly(ground)).toBe("grace@example.com");
    hostile.mend();
    await ada.go(await begun(ada, hostile, "hostile"));
    expect((await userOf(ada))?.email).toBe("ada@example.com");
  });

  it("rule 43: by one that is too busy, tells when to come back", async () => {
    const { app, hostile } = await start();
    const ada = app.person();
    const callback = await begun(ada, hostile, "hostile");
    hostile.break("token", faults.busy(30));

    const answer = await ada.go(callback);

    expect([answer.status, answer.headers.get("retry-after")]).toEqual([502, "30"]);
  });

  it("rule 25: leaves a link unmade, and the account as it was, when userinfo is about somebody else", async () => {
    const { app, hostile, honest } = await start();
    const grace = app.person();
    await grace.go(await begun(grace, honest, "honest"));
    const { id } = (await userOf(grace)) ?? { id: "" };
    const begin = await grace.send("POST", "/auth/accounts/hostile/link", {});
    const { url } = (await begin.json()) as { url: string };
    hostile.change({ userinfo: (claims) => ({ ...claims, sub: "admin" }) });

    expect((await grace.go(await hostile.authorize(url))).status).toBe(502);

    expect((await app.auth.accounts.listForUser(id)).map(({ providerId }) => providerId)).toEqual(["honest"]);
  });
});

describe("two hundred sign-ins at once", () => {
  const CROWD = 200;

  async function crowd(app: ProviderApp, hostile: FakeProvider): Promise<{ person: Person; callback: string }[]> {
    const people: { person: Person; callback: string }[] = [];
    for (let count = 0; count < CROWD; count += 1) {
      const person = app.person();
      people.push({ person, callback: await begun(person, hostile, "hostile") });
    }
    return people;
  }

  it("rule 43: at a provider that hangs, hold a hundred requests at most, end in time, and keep nobody else waiting", async () => {
    const ground = await start();
    const { app, hostile, underWay } = ground;
    const people = await crowd(app, hostile);
    hostile.break("token", faults.hang());
    hurry(2500);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, underWay())), 5);
    const before = performance.now();

    const answers = Promise.all(people.map(({ person, callback }) => person.go(callback).then(({ status }) => status)));
    await expect.poll(() => hostile.connections(), { timeout: 5000 }).toBeGreaterThan(90);
    const during = performance.now();
    const other = await signInHonestly(ground);
    const healthy = await app.person().go("/healthy");
    const waited = performance.now() - during;
    const statuses = await answers;
    clearInterval(watch);

    expect([other, healthy.status]).toEqual(["grace@example.com", 200]);
    expect(waited).toBeLessThan(2000);
    expect(new Set(statuses)).toEqual(new Set([502]));
    expect(performance.now() - before).toBeLessThan(9000);
    expect(most).toBe(100);
    await expect.poll(() => hostile.connections(), { timeout: 5000 }).toBeLessThan(5);
  });

  it("rule 43: at a provider that floods, hold no more than a megabyte each", async () => {
    const { app, hostile } = await start();
    const people = await crowd(app, hostile);
    hostile.break("token", faults.gzipBomb(64 * 1024 * 1024));
    const before = memory();
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, memory() - before)), 5);

    const statuses = await Promise.all(people.map(({ person, callback }) => person.go(callback).then(({ status }) => status)));
    clearInterval(watch);

    expect(new Set(statuses)).toEqual(new Set([502]));
    // All of it would be 12 GB; at most a hundred are read at a time.
    expect(most).toBeLessThan(400 * 1024 * 1024);
  });

  it("rule 43: that cannot begin, ask the provider once between them", async () => {
    const { app, hostile } = await start();
    hostile.break("discovery", faults.hang());
    hurry(1500);

    const statuses = await Promise.all(Array.from({ length: CROWD }, async () => (await app.person().go("/auth/login/hostile")).status));

    expect(new Set(statuses)).toEqual(new Set([502]));
    expect(hostile.requests.length).toBeLessThanOrEqual(5);
  });
});

/** Bytes held by what is read. */
function memory(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
