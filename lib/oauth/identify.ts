import type { Identity, TokenSet } from "../core/strategy.ts";
import { systemClock, type Clock } from "../clock.ts";
import { ConfigError } from "../errors.ts";
import { toIdentity, toTokenSet, type Profile } from "./profile.ts";

/** Options of {@link identify}. */
export interface IdentifyOptions {
  /**
   * What the account is kept under beside the provider's name. Default: that name. Give the issuer of one of our strategies, such as
   * `https://accounts.google.com`, to find the accounts it made.
   */
  issuer?: string | undefined;
  /** Where the time comes from, for the tokens' expiry. Default: the machine's clock. */
  clock?: Clock | undefined;
}

/**
 * Passport types the user as the application's own, whatever that is; here it is always an {@link Identity},
 * which latchkey makes a user of. `never` lets every such callback pass.
 */
type Done = (error?: unknown, identity?: never) => void;

/** A Passport verify function, `(accessToken, refreshToken, params, profile, done)`, whose user is an {@link Identity}. */
export type IdentifyVerify = (accessToken: string, refreshToken: string, params: unknown, profile: unknown, done: Done) => void;

/**
 * A ready verify function for other people's Passport strategies: it makes an {@link Identity} of Passport's normalised profile and
 * the tokens, and decides nothing. Its five parameters are what passport-oauth2 counts in order to pass the token endpoint's reply;
 * with `passReqToCallback` it still works, without that reply. With OAuth 1.0a the token's secret takes the refresh token's place. An address counts as verified only when its `verified` is the boolean true.
 *
 * @param provider the strategy's name, as in its path and on accounts.
 * @example new GoogleStrategy({ clientID, clientSecret, callbackURL, state: true, pkce: true }, identify("google"))
 */
export function identify(provider: string, { issuer = provider, clock = systemClock }: IdentifyOptions = {}): IdentifyVerify {
  if (typeof provider !== "string" || provider === "") throw new ConfigError("identify", 'give the strategy\'s name: identify("google")');

  return function identifyVerify(first: unknown, second: unknown, third: unknown, profile: unknown, done: Done) {
    const withRequest = typeof first === "object" && first !== null;
    const tokens = withRequest ? tokenSet(second, third, {}, clock) : tokenSet(first, second, third, clock);
    try {
      done(null, fromProfile(provider, issuer, profile, tokens) as never);
    } catch (error) {
      done(error);
    }
  };
}

/** passport-openidconnect's verify function, as long as it must be to be told of all tokens. */
export type IdentifyOpenIdVerify = (
  issuer: string,
  profile: unknown,
  context: unknown,
  idToken: unknown,
  accessToken: unknown,
  refreshToken: unknown,
  params: unknown,
  done: Done,
) => void;

/**
 * {@link identify} for passport-openidconnect, whose verify function takes other things in another order. What the account is kept under
 * is the provider's own `iss`, as with `oidc()`; an address never counts as verified, as that package does not say whether it is.
 *
 * @param provider the strategy's name, as in its path and on accounts.
 * @example new OpenIDConnectStrategy({ issuer, authorizationURL, tokenURL, userInfoURL, clientID, clientSecret, callbackURL }, identifyOpenId("openidconnect"))
 */
export function identifyOpenId(provider: string, { issuer, clock = systemClock }: IdentifyOptions = {}): IdentifyOpenIdVerify {
  if (typeof provider !== "string" || provider === "") throw new ConfigError("identifyOpenId", "give the strategy's name");

  // With passReqToCallback the request comes first, and of eight arguments the token endpoint's reply is left out.
  return function identifyOpenIdVerify(first: unknown, second, third, fourth, fifth, sixth, seventh, done) {
    const withRequest = typeof first === "object" && first !== null;
    const [iss, profile, idToken, accessToken, refreshToken, params] = withRequest
      ? [second, third, fifth, sixth, seventh, {}]
      : [first, second, fourth, fifth, sixth, seventh];
    try {
      const tokens = tokenSet(accessToken, refreshToken, { ...fields(params), id_token: idToken }, clock);
      done(null, fromProfile(provider, issuer ?? String(iss), profile, tokens) as never);
    } catch (error) {
      done(error);
    }
  };
}

/** What strategies that make text of an id make of none. Whoever the provider failed to describe would share one account. */
const NOTHING: ReadonlySet<string> = new Set([undefined, null, Number.NaN, {}].map(String));

/** @see https://www.passportjs.org/reference/normalized-profile/ */
function fromProfile(provider: string, issuer: string, profile: unknown, tokens: TokenSet | null): Identity {
  const { id, displayName, username, emails, photos } = fields(profile);
  const addresses = list(emails);
  const email = addresses.find(({ primary }) => primary === true) ?? addresses[0];
  const said = {
    subject: typeof id === "string" && NOTHING.has(id) ? "" : id,
    email: email?.["value"],
    emailVerified: email?.["verified"],
    name: displayName === undefined || displayName === "" ? username : displayName,
    image: list(photos)[0]?.["value"],
  };
  return toIdentity(said as Profile, { provider, issuer, tokens });
}

function tokenSet(accessToken: unknown, refreshToken: unknown, params: unknown, clock: Clock): TokenSet | null {
  if (typeof accessToken !== "string" || accessToken === "") return null;
  // passport-spotify passes on the reply's `expires_in` alone.
  const reply = typeof params === "number" ? { expires_in: params } : fields(params);
  return toTokenSet({ ...reply, access_token: accessToken, refresh_token: refreshToken }, clock.now());
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(fields) : [];
}
