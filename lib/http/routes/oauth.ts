import type { Request } from "express";
import { z } from "zod";
import { randomToken } from "../../crypto/random.ts";
import type { Identity } from "../../core/strategy.ts";
import { runStrategy, withState, type Outcome, type RequestView } from "../../core/run-strategy.ts";
import { TRANSACTION_TTL, type TransactionData } from "../../core/transactions.ts";
import { AuthError, ConfigError, CredentialError, NotFoundError, PermissionError, ProviderError } from "../../errors.ts";
import { escapeHtml } from "../../escape-html.ts";
import { establish, sendSession } from "../establish.ts";
import { readCookie } from "../extract.ts";
import { text } from "../input.ts";
import { page } from "../page.ts";
import { asAuthError } from "../problem.ts";
import { route, type Reply, type RouteCall } from "../route.ts";
import { instant } from "../views.ts";

const provider = z.strictObject({ provider: z.string().regex(/^[\w.-]{1,64}$/) });
type Provider = z.infer<typeof provider>;
type Call = RouteCall<unknown, unknown, Provider>;

/** What a provider may send back, by protocol; anything else is not looked at. */
const CALLBACK_FIELDS = [
  "code",
  "state",
  "iss",
  "error",
  "error_description",
  "error_uri",
  "oauth_token",
  "oauth_verifier",
  "session_state",
  "scope",
];
const callbackInput = z.looseObject(Object.fromEntries(CALLBACK_FIELDS.map((name) => [name, z.string().max(4096).optional()])));

/** Signing in through a provider. */
export const oauthRoutes = [
  route({
    operationId: "providersList",
    method: "GET",
    path: "/providers",
    summary: "The ways to sign in through somebody else.",
    query: z.strictObject({}),
    async handle({ kit, http }) {
      const names = [...kit.strategies.keys()].sort();
      return { json: names.map((name) => ({ provider: name, url: `${http.basePath}/login/${name}` })) };
    },
  }),

  route({
    operationId: "loginBegin",
    method: "GET",
    path: "/login/{provider}",
    summary: "Sends the browser to a provider to sign in. Never links anything.",
    params: provider,
    query: z.strictObject({ return_to: text(2048).optional() }),
    limit: "300/1h",
    handle: (call) => signInAt(call, call.query.return_to),
  }),

  route({
    operationId: "loginSubmit",
    method: "POST",
    path: "/login/{provider}",
    summary: "Signs in with a strategy that takes a form, such as passport-local.",
    params: provider,
    body: z.record(z.string().max(64), z.string().max(1024)),
    limit: "300/1h",
    handle: (call) => signInAt(call, call.body["return_to"]),
  }),

  route({
    operationId: "callback",
    method: "GET",
    path: "/callback/{provider}",
    summary: "Where a provider sends the browser back to.",
    params: provider,
    query: callbackInput,
    async handle(call) {
      try {
        return await complete(call, call.query);
      } catch (error) {
        return failurePage(call, noted(call, error));
      }
    },
  }),

  route({
    operationId: "callbackForm",
    method: "POST",
    path: "/callback/{provider}",
    summary: "The same for response_mode=form_post: reads no cookie, and goes on by GET.",
    crossSite: true,
    params: provider,
    body: callbackInput,
    async handle({ http, params, body }) {
      const query = new URLSearchParams();
      for (const name of CALLBACK_FIELDS) {
        const value = body[name];
        if (typeof value === "string") query.set(name, value);
      }
      return { location: `${http.basePath}/callback/${params.provider}?${query}` };
    },
  }),
];

async function signInAt(call: Call, returnTo: string | undefined): Promise<Reply> {
  try {
    return await beginAt(call, { intent: "sign_in", returnTo: call.http.returnTo(call.req, returnTo) });
  } catch (error) {
    throw noted(call, error);
  }
}

/** Starts a strategy for some end: to sign in, to link, to authenticate again. */
export async function beginAt(call: Call, data: Omit<TransactionData, "session">): Promise<Reply> {
  const { kit, http, req, res } = call;
  const provider = call.params.provider;
  const session: Record<string, unknown> = {};
  // The body that was checked, and no query: what signs somebody in does not belong into a URL.
  const view = { req, session, query: {}, body: call.body ?? {} };
  const outcome = await run(call, view, data.intent);
  if (outcome.kind === "success") return finish(call, { ...data, session }, outcome.user);
  if (outcome.kind !== "redirect") throw refusal(outcome);

  const { url, state } = withState(outcome.url);
  const binding = bindingOf(call) ?? randomToken(32);
  await kit.transactions.begin({ provider, state, binding, data: { ...data, session } });
  http.cookies.set(res, http.cookies.binding, binding, TRANSACTION_TTL);
  return { location: url, json: { url } };
}

/** Spends the transaction, then asks the strategy who came back. */
async function complete(call: Call, query: Record<string, unknown>): Promise<Reply> {
  const { kit, req } = call;
  strategyOf(call);
  const state = query["state"] ?? query["oauth_token"];
  const binding = bindingOf(call);
  const data =
    typeof state === "string" && binding !== null ? await kit.transactions.take({ provider: call.params.provider, state, binding }) : null;
  if (!data) {
    if (req.auth.kind === "session") return { location: "/" };
    throw new CredentialError("transaction_not_found", "This sign-in has expired, was finished already, or began in another browser");
  }
  const outcome = await run(call, { req, session: data.session }, data.intent);
  if (outcome.kind !== "success") throw refusal(outcome);
  return finish(call, data, outcome.user);
}

async function finish(call: Call, data: TransactionData, user: unknown): Promise<Reply> {
  const { kit, source, params } = call;
  const identity = asIdentity(user);
  if (data.intent === "link") {
    const { userId, epoch } = sameSession(call.req, data);
    await kit.signIn.linkIdentity(userId, mustHave(identity), { source, epoch });
    return { location: data.returnTo, json: { linked: params.provider } };
  }
  if (data.intent === "reauthenticate") return stepUp(call, data, mustHave(identity));

  const proven = identity ? await kit.signIn.withIdentity(identity, { source }) : { userId: asUserId(user), epoch: undefined };
  const idp = identity?.providerSessionId
    ? { provider: identity.provider, issuer: identity.issuer, sid: identity.providerSessionId }
    : null;
  const reply = await establish(call, { userId: proven.userId, epoch: proven.epoch, method: params.provider, idp });
  return { ...reply, location: data.returnTo };
}

/** A provider vouched that the person authenticated just now: the session becomes fresh, under a new secret. */
async function stepUp(call: Call, data: TransactionData, identity: Identity): Promise<Reply> {
  const { kit, req } = call;
  const session = sameSession(req, data);
  const account = await kit.accounts.findByIdentity(identity);
  if (account?.userId !== session.userId) throw new PermissionError("wrong_account", "That is another account than the one signed in here");
  if (identity.authenticatedAt === null || kit.clock.now() - identity.authenticatedAt > TRANSACTION_TTL * 1000) {
    throw new CredentialError("insufficient_user_authentication", "The provider did not authenticate you again");
  }
  const methods = [...new Set([...session.methods, identity.provider])];
  // A provider whose clock is ahead makes no session fresh for longer.
  const authenticatedAt = Math.min(identity.authenticatedAt, kit.clock.now());
  sendSession(call, await kit.sessions.rotate(session, { authenticatedAt, methods }));
  return { location: data.returnTo, json: { authenticated_at: instant(authenticatedAt) } };
}

function run(call: Call, view: RequestView, intent: TransactionData["intent"]): Promise<Outcome> {
  const { http, req, params } = call;
  const callbackURL = `${http.origin(req)}${http.basePath}/callback/${params.provider}`;
  return runStrategy(strategyOf(call), view, { callbackURL, ...(intent === "reauthenticate" ? { reauthenticate: true } : {}) });
}

/** What ties transactions to this browser; `null` when it has nothing, or nothing that we made. */
function bindingOf({ req, http }: Call): string | null {
  const binding = readCookie(req, http.cookies.binding);
  return binding !== null && /^[\w-]{43}$/.test(binding) ? binding : null;
}

function strategyOf({ kit, params }: Call) {
  const strategy = kit.strategies.get(params.provider);
  if (!strategy) throw new NotFoundError("There is no such provider", "provider_not_found");
  return strategy;
}

/** The session that began a transaction must be the one that ends it. */
function sameSession(req: Request, data: TransactionData) {
  if (req.auth.kind !== "session" || req.auth.session.id !== data.sessionId || req.auth.userId !== data.userId) {
    throw new PermissionError("wrong_session", "This was begun in another session");
  }
  return req.auth.session;
}

/** Why a strategy did not say who somebody is. */
function refusal(outcome: Outcome): AuthError {
  if (outcome.kind === "error") return outcome.error;
  return new CredentialError("sign_in_refused", "Signing in was refused");
}

function asIdentity(user: unknown): Identity | null {
  return typeof user === "object" && user !== null && "provider" in user && "subject" in user ? (user as Identity) : null;
}

function mustHave(identity: Identity | null): Identity {
  if (!identity) throw new ProviderError("provider_error", "This strategy does not say who somebody is at the provider");
  return identity;
}

/** The id of a user that the application found. A profile has an id too, but one of the provider's: anybody's, among ours. */
function asUserId(user: unknown): string {
  if (typeof user === "object" && user !== null && ("_json" in user || "_raw" in user || ("provider" in user && "displayName" in user))) {
    const fix = 'its verify function gives the profile as the user: use identify("provider"), or give { id } of a user of yours';
    throw new ConfigError("strategies", fix);
  }
  const id = typeof user === "object" && user !== null && "id" in user ? user.id : undefined;
  if (typeof id !== "string" || id === "")
    throw new ProviderError("provider_error", "The strategy's user has no id: give { id: string } or identify()");
  return id;
}

/** An error of ours for whatever went wrong, after it was told to the log. */
function noted({ kit, params, source }: Call, cause: unknown): AuthError {
  const error = asAuthError(cause) ?? new ProviderError("provider_error", "The provider could not be asked", { cause });
  kit.events.emit("sign_in.failed", { method: params.provider, code: error.code }, { source });
  return error;
}

/** A page that says what went wrong and how to go on; never a provider's own words. */
function failurePage({ http, req, params }: Call, error: AuthError): Reply {
  if (req.accepts(["json", "html"]) !== "html" || error.status >= 500) throw error;
  const again = `${http.basePath}/login/${params.provider}`;
  const html = `<p>${escapeHtml(error.message)}.</p>\n<p><a href="${escapeHtml(again)}">Try again</a> or <a href="/">go to the start page</a>.</p>`;
  return { status: error.status, html: page("Sign-in did not finish", html) };
}
