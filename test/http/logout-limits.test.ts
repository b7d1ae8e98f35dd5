import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AuthEvent } from "../../lib/core/events.ts";
import { ProviderError, RequestError } from "../../lib/errors.ts";
import { createTestClock, type TestClock } from "../../lib/testing/clock.ts";
import { github } from "../../strategies/github.ts";
import { startApp } from "../support/app.ts";
import { counting } from "../support/kit.ts";
import { openTestStore } from "../support/test-store.ts";

let app: Awaited<ReturnType<typeof startApp>>;
let clock: TestClock;
let calls: Record<string, number>;

/** A provider whose good logout tokens are all that end in `.good`, and whose keys cannot be had for those in `.later`. */
function provider() {
  const strategy = github({ clientId: "gh-client", clientSecret: "gh-secret" });
  return Object.assign(strategy, {
    readLogoutToken: async (token: string) => {
      if (token.endsWith(".later")) throw new ProviderError("provider_unavailable", "The keys cannot be had");
      if (!token.endsWith(".good")) throw new RequestError("The logout token does not hold", "invalid_logout_token");
      const { issuer } = strategy;
      return { issuer, subject: "ada", sessionId: null, tokenId: token, issuedAt: clock.now(), usableUntil: clock.now() + 300_000 };
    },
  });
}

beforeEach(async () => {
  clock = createTestClock();
  const counted = counting(openTestStore({ clock }));
  calls = counted.calls;
  app = await startApp({ store: counted.store, clock, strategies: [provider()] });
});
afterEach(() => app.close());

const tell = (token: string) => request(app.server).post("/auth/logout/github").type("form").send({ logout_token: token });

describe("the limit of back-channel logout", () => {
  it("refuses a flood of forgeries, each at the cost of a count, and no provider that shares their source", async () => {
    const events: AuthEvent[] = [];
    app.auth.events.on("rate_limit.exceeded", (event) => events.push(event));
    const before = { ...calls };
    const first = await tell("a.b.c").expect(400);
    expect(first.headers["ratelimit-policy"]).toBe('"logout_forgeries";q=100;w=3600');
    expect({ ...calls, count: (calls["count"] ?? 0) - 1 }).toEqual({ count: 0, ...before });
    const flood = await Promise.all(Array.from({ length: 110 }, (_, n) => tell(`a.b.c${n}`)));
    expect(flood.filter(({ status }) => status === 400)).toHaveLength(99);
    const refused = await tell("a.b.c").expect(429);
    expect([refused.body.code, refused.headers["retry-after"]]).toEqual(["rate_limited", "3600"]);
    expect(events.at(-1)).toMatchObject({ details: { limit: "logout_forgeries" }, source: { ip: expect.any(String) } });
    await tell("a.b.good").expect(200);
    clock.advance(3600);
    await tell("a.b.c").expect(400);
  });

  it("counts neither what a provider says nor that its keys cannot be had", async () => {
    const good = await Promise.all(Array.from({ length: 120 }, (_, n) => tell(`a.b${n}.good`)));
    expect(new Set(good.map(({ status }) => status))).toEqual(new Set([200]));
    const later = await Promise.all(Array.from({ length: 120 }, () => tell("a.b.later")));
    expect(new Set(later.map(({ status }) => status))).toEqual(new Set([502]));
    expect(calls["count"]).toBeUndefined();
  });
});
