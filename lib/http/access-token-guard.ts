import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from "jose";
import type { Request, Response } from "express";
import { assertOptions, assertTexts, resolveClock } from "../check-options.ts";
import type { Clock } from "../clock.ts";
import { headerOf, invalidToken, looksLikeJwt, verifyToken, type AccessToken } from "../core/access-token-claims.ts";
import { accessTokenContext, type AccessTokenContext } from "../core/context.ts";
import { createVerifiedTokens } from "../core/verified-tokens.ts";
import { AuthError, ConfigError, CredentialError, StorageError } from "../errors.ts";
import { providerFetch, type Fetch } from "../oauth/http.ts";
import { bearerOf, plainBearer } from "./extract.ts";
import { sendProblem } from "./problem.ts";
import type { Guard } from "./request.ts";
import { exposeAuth } from "./request-auth.ts";
import { refuse } from "./require-auth.ts";

/** Options of {@link accessTokenGuard}. */
export interface AccessTokenGuardOptions {
  /** Whose tokens are taken: the `baseUrl` (or `tokens.issuer`) of the application that signs people in. Required. */
  issuer: string | undefined;
  /** This API, as that application's `tokens.audience` names it. Required. */
  audience: string | undefined;
  /** Where the keys are. Default: `/auth/.well-known/jwks.json` at the issuer. */
  jwksUri?: string | undefined;
  /** Roles of which one is needed; `admin` always passes. Default: none needed. */
  roles?: readonly string[] | undefined;
  /** Scopes that must all have been granted. Default: none needed. */
  scope?: readonly string[] | undefined;
  /** Asks for the keys. Default: the global `fetch`. */
  fetch?: Fetch | undefined;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock | undefined;
}

/** None of them symmetric: who could verify could forge. */
const ALGORITHMS = ["EdDSA", "ES256", "RS256"];
const NAMES = ["issuer", "audience", "jwksUri", "roles", "scope", "fetch", "clock"];
const KINDS = new Set(["access_token"] as const);

/**
 * Guards an API that is no latchkey application itself: lets access tokens of another one through, by its published keys, and sets
 * `req.auth`. No store, no `app.use(auth)`. Keys are kept ten minutes, and asked for again at most every 30 s for an unknown one; one that
 * the issuer withdraws counts no longer than that, also for tokens that were seen before.
 *
 * @returns middleware that calls `next()`, or answers with a problem document: 401, 403 `insufficient_scope` or `insufficient_role`, or 503
 *   with `Retry-After` when the keys cannot be had.
 * @throws {ConfigError} now rather than per request.
 * @example app.use(accessTokenGuard({ issuer: "https://app.example.com", audience: "https://api.example.com" }));
 */
export function accessTokenGuard(options: AccessTokenGuardOptions): Guard<AccessTokenContext> {
  assertOptions("accessTokenGuard", options, NAMES);
  const { issuer, audience, jwksUri, roles, scope, fetch = globalThis.fetch } = options;
  const clock = resolveClock("accessTokenGuard.clock", options.clock);
  if (typeof issuer !== "string" || issuer === "")
    throw new ConfigError("accessTokenGuard.issuer", "is missing: set it to who issues the tokens");
  if (typeof audience !== "string" || audience === "")
    throw new ConfigError("accessTokenGuard.audience", "is missing: set it to what names this API");
  assertTexts("accessTokenGuard.roles", roles);
  assertTexts("accessTokenGuard.scope", scope);
  if (typeof fetch !== "function") throw new ConfigError("accessTokenGuard.fetch", "give a function such as the global fetch");
  const needed = { kinds: KINDS, roles: roles ? [...roles] : null, scope: [...(scope ?? [])], maxAge: null };
  const keys = remoteKeys(resolveJwksUri(jwksUri ?? `${issuer}/auth/.well-known/jwks.json`), fetch, clock);
  const verified = createVerifiedTokens(clock);

  const identify = async (req: Request) => {
    const token = bearerOf(req);
    if (token === null) throw new CredentialError("authentication_required", "Send an access token");
    if (!looksLikeJwt(token) || typeof headerOf(token).kid !== "string") throw invalidToken("This is not an access token");
    let until = 0;
    const find: JWTVerifyGetKey = async (header, jws) => {
      const { key, goodUntil } = await keys(header, jws);
      until = goodUntil;
      return key;
    };
    return verified.remember(token, await verifyToken(token, find, ALGORITHMS, { issuer, audience, now: clock.now() }), until);
  };

  const admit = (token: AccessToken, req: Request, res: Response, next: (error?: unknown) => void) => {
    const context = accessTokenContext(token);
    const refusal = refuse(context, needed, 0);
    if (refusal) return sendProblem(res, refusal, { scope: needed.scope });
    exposeAuth(req);
    req.auth = context;
    next();
  };

  return function accessTokenGuardMiddleware(req: Request, res: Response, next: (error?: unknown) => void) {
    // What is remembered has proven true to the letter: nothing is left to ask or to wait for.
    const text = plainBearer(req);
    const known = text === null ? null : verified.get(text);
    if (known) return admit(known, req, res, next);
    return identify(req).then(
      (token) => admit(token, req, res, next),
      (error: unknown) => {
        const refusal = error instanceof AuthError ? error : new StorageError("The token cannot be checked", { cause: error });
        sendProblem(res, refusal, { scope: needed.scope });
      },
    );
  } as Guard<AccessTokenContext>;
}

function resolveJwksUri(uri: string): URL {
  if (typeof uri !== "string" || !URL.canParse(uri) || !/^https?:/.test(uri))
    throw new ConfigError("accessTokenGuard.jwksUri", "give the whole URL at which the issuer publishes its keys");
  return new URL(uri);
}

/** Ms for which keys count that were asked for once. */
const KEYS_AGE = 600_000;

/** A key of the issuer's, and the Unix ms from which on it has to be asked for again. */
type FindKey = (...given: Parameters<JWTVerifyGetKey>) => Promise<{ key: Awaited<ReturnType<JWTVerifyGetKey>>; goodUntil: number }>;

/** The issuer's keys. That they cannot be had says nothing against a token. */
function remoteKeys(uri: URL, fetch: Fetch, clock: Clock): FindKey {
  let goodUntil = -Infinity;
  const bounded = providerFetch({ fetch, plainHttp: "loopback" });
  const keys = createRemoteJWKSet(uri, {
    [customFetch]: (url, init) => bounded(url, { ...init, headers: Object.fromEntries(init.headers), body: undefined }),
    cacheMaxAge: Infinity, // by our clock, below
    cooldownDuration: 30_000,
    timeoutDuration: 5_000,
  });
  return async (header, token) => {
    try {
      if (clock.now() >= goodUntil) {
        const asked = clock.now();
        await keys.reload();
        goodUntil = Math.max(goodUntil, asked + KEYS_AGE);
      }
      // As it is now: a key found among these must not count for as long as those that come while it is put to use.
      const until = goodUntil;
      return { key: await keys(header, token), goodUntil: until };
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) throw cause;
      throw new StorageError("The issuer's keys cannot be had", { cause });
    }
  };
}
