import type { Auth } from "../auth.ts";
import { hasRefreshTokens, type SessionTransport } from "../core/session-record.ts";
import type { Session } from "../core/sessions.ts";
import type { NewUser } from "../core/users.ts";
import { ConfigError } from "../errors.ts";
import { handingOf, type Cookies } from "../http/cookies.ts";

/** Somebody to sign in, by their id. The rest counts when they are made for it: users that are there stay as they are, but for `roles`. */
export type TestUser = NewUser & {
  readonly id: string;
  /** Theirs from now on. Default: those they have. */
  readonly roles?: readonly string[] | undefined;
};

/** Options of {@link signInAs}. */
export interface SignInAsOptions {
  /** A supertest agent, or whatever keeps cookies in a `jar`: it is signed in from then on. Default: nobody's, the caller sends `headers`. */
  readonly agent?: TestAgent | undefined;
  /** Unix ms of the authentication; long ago for what asks for a fresh one. Default: now. */
  readonly authenticatedAt?: number | undefined;
  /** How they authenticated. Default: `password`. */
  readonly methods?: readonly string[] | undefined;
  /** Default: `session.transport` of the application. */
  readonly transport?: SessionTransport | undefined;
  /** Default: none. */
  readonly tenantId?: string | undefined;
  /** The session's own fields. Default: none. */
  readonly data?: Readonly<Record<string, unknown>> | undefined;
}

/** What keeps cookies: a supertest agent does. */
export interface TestAgent {
  readonly jar: { setCookie(cookie: string): unknown };
  /** Sets a header of all its requests. Only tokens need it. */
  set?(headers: Record<string, string>): unknown;
}

/** Somebody who is signed in. */
export interface SignedInAs {
  readonly session: Session;
  /** Cookies as a browser sends them: `sid=...`; empty where the credentials travel otherwise. */
  readonly cookie: string;
  /** The headers that make a request theirs, for `fetch` and the like. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Signs somebody in without the way there: makes the user if there is none of that id, and a session, as a sign-in would. For tests of what
 * lies behind it. The users' directory is read once, and a session written.
 *
 * @throws {ConfigError} for an `auth` that `createAuth` did not make, and for tokens where they are switched off; what making a session throws.
 * @example
 * const agent = request.agent(app);
 * await signInAs(auth, { id: "ada", roles: ["editor"] }, { agent });
 * await agent.get("/drafts").expect(200);
 */
export async function signInAs(auth: Auth, user: string | TestUser, options: SignInAsOptions = {}): Promise<SignedInAs> {
  const handing = handingOf(auth);
  if (!handing) throw new ConfigError("signInAs", "give what createAuth() returned");
  const { agent, authenticatedAt, methods = ["password"], transport = handing.transport, tenantId, data } = options;
  const { roles, ...profile } = typeof user === "string" ? { id: user } : user;
  if (!(await auth.users.findById(profile.id))) await auth.users.create(profile);
  if (roles) await auth.users.setRoles(profile.id, roles);

  const issued = await auth.sessions.create({ userId: profile.id, methods, authenticatedAt, transport, tenantId, data });
  const { cookies, token } = await credentialsOf(auth, issued, handing.cookies);
  const pairs = Object.entries(cookies).map(([name, value]) => `${name}=${value}`);
  for (const pair of pairs) agent?.jar.setCookie(`${pair}; Path=/`);
  const authorization: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  if (token !== null) agent?.set?.(authorization);
  const cookie = pairs.join("; ");
  return { session: issued.session, cookie, headers: { ...(cookie === "" ? {} : { cookie }), ...authorization } };
}

/** What the transport of a session puts into cookies, and what into the Authorization header. */
async function credentialsOf(
  { accessTokens, refreshTokens }: Auth,
  { session, token }: { session: Session; token: string },
  names: Cookies,
): Promise<{ cookies: Record<string, string>; token: string | null }> {
  const { transport } = session;
  if (transport === "session") return { cookies: { [names.session]: token }, token: null };
  if (!hasRefreshTokens(transport)) return { cookies: {}, token };
  if (!accessTokens || !refreshTokens) throw new ConfigError("signInAs.transport", `"${transport}" needs \`tokens\`, with sessions`);
  const { token: access } = await accessTokens.issue(session);
  if (transport === "bearer") return { cookies: {}, token: access };
  const refresh = { [names.refresh]: await refreshTokens.issue(session) };
  if (transport === "cookie") return { cookies: { [names.access]: access, ...refresh }, token: null };
  const signatureAt = access.lastIndexOf(".");
  return { cookies: { [names.access]: access.slice(signatureAt), ...refresh }, token: access.slice(0, signatureAt) };
}
