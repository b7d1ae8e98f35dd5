import { createOneTimeTokens } from "../../lib/core/one-time-tokens.ts";
import type { PasswordHasher } from "../../lib/core/password-hashing.ts";
import { resolvePasswordsOptions } from "../../lib/core/password-options.ts";
import { createPasswordPolicy } from "../../lib/core/password-policy.ts";
import { createPasswords } from "../../lib/core/passwords.ts";
import { after, atOnce, outcomeOf, racing, type RaceKit } from "./kit.ts";
import { refreshing } from "./refresh.racers.ts";

/** Passwords over a kit. Hashing costs no more than a turn, so that the store decides who comes first. */
export function passwordsOf(kit: RaceKit) {
  const tokens: string[] = [];
  let compared = 0;
  const hasher: PasswordHasher = {
    recognises: (stored) => stored.startsWith("plain:"),
    hash: async (form) => `plain:${form}`,
    async verify(password, stored) {
      compared += 1;
      await new Promise((resolve) => setImmediate(resolve));
      return { matches: stored === `plain:${password}`, outdated: false };
    },
  };
  const config = resolvePasswordsOptions({}, { requireConfirmedEmail: false });
  const oneTimeTokens = createOneTimeTokens(kit);
  const passwords = createPasswords({
    ...kit,
    oneTimeTokens,
    hasher,
    policy: createPasswordPolicy(config),
    config,
    basePath: "/auth",
    send: ({ path }) => {
      if (path !== null) tokens.push(path.split("token=")[1] ?? "");
    },
  });
  return { passwords, tokens, compared: () => compared };
}

interface SignIn {
  readonly email: string;
  readonly password: string;
}

export const moves = {
  /** Signs up ten times. */
  signUp: (kit: RaceKit, account: SignIn) => {
    const { passwords } = passwordsOf(kit);
    return atOnce(10, () => passwords.signUp(account));
  },

  /** Spends a token five times, with different passwords. */
  reset: (kit: RaceKit, { token }: { token: string }, index: number) => {
    const { passwords } = passwordsOf(kit);
    return atOnce(5, (n) => passwords.reset({ token, password: `password number ${index} of ${n}` }));
  },

  /** One racer signs in again and again with the old password and makes sessions, the other resets it meanwhile. */
  signInAndReset: async (kit: RaceKit, { email, password, token, steps }: SignIn & { token: string; steps: number }, index: number) => {
    const { passwords } = passwordsOf(kit);
    if (index === 1) {
      await after(kit, steps);
      const done = await outcomeOf(() => passwords.reset({ token, password: "another password altogether" }));
      return [done.code ?? "reset"];
    }
    const outcomes = await atOnce(12, async (n) => {
      await after(kit, 2 * n); // also while the reset is under way
      const { userId, epoch } = await passwords.signIn({ email, password });
      return (await kit.sessions.create({ userId, epoch, methods: ["password"] })).token;
    });
    return outcomes.flatMap(({ value }) => (value === null ? [] : [value]));
  },

  /** One racer refreshes ten times, in a session of before, the other resets the password meanwhile. */
  refreshAndReset: async (
    kit: RaceKit,
    { refreshToken, token, steps }: { refreshToken: string; token: string; steps: number },
    index: number,
  ) => {
    if (index === 0) {
      const { refreshTokens } = refreshing(kit);
      return atOnce(10, async (n) => {
        await after(kit, n % 4);
        return (await refreshTokens.rotate(refreshToken)).refreshToken;
      });
    }
    await after(kit, steps);
    const { passwords } = passwordsOf(kit);
    const reset = async () => (await passwords.reset({ token, password: "another password altogether" })) && "reset";
    return [await outcomeOf(reset)];
  },

  /** Fifty attempts, of which one racer's first is right. */
  guess: async (kit: RaceKit, { email, password, at }: SignIn & { at: number }, index: number) => {
    const { passwords, compared } = passwordsOf(kit);
    // A hundred wrong ones and the right one, of two processes.
    const outcomes = await atOnce(index === 0 ? 51 : 50, (n) =>
      passwords.signIn({ email, password: index * 51 + n === at ? password : `wrong password ${n}` }),
    );
    return { compared: compared(), outcomes };
  },
};

export default racing(moves);
