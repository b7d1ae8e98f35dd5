import type { RequestHandler } from "express";
import { AuthError, ConfigError, StorageError } from "../errors.ts";
import { servicesOf } from "../http/services.ts";
import { assign, refuseFailure } from "./acting-steps.ts";
import { claimEquals, verifyExpiry, verifyNotBefore } from "./claim-steps.ts";
import { loadSession, verifyFresh } from "./session-steps.ts";
import { failed, type PipelineAuth, type Step, type TokenState } from "./step.ts";
import { tokenFromCookie, tokenFromHeader, verifySignature } from "./token-steps.ts";

/**
 * Runs steps over the access token of a request, in order. The first failure wins: steps after it are passed over, but for
 * {@link tellOutcome} and {@link refuseFailure}, which is the only one that answers. Place it after `app.use(auth)`. `req.auth` stays as it is.
 *
 * @throws {ConfigError} now, for a step that comes before one whose result it needs, without {@link verifySignature}, without exactly one
 *   {@link refuseFailure}, with a check after it, or when `tokens` is not set.
 * @example app.use("/api", tokenPipeline(auth, [...accessSteps(), claimHasAll({ scope: ["read"] }), refuseFailure(), assign()]));
 */
export function tokenPipeline(auth: PipelineAuth, steps: readonly Step[]): RequestHandler {
  if (!auth.accessTokens) throw new ConfigError("tokens", "set it in createAuth, for pipelines");
  assertOrder(steps);

  return function latchkeyPipeline(req, res, next) {
    const { clock } = servicesOf(req, "tokenPipeline");
    const begin: TokenState = {
      ...{ req, res, now: clock.now() },
      ...{ token: null, transport: null, claims: null, session: null, error: null },
    };
    run(auth, steps, begin).then((state) => state && next(), next);
  };
}

async function run(auth: PipelineAuth, steps: readonly Step[], begin: TokenState): Promise<TokenState | undefined> {
  let state = begin;
  for (const step of steps) {
    if (state.error && !step.always) continue;
    try {
      const after = await step.run(state, auth);
      if (!after) return undefined;
      state = after;
    } catch (error) {
      // A listener's or a handler's own fault is no word on the token.
      if (step.always || error instanceof ConfigError) throw error;
      state = failed(state, error instanceof AuthError ? error : new StorageError("A step could not be run", { cause: error }));
    }
  }
  return state;
}

function assertOrder(steps: readonly Step[]): void {
  const list: unknown = steps;
  if (!Array.isArray(list) || steps.some((step: Partial<Step> | null) => typeof step?.run !== "function")) {
    throw new ConfigError("tokenPipeline", "give a list of steps, such as [...accessSteps(), refuseFailure()]");
  }
  const given = new Set<string>();
  for (const { name, needs, gives } of steps) {
    if (needs && !given.has(needs)) throw new ConfigError("tokenPipeline", `${name} must be used after ${GIVERS[needs]}`);
    if (gives) given.add(gives);
  }
  if (!given.has("claims")) throw new ConfigError("tokenPipeline", "needs verifySignature(): without it any text is a token");
  const acting = steps.findIndex(({ acts }) => acts);
  if (acting === -1 || steps.filter(({ acts }) => acts).length > 1) {
    throw new ConfigError("tokenPipeline", "needs exactly one refuseFailure(): without it whatever fails goes on");
  }
  const late = steps.slice(acting + 1).find(({ name }) => name !== "assign");
  if (late) throw new ConfigError("tokenPipeline", `${late.name} must be used before refuseFailure()`);
}

const GIVERS = { token: "tokenFromHeader() or tokenFromCookie()", claims: "verifySignature()", session: "loadSession()" } as const;

/** Names that the standard pipelines read. */
export interface AccessStepsOptions {
  /** The cookie of the `cookie` transport, and of the signature of `split`. Default: none is read. */
  cookie?: string | undefined;
}

/** The checks every access token passes: where it is, signature, times, purpose. No store. Follow it with what else you need and {@link refuseFailure}. */
export function accessSteps({ cookie }: AccessStepsOptions = {}): readonly Step[] {
  return [
    tokenFromHeader(),
    ...(cookie === undefined ? [] : [tokenFromCookie(cookie)]),
    verifySignature(),
    verifyNotBefore(),
    verifyExpiry(),
    claimEquals({ type: "access" }),
  ];
}

/** {@link accessSteps}, then whether the session is there still and the token is of its latest generations. One read. */
export function sessionSteps(
  options: AccessStepsOptions & { /** Seconds. Default: 5. */ cycle?: number | undefined } = {},
): readonly Step[] {
  return [...accessSteps(options), loadSession(), verifyFresh(options.cycle)];
}

/** The first standard pipeline: access tokens, with their claims in `res.locals`. */
export function accessPipeline(auth: PipelineAuth, options: AccessStepsOptions = {}): RequestHandler {
  return tokenPipeline(auth, [...accessSteps(options), refuseFailure(), assign()]);
}

/** The second: where ending a session must count at once. */
export function sessionPipeline(auth: PipelineAuth, options: Parameters<typeof sessionSteps>[0] = {}): RequestHandler {
  return tokenPipeline(auth, [...sessionSteps(options), refuseFailure(), assign()]);
}
