import passport from "passport";
import { asProviderError } from "../core/provider-failure.ts";
import type { EndSession, Identity, LogoutToken, ProofKey, ProviderStrategy, TokenSet } from "../core/strategy.ts";
import { ConfigError, CredentialError, RequestError } from "../errors.ts";
import { rememberAttempt, spendAttempt } from "./attempts.ts";
import { assertCallbackUrl } from "./client.ts";
import { newAttempt, type ProviderFlow } from "./flow.ts";

/** What `passport.authenticate(name, options)` may say for one run. */
export interface AuthenticateOptions {
  /** The absolute URL of the callback. Default: the strategy's `callbackUrl`. */
  callbackURL?: string | undefined;
  /** Ask for this instead of the strategy's own scope. */
  scope?: string | readonly string[] | undefined;
  /** Have the provider authenticate the person anew, and check that it did. Default: false. */
  reauthenticate?: boolean | undefined;
  /** How the provider should ask, this time: `login`, `consent`, `select_account` or `none`, where it knows them. Default: the option `prompt`. */
  prompt?: string | undefined;
  /** Whom to sign in, this time: an address or a user name. Default: the option `loginHint`. */
  loginHint?: string | undefined;
}

/** As much of a request as is read. */
interface StrategyRequest {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string | string[] | undefined>> & { readonly "content-type"?: string | undefined };
  readonly url?: string | undefined;
  readonly query?: unknown;
  readonly body?: unknown;
  readonly session?: unknown;
}

/**
 * Every provider strategy of ours, as a Passport strategy: without `code` or `error` in the request it sends the browser to the provider,
 * with them it takes up what it began. Its user is an {@link Identity}; what that means is the application's, or latchkey's, to decide.
 *
 * What it must remember lies in `req.session` under `latchkey:<name>`, by state: up to ten attempts at once, ten minutes each.
 * A `form_post` answer, which browsers send without Lax cookies, is sent on to a GET of the same callback.
 * What the person is answerable for (cancelled, too late) calls `fail` with a {@link CredentialError}; all else calls `error`.
 *
 * @example passport.use(google({ clientId, clientSecret, callbackUrl: "https://app.example.com/callback/google" }));
 */
export class OAuthStrategy extends passport.Strategy implements ProviderStrategy {
  override readonly name: string;
  readonly issuer: string;
  readonly sidIssuer: string | null;
  readonly responseMode: "query" | "form_post";
  readonly dpop: ProofKey | null;
  /** Not private: Passport runs strategies on objects that inherit from them. @internal */
  readonly flow: ProviderFlow;

  constructor(flow: ProviderFlow) {
    super();
    this.flow = flow;
    this.name = flow.client.name;
    this.issuer = flow.issuer;
    this.sidIssuer = flow.sidIssuer;
    this.responseMode = flow.client.responseMode;
    this.dpop = flow.client.dpop;
  }

  override authenticate(req: StrategyRequest, options: AuthenticateOptions = {}): void {
    // Given a strategy instead of its name, Passport 0.7 writes what to report to on the strategy itself, where requests at once would meet.
    const { success, fail, redirect, error: report } = this;
    const run = Object.assign(Object.create(this) as this, { success, fail, redirect, error: report });
    run.step(req, options).catch((error: unknown) => {
      const failure = asProviderError(error);
      if (failure instanceof CredentialError) run.fail(failure, failure.status);
      else run.error(failure);
    });
  }

  speaksFor(issuer: string): boolean {
    return this.flow.speaksFor(issuer);
  }

  refresh(tokens: TokenSet): Promise<TokenSet> {
    return this.flow.refresh(tokens);
  }

  endSessionUrl(logout: EndSession): Promise<string | null> {
    return this.flow.endSessionUrl(logout);
  }

  signsOutByFrame(): Promise<boolean> {
    return this.flow.signsOutByFrame();
  }

  readLogoutToken(token: string): Promise<LogoutToken> {
    return this.flow.readLogoutToken(token);
  }

  /** @internal */
  async step(req: StrategyRequest, options: AuthenticateOptions): Promise<void> {
    const { client } = this.flow;
    const key = `latchkey:${this.name}`;
    const parameters = answerIn(req);
    const callbackUrl = options.callbackURL ?? client.callbackUrl;

    if (!parameters.has("code") && !parameters.has("error")) {
      const attempt = newAttempt(absolute(callbackUrl), client.clock.now(), { reauthenticate: options.reauthenticate === true });
      const scope = typeof options.scope === "string" ? options.scope.split(" ") : (options.scope ?? client.scope);
      const url = await this.flow.begin(attempt, scope, options);
      rememberAttempt(req.session, key, attempt);
      this.redirect(url.href);
      return;
    }
    if (req.method === "POST") {
      this.redirect(`${absolute(callbackUrl)}?${parameters}`, 303);
      return;
    }
    const attempt = spendAttempt(req.session, key, parameters.get("state"), client.clock.now());
    const identity: Identity = await this.flow.complete(attempt, parameters);
    // The user is an Identity here, whatever the application's own `Express.User` is.
    this.success(identity as Identity & Express.User);
  }
}

function absolute(callbackUrl: string | null): string {
  if (callbackUrl === null) throw new ConfigError("callbackUrl", "is missing: set it to the whole URL of this strategy's callback");
  assertCallbackUrl("callbackUrl", callbackUrl);
  return callbackUrl;
}

/** The most that all of a provider's answer may hold. */
const MAX_ANSWER = 8 * 1024;

/** The provider's answer: texts alone, and repeated ones kept, so that they are refused rather than chosen from. */
function answerIn(req: StrategyRequest): URLSearchParams {
  const posted = req.method === "POST";
  if (posted && req.body === undefined && req.headers?.["content-type"]?.startsWith("application/x-www-form-urlencoded")) {
    throw new ConfigError(
      "responseMode",
      "the provider's form was not read: put express.urlencoded({ extended: false }) before this route",
    );
  }
  const source = posted ? (req.body ?? {}) : (req.query ?? queryOf(req.url));
  const answer = new URLSearchParams();
  for (const [name, value] of Object.entries(typeof source === "object" ? source : {})) {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) if (typeof item === "string") answer.append(name, item);
  }
  if (answer.toString().length > MAX_ANSWER) throw new RequestError("The provider's answer is too long");
  return answer;
}

function queryOf(url = ""): Record<string, string[]> {
  const query = new URLSearchParams(url.split("?")[1] ?? "");
  return Object.fromEntries([...new Set(query.keys())].map((name) => [name, query.getAll(name)]));
}
