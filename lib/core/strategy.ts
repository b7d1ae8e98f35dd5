import { ConfigError } from "../errors.ts";

/** Who a provider says someone is. Identified by (provider, issuer, subject), never by an email address. */
export interface Identity {
  /** The strategy's name, such as `google`. */
  readonly provider: string;
  /** The `iss` of an OpenID provider; for plain OAuth 2 its authorization endpoint's origin. */
  readonly issuer: string;
  /** The provider's stable id of the person, never empty. */
  readonly subject: string;
  readonly email: string | null;
  /** True only when the provider says so with the boolean `true`. */
  readonly emailVerified: boolean;
  readonly name: string | null;
  readonly image: string | null;
  /** What the token endpoint returned, to be kept on the account. */
  readonly tokens: TokenSet | null;
  /** The provider's `sid`, for back-channel logout. */
  readonly providerSessionId: string | null;
  /**
   * Unix ms, in whole seconds: when the provider said so, by its own clock (`iat`). With it, a session that is being made while the provider
   * signs the person out is refused. Default: the provider does not say when, or tells of no sign-outs.
   */
  readonly assertedAt?: number | null | undefined;
  /** Unix ms of the `auth_time` the provider vouched for, when it was asked to authenticate anew. */
  readonly authenticatedAt: number | null;
}

/** What a provider's token endpoint returned. */
export interface TokenSet {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly idToken: string | null;
  /** Unix ms; `null` when the provider did not say. */
  readonly accessTokenExpiresAt: number | null;
  readonly refreshTokenExpiresAt: number | null;
  /** Granted scopes, separated by spaces. */
  readonly scope: string | null;
  /** The thumbprint (RFC 7638) of the key that the access token is bound to by DPoP; absent of a bearer token. */
  readonly jkt?: string | undefined;
}

/** A request that a proof is made for: it holds for no other. */
export interface ProofRequest {
  readonly method: string;
  /** The whole URL. Query and fragment are not part of a proof. */
  readonly url: string | URL;
  /** What the header `DPoP-Nonce` of the server's last answer said. Default: none. */
  readonly nonce?: string | null | undefined;
}

/** The key that a strategy's tokens are bound to. @see RFC 9449. */
export interface ProofKey {
  /** Its thumbprint, SHA-256 in base64url. @see RFC 7638. */
  readonly jkt: string;
  /** The value of the header `DPoP` of one request with `accessToken`: a JWT, new each time. @throws {TypeError} for a URL that is none. */
  proof(request: ProofRequest & { readonly accessToken: string }): Promise<string>;
}

/** Whom a provider signs out, told without a browser. */
export interface LogoutToken {
  /** Who says so: what accounts and sessions made there are kept under. */
  readonly issuer: string;
  /** `null` only where `sessionId` is not. */
  readonly subject: string | null;
  /** The provider's `sid`; `null`: all sessions of the subject. */
  readonly sessionId: string | null;
  /** The `jti`: tells tokens of one issuer apart. */
  readonly tokenId: string;
  /** Unix ms by the provider's clock, in whole seconds (`iat`). */
  readonly issuedAt: number;
  /** Unix ms from which on the token is refused. */
  readonly usableUntil: number;
}

/** What a provider is told of the session to end. */
export interface EndSession {
  /** Says whose session; `null`: the provider may ask. */
  readonly idToken: string | null;
  /** Where the provider sends the browser afterwards: a whole URL that is registered with it. Default: nowhere. */
  readonly returnTo?: string | undefined;
  /** Comes back with the browser. */
  readonly state?: string | undefined;
}

/** What our own strategies offer beyond Passport's `name` and `authenticate`. */
export interface ProviderStrategy {
  readonly name: string;
  /** What accounts made through it are kept under. */
  readonly issuer: string;
  /** Whether accounts kept under this issuer are made through it, too: its own, or one of its tenants'. Asks nobody. */
  speaksFor(issuer: string): boolean;
  /**
   * Under what the names (`sid`) of sessions at all of its tenants are one set, so that a sign-out by frame may leave out whose it is. Absent
   * or `null`: each issuer has names of its own.
   */
  readonly sidIssuer?: string | null | undefined;
  /** How the provider sends its answer: in the query of a GET, or (`form_post`) in a cross-site POST. */
  readonly responseMode: "query" | "form_post";
  /** What its access tokens are shown with. Absent or `null`: they are bearer tokens. */
  readonly dpop?: ProofKey | null | undefined;
  /**
   * New tokens for a refresh token. A reply without a refresh token carries the old one forward (RFC 6749, section 6).
   * @throws {ProviderError} `invalid_grant`: the provider ended it, only signing in again helps; `provider_unavailable`, `provider_error`.
   */
  refresh(tokens: TokenSet): Promise<TokenSet>;
  /** Where to send the browser to end the provider's session too (OpenID Connect RP-Initiated Logout 1.0); `null` when it offers none. */
  endSessionUrl(logout: EndSession): Promise<string | null>;
  /** Whether the provider tells of sign-outs by loading a page of ours in a frame, and by nothing better. */
  signsOutByFrame(): Promise<boolean>;
  /**
   * Checks a logout token (OpenID Connect Back-Channel Logout 1.0).
   * @throws {RequestError} `invalid_logout_token`, also where the provider knows no such thing.
   */
  readLogoutToken(token: string): Promise<LogoutToken>;
}

/** For a strategy whose verify function gives what the provider says of a person as one of our users. */
export function profileIsNoUser(): ConfigError {
  const fix = 'one gives a profile as its user: make identify("provider") its verify function, or give { id } of a user of yours';
  return new ConfigError("strategies", fix);
}

/** Whether a strategy is one of ours, or offers the same. */
export function isProviderStrategy<T extends object>(strategy: T): strategy is T & ProviderStrategy {
  return "issuer" in strategy && "refresh" in strategy && typeof strategy.refresh === "function" && "readLogoutToken" in strategy;
}
