import { Redis } from "ioredis";
import pg from "pg";
import { postgresStore } from "../../lib/adapters/postgres/index.ts";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { systemClock } from "../../lib/clock.ts";
import { createAccounts } from "../../lib/core/accounts.ts";
import { createEvents } from "../../lib/core/events.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import type { Fetch } from "../../lib/fetch.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { oauth2 } from "../../strategies/oauth2.ts";
import { TEST_SECRET } from "../support/kit.ts";
import type { PrepareRacer } from "../support/race.ts";
import { atOnce, type Outcome } from "./kit.ts";

/** A database, and the part of it that one test file has. */
export interface SharedDatabase {
  readonly kind: "redis" | "postgres";
  readonly url: string;
  readonly prefix: string;
}

/** What racers are set up with: where accounts are kept, and where their provider is. */
export interface FreshTokenRacer {
  readonly database: SharedDatabase;
  readonly provider: string;
  /** Seconds that a claim lasts. */
  readonly claimTtl: number;
}

/** One round: so many calls at once, in a process that may be killed at its token request. */
export interface FreshTokenRound {
  readonly userId: string;
  readonly calls: number;
  /** SIGKILL before the request leaves, or once the provider has answered it. Default: never. */
  readonly killed?: "before" | "after";
}

/** Opens the store of a process. */
export async function openDatabase({ kind, url, prefix }: SharedDatabase): Promise<{ store: RecordStore; close: () => Promise<void> }> {
  if (kind === "postgres") {
    const pool = new pg.Pool({ connectionString: url, max: 4 });
    const store = postgresStore({ pool, prefix, timeout: 20_000 });
    await store.migrate();
    return { store, close: () => store.close().then(() => pool.end()) };
  }
  const client = new Redis(url, { ...clientOptions, socketTimeout: 20_000, lazyConnect: true });
  await client.connect();
  const store = redisStore({ client, prefix, timeout: 20_000 });
  return { store, close: () => store.close().then(() => client.disconnect()) };
}

/** The accounts of a process, with a provider that only has a token endpoint. */
export function accountsOver(store: RecordStore, { provider, claimTtl }: Omit<FreshTokenRacer, "database">, fetch?: Fetch) {
  const strategy = oauth2(
    {
      name: "company",
      authorizationEndpoint: `${provider}/authorize`,
      tokenEndpoint: `${provider}/token`,
      userinfoEndpoint: `${provider}/user`,
      scope: [],
      profile: () => ({ subject: "nobody" }),
    },
    { clientId: "app", clientSecret: "secret", fetch },
  );
  return createAccounts({
    ...{ store, keys: createKeyRing([TEST_SECRET]), clock: systemClock, events: createEvents(systemClock) },
    strategies: new Map([["company", strategy]]),
    refreshing: { claimTtl },
  });
}

/** Asks for a token; resolves to the tokens that were given. */
const ask: PrepareRacer<FreshTokenRacer, FreshTokenRound, Outcome<string>[]> = async ({ database, ...input }) => {
  const { store, close } = await openDatabase(database);
  let killed: FreshTokenRound["killed"];
  const die = () => process.kill(process.pid, "SIGKILL");
  const accounts = accountsOver(store, input, async (url, init) => {
    if (killed === "before") die();
    const response = await fetch(url, init);
    if (killed === "after") die();
    return response;
  });
  return {
    run(round) {
      killed = round.killed;
      return atOnce(round.calls, async () => (await accounts.freshToken(round.userId, "company")).accessToken);
    },
    end: close,
  };
};
export default ask;
