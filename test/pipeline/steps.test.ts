import type { Request, Response } from "express";
import { describe, expect, it } from "vitest";
import type { Session } from "../../lib/core/sessions.ts";
import { StorageError } from "../../lib/errors.ts";
import {
  assign,
  checkClaims,
  claim,
  claimEquals,
  claimHasAll,
  claimHasAny,
  claimIn,
  checkSession,
  loadSession,
  refuseFailure,
  tellOutcome,
  tokenFromCookie,
  tokenFromHeader,
  tokenPipeline,
  verifyExpiry,
  verifyFresh,
  verifyNotBefore,
  verifySignature,
  type PipelineAuth,
  type Step,
  type TokenOutcome,
  type TokenState,
} from "../../lib/pipeline/index.ts";

const NOW = 1_800_000_000;
const STEPS_AUTH = { sessions: {}, accessTokens: {}, refreshTokens: null } as unknown as PipelineAuth;

function state(change: Partial<TokenState> & { headers?: Record<string, string> } = {}): TokenState {
  const { headers = {}, ...rest } = change;
  const req = { headers } as unknown as Request;
  const res = { locals: {} } as unknown as Response;
  return { req, res, token: null, transport: null, now: NOW * 1000, claims: null, session: null, error: null, ...rest };
}

const run = async (step: Step, given: TokenState, auth = STEPS_AUTH) => (await step.run(given, auth)) as TokenState;
const messageOf = async (step: Step, claims: Record<string, unknown>, more: Partial<TokenState> = {}) =>
  (await run(step, state({ claims, ...more }))).error?.message ?? null;

describe("the token of the header", () => {
  it.each([
    ["Bearer x", "x"],
    ["Bearer: x", "x"],
    ["bearer x", "x"],
    ["BEARER x", "x"],
    ["boom", null],
    ["Bearer ", null],
    ["Bearer", null],
    ["Basic eA==", null],
    ["Bearer x y", null],
  ])("%j gives %j", async (authorization, token) => {
    const after = await run(tokenFromHeader(), state({ headers: { authorization } }));
    expect([after.token, after.transport, after.error]).toEqual([token, token === null ? null : "bearer", null]);
  });

  it("is none without a header", async () => {
    expect(await run(tokenFromHeader(), state())).toMatchObject({ token: null, transport: null, error: null });
  });
});

describe("the token of a cookie, beside one of the header", () => {
  const beside = (token: string, cookie: string) =>
    run(tokenFromCookie("c"), state({ token, transport: "bearer", headers: { cookie: `c=${cookie}` } }));

  it("appends a signature to two parts", async () => {
    expect(await beside("a.b", ".sig")).toMatchObject({ token: "a.b.sig", transport: "split" });
  });
  it("appends a bare signature to two parts and a dot", async () => {
    expect(await beside("a.b.", "sig")).toMatchObject({ token: "a.b.sig", transport: "split" });
  });
  it("is ignored when it is no signature", async () => {
    expect(await beside("a.b", "anything")).toMatchObject({ token: "a.b", transport: "bearer" });
  });
  it("is ignored beside a whole token, also when it is a signature left behind", async () => {
    expect(await beside("a.b.c", ".sig")).toMatchObject({ token: "a.b.c", transport: "bearer" });
  });
  it("changes nothing when it is not there", async () => {
    expect(await run(tokenFromCookie("c"), state({ token: "a.b", transport: "bearer" }))).toMatchObject({
      token: "a.b",
      transport: "bearer",
    });
  });
  it("needs a name", () => {
    expect(() => tokenFromCookie("")).toThrow("name of the cookie");
  });
});

describe("the signature", () => {
  it("is missing with the token", async () => {
    const { error, claims } = await run(verifySignature(), state());
    expect([error?.message, error?.code, claims]).toEqual(["bearer token not found", "authentication_required", null]);
  });
});

describe("times", () => {
  it.each([
    [NOW, null],
    [NOW + 3, null],
    [NOW + 5, null],
    [NOW + 6, "bearer token not yet valid"],
    ["soon", "bearer token claim nbf invalid"],
    [null, "bearer token claim nbf invalid"],
    [undefined, "bearer token claim nbf not found"],
  ])("nbf %s: %s", async (nbf, message) => {
    expect(await messageOf(verifyNotBefore(), { nbf })).toBe(message);
  });

  it.each([
    [NOW, null],
    [NOW - 3, null],
    [NOW - 5, "bearer token expired"],
    [NOW - 6, "bearer token expired"],
    ["late", "bearer token claim exp invalid"],
    [Number.NaN, "bearer token claim exp invalid"],
    [undefined, "bearer token claim exp not found"],
  ])("exp %s: %s", async (exp, message) => {
    expect(await messageOf(verifyExpiry(), { exp })).toBe(message);
  });

  it("take another leeway, and no other than seconds up to 60", async () => {
    expect(await messageOf(verifyExpiry({ leeway: 0 }), { exp: NOW })).toBe("bearer token expired");
    for (const leeway of [-1, 61, 1.5, Number.NaN]) {
      expect(() => verifyExpiry({ leeway })).toThrow("0 to 60");
      expect(() => verifyNotBefore({ leeway })).toThrow("0 to 60");
    }
  });
});

describe("claims", () => {
  it("equal: exact, and missing", async () => {
    expect(await messageOf(claimEquals({ type: "access" }), { type: "access" })).toBeNull();
    expect(await messageOf(claimEquals({ type: "access" }), { type: "refresh" })).toBe("bearer token claim type invalid");
    expect(await messageOf(claimEquals({ type: "access" }), {})).toBe("bearer token claim type not found");
    expect(await messageOf(claimEquals({ n: 1 }), { n: "1" })).toBe("bearer token claim n invalid");
    expect(await messageOf(claimEquals({ a: 1, b: 2 }), { a: 1, b: 3 })).toBe("bearer token claim b invalid");
    expect(await messageOf(claimEquals({ a: 1, b: 2 }), { a: 0, b: 3 })).toBe("bearer token claim a invalid");
  });

  it("in: one of several, and missing", async () => {
    const step = claimIn({ styp: ["full", "kiosk"] });
    expect(await messageOf(step, { styp: "kiosk" })).toBeNull();
    expect(await messageOf(step, { styp: "guest" })).toBe("bearer token claim styp invalid");
    expect(await messageOf(step, {})).toBe("bearer token claim styp not found");
  });

  it("custom: the application's word, and missing", async () => {
    const even = claim("n", (value) => (Number(value) % 2 === 0 ? null : "odd"));
    expect(await messageOf(even, { n: 2 })).toBeNull();
    expect(await messageOf(even, { n: 3 })).toBe("odd");
    expect(await messageOf(even, {})).toBe("bearer token claim n not found");
    expect(
      await messageOf(
        checkClaims(({ a, b }) => (a === b ? null : "differ")),
        { a: 1, b: 2 },
      ),
    ).toBe("differ");
    expect(
      await messageOf(
        checkClaims(() => null),
        {},
      ),
    ).toBeNull();
  });

  it("never read what every object has", async () => {
    expect(await messageOf(claimIn({ constructor: ["x"] }), {})).toBe("bearer token claim constructor not found");
  });

  it.each([
    ["all, in order", ["a", "b"], null],
    ["all, unsorted", ["b", "a"], null],
    ["a superset", ["c", "b", "a"], null],
    ["words", "b c a", null],
    ["one missing", ["a"], "bearer token claim s does not contain [a, b]"],
    ["empty", [], "bearer token claim s does not contain [a, b]"],
    ["no set", 7, "bearer token claim s invalid"],
    ["missing", undefined, "bearer token claim s not found"],
  ])("has all: %s", async (_, s, message) => {
    expect(await messageOf(claimHasAll({ s: ["b", "a", "b"] }), { s })).toBe(message);
  });

  it.each([
    ["one", ["a"], null],
    ["the other, among more", ["x", "b"], null],
    ["words", "x b", null],
    ["none", ["x"], "bearer token claim s invalid"],
    ["empty", [], "bearer token claim s invalid"],
    ["missing", undefined, "bearer token claim s not found"],
  ])("has any: %s", async (_, s, message) => {
    expect(await messageOf(claimHasAny({ s: ["a", "b"] }), { s })).toBe(message);
  });

  it("fail at start where nothing, or nonsense, is expected", () => {
    for (const make of [claimEquals, claimIn, claimHasAll, claimHasAny]) expect(() => make({})).toThrow("name a claim");
    for (const make of [claimIn, claimHasAll, claimHasAny]) {
      expect(() => make({ s: [] })).toThrow("one or more");
      expect(() => make({ s: "read" as never })).toThrow("one or more");
      expect(() => make({ s: [{}] as never })).toThrow("texts or numbers");
    }
    expect(() => claim("", () => null)).toThrow("name a claim");
    expect(() => claim("x", undefined as never)).toThrow("function");
  });
});

describe("the session", () => {
  const session = { id: "s", userId: "u", type: "full", createdAt: 0 } as Session;
  const auth = (found: Session | null | Error) =>
    ({
      ...STEPS_AUTH,
      sessions: { get: async () => (found instanceof Error ? Promise.reject(found) : found), touch: () => undefined },
    }) as unknown as PipelineAuth;
  const load = (claims: Record<string, unknown>, found: Session | null | Error) => run(loadSession(), state({ claims }), auth(found));
  const claims = { sub: "u", sid: "s", styp: "full" };

  it("is found", async () => {
    expect(await load(claims, session)).toMatchObject({ session, error: null });
  });
  it.each(["sub", "sid", "styp"])("is not looked for without %s", async (name) => {
    const { error } = await load({ ...claims, [name]: undefined }, session);
    expect(error?.message).toBe("bearer token claim sub, sid or styp not found");
  });
  it("is not found: none, another's, of another type", async () => {
    for (const found of [null, { ...session, userId: "other" }, { ...session, type: "kiosk" }]) {
      expect((await load(claims, found)).error).toMatchObject({ message: "session not found", code: "session_not_found" });
    }
  });
  it("is a matter of 503 when nobody can tell", async () => {
    await expect(load(claims, new StorageError())).rejects.toMatchObject({ status: 503 });
  });
  it("is the application's to judge", async () => {
    const judge = checkSession(({ data }) => (data?.["locked"] ? "locked" : null));
    expect((await run(judge, state({ session: { ...session, data: { locked: true } } }))).error?.message).toBe("locked");
    expect((await run(judge, state({ session }))).error).toBeNull();
  });
});

describe("freshness, with a cycle of 5 s", () => {
  const fresh = async (current: number, previous: number, iat: number | undefined) => {
    const generations = () => ({ current: (NOW + current) * 1000, previous: (NOW + previous) * 1000 });
    const given = state({ claims: iat === undefined ? {} : { iat: NOW + iat }, session: { createdAt: 0 } as Session });
    return (await run(verifyFresh(5, { generations }), given)).error?.message ?? null;
  };

  it.each([
    // No new cycle yet: the generation before counts still.
    [-3, -10, 0, null],
    [-3, -10, -15, null],
    [-3, -10, -16, "token stale"],
    // A new cycle: only the present one counts.
    [-10, -20, 0, null],
    [-10, -20, -15, null],
    [-10, -20, -16, "token stale"],
    // Clocks that lie apart.
    [0, -10, -11, null],
    [0, -10, undefined, "bearer token claim iat not found"],
  ])("current %i, previous %i, issued %s: %s", async (current, previous, iat, message) => {
    expect(await fresh(current, previous, iat)).toBe(message);
  });

  it("takes whole seconds alone", () => {
    for (const cycle of [-1, 901, 0.5]) expect(() => verifyFresh(cycle)).toThrow("0 to 900");
  });
});

describe("what is left behind", () => {
  const claims = { sub: "u", sid: "s" };

  it("has its default names, and no others for what is not there", async () => {
    const given = state({ claims });
    await run(assign(), given);
    expect(given.res.locals).toEqual({ userId: "u", sessionId: "s", tokenClaims: claims });
  });

  it("has other names when asked", async () => {
    const given = state({ claims, session: { id: "s" } as Session });
    await run(assign({ userId: "who", session: "login" }), given);
    expect(given.res.locals).toEqual({ who: "u", sessionId: "s", tokenClaims: claims, login: { id: "s" } });
  });
});

describe("what is told", () => {
  const told = async (given: TokenState) => {
    const outcomes: TokenOutcome[] = [];
    await run(
      tellOutcome((outcome) => outcomes.push(outcome)),
      given,
    );
    return outcomes;
  };

  it("is little of a token that says little", async () => {
    expect(await told(state({ claims: { sub: "u" }, transport: "bearer" }))).toEqual([
      { valid: true, sessionLoaded: false, transport: "bearer", error: null },
    ]);
  });
  it("is who and what of one that has all four, and whether a session was loaded", async () => {
    const claims = { type: "access", sub: "u", sid: "s", styp: "full" };
    expect(await told(state({ claims, transport: "split", session: { id: "s" } as Session }))).toEqual([
      {
        valid: true,
        sessionLoaded: true,
        transport: "split",
        error: null,
        tokenType: "access",
        userId: "u",
        sessionId: "s",
        sessionType: "full",
      },
    ]);
  });
  it("is the failure of a bad one, and no transport where there is no token", async () => {
    expect(await told(await run(verifySignature(), state()))).toEqual([
      { valid: false, sessionLoaded: false, transport: null, error: "bearer token not found" },
    ]);
  });
});

describe("a pipeline refuses to start", () => {
  const auth = STEPS_AUTH;
  it.each<[string, Step[], string]>([
    [
      "with a session step before the signature",
      [tokenFromHeader(), loadSession(), refuseFailure()],
      "loadSession must be used after verifySignature()",
    ],
    [
      "with freshness before the session",
      [tokenFromHeader(), verifySignature(), verifyFresh(), refuseFailure()],
      "verifyFresh must be used after loadSession()",
    ],
    [
      "with a claim before the signature",
      [tokenFromHeader(), claimEquals({ a: 1 }), refuseFailure()],
      "must be used after verifySignature()",
    ],
    [
      "with a signature before any token",
      [verifySignature(), refuseFailure()],
      "must be used after tokenFromHeader() or tokenFromCookie()",
    ],
    ["without the step that acts", [tokenFromHeader(), verifySignature()], "exactly one refuseFailure()"],
    ["with two of them", [tokenFromHeader(), verifySignature(), refuseFailure(), refuseFailure()], "exactly one refuseFailure()"],
    [
      "with a check behind it",
      [tokenFromHeader(), verifySignature(), refuseFailure(), verifyExpiry()],
      "must be used before refuseFailure()",
    ],
    ["with nothing", [], "needs verifySignature()"],
    ["with no check of the token", [tokenFromHeader(), refuseFailure()], "needs verifySignature()"],
    ["with nothing but the step that acts", [refuseFailure()], "needs verifySignature()"],
    ["with the signature behind the step that acts", [tokenFromHeader(), refuseFailure(), verifySignature()], "before refuseFailure()"],
    ["with what is no step", [null as never], "list of steps"],
  ])("%s", (_, steps, message) => {
    expect(() => tokenPipeline(auth, steps)).toThrow(message);
  });

  it("where there are no access tokens", () => {
    expect(() => tokenPipeline({ ...auth, accessTokens: null }, [])).toThrow("tokens");
  });
});
