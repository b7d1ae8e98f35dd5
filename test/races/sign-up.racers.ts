import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";
import type { PrepareRacer } from "../support/race.ts";
import { openShared, type SharedStore } from "../support/stores/shared.ts";

/** Who signs up, and how often at once in each process. */
export interface SignUps {
  readonly email: string;
  readonly password: string;
  readonly times: number;
  /** Where the clocks stand, Unix ms. */
  readonly at: number;
}

/** How one was answered. */
export interface Answered {
  readonly status: number;
  /** Of the problem; `null` for none. */
  readonly code: string | null;
  /** The session cookie that was set; `null` for none. */
  readonly cookie: string | null;
}

/** An application in each process: same secret, same store. Who signs up is in at once. */
const signUp: PrepareRacer<SharedStore, SignUps, Answered[]> = async (shared) => {
  const clock = createTestClock();
  const { store, close } = await openShared(shared, clock);
  const app = await startApp({ store, clock, passwords: { requireConfirmedEmail: false } });

  const send = async (email: string, password: string): Promise<Answered> => {
    const response = await fetch(`${app.url}/auth/sign-up`, {
      method: "POST",
      headers: { "content-type": "application/json", "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" },
      body: JSON.stringify({ email, password }),
    });
    const { code = null } = (await response.json()) as { code?: string };
    const cookie = response.headers.getSetCookie().find((text) => /^sid=[^;]/.test(text));
    return { status: response.status, code, cookie: cookie?.split(";")[0] ?? null };
  };

  return {
    run: ({ email, password, times, at }) => {
      clock.set(at);
      return Promise.all(Array.from({ length: times }, () => send(email, password)));
    },
    async end() {
      await app.close();
      await close();
    },
  };
};
export default signUp;
