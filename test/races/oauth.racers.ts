import { createTestClock } from "../../lib/testing/clock.ts";
import { oidc } from "../../strategies/oidc.ts";
import { startApp } from "../support/app.ts";
import { createBrowser } from "../support/browser.ts";
import { APP, CLIENT, locationOf, PAGE } from "../support/provider-app.ts";
import type { PrepareRacer } from "../support/race.ts";
import { openShared, type SharedStore } from "../support/stores/shared.ts";

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

/** An application in each process: same secret, same store, same provider. */
const deliver: PrepareRacer<SharedStore & { issuer: string }, Deliveries, Answer[]> = async ({ issuer, ...shared }, index) => {
  const clock = createTestClock();
  const { store, close } = await openShared(shared, clock);
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
      await close();
    },
  };
};
export default deliver;
