import { z } from "zod";
import { ConfigError, RequestError } from "../errors.ts";
import { hasRefreshTokens, TRANSPORTS } from "../core/session-record.ts";
import type { Session, SessionTransport } from "../core/sessions.ts";
import { readCookie } from "./extract.ts";
import type { RouteCall } from "./route.ts";

type Call = RouteCall<unknown, unknown, unknown>;

/** The transport that a client may ask for at sign-in. */
export const transportInput = z.enum(TRANSPORTS).optional().meta({ description: "Default: the application's `session.transport`." });

/**
 * Hands a new session's credentials to the client as the session's transport has it, and clears cookies that another transport left.
 * `token` is `null` for a session that rests nowhere.
 * @returns the fields of the answer that hold some.
 */
export async function sendCredentials(
  call: Call,
  { session, token }: { session: Session; token: string | null },
): Promise<Record<string, unknown>> {
  const { http } = call;
  if (token === null) return await sendTokens(call, session, null);
  if (!hasRefreshTokens(session.transport)) clearOthers(call, session.transport === "session" ? [http.cookies.session] : []);
  return await sendSession(call, { session, token });
}

/** Puts a session's new credentials where the client expects them: cookies, or fields of the answer. @returns those fields. */
export async function sendSession(call: Call, { session, token }: { session: Session; token: string }): Promise<Record<string, unknown>> {
  const { kit, http, res } = call;
  if (session.transport === "token") return { token };
  if (hasRefreshTokens(session.transport)) {
    if (!kit.refreshTokens) throw new ConfigError("tokens", "set it, for sessions with refresh tokens");
    return await sendTokens(call, session, await kit.refreshTokens.issue(session));
  }
  http.cookies.set(res, http.cookies.session, token, (session.expiresAt - kit.clock.now()) / 1000);
  return {};
}

/**
 * Hands out a new access token and `refreshToken`, if there is one: in the answer, in cookies, or the access token in halves. No cookie
 * outlives its token.
 */
export async function sendTokens(call: Call, session: Session, refreshToken: string | null): Promise<Record<string, unknown>> {
  const { kit, http, res } = call;
  if (!kit.accessTokens) throw new ConfigError("tokens", "set it, for sessions with refresh tokens");
  const access = await kit.accessTokens.issue(session);
  const secondsTo = (at: number) => Math.floor((at - kit.clock.now()) / 1000);
  const expiresIn = secondsTo(access.expiresAt);
  if (session.transport === "bearer") {
    clearOthers(call, []);
    const renewal = refreshToken === null ? {} : { refresh_token: refreshToken };
    return { access_token: access.token, token_type: "Bearer", expires_in: expiresIn, ...renewal };
  }
  const { cookies } = http;
  clearOthers(call, refreshToken === null ? [cookies.access] : [cookies.access, cookies.refresh]);
  const signatureAt = access.token.lastIndexOf(".");
  cookies.set(res, cookies.access, session.transport === "split" ? access.token.slice(signatureAt) : access.token, expiresIn);
  if (refreshToken !== null) {
    cookies.set(res, cookies.refresh, refreshToken, secondsTo(Math.min(session.expiresAt, session.idleExpiresAt)));
  }
  if (session.transport === "cookie") return { expires_in: expiresIn };
  return { access_token: access.token.slice(0, signatureAt), token_type: "Bearer", expires_in: expiresIn };
}

/** Clears the cookies of what has ended, and whatever else the browser sends that would be a credential. */
export function clearCredentials({ http, req, res }: Call, ended: readonly string[]): void {
  for (const name of http.cookies.credentials) {
    if (ended.includes(name) || readCookie(req, name) !== null) http.cookies.clear(res, name);
  }
}

/** A browser never sends the credentials of two transports. */
function clearOthers({ http, req, res }: Call, kept: readonly string[]): void {
  for (const name of http.cookies.credentials) {
    if (!kept.includes(name) && readCookie(req, name) !== null) http.cookies.clear(res, name);
  }
}

/**
 * The transport that a sign-in asked for, else the application's.
 * @throws {RequestError} `insecure_token_transport` when a browser asks for tokens that its scripts could leak; `invalid_request` for
 *   tokens where they are switched off.
 */
export function chooseTransport({ kit, http, req }: Call, asked: SessionTransport | undefined): SessionTransport {
  const transport = asked ?? http.transport;
  const browser = req.get("sec-fetch-site") !== undefined || req.get("origin") !== undefined;
  if (inBody(transport) && browser && !http.allowTokensInBrowsers) {
    throw new RequestError("In a browser credentials travel in cookies", "insecure_token_transport");
  }
  if (hasRefreshTokens(transport) && !kit.accessTokens) {
    throw new RequestError("Access and refresh tokens are switched off");
  }
  return transport;
}

/** That of a sign-in which ends in a redirect: what would be in the answer's body is lost on the way. */
export function redirectedTransport({ http: { transport } }: Call): SessionTransport {
  return inBody(transport) ? "session" : transport;
}

/** A guest is nobody whom an access token could name: only how its session's token travels is left to choose. */
export function guestTransport({ http: { transport } }: Call): "session" | "token" {
  return inBody(transport) ? "token" : "session";
}

function inBody(transport: SessionTransport): boolean {
  return transport === "token" || transport === "bearer";
}
