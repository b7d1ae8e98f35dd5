import type { Request, Response } from "express";
import type { AccessTokens } from "../core/access-tokens.ts";
import type { RefreshTokens } from "../core/refresh-tokens.ts";
import type { Session, Sessions } from "../core/sessions.ts";
import { CredentialError, type AuthError } from "../errors.ts";

/** What steps ask: an `Auth` has all of it. */
export interface PipelineAuth {
  readonly sessions: Sessions;
  /** `null`: there are none, and no pipeline. */
  readonly accessTokens: AccessTokens | null;
  readonly refreshTokens: RefreshTokens | null;
}

/** What is known of a request's token so far. Each step returns the next one and leaves this as it was. */
export interface TokenState {
  readonly req: Request;
  readonly res: Response;
  /** As it was presented, the halves of the `split` transport put together. */
  readonly token: string | null;
  /** How it came: in the header, in a cookie alone, or in halves. */
  readonly transport: "bearer" | "cookie" | "split" | null;
  /** Unix ms; fixed for the request when its pipeline begins. */
  readonly now: number;
  /** What the token says, once its signature proved true. */
  readonly claims: Readonly<Record<string, unknown>> | null;
  readonly session: Session | null;
  /** The first failure: steps that check do nothing from then on. */
  readonly error: AuthError | null;
}

/** What a step needs from those before it, told at start when it is missing. */
export type Needs = "token" | "claims" | "session";

/** One check or one deed of a pipeline. */
export interface Step {
  /** For messages. */
  readonly name: string;
  readonly gives?: Needs;
  readonly needs?: Needs;
  /** Runs also when a step before it failed. */
  readonly always?: true;
  /** Answers the request or lets it go on: the one step that acts. */
  readonly acts?: true;
  /** `undefined`: the request was answered, and nothing comes after it. */
  run(state: TokenState, auth: PipelineAuth): TokenState | undefined | Promise<TokenState | undefined>;
}

/** The state with its failure: 401 `invalid_token`, unless `error` says otherwise. */
export function failed(state: TokenState, error: string | AuthError): TokenState {
  return { ...state, error: typeof error === "string" ? new CredentialError("invalid_token", error) : error };
}
