import { describe, expect, it } from "vitest";
import { readFile } from "node:fs/promises";
import { userCollection } from "../../lib/core/user-directory.ts";
import { authCases } from "../../lib/testing/auth-conformance.ts";
import { authConformance, DIFFERENCES, type AuthServer, type AuthServerOptions } from "../../lib/testing/index.ts";
import { startApp } from "../support/app.ts";

const FROM = { ip: "203.0.113.7", userAgent: null };

/** latchkey, set up as the suite asks. */
async function openApp({ confirmation, policy, grace, onReuse, tokensInBrowsers, audience }: AuthServerOptions): Promise<AuthServer> {
  const { auth, url, mailbox, clock, close } = await startApp({
    session: { transport: "cookie", policy },
    cookie: { accessName: "access_token", refreshName: "refresh_token" },
    tokens: { audience, grace, onReuse },
    passwords: { requireConfirmedEmail: confirmation, unsafeMinLength: 8 },
    allowTokensInBrowsers: tokensInBrowsers,
  });
  const userOf = async (email: string) => {
    const user = await auth.users.findByEmail(email);
    if (!user) throw new Error(`nobody has ${email}`);
    return user;
  };
  return {
    url,
    mailbox,
    close,
    advance: (seconds) => clock.advance(seconds),
    ttl: { access: 900, refresh: 14 * 86_400, session: 30 * 86_400 },
    cookies: { access: "access_token", refresh: "refresh_token" },
    inside: {
      users: async () => (await auth.store.scan(userCollection)).records.length,
      sessions: async (email) => (await auth.sessions.list((await userOf(email)).id)).length,
      async signInAround(credentials, meanwhile) {
        const { userId, epoch } = await auth.passwords.signIn({ ...credentials, source: FROM });
        await meanwhile();
        return await auth.sessions.create({ userId, epoch, transport: "cookie" }).then(
          () => true,
          () => false,
        );
      },
      refresh: (token) =>
        (auth.refreshTokens?.rotate(token) ?? Promise.reject(new Error("there are no refresh tokens"))).then(
          () => true,
          () => false,
        ),
      unconfirm: async (email) => void (await auth.users.update((await userOf(email)).id, { emailVerified: false })),
    },
  };
}

authConformance("latchkey", openApp, { describe, it });

describe("the suite of authentication over HTTP", () => {
  const declared = (options?: { without: ("clock" | "inside")[] }) => {
    const tests: [string, () => Promise<void>][] = [];
    const runner = {
      describe: (_name: string, body: () => void) => body(),
      it: (title: string, body: () => Promise<void>) => tests.push([title, body]),
    };
    return { tests, declare: (open: (options: AuthServerOptions) => Promise<AuthServer>) => authConformance("any", open, runner, options) };
  };

  it("shows every behaviour that docs/conformance.md lists, or says why not; and shows no other", async () => {
    const page = await readFile(new URL("../../docs/conformance.md", import.meta.url), "utf8");
    const listed = [...page.matchAll(/^\| ([\w-]+ \d+) +\|/gm)].map(([, id = ""]) => id);
    const shown = Object.values(authCases).flatMap((cases) => cases.flatMap(({ shows }) => shows));
    const covered = new Set([...shown, ...DIFFERENCES.map(({ behaviour }) => behaviour)]);
    expect(listed).toHaveLength(41 + 8 + 7 + 7 + 6);
    expect([...covered].sort()).toEqual(listed.toSorted());
    for (const { what, why } of DIFFERENCES) {
      expect(page).toContain(what);
      expect(page).toContain(why);
    }
  });

  it("leaves out what a server cannot show, and says of it which that is", async () => {
    const all = declared();
    const some = declared({ without: ["clock", "inside"] });
    const open = async (options: AuthServerOptions) => {
      const { advance: _, inside: __, ...outside } = await openApp(options);
      return outside;
    };
    all.declare(open);
    some.declare(open);
    expect(some.tests.length).toBeLessThan(all.tests.length);
    const left = all.tests.filter(([title]) => !some.tests.some(([other]) => other === title));
    for (const [, body] of left.slice(0, 3)) await expect(body()).rejects.toThrow(/say \{ without: \["(?:clock|inside)"\] \}/);
  });

  it("notices a server that lets a refresh token count twice", async () => {
    const { tests, declare } = declared();
    declare((options) => openApp({ ...options, grace: 10 }));
    const twice = tests.find(([title]) => title.startsWith("a refresh token counts once"));
    await expect(twice?.[1]()).rejects.toThrow(/expected 401/);
  });
});
