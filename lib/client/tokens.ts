/** The tokens of somebody who is signed in without cookies. */
export interface ClientTokens {
  /** An access token, or the token of a session. */
  readonly accessToken: string;
  /** `null`: there is none, or a cookie holds it. */
  readonly refreshToken: string | null;
}

/**
 * Where tokens are kept: in memory, unless the application has a place that is safe on its platform, such as the keychain of a phone.
 * A browser has none but cookies: sign in there with the `session`, `cookie` or `split` transport.
 */
export interface TokenKeeper {
  get(): ClientTokens | null | Promise<ClientTokens | null>;
  set(tokens: ClientTokens | null): void | Promise<void>;
}

export function memoryKeeper(): TokenKeeper {
  let kept: ClientTokens | null = null;
  return { get: () => kept, set: (tokens) => void (kept = tokens) };
}

/** The tokens that an answer holds; `null` when it holds none. */
export function tokensIn(answer: unknown): ClientTokens | null {
  if (typeof answer !== "object" || answer === null) return null;
  const { token, access_token: access, refresh_token: refresh } = answer as Record<string, unknown>;
  const accessToken = access ?? token;
  if (typeof accessToken !== "string") return null;
  return { accessToken, refreshToken: typeof refresh === "string" ? refresh : null };
}
