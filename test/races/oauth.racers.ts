import { Redis } from "ioredis";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { oidc } from "../../strategies/oidc.ts";
import { startApp } from "../support/app.ts";
import { createBrowser } from "../support/browser.ts";
import { APP, CLIENT, locationOf, PAGE } from "../support/provider-app.ts";
import type { PrepareRacer } from "../support/race.ts";
import type { SharedRedis } from "./kit.ts";

/** A navigation that carries these cookies. */
export interface Delivery {
  readonly path: string;
  readonly cookie: string;
}

/** What came of it. */
export interface Answer {
  readonly status: number;
  readonly location: string;
  /** Whether it set a session cookie. */
  readonly signedIn: boolean;
}

/** What each process delivers to its application, in the order of the processes, and where the clocks stand. */
export interface Deliveries {
  readonly each: readonly (readonly Delivery[])[];
  readonly at: number;
}

/** An application in each process: same secret, same Redis, same provider. */
const deliver: PrepareRacer<SharedRedis & { issuer: string }, Deliveries, Answer[]> = async ({ url, prefix, issuer }, index) => {
  const client = new Redis(url, { ...clientOptions, socketTimeout: 20_000, lazyConnect: true });
  await client.connect();
  const clock = createTestClock();
  const store = redisStore({ client, prefix, clock, timeout: 20_000 });
  const app = await startApp({ baseUrl: APP, store, clock, strategies: [oidc({ issuer, ...CLIENT })] });

  const send = async ({ path, cookie }: Delivery): Promise<Answer> => {
    const response = await createBrowser().go(`${app.url}${path}`, { headers: { ...PAGE, cookie } });
    const signedIn = response.headers.getSetCookie().some((text) => /^__Host-sid=[^;]/.test(text));
    return { status: response.status, location: locationOf(response), signedIn };
  };

  return {
    run: ({ each, at }) => {
      clock.set(at);
      return Promise.all((each[index] ?? []).map(send));
    },
    async end() {
      await app.close();
      client.disconnect();
    },
  };
};
export default deliver;
