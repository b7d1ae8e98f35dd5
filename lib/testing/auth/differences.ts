/** Where latchkey is otherwise than a behaviour of docs/conformance.md says, or the suite cannot see it from outside. */
export interface Difference {
  /** Such as `sign-up 6`. */
  readonly behaviour: string;
  /** Which part of it. */
  readonly what: string;
  /** Why, and what holds instead. */
  readonly why: string;
}

/** For what happens in the application's process. */
const unseen = (what: string) => `no request sees it; ${what} has tests of its own`;

/** Behaviours that the suite leaves out or turns round, each with its reason. What is in neither is tested as it is written. */
export const DIFFERENCES: readonly Difference[] = [
  {
    behaviour: "sign-up 1",
    what: "a workspace is made as well; organizations, roles in them, invitations and pages of API keys",
    why: "organizations are the application's own: a session can be in a tenant, and `session.membership` says who may be",
  },
  {
    behaviour: "sign-up 6",
    what: "a password of letters alone is refused",
    why: "no rules of composition (NIST SP 800-63B-4, 3.1.1.2): length, a blocklist and breaches decide",
  },
  {
    behaviour: "sign-in 1",
    what: "`last_sign_in_at` of the user is set",
    why: "each session says when it was authenticated, which tells devices apart; a user has no such field",
  },
  {
    behaviour: "sign-in 5",
    what: "the row of the earlier refresh token gets `revoked_at`",
    why: "an ended session is gone: what is absent is refused, and no row can be read as live by mistake. The audit log keeps that it was",
  },
  {
    behaviour: "sign-out 2",
    what: "the access cookie alone signs nobody out",
    why: "any credential of a session ends it: an access token names its session",
  },
  {
    behaviour: "refresh 3",
    what: "a user who is gone is 404",
    why: "401 `user_not_found`, and the session ends: clients take 401 for signed out, and 404 for a server that refreshes nothing",
  },
  {
    behaviour: "refresh 6",
    what: "the row of the token that was replaced is revoked",
    why: "there is no row: one number on the session says which token is the latest",
  },
  {
    behaviour: "mail 5",
    what: "opening the link confirms the address",
    why: "scanners of mail open links: the page that it shows has a form, and only its POST spends the token",
  },
  {
    behaviour: "mail 8",
    what: "API keys go on after a reset",
    why: "they end with the sessions: who knew the password may have made them",
  },
  {
    behaviour: "mail 12",
    what: "a weak password is 400 whatever the token is",
    why: "a token that is none is 401 first, so that without a link nobody asks the policy, or others for breaches; a weak password leaves a good one unspent",
  },
  {
    behaviour: "more 1",
    what: "errors are `{ error: message }`",
    why: "errors are problem documents (RFC 9457) with a stable `code`; a key is managed by a fresh session, never by a key",
  },
  {
    behaviour: "more 8",
    what: "the order in which hooks are called",
    why: unseen("what calls hooks and mail transports"),
  },
  { behaviour: "sessions 1", what: "sessions without an end", why: "every session ends after 30 days at most (OWASP ASVS 7.3.2)" },
  {
    behaviour: "sessions 1",
    what: "a conflict of two writes is answered 409, a failing store 500",
    why: "a lost race is run again, and an outage is 503 with Retry-After: tested with stores that fail",
  },
  {
    behaviour: "sessions 2",
    what: "exact messages for a missing transport and a missing user; ids made by a function of the application's",
    why: "the application sets a default transport, a session needs a user by its type, and ids are random",
  },
  {
    behaviour: "sessions 3",
    what: "claims and payload that the application adds",
    why: unseen("`tokens.claims`, as `sessions.updateData`,"),
  },
  {
    behaviour: "sessions 4",
    what: "SameSite=Strict on the cookie of the access token",
    why: "Lax, so that who follows a link from a mail arrives signed in; unsafe requests need a proof of origin, and the refresh cookie is Strict",
  },
  {
    behaviour: "sessions 4",
    what: "Path=/ on both cookies",
    why: "the refresh cookie goes to the routes below `/auth` alone",
  },
  {
    behaviour: "sessions 5",
    what: "signing out without a session clears both cookies all the same",
    why: "`sign-out 2` and `sign-out 4` ask the opposite: success is answered only when something ended (RFC 7009, 2.2.1)",
  },
  {
    behaviour: "sessions 6",
    what: 'claims `role: "authenticated"` and `email`',
    why: "`sub` says who, `roles` what they may; an address changes, and is everybody's who is shown a token: `tokens.claims` can put it there",
  },
  {
    behaviour: "sessions 6",
    what: "renamed fields on the request, maps of telemetry",
    why: unseen("`auth.events`, as `req.auth`,"),
  },
  {
    behaviour: "sessions 7",
    what: "every refresh token of the current and the previous generation counts, again and again",
    why: "a thief could refresh beside the owner for ever: one token is current, its predecessor gives the same successor within the grace, and reuse ends the session (RFC 9700, 4.14)",
  },
  {
    behaviour: "tokens 1",
    what: "every claim that may fail, in order, each with one event",
    why: `${unseen("`latchkey/pipeline`")}, and no key but the server's could sign such tokens`,
  },
  {
    behaviour: "tokens 2",
    what: "`Bearer: x` is a bearer; a cookie `signature` completes a token that ends in a dot",
    why: "the grammar of RFC 6750, 2.1; the signature's cookie begins with a dot, and completes two parts alone",
  },
  { behaviour: "tokens 3", what: "tokens that are not good yet", why: `nobody issues them; ${unseen("`latchkey/pipeline`")}` },
  { behaviour: "tokens 4", what: "freshness by generations", why: "as `sessions 7`" },
  { behaviour: "tokens 5", what: "sets in claims", why: unseen("`latchkey/pipeline`") },
  { behaviour: "tokens 6", what: "fields assigned to the request", why: unseen("`req.auth`") },
  {
    behaviour: "tokens 7",
    what: "HS384, HS512, Ed448, Blake3 and Poly1305; six messages; tokens without `kid`",
    why: "EdDSA (Ed25519), ES256, RS256 and HS256; one code, `invalid_token`; a token names its key",
  },
];
