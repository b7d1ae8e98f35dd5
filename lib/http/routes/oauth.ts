import { z } from "zod";
import { TRANSPORTS } from "../../core/session-record.ts";
import type { SessionTransport } from "../../core/sessions.ts";
import { beginsByLink } from "../../core/run-strategy.ts";
import type { TransactionPurpose } from "../../core/transactions.ts";
import { ConfigError, RequestError } from "../../errors.ts";
import { escapeHtml } from "../../escape-html.ts";
import { text } from "../input.ts";
import { withError } from "../form-refusal.ts";
import { page } from "../page.ts";
import { asAuthError, detailOf } from "../problem.ts";
import { askingInput, beginRoundTrip, completeRoundTrip, leading, type Leading, type StrategyCall } from "../round-trip.ts";
import { ESTABLISHING, HOOK, PROVIDER, RACED, RETURN_TO } from "../openapi-problems.ts";
import { onwardSchema, signedInSchema, steppedUpSchema } from "../openapi-schemas.ts";
import { route, type Reply } from "../route.ts";
import { transportInput } from "../transports.ts";
import { backChannelLogoutRoute } from "./back-channel-logout.ts";
import { frontChannelLogoutRoute } from "./front-channel-logout.ts";
import { providerSignOutRoutes } from "./provider-sign-out.ts";

const provider = z.strictObject({ provider: z.string().regex(/^[\w.-]{1,64}$/) });

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
  // Twitter's, for a request token that the person did not agree to.
  "denied",
  "session_state",
  "scope",
  // Apple's, with the name at the first sign-in.
  "user",
];
const callbackInput = z.looseObject(Object.fromEntries(CALLBACK_FIELDS.map((name) => [name, z.string().max(4096).optional()])));

/** Signing in through a provider. */
export const oauthRoutes = [
  route({
    operationId: "providersList",
    method: "GET",
    path: "/providers",
    summary: "The ways to sign in that begin with a link.",
    query: z.strictObject({}),
    answers: { 200: z.array(z.strictObject({ provider: z.string(), url: z.string() })) },
    async handle({ kit, http }) {
      const names = [...kit.strategies].flatMap(([name, strategy]) => (beginsByLink(strategy) ? [name] : [])).sort();
      return { json: names.map((name) => ({ provider: name, url: `${http.basePath}/login/${name}` })) };
    },
  }),

  route({
    operationId: "loginBegin",
    method: "GET",
    path: "/login/{provider}",
    summary: "Sends the browser to a provider to sign in. Never links anything.",
    params: provider,
    query: z.strictObject({ return_to: text(2048).optional(), error_to: text(2048).optional(), ...askingInput }),
    limit: "300/1h",
    answers: {
      200: z.union([onwardSchema, signedInSchema]),
      303: "To the provider; to `error_to` where that cannot be reached.",
      errorPage: "What went wrong, and how to go on.",
      problems: [...PROVIDER, ...ESTABLISHING],
      default: HOOK,
    },
    handle: (call) => {
      const purpose = signIn(call, call.query);
      return orFailure(call, purpose, () => beginRoundTrip(call, purpose, { asking: call.query }));
    },
  }),

  route({
    operationId: "loginSubmit",
    method: "POST",
    path: "/login/{provider}",
    summary: "Signs in with a strategy that takes a form or a token, such as passport-local or passport-jwt.",
    params: provider,
    // As the strategy wants it: fields of a form, or a token. `return_to`, `error_to` and `transport` are ours.
    body: z.record(z.string().max(64), z.string().max(8192)),
    limit: "300/1h",
    answers: {
      200: z.union([onwardSchema, signedInSchema]),
      303: RETURN_TO,
      problems: [...PROVIDER, ...ESTABLISHING],
      default: HOOK,
    },
    handle: (call) => {
      const purpose = signIn(call, call.body);
      return orFailure(call, purpose, () => beginRoundTrip(call, purpose, { transport: transportIn(call.body) }));
    },
  }),

  route({
    operationId: "callback",
    method: "GET",
    path: "/callback/{provider}",
    summary: "Where a provider sends the browser back to.",
    params: provider,
    query: callbackInput,
    limit: "600/1h",
    answers: {
      200: z.union([signedInSchema, steppedUpSchema, z.strictObject({ linked: z.string() })]),
      303: "To `return_to`, or the start page; to `error_to` when it failed.",
      page: "A page that leads here again, with the cookies that stay behind when another site leads here.",
      errorPage: "What went wrong, and how to go on.",
      problems: [...PROVIDER, ...ESTABLISHING, ...RACED],
      default: HOOK,
    },
    handle: async (call) =>
      arrivesWithoutSession(call)
        ? { html: onwardPage(call.req.originalUrl) }
        : orFailure(call, signIn(call, {}), (tell) => completeRoundTrip(call, call.query, tell)),
  }),

  route({
    operationId: "callbackForm",
    method: "POST",
    path: "/callback/{provider}",
    summary: "The same for response_mode=form_post: reads no cookie, and goes on by GET.",
    crossSite: true,
    params: provider,
    body: callbackInput,
    answers: { 303: "To the same callback by GET." },
    async handle({ http, params, body }) {
      const query = new URLSearchParams();
      for (const name of CALLBACK_FIELDS) {
        const value = body[name];
        if (typeof value === "string") query.set(name, value);
      }
      return { location: `${http.basePath}/callback/${params.provider}?${query}` };
    },
  }),

  backChannelLogoutRoute,
  frontChannelLogoutRoute,
  ...providerSignOutRoutes,
];

function signIn(call: StrategyCall, asked: Leading): TransactionPurpose {
  return { intent: "sign_in", ...leading(call, asked) };
}

function transportIn({ transport }: Readonly<Record<string, string>>): SessionTransport | undefined {
  const asked = transportInput.safeParse(transport);
  if (!asked.success) throw new RequestError(`transport: give one of ${TRANSPORTS.join(", ")}`);
  return asked.data;
}

/** Strict cookies stay behind when another site leads here: linking and stepping up would not find the session that they began in. */
function arrivesWithoutSession({ http, req }: StrategyCall): boolean {
  return http.cookies.strict && req.get("sec-fetch-site") === "cross-site";
}

/** Leads to where one is already, so that it is our own page that led there. */
function onwardPage(url: string): string {
  const here = escapeHtml(url);
  return page("One moment", `<meta http-equiv="refresh" content="0;url=${here}">\n<p><a href="${here}">Go on</a></p>`);
}

/**
 * A failure is told to the log, and to somebody who looks at a page by the application's `error_to`, or a page of ours.
 * @param begun what is being done, unless `step` tells otherwise.
 */
async function orFailure(
  call: StrategyCall,
  begun: TransactionPurpose,
  step: (tell: (purpose: TransactionPurpose) => void) => Promise<Reply>,
): Promise<Reply> {
  let purpose = begun;
  try {
    return await step((told) => (purpose = told));
  } catch (cause) {
    const { kit, http, req, res, params, source } = call;
    const error = asAuthError(cause);
    const isKnown = kit.strategies.has(params.provider);
    kit.events.emit("sign_in.failed", { method: isKnown ? params.provider : "unknown", code: error?.code ?? "internal_error" }, { source });
    if (!error || error instanceof ConfigError || req.method !== "GET" || req.accepts(["json", "html"]) !== "html") throw cause;
    if (error.retryAfter !== undefined) res.setHeader("retry-after", String(error.retryAfter));
    if (purpose.errorTo !== undefined) return { location: withError(req, http, purpose.errorTo, error) };
    const login = isKnown ? `${http.basePath}/login/${params.provider}` : null;
    // Checked when it was stored, and now: what is allowed may have changed.
    return {
      status: error.status,
      html: failurePage(detailOf(error), { ...purpose, returnTo: http.returnTo(req, purpose.returnTo) }, login),
    };
  }
}

const TITLES: Readonly<Record<TransactionPurpose["intent"], string>> = {
  sign_in: "Sign-in did not finish",
  link: "Linking did not finish",
  reauthenticate: "Confirming that it is you did not finish",
  sign_out: "Sign-out did not finish",
};

/**
 * What went wrong and how to go on, in our words: never a provider's. Only a sign-in is begun again from here, to the same end; whoever
 * linked an account would be led into another one's session that way, so they are led back to where they began.
 */
function failurePage(message: string, { intent, returnTo }: TransactionPurpose, login: string | null): string {
  const link = (href: string, text: string) => `<a href="${escapeHtml(href)}">${text}</a>`;
  const start = link("/", "start page");
  const query = returnTo === "/" ? "" : `?${new URLSearchParams({ return_to: returnTo })}`;
  const again = intent === "sign_in" && login !== null ? link(`${login}${query}`, "Try again") : null;
  const back = intent !== "sign_in" && returnTo !== "/" ? `${link(returnTo, "Go back")} to begin again` : null;
  const first = again ?? back;
  return page(TITLES[intent], `<p>${escapeHtml(message)}.</p>\n<p>${first === null ? "Go" : `${first}, or go`} to the ${start}.</p>`);
}
