import assert from "node:assert/strict";
import { accessTokenCases } from "./auth/access-token-cases.ts";
import { apiKeyCases } from "./auth/api-key-cases.ts";
import {
  assertStatus,
  PASSWORD,
  type AuthCase,
  type AuthServer,
  type AuthServerOptions,
  type Capability,
  type Given,
} from "./auth/case.ts";
import { magicLinkCases } from "./auth/magic-link-cases.ts";
import { mailCases } from "./auth/mail-cases.ts";
import { refreshCases } from "./auth/refresh-cases.ts";
import { sessionCases } from "./auth/session-cases.ts";
import { signInCases } from "./auth/sign-in-cases.ts";
import { signOutCases } from "./auth/sign-out-cases.ts";
import { signUpCases } from "./auth/sign-up-cases.ts";
import { createVisitor } from "./auth/visitor.ts";
import type { ConformanceRunner } from "./record-store-conformance.ts";

export type { AuthServer, AuthServerInside, AuthServerOptions, Capability } from "./auth/case.ts";
export { DIFFERENCES, type Difference } from "./auth/differences.ts";

/** Options of {@link authConformance}. */
export interface AuthConformanceOptions {
  /** What `open` cannot give: cases that need it are left out. Default: nothing. */
  readonly without?: readonly Capability[] | undefined;
}

/** How a server is set up unless a case says otherwise. */
const USUAL: AuthServerOptions = {
  confirmation: false,
  policy: "single",
  grace: 0,
  onReuse: "refuse",
  tokensInBrowsers: false,
  audience: "https://api.example.com",
};

/** All cases, by what they are about. */
export const authCases: Readonly<Record<string, readonly AuthCase[]>> = {
  "signing up": signUpCases,
  "signing in": signInCases,
  "signing out": signOutCases,
  refreshing: refreshCases,
  "API keys": apiKeyCases,
  "links in mails": mailCases,
  "links that sign in": magicLinkCases,
  sessions: sessionCases,
  "access tokens": accessTokenCases,
};

/**
 * Declares the tests that a server with routes as ours passes, by HTTP alone: signing up, in and out, refreshing, API keys, links in mails,
 * sessions and access tokens. Each has a server of its own. docs/conformance.md lists the behaviours; {@link DIFFERENCES} says which of
 * them are otherwise, and why.
 *
 * @param name of what is under test, for the names of the tests.
 * @param open resolves to a server that listens, is empty and is set up as asked, with `cookie` as its default transport and passwords of 8
 *   characters and more. The suite closes it.
 * @param runner where the tests are declared. Their failures are `AssertionError`s of `node:assert`.
 * @example authConformance("my app", (options) => startMyApp(options), { describe, it }, { without: ["inside"] });
 */
export function authConformance(
  name: string,
  open: (options: AuthServerOptions) => Promise<AuthServer>,
  { describe, it }: ConformanceRunner,
  { without = [] }: AuthConformanceOptions = {},
): void {
  const test = ({ title, options = {}, needs = [], run }: AuthCase) => {
    if (needs.some((needed) => without.includes(needed))) return;
    it(title, async () => {
      const opened: AuthServer[] = [];
      const start = async (own: Partial<AuthServerOptions>): Promise<Given> => {
        const asked = { ...USUAL, ...own };
        const server = await open(asked);
        opened.push(server);
        return givenBy(server, asked, start);
      };
      try {
        await run(await start(options));
      } finally {
        for (const server of opened.reverse()) await server.close();
      }
    });
  };

  describe(`${name}: authentication over HTTP`, () => {
    for (const [section, cases] of Object.entries(authCases)) describe(section, () => cases.forEach(test));
  });
}

function givenBy(server: AuthServer, { confirmation }: AuthServerOptions, open: Given["open"]): Given {
  let people = 0;
  const visitor = () => createVisitor(server.url);
  const email = (person = "somebody") => `${person}${(people += 1)}@example.com`;
  const mailedToken = async (address: string) => {
    const token = new URL(await server.mailbox.waitForLink(address)).searchParams.get("token");
    assert.ok(token, "the link has a token");
    return token;
  };

  return {
    server,
    visitor,
    email,
    mailedToken,
    open,
    get inside() {
      assert.ok(server.inside, 'open() gives no `inside`: say { without: ["inside"] }');
      return server.inside;
    },
    async advance(seconds) {
      assert.ok(server.advance, 'open() gives no `advance`: say { without: ["clock"] }');
      await server.advance(seconds);
    },
    async person(of) {
      const address = email(of);
      const ada = visitor();
      const credentials = { email: address, password: PASSWORD };
      const signedUp = assertStatus(await ada.post("/sign-up", credentials), 200);
      if (!confirmation) return { ...credentials, visitor: ada, answer: signedUp };
      assertStatus(await ada.post("/email/confirm", { token: await mailedToken(address) }), 200);
      return { ...credentials, visitor: ada, answer: assertStatus(await ada.post("/sign-in", credentials), 200) };
    },
  };
}
