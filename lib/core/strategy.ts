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
}
