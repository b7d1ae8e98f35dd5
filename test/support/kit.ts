import { createBackground } from "../../lib/core/background.ts";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import { createPrincipals } from "../../lib/core/principals.ts";
import { resolveSessionLife } from "../../lib/core/session-life.ts";
import { createSessionTokens } from "../../lib/core/session-token.ts";
import { createSessions, type SessionsConfig } from "../../lib/core/sessions.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock, type TestClock } from "../../lib/testing/clock.ts";
import { openTestStore } from "./test-store.ts";

/** A secret that is only for tests. */
export const TEST_SECRET = "test secret that is long enough to be one";

/** The core services over a store of their own, with a clock that tests move. */
export function createTestKit({
  clock = createTestClock(),
  store = openTestStore({ clock }),
  secrets = [TEST_SECRET],
  ...config
}: Partial<SessionsConfig> & { clock?: TestClock; store?: RecordStore; secrets?: string[] } = {}) {
  const keys = createKeyRing(secrets);
  const events = createEvents(clock);
  const heard: AuthEvent[] = [];
  events.on("*", (event) => heard.push(event));
  const failures: unknown[] = [];
  const background = createBackground((error) => failures.push(error));
  const principals = createPrincipals(store, events);
  const tokens = createSessionTokens(keys);
  const sessions = createSessions({
    store,
    tokens,
    principals,
    clock,
    events,
    background,
    config: { life: resolveSessionLife(undefined, {}), policy: "multi", max: 100, membership: null, onGuestMerge: null, ...config },
  });
  return { clock, store, keys, events, heard, failures, background, principals, tokens, sessions };
}

/** A store that counts its operations, by name. */
export function counting(store: RecordStore): { store: RecordStore; calls: Record<string, number> } {
  const calls: Record<string, number> = {};
  const counted = new Proxy(store, {
    get(target, name: keyof RecordStore) {
      const value = target[name];
      if (typeof value !== "function") return value;
      return (...args: never[]) => {
        calls[name] = (calls[name] ?? 0) + 1;
        return (value as (...args: never[]) => unknown).apply(target, args);
      };
    },
  });
  return { store: counted, calls };
}
