import type { AnyRoute, Problem } from "./route.ts";

/** What any route may answer: nobody foresaw it, or the store could not be asked. */
const ALWAYS = ["500 internal_error", "500 config_error", "503 storage_unavailable"] as const;

/** What a limit answers. */
export const THROTTLED = ["429 rate_limited"] as const;

/** What comes of a session token, an access token or an API key that does not hold. */
export const REFUSED_CREDENTIAL = [
  "401 authentication_required",
  "401 invalid_token",
  "401 session_not_found",
  "401 session_revoked",
] as const;

/** What making a session may come to, however somebody proved who they are. */
export const ESTABLISHING = [
  "400 insecure_token_transport",
  "400 invalid_user_id",
  "413 session_data_too_large",
  "401 user_disabled",
  "401 user_not_found",
  "401 session_revoked",
] as const;

/** What checking a password may come to. */
export const PASSWORD_CHECK = ["401 invalid_credentials", "401 password_disabled", "429 rate_limited", "503 too_busy"] as const;

/** What setting a password may come to. */
export const PASSWORD_CHOICE = ["400 weak_password", "503 too_busy", "503 breach_check_unavailable"] as const;

/** What a provider, or a strategy, may make of a sign-in. */
export const PROVIDER = [
  "400 reauthentication_unsupported",
  "401 access_denied",
  "401 login_required",
  "401 sign_in_refused",
  "401 transaction_not_found",
  "401 insufficient_user_authentication",
  "403 wrong_account",
  "403 wrong_session",
  "404 provider_not_found",
  "409 account_already_linked",
  "409 account_not_linked",
  "502 invalid_grant",
  "502 invalid_identity",
  "502 invalid_provider_response",
  "502 provider_error",
  "502 provider_unavailable",
] as const;

/** What a change of a session may run into when another request was first. */
export const RACED = ["401 session_rotated", "401 session_revoked"] as const;

/** Every problem document a route may answer with: its own, and those of the checks before its handler. Sorted, each once. */
export function problemsOf(route: AnyRoute): readonly Problem[] {
  const { method, guard, limit, crossSite, query, params, answers } = route;
  const unsafe = method !== "GET";
  const problems: readonly Problem[] = [
    ...ALWAYS,
    ...(answers.problems ?? []),
    "421 host_not_served",
    ...(unsafe || query || params ? (["400 invalid_request"] as const) : []),
    ...(unsafe ? (["413 body_too_large", "415 unsupported_media_type"] as const) : []),
    ...(unsafe && !crossSite ? (["403 cross_site_request"] as const) : []),
    ...(limit ? THROTTLED : []),
    ...(guard ? REFUSED_CREDENTIAL : []),
    ...(guard ? (["403 cross_site_request"] as const) : []),
    ...(guard?.kinds || guard?.maxAge !== undefined ? (["403 credential_not_allowed"] as const) : []),
    ...(guard?.roles ? (["403 insufficient_role"] as const) : []),
    ...(guard?.scope ? (["403 insufficient_scope"] as const) : []),
    ...(guard?.maxAge === undefined ? [] : (["401 insufficient_user_authentication"] as const)),
  ];
  return [...new Set(problems)].sort();
}

/** Where a route sends a browser, in words; `null`: nowhere. */
export function redirectOf({ method, guard, answers }: AnyRoute): string | null {
  if (answers[303] !== undefined) return answers[303];
  if (method === "POST") return "To `error_to`: a form that a page posted is refused.";
  return guard && method === "GET" ? "To the sign-in page, where there is one and a browser asks for a page." : null;
}

/** In words: where a form leads to when it is done. */
export const RETURN_TO = "To `return_to`, or the start page: a form that a page posted is done.";
/** In words: what the application's own code refuses with. */
export const HOOK = "What the application's own code refuses with: its status, its code.";
