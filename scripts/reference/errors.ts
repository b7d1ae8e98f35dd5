import { problemsOf } from "../../lib/http/openapi-problems.ts";
import { cell } from "./interfaces.ts";
import { allRoutes, codesOf } from "./routes.ts";
import { thrownIn } from "./thrown.ts";

/** When each code is met. One that the code knows and this does not, or the other way round, is refused by {@link errorsPage}. */
const WHEN: Readonly<Record<string, string>> = {
  access_denied: "the person cancelled at the provider, or it refused them",
  account_already_linked: "that account at the provider belongs to another user",
  account_not_found: "there is no such linked account, or none of yours",
  account_not_linked: "a first sign-in brings the address of a user who is there already: sign in as before, then link",
  already_signed_in: "a guest session was asked for by somebody who is signed in",
  api_key_rotated: "the key was rotated already: rotate its successor",
  authentication_required: "nothing was presented: sign in first",
  body_too_large: "the body is over the limit",
  breach_check_unavailable: "with `breached: { whenUnknown: \"refuse\" }`, the password could not be checked",
  code_disabled: "in code and in events; over HTTP `invalid_code`: too many wrong codes in a row for this user",
  code_exhausted: "in code and in events; over HTTP `invalid_code`: too many guesses at one code",
  code_expired: "in code and in events; over HTTP `invalid_code`: the code's time is over",
  code_unknown: "in code and in events; over HTTP `invalid_code`: there is no such code, or it was used",
  code_wrong: "in code and in events; over HTTP `invalid_code`: the code is another one",
  config_error: "an option is missing, unknown, misshapen or unsafe: thrown at start, named with its fix. Over HTTP it tells nothing more",
  credential_not_allowed: "another kind of credential is needed, such as a session in place of an API key",
  credentials_ended: "all credentials of the user were ended while this one was being made",
  cross_site_request: "an unsafe request came from another site",
  email_confirmed: "somebody disowns an address that was confirmed already",
  email_delivery_failed: "a mail could not be sent: thrown by transports, told by `email.failed`",
  email_not_confirmed: "the password is right, the address was not confirmed yet",
  email_taken: "another user has this address",
  host_not_served: "without `baseUrl`, the host is not loopback",
  insecure_token_transport: "a browser asked for tokens outside cookies",
  insufficient_role: "none of the roles that are needed",
  insufficient_scope: "a scope was not granted, or would be given to a key by somebody who does not have it",
  insufficient_user_authentication: "the last authentication is too old: step up (RFC 9470)",
  internal_error: "nobody foresaw it; `request.failed` tells what it was",
  invalid_audit_query: "a query of the audit is misshapen",
  invalid_code: "a mailed code is wrong, expired, used, or unknown: one answer for all",
  invalid_credentials: "a wrong password, or an address that nobody has: one answer for both",
  invalid_email: "this is no email address",
  invalid_grant: "the provider takes its grant no longer",
  invalid_identity: "a strategy did not say who somebody is",
  invalid_key: "the name of a key-value entry is too long, or not text",
  invalid_logout_token: "a provider's logout token does not pass our checks",
  invalid_name: "an API key's name is missing or too long",
  invalid_overlap: "the overlap of a rotation is out of bounds",
  invalid_page: "a page is too large, or of none",
  invalid_provider_response: "a provider's answer does not pass our checks",
  invalid_request: "the request is misshapen; the detail names the field",
  invalid_role: "a role is misshapen, or there are too many",
  invalid_scope: "a scope is misshapen, or not among those that users may give",
  invalid_token: "a bearer token or a mailed link is misshapen, forged, expired, or of another kind",
  invalid_token_record: "a field of a token record is misshapen",
  invalid_ttl: "a duration is out of bounds",
  invalid_user_id: "a user id is empty or too long",
  invalid_value: "a key-value entry is neither bytes nor well-formed text",
  last_way_in: "unlinking would leave no way to sign in",
  login_required: "the provider has to show something, and was asked not to",
  method_not_allowed: "the path is ours, the method is not",
  method_not_available: "stepping up by what is switched off",
  no_email: "stepping up by code, and the user has no address",
  no_refresh_token: "a provider's access token has expired, and it gave no refresh token",
  not_a_member: "the user does not belong to that tenant",
  not_found: "there is no such route, session or key, or none of yours",
  own_user: "an administrator would remove themself, or unlink an account of their own, by the routes that are for others",
  password_changed: "another change of the password came first",
  password_disabled: "too many wrong passwords in a row: reset it by mail",
  provider_error: "a provider, or a strategy, refused or failed",
  provider_not_found: "no strategy has that name",
  provider_unavailable: "a provider cannot be reached, or took too long",
  rate_limited: "too often; `Retry-After` says when to come back",
  reauthentication_unsupported: "the provider cannot vouch for a fresh sign-in",
  reconnect_needed: "a provider refused the refresh token: the person has to sign in there again",
  refresh_failed: "a provider did not refresh a token, for now",
  refresh_token_reused: "a refresh token that was replaced before: by default the session has ended",
  refresh_unsupported: "the provider's tokens cannot be renewed",
  session_data_too_large: "a session's data is over the limit",
  session_not_found: "the session ended, or never was",
  session_revoked: "the session, or all of the user's, ended meanwhile",
  session_rotated: "another request gave the session a new token",
  sign_in_refused: "the strategy refused",
  storage_unavailable: "the store could not be asked; `Retry-After`",
  token_taken: "a token record of that id or access token is kept already",
  too_busy: "too many hashes wait; `Retry-After`",
  too_many_api_keys: "the owner has as many keys as `apiKeys.max` allows",
  too_many_keys: "too many key-value entries in one call",
  too_many_tokens: "too many token records in one call",
  transaction_not_found: "a sign-in with a provider expired, was finished already, or began in another browser",
  unsupported_media_type: "the body is neither JSON nor a form",
  user_disabled: "the account is disabled",
  user_not_found: "the user is no more",
  weak_password: "a password is too short, too long, common or breached; the detail says which",
  wrong_account: "stepping up came back as another account",
  wrong_hosted_domain: "an account of another Google Workspace domain than `hostedDomain`",
  wrong_session: "linking or stepping up came back to another session",
}; // prettier-ignore

/** Codes that are chosen where the scan does not see them: see `CodeFailure` in lib/core/magic-codes.ts. */
const COMPUTED = ["code_wrong", "code_expired", "code_unknown", "code_exhausted", "code_disabled"].map((code) => ({ code, status: 401 }));

/** Every code with its statuses, from what is thrown and from what routes document; both sorted. */
export function errorCodes(sources: ReadonlyMap<string, string>): ReadonlyMap<string, readonly number[]> {
  const documented = allRoutes()
    .flatMap(problemsOf)
    .map((problem) => ({ code: problem.slice(4), status: Number(problem.slice(0, 3)) }));
  const codes = new Map<string, Set<number>>();
  for (const { code, status } of [...COMPUTED, ...documented, ...[...sources.values()].flatMap(thrownIn)]) {
    const statuses = codes.get(code) ?? new Set();
    if (status !== 0) statuses.add(status);
    codes.set(code, statuses);
  }
  const sorted = [...codes].sort(([left], [right]) => (left < right ? -1 : 1));
  return new Map(sorted.map(([code, statuses]) => [code, [...statuses].sort((left, right) => left - right)]));
}

/**
 * The page of all errors.
 * @throws {Error} naming a code that nobody described here, or that is described and thrown nowhere.
 */
export function errorsPage(sources: ReadonlyMap<string, string>): string {
  const codes = errorCodes(sources);
  const unknown = [...codes.keys()].filter((code) => !(code in WHEN));
  if (unknown.length > 0) throw new Error(`say in WHEN when these are met: ${unknown.join(", ")}`);
  const unused = Object.keys(WHEN).filter((code) => !codes.has(code));
  if (unused.length > 0) throw new Error(`nothing throws these any more: drop them from WHEN: ${unused.join(", ")}`);
  const operations = allRoutes().map((route) => ({ name: route.operationId, codes: codesOf(route) }));
  const rows = [...codes].map(([code, statuses]) => {
    const names = new Set(operations.flatMap((operation) => (operation.codes.includes(code) ? [operation.name] : [])));
    const everywhere = operations.every((operation) => operation.codes.includes(code));
    const where = everywhere ? "any route" : names.size > 12 ? `${names.size} routes` : listed(names);
    return `| \`${code}\` | ${statuses.join(", ")} | ${cell(WHEN[code] ?? "")} | ${where} |`;
  }); // prettier-ignore
  return [
    "# Errors",
    "",
    "Every code that latchkey throws or answers with, made from the code. How to handle them: [errors](../errors.md).",
    "",
    "Over HTTP an error is a problem document (`application/problem+json`, RFC 9457) with `type`, `title`, `status`, `code` and `detail`; in code an",
    "`AuthError` with `code`, `status`, `message` and, where waiting helps, `retryAfter` in seconds. Branch on the code: codes stay, messages may change.",
    "**Routes** names those that document the code, by their [names](routes.md).",
    "",
    "| Code | Status | When | Routes |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
    "What an application's own hooks throw (`onSignUp`, `onSignIn`), and what its strategies call their failures, comes through with its own code.",
  ].join("\n");
}

const listed = (names: ReadonlySet<string>) => [...names].sort().map((name) => `\`${name}\``).join(", "); // prettier-ignore
