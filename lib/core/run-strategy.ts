import type { Strategy } from "passport";
import { randomToken } from "../crypto/random.ts";
import { AuthError, ProviderError } from "../errors.ts";
import { asProviderError, providerFailure } from "./provider-failure.ts";
import { isProviderStrategy, profileIsNoUser } from "./strategy.ts";

/** The one thing that came of running a strategy. */
export type Outcome =
  | { readonly kind: "redirect"; readonly url: string; readonly status: number }
  | { readonly kind: "success"; readonly user: unknown; readonly info: unknown }
  | { readonly kind: "fail"; readonly challenge: unknown; readonly status: number | undefined }
  | { readonly kind: "pass" }
  | { readonly kind: "error"; readonly error: AuthError };

/** What the strategy gets to see as `req`: the request itself, but for what is given here. */
export interface RequestView {
  /** Express's request, or anything a strategy can read as one. Left as it is. */
  readonly req: object;
  /** Becomes `req.session`: what the strategy writes here is what the transaction keeps. */
  readonly session: Record<string, unknown>;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  readonly body?: unknown;
  readonly url?: string | undefined;
  readonly originalUrl?: string | undefined;
  readonly method?: string | undefined;
}

/** Options of {@link runStrategy}; all but `timeout` reach the strategy's `authenticate(req, options)`. */
export interface RunOptions {
  /** The absolute URL that the provider sends the browser back to. */
  readonly callbackURL?: string | undefined;
  /** Ask the provider to authenticate the person anew, and check that it did. Our own OpenID strategies do; others ignore it. */
  readonly reauthenticate?: boolean | undefined;
  readonly scope?: string | readonly string[] | undefined;
  /** As the parameters `prompt` and `login_hint` of OpenID Connect. Our own strategies know them, and those of Passport that read these options. */
  readonly prompt?: string | undefined;
  readonly loginHint?: string | undefined;
  /** Seconds until a strategy that says nothing has failed. Default: 10. */
  readonly timeout?: number | undefined;
}

/** What Passport puts on a strategy before it runs it. */
interface StrategyRun {
  authenticate(req: object, options: object): unknown;
  success(user: unknown, info?: unknown): void;
  fail(challenge?: unknown, status?: number): void;
  redirect(url: string, status?: number): void;
  pass(): void;
  error(error: unknown): void;
}

type Report = (outcome: Outcome) => void;
type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Runs any Passport strategy for one request, without Passport: on an object of its own that inherits from the strategy, so that requests
 * do not meet, with a request whose `session` is ours to keep. Only the first outcome counts, and no verify function is called after it.
 * It never rejects: whatever is thrown, in the strategy, behind its requests to a provider, or in its verify function, at once or later,
 * becomes an `error` outcome, always one of our errors, with secrets redacted. So does a user that is the provider's profile.
 */
export function runStrategy(strategy: Strategy, view: RequestView, options: RunOptions = {}): Promise<Outcome> {
  const { timeout = 10, ...passedOn } = options;
  const req = requestView(view);
  return new Promise((resolve) => {
    const pending: Pending = { over: false };
    const timer = setTimeout(() => {
      report({ kind: "error", error: new ProviderError("provider_unavailable", "The provider took too long to answer") });
    }, timeout * 1000);
    const report: Report = (outcome) => {
      clearTimeout(timer);
      pending.over = true;
      resolve(settled(outcome, queryOf(req)));
    };
    const broken = (error: unknown) => report({ kind: "error", error: asProviderError(error) });
    try {
      const run = strategyRun(strategy, report, pending);
      const running = run.authenticate(req, passedOn);
      if (isThenable(running)) running.then(undefined, broken);
    } catch (error) {
      broken(error);
    }
  });
}

/** A redirect's URL, and the `state` or `oauth_token` in it that the callback will bring back. One without either gets a `state`. */
export function withState(url: string): { url: string; state: string } {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (!parsed || (parsed.protocol !== "https:" && parsed.protocol !== "http:")) {
    throw new ProviderError("provider_error", "The strategy redirects to what is no http URL");
  }
  const own = parsed.searchParams.get("state") || parsed.searchParams.get("oauth_token");
  if (own) return { url, state: own };
  const state = randomToken(32);
  parsed.searchParams.set("state", state);
  return { url: parsed.href, state };
}

/** Whether a strategy is one of OAuth: ours, or one that keeps its client where passport-oauth1 and -oauth2 do. */
export function speaksOAuth(strategy: Strategy): boolean {
  return isProviderStrategy(strategy) || CLIENTS.some((name) => name in strategy);
}

/**
 * Whether a sign-in begins with a link: the strategy sends the browser somewhere first. Others read a form or a token out of the very request
 * that is to be signed in, so a link to them leads to a refusal.
 */
export function beginsByLink(strategy: Strategy): boolean {
  return speaksOAuth(strategy) || REDIRECTING.some((name) => name in strategy);
}

/** Whether an outcome has come. */
interface Pending {
  over: boolean;
}

/** The strategy as it is, but reporting to us alone. */
function strategyRun(strategy: Strategy, report: Report, pending: Pending): StrategyRun {
  const run = Object.create(strategy) as StrategyRun & Record<string, unknown>;
  run.success = (user: unknown, info?: unknown) =>
    report(user ? { kind: "success", user, info } : { kind: "fail", challenge: info, status: undefined });
  run.fail = (challenge?: unknown, status?: number) => {
    report(typeof challenge === "number" ? { kind: "fail", challenge: undefined, status: challenge } : { kind: "fail", challenge, status });
  };
  run.redirect = (url: string, status = 302) => report({ kind: "redirect", url, status });
  run.pass = () => report({ kind: "pass" });
  run.error = (error: unknown) => report({ kind: "error", error: asProviderError(error) });
  for (const name of CALLBACKS) if (typeof run[name] === "function") run[name] = guarded(run[name] as AnyFunction, name, run, pending);
  for (const name of CLIENTS) if (typeof run[name] === "object" && run[name]) run[name] = guardedClient(run[name], run);
  return run;
}

/** Where strategies keep what the application gave them to call: passport-jwt its keys, all others what says who somebody is. */
const CALLBACKS = ["_verify", "_secretOrKeyProvider"];
const CLIENTS = ["_oauth2", "_oauth"];
/** What packages for SAML and for OpenID 2 keep on their strategies, as those of OAuth keep a client. */
const REDIRECTING = ["_saml", "_relyingParty"];
/** What requests go through, in both clients of the package `oauth`, with the callback last. */
const REQUESTS = ["_request", "_performSecureRequest"];

/**
 * A function of the application, which may be an async one: Passport would leave its rejection to the process. It keeps its length, because
 * strategies decide by that what to pass. A verify function may not give as its user what it was given itself.
 */
function guarded(original: AnyFunction, name: string, run: StrategyRun, pending: Pending): AnyFunction {
  return new Proxy(original, {
    apply(target, self, args: unknown[]) {
      if (pending.over) return undefined;
      const refuse = (error: unknown) => run.error(error ?? new Error(`the function ${name} rejected without a reason`));
      const profiles = new Set(args.flatMap((arg) => (isObject(arg) ? [arg, "_json" in arg ? arg["_json"] : arg] : [])));
      const told = args.map((arg) => {
        if (typeof arg !== "function") return arg;
        return (...reply: unknown[]) => {
          if (name === "_verify" && isObject(reply[1]) && profiles.has(reply[1])) return run.error(profileIsNoUser());
          return Reflect.apply(arg, undefined, reply) as unknown;
        };
      });
      try {
        const result = Reflect.apply(target, self, told) as unknown;
        if (isThenable(result)) result.then(undefined, refuse);
        return result;
      } catch (error) {
        return refuse(error);
      }
    },
  });
}

/** The client of an OAuth strategy, whose strategy may throw at an answer it does not expect: behind a request, that would end the process. */
function guardedClient(original: object, run: StrategyRun): object {
  const client = Object.create(original) as Record<string, unknown>;
  for (const name of REQUESTS) {
    const request = client[name];
    if (typeof request !== "function") continue;
    client[name] = function (...args: unknown[]): unknown {
      const answered = args.pop();
      if (typeof answered !== "function") return Reflect.apply(request, this, [...args, answered]) as unknown;
      const guardedAnswer = (...answer: unknown[]) => {
        try {
          Reflect.apply(answered, undefined, answer);
        } catch (error) {
          run.error(error);
        }
      };
      return Reflect.apply(request, this, [...args, guardedAnswer]) as unknown;
    };
  }
  return client;
}

/** Passport asks a session for `regenerate` and `save`. They are not enumerable, as it copies what it can enumerate. */
const sessionMethods = Object.create(null, {
  regenerate: {
    value(this: Record<string, unknown>, done?: (error?: unknown) => void) {
      for (const name of Object.keys(this)) delete this[name];
      done?.();
    },
  },
  save: { value: (done?: (error?: unknown) => void) => done?.() },
}) as object;

function requestView({ req, session, ...overrides }: RequestView): object {
  Object.setPrototypeOf(session, sessionMethods);
  const shadow = (value: unknown) => ({ value, writable: true, configurable: true, enumerable: true });
  const shadows: PropertyDescriptorMap = { session: shadow(session) };
  for (const [name, value] of Object.entries(overrides)) if (value !== undefined) shadows[name] = shadow(value);
  return Object.create(req, shadows) as object;
}

/** Says in our words what the provider said in the query, and lets a strategy fail with one of our errors. */
function settled(outcome: Outcome, query: Record<string, unknown>): Outcome {
  if (outcome.kind === "fail") {
    if (outcome.challenge instanceof AuthError) return { kind: "error", error: outcome.challenge };
    // Twitter's way to say so, where OAuth 1.0a says nothing.
    if (typeof query["denied"] === "string") return { kind: "error", error: providerFailure("access_denied") };
    if (typeof query["error"] === "string") return { kind: "error", error: providerFailure(query["error"]) };
  }
  if (outcome.kind === "error" && outcome.error.code === "provider_error" && typeof query["error"] === "string") {
    return { kind: "error", error: providerFailure(query["error"], outcome.error.cause) };
  }
  return outcome;
}

function queryOf(req: object): Record<string, unknown> {
  const query = "query" in req ? req.query : undefined;
  return typeof query === "object" && query !== null ? (query as Record<string, unknown>) : {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
