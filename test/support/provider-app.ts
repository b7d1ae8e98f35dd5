import type { AddressInfo } from "node:net";
import type { AuthEvent } from "../../lib/core/events.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock, type TestClock } from "../../lib/testing/clock.ts";
import { startApp } from "./app.ts";
import { loginAt, startOidcProvider, type OidcProvider } from "./oidc-provider.ts";
import { createBrowser, type Browser, type Visit } from "./browser.ts";
import { openTestStore } from "./test-store.ts";

/** Where the application says it is; people who go there come to the server that was started for the test. */
export const APP = "https://app.example.com";

/** A navigation of a browser, as its headers tell it. */
export const PAGE = { accept: "text/html", "sec-fetch-mode": "navigate", "sec-fetch-site": "none" };

/** Somebody with a browser of their own. */
export interface Person {
  readonly browser: Browser;
  /** Goes to a page of the application, or of anybody else. Redirects are not followed. */
  go(url: string, init?: Visit): Promise<Response>;
  /** Sends JSON to the application, as a script of its own pages does. */
  send(method: string, path: string, body?: unknown): Promise<Response>;
  /** The value of a cookie that the application set; `undefined` when there is none. */
  cookie(name: string): string | undefined;
}

/**
 * An application at {@link APP}, on a real server, with a clock that starts at the present because providers have one of their own.
 */
export async function startProviderApp(
  options: Parameters<typeof startApp>[0] & { makeStore?: (clock: TestClock) => RecordStore | Promise<RecordStore> } = {},
) {
  const { makeStore = (clock) => openTestStore({ clock }), ...rest } = options;
  const clock = createTestClock(Date.now());
  const store = await makeStore(clock);
  const app = await startApp({ baseUrl: APP, clock, store, ...rest });
  const local = `http://localhost:${(app.server.address() as AddressInfo).port}`;
  const events: AuthEvent[] = [];
  app.auth.events.on("*", (event) => void events.push(event));

  const person = (): Person => {
    const browser = createBrowser();
    const cookies = new Map<string, string>();
    const go = async (url: string, init: Visit = {}) => {
      const absolute = new URL(url, APP).href;
      if (!absolute.startsWith(`${APP}/`)) return browser.go(absolute, init);
      const response = await browser.go(absolute.replace(APP, local), { ...init, headers: { ...PAGE, ...init.headers } });
      for (const cookie of response.headers.getSetCookie()) {
        const [name = "", value = ""] = (cookie.split(";")[0] ?? "").split("=");
        cookies.set(name, value);
      }
      return response;
    };
    const headers = {
      accept: "application/json",
      "content-type": "application/json",
      "sec-fetch-mode": "cors",
      "sec-fetch-site": "same-origin",
    };
    return {
      browser,
      go,
      send: (method, path, body) => go(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }),
      cookie: (name) => cookies.get(name) || undefined,
    };
  };

  return { ...app, clock, store, events, person };
}

/** The client that the tests' applications are registered as, with every provider. */
export const CLIENT = { clientId: "app", clientSecret: "a client secret of the tests alone" };

/** A provider that knows {@link APP} by any strategy's name. A login `x+anything` has the address of `x`; one with `+unverified` unproven. */
export function startKnownProvider(strategies: readonly string[] = ["oidc", "company", "form"]): Promise<OidcProvider> {
  const redirect_uris = strategies.map((name) => `${APP}/auth/callback/${name}`);
  return startOidcProvider({
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        redirect_uris,
        backchannel_logout_uri: `${APP}/auth/logout/oidc`,
        backchannel_logout_session_required: true,
      },
    ],
    claims: (login) => ({ email: `${login.split("+")[0]}@example.com`, email_verified: !login.endsWith("+unverified"), name: login }),
  });
}

/** Signs in from `path` to the callback's answer, as `login`, whom the provider does not know from before. */
export async function signInAt(provider: OidcProvider, person: Person, login: string, path = "/auth/login/oidc"): Promise<Response> {
  return person.go(await loginAt(provider, locationOf(await person.go(path)), login));
}

/** Who is signed in, by the application's own word. */
export async function userOf(person: Person): Promise<{ id: string; email: string | null; name: string | null } | null> {
  const me = await person.send("GET", "/auth/me");
  return me.status === 200 ? ((await me.json()) as { id: string; email: string | null; name: string | null }) : null;
}

export type ProviderApp = Awaited<ReturnType<typeof startProviderApp>>;

/** Where an answer sends the browser; empty when nowhere. */
export function locationOf(response: Response): string {
  return response.headers.get("location") ?? "";
}

/** An answer in short: its status, and the code of its problem document or where it leads. */
export async function briefly(response: Response): Promise<[number, string]> {
  if (locationOf(response) !== "") return [response.status, locationOf(response)];
  const text = await response.text();
  const code = /"code":"(\w+)"/.exec(text)?.[1];
  return [response.status, code ?? /<title>([^<]*)</.exec(text)?.[1] ?? text];
}
