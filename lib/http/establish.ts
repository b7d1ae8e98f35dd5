import type { ProviderAssertion } from "../core/provider-sessions.ts";
import type { Session, SessionTransport } from "../core/sessions.ts";
import { hasRefreshTokens } from "../core/session-record.ts";
import { AuthError } from "../errors.ts";
import { extractCredential } from "./extract.ts";
import type { Reply, RouteCall } from "./route.ts";
import { chooseTransport, redirectedTransport, sendCredentials } from "./transports.ts";
import { sessionView, userView } from "./views.ts";

/** What a proof of identity led to. */
export interface Proof {
  readonly userId: string;
  /** Such as `magic_code`, `magic_link`, or a provider's name. */
  readonly method: string;
  /** Default: one that outlasts a redirect. */
  readonly transport?: SessionTransport | undefined;
  readonly idp?: Session["idp"];
  /** See `NewSession`. */
  readonly assertion?: ProviderAssertion | null;
  /** The epoch at which the proof held; the session is refused if it moved on. */
  readonly epoch?: Session["epoch"] | undefined;
}

type Call = RouteCall<unknown, unknown, unknown>;

/**
 * Signs somebody in: a guest's session is upgraded, one that the browser had before ends, the new one travels as asked.
 * The answer leaves only after the store confirmed it.
 */
export async function establish(
  call: Call,
  { userId, method, transport: asked, idp = null, assertion = null, epoch }: Proof,
): Promise<Reply> {
  const { kit, req, source } = call;
  const transport = chooseTransport(call, asked ?? redirectedTransport(call));
  // Whoever proves who they are another way may use codes again. A mail proves that by itself.
  const forgiven = method === "magic_code" || method === "magic_link" ? null : kit.magicCodes.clearFailures(userId);
  const [user] = await Promise.all([kit.users.findById(userId), forgiven]);
  const options = { userId, methods: [method], transport, ...(epoch ? { epoch } : {}) };
  const issued =
    kit.statelessSessions && hasRefreshTokens(transport)
      ? { session: await kit.statelessSessions.create(options), token: null }
      : await kit.sessions.upgrade(tokenShown(call), { ...options, source, idp, assertion });
  const { session } = issued;
  const before = req.auth.kind === "session" ? req.auth.session.id : req.auth.kind === "access_token" ? req.auth.sessionId : session.id;
  if (before !== session.id) await kit.sessions.revoke(before, { reason: "replaced", source });
  const credentials = await sendCredentials(call, issued).catch(async (error: unknown) => {
    // Nobody holds a credential of it.
    await kit.sessions.revoke(session.id, { source });
    throw error;
  });
  kit.events.emit("sign_in.succeeded", { method, sessionId: session.id }, { userId, source });
  return {
    json: {
      user: user ? userView(user) : { id: userId },
      session: sessionView(session, session.id),
      ...credentials,
    },
  };
}

/** The token a guest came with, in the header or the cookie; whatever else it may be, it upgrades nothing. */
function tokenShown({ req, http }: Call): string | null {
  try {
    return extractCredential(req, http.cookies)?.token ?? null;
  } catch {
    return null; // no bearer token: `req.auth` tells what is wrong with it
  }
}

/** Does what should end in a session, and tells an event when it is refused. An outage is no refusal. */
export async function noteFailure<T>({ kit, source }: Call, method: string, signIn: () => Promise<T>): Promise<T> {
  try {
    return await signIn();
  } catch (error) {
    if (error instanceof AuthError && error.status < 500) kit.events.emit("sign_in.failed", { method, code: error.code }, { source });
    throw error;
  }
}
