import { z } from "zod";
import { randomToken } from "../crypto/random.ts";
import { runStrategy, speaksOAuth, withState, type Outcome, type RequestView } from "../core/run-strategy.ts";
import type { ProviderAssertion } from "../core/provider-sessions.ts";
import type { Session, SessionTransport } from "../core/sessions.ts";
import type { Identity } from "../core/strategy.ts";
import { TRANSACTION_KEPT, TRANSACTION_TTL, type TransactionData, type TransactionPurpose } from "../core/transactions.ts";
import { CredentialError, NotFoundError, PermissionError, ProviderError } from "../errors.ts";
import { assertKnown } from "./authenticate.ts";
import { text } from "./input.ts";
import { establish } from "./establish.ts";
import { readCookie } from "./extract.ts";
import type { Reply, RouteCall } from "./route.ts";
import { readStrategyUser } from "./strategy-user.ts";
import { instant } from "./views.ts";
import { sendSession } from "./transports.ts";

/** A call of a route that names a strategy. */
export type StrategyCall = RouteCall<unknown, unknown, { readonly provider: string }>;

/** What whoever begins a round trip may ask of the provider, for this once. @see OpenID Connect Core 1.0, section 3.1.2.1. */
export const askingInput = {
  // As long as an address may be.
  login_hint: text(254).optional(),
  prompt: z.enum(["login", "consent", "select_account", "none"]).optional(),
};

interface Asking {
  readonly login_hint?: string | undefined;
  readonly prompt?: string | undefined;
}

/** Where whoever begins a round trip wants to be led. */
export interface Leading {
  readonly return_to?: string | undefined;
  readonly error_to?: string | undefined;
}

/** Both made safe, before they are stored. */
export function leading({ http, req }: Pick<StrategyCall, "http" | "req">, asked: Leading) {
  const errorTo = asked.error_to === undefined ? undefined : http.returnTo(req, asked.error_to);
  return { returnTo: http.returnTo(req, asked.return_to), ...(errorTo === undefined ? {} : { errorTo }) };
}

/**
 * Runs a strategy for some end: to sign in, to link, to authenticate again. Sends the browser to the provider, having remembered what
 * for, or is done at once with a strategy that takes a form or a token: `transport` is how the new session then travels. One write.
 *
 * @param asking what is asked of the provider beside.
 */
export async function beginRoundTrip(
  call: StrategyCall,
  data: Omit<TransactionData, "session">,
  { transport, asking = {} }: { transport?: SessionTransport | undefined; asking?: Asking } = {},
): Promise<Reply> {
  const { kit, http, req, res, params } = call;
  assertKnown(req);
  const session: Record<string, unknown> = {};
  const askedAt = kit.clock.now();
  // The body that was checked, and no query: what signs somebody in does not belong into a URL. No body either where it would be read as
  // a provider's answer, which nobody has asked for yet.
  const body = speaksOAuth(strategyOf(call)) ? {} : (call.body ?? {});
  const [url, originalUrl] = [req.url, req.originalUrl].map((text) => text.split("?")[0]);
  const outcome = await run(call, { req, session, query: {}, body, url, originalUrl }, data.intent, asking);
  if (outcome.kind === "success") return finish(call, { ...data, session }, outcome.user, askedAt, transport);
  if (outcome.kind !== "redirect") throw refusal(outcome);

  const { url: location, state } = withState(outcome.url);
  const binding = bindingOf(call) ?? randomToken(32);
  await kit.transactions.begin({ provider: params.provider, state, binding, data: { ...data, session } });
  http.cookies.set(res, http.cookies.binding, binding, TRANSACTION_KEPT);
  return { location, json: { url: location } };
}

/**
 * Spends the transaction of a callback, then asks the strategy who came back, and does what it was begun for. One `take` before anything
 * else. Who is signed in and has none (a second click, the back button) is led to the start page.
 *
 * @param tell is told what the transaction was for before anything can go wrong with it.
 * @throws {CredentialError} `transaction_not_found`.
 */
export async function completeRoundTrip(
  call: StrategyCall,
  query: Readonly<Record<string, unknown>>,
  tell: (purpose: TransactionPurpose) => void,
): Promise<Reply> {
  const { kit, http, req, params } = call;
  strategyOf(call);
  // Before the transaction is spent: it may belong to a session that cannot be read for the moment.
  assertKnown(req);
  const state = query["state"] ?? query["oauth_token"] ?? query["denied"];
  const binding = bindingOf(call);
  const data =
    typeof state === "string" && binding !== null ? await kit.transactions.take({ provider: params.provider, state, binding }) : null;
  const isSignedIn = req.auth.kind === "session" || req.auth.kind === "access_token";
  if (!data) {
    if (isSignedIn) return { location: "/" };
    throw new CredentialError("transaction_not_found", "This sign-in has expired, was finished already, or began in another browser");
  }
  tell(data);
  if (data.session === null) {
    if (isSignedIn && data.intent === "sign_in") return { location: http.returnTo(req, data.returnTo) };
    throw new CredentialError("transaction_not_found", "That took longer than ten minutes");
  }
  const askedAt = kit.clock.now();
  const outcome = await run(call, { req, session: data.session }, data.intent);
  if (outcome.kind !== "success") throw refusal(outcome);
  return finish(call, data, outcome.user, askedAt);
}

async function finish(
  call: StrategyCall,
  data: TransactionData,
  user: unknown,
  askedAt: number,
  transport?: SessionTransport,
): Promise<Reply> {
  const { kit, http, req, source, params } = call;
  const { identity, userId } = readStrategyUser(user);
  // Checked when it was stored, and now: what is allowed may have changed.
  const location = http.returnTo(req, data.returnTo);
  if (data.intent === "link") {
    const session = await sameSession(call, data);
    await kit.signIn.linkIdentity(session.userId, vouchedFor(identity), { source, epoch: session.epoch });
    return { location, json: { linked: params.provider } };
  }
  if (data.intent === "reauthenticate") return { location, json: await stepUp(call, data, vouchedFor(identity)) };

  const proven = identity ? await kit.signIn.withIdentity(identity, { source }) : { userId: userId ?? "", epoch: undefined };
  const idp = identity?.providerSessionId
    ? { provider: identity.provider, issuer: identity.issuer, sid: identity.providerSessionId }
    : null;
  const assertion = identity && assertionOf(identity, askedAt);
  const reply = await establish(call, { userId: proven.userId, epoch: proven.epoch, method: params.provider, transport, idp, assertion });
  return { ...reply, location };
}

/** `null` from a provider that never ends what it said. */
function assertionOf({ issuer, subject, assertedAt }: Identity, askedAt: number): ProviderAssertion | null {
  return typeof assertedAt === "number" ? { issuer, subject, issuedAt: assertedAt, askedAt } : null;
}

/** A provider vouched that the person authenticated just now: the session becomes fresh, under a new secret. */
async function stepUp(call: StrategyCall, data: TransactionData, identity: Identity): Promise<object> {
  const { kit } = call;
  const now = kit.clock.now();
  const session = await sameSession(call, data);
  const account = await kit.accounts.findByIdentity(identity);
  if (account?.userId !== session.userId) throw new PermissionError("wrong_account", "That is another account than the one signed in here");
  if (identity.authenticatedAt === null || now - identity.authenticatedAt > TRANSACTION_TTL * 1000) {
    throw new CredentialError("insufficient_user_authentication", "The provider did not authenticate you again");
  }
  await kit.magicCodes.clearFailures(session.userId);
  const methods = [...new Set([...session.methods, identity.provider])];
  // A provider whose clock is ahead makes no session fresh for longer.
  const authenticatedAt = Math.min(identity.authenticatedAt, now);
  const credentials = await sendSession(call, await kit.sessions.rotate(session, { authenticatedAt, methods }));
  return { authenticated_at: instant(authenticatedAt), ...credentials };
}

function run(call: StrategyCall, view: RequestView, intent: TransactionData["intent"], asking: Asking = {}): Promise<Outcome> {
  const { kit, http, req, params } = call;
  const strategy = strategyOf(call);
  const callbackURL = `${http.origin(req)}${http.basePath}/callback/${params.provider}`;
  const options = {
    callbackURL,
    ...(intent === "reauthenticate" ? { reauthenticate: true } : {}),
    ...(asking.prompt === undefined ? {} : { prompt: asking.prompt }),
    ...(asking.login_hint === undefined ? {} : { loginHint: asking.login_hint }),
  };
  return kit.telemetry.span("latchkey.strategy", { "latchkey.provider": params.provider }, () => runStrategy(strategy, view, options));
}

function strategyOf({ kit, params }: StrategyCall) {
  const strategy = kit.strategies.get(params.provider);
  if (!strategy) throw new NotFoundError("There is no such provider", "provider_not_found");
  return strategy;
}

/** What ties transactions to this browser; `null` when it has nothing, or nothing that we made. */
export function bindingOf({ req, http }: Pick<StrategyCall, "req" | "http">): string | null {
  const binding = readCookie(req, http.cookies.binding);
  return binding !== null && /^[\w-]{43}$/.test(binding) ? binding : null;
}

/** The session that began a transaction must be the one that ends it. */
async function sameSession({ kit, req: { auth } }: StrategyCall, { sessionId, userId }: TransactionData): Promise<Session> {
  const session = auth.kind === "session" ? auth.session : auth.kind === "access_token" ? await kit.sessions.get(auth.sessionId) : null;
  if (!session || session.id !== sessionId || session.userId !== userId)
    throw new PermissionError("wrong_session", "This was begun in another session");
  return session;
}

/** Why a strategy did not say who somebody is. */
function refusal(outcome: Outcome) {
  if (outcome.kind === "error") return outcome.error;
  return new CredentialError("sign_in_refused", "Signing in was refused");
}

function vouchedFor(identity: Identity | null): Identity {
  if (!identity) throw new ProviderError("provider_error", "This strategy does not say who somebody is at the provider");
  return identity;
}
