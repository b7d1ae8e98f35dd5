import { createAccounts } from "../../lib/core/accounts.ts";
import { createApiKeys } from "../../lib/core/api-keys.ts";
import { createMagicCodes, type MagicCodeMail } from "../../lib/core/magic-codes.ts";
import { createManagedUsers } from "../../lib/core/managed-users.ts";
import { createOneTimeTokens } from "../../lib/core/one-time-tokens.ts";
import { createRateLimits } from "../../lib/core/rate-limits.ts";
import { resolveSessionLife } from "../../lib/core/session-life.ts";
import { createSessions, type SessionsConfig } from "../../lib/core/sessions.ts";
import { createSignIn } from "../../lib/core/sign-in.ts";
import { directoryUserStore } from "../../lib/core/user-directory.ts";
import { createUsers } from "../../lib/core/users.ts";
import { AuthError } from "../../lib/errors.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock, type TestClock } from "../../lib/testing/clock.ts";
import { createTestKit } from "../support/kit.ts";
import type { PrepareRacer } from "../support/race.ts";
import { openShared, type SharedStore } from "../support/stores/shared.ts";

/** The services that race, over one store; each racer has its own, as a process of an application would. */
export type RaceKit = ReturnType<typeof createRaceKit>;

/** What one racer does in one round. Arguments and result are copied between processes. */
export type Move = (kit: RaceKit, args: never, index: number) => Promise<unknown>;
export type Moves = Readonly<Record<string, Move>>;

/** What a racer is told at the start of a round. */
export interface Turn {
  readonly move: string;
  readonly args: unknown;
  /** Where all clocks stand, Unix ms. */
  readonly at: number;
}

export function createRaceKit(store: RecordStore, clock: TestClock) {
  const kit = createTestKit({ store, clock });
  const { keys, events, background, principals, tokens, sessions } = kit;
  const mails: MagicCodeMail[] = [];
  const rateLimits = createRateLimits({ store, clock, events, keys });
  const users = createUsers({ store: directoryUserStore(store, events), clock });
  const accounts = createAccounts({ store, keys, clock, events });
  const apiKeys = createApiKeys({ store, clock, principals, events, background, options: { max: 5 } });
  const purge = async (userId: string) => {
    await sessions.revokeAll(userId);
    await apiKeys.revokeAll(userId);
  };
  return {
    ...kit,
    mails,
    rateLimits,
    users,
    accounts,
    apiKeys,
    /** Ends all sessions and keys of a user. */
    purge,
    magicCodes: createMagicCodes({
      ...{ store, keys, clock, events, rateLimits, principals, oneTimeTokens: createOneTimeTokens({ store, keys, clock, events }) },
      basePath: "/auth",
      send: (mail) => void mails.push(mail),
    }),
    signIn: createSignIn({ users, accounts, principals, events, purge }),
    managedUsers: createManagedUsers({ users, principals, sessions, apiKeys, accounts, events }),
    /** The same sessions by other rules. */
    sessionsUnder: (config: Partial<SessionsConfig>) =>
      createSessions({
        ...{ store, tokens, principals, clock, events, background },
        config: { life: resolveSessionLife(undefined, {}), policy: "multi", max: 100, membership: null, onGuestMerge: null, ...config },
      }),
  };
}

/** The services over a backend that other processes have, too. */
export async function openRaceKit(shared: SharedStore) {
  const clock = createTestClock();
  const opened = await openShared(shared, clock);
  const kit = createRaceKit(opened.store, clock);
  return {
    kit,
    async close() {
      await kit.background.drain(5000);
      await opened.close();
    },
  };
}

/** Makes a racer of its moves, for a process of its own: the default export of a `*.racers.ts`. */
export function racing(moves: Moves): PrepareRacer<SharedStore, Turn, unknown> {
  return async (shared, index) => {
    const { kit, close } = await openRaceKit(shared);
    return { run: (turn) => make(moves, kit, turn, index), end: close };
  };
}

/** Makes the move whose turn it is. */
export function make(moves: Moves, kit: RaceKit, { move, args, at }: Turn, index: number): Promise<unknown> {
  kit.clock.set(at);
  const chosen = moves[move];
  if (!chosen) throw new Error(`there is no move "${move}"`);
  return chosen(kit, args as never, index);
}

/** How one call ended: with a value, or refused with a code. */
export type Outcome<T> = { readonly value: T; readonly code: null } | { readonly value: null; readonly code: string };

/** Makes `count` calls at once. A refusal is an outcome; an outage or any other error fails the race. */
export function atOnce<T>(count: number, call: (n: number) => Promise<T>): Promise<Outcome<T>[]> {
  return Promise.all(Array.from({ length: count }, (_, n) => outcomeOf(() => call(n))));
}

export async function outcomeOf<T>(call: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await call(), code: null };
  } catch (error) {
    if (!(error instanceof AuthError) || error.status >= 500) throw error;
    return { value: null, code: error.code };
  }
}

/** Waits about as long as `steps` answers of the store take, so that rounds meet at different places. */
export async function after(kit: RaceKit, steps: number): Promise<void> {
  for (let step = 0; step < steps; step += 1) await kit.principals.standing("nobody");
}

/** Microseconds on a clock that all processes of a machine share. */
export function monotonic(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
