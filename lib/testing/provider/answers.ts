import { constantTimeEqual } from "../../crypto/hash.ts";
import { randomToken } from "../../crypto/random.ts";
import { PROOF_ALGORITHMS } from "./proofs.ts";
import { createGrants, GrantRefusal, type FakeUser, type Grant } from "./grants.ts";
import { publicJwk, type SigningKey, type Signer } from "./signing.ts";

type Claims = Record<string, unknown>;
/** Changes what is about to be said. What it returns is said in its place. */
export type Change<T> = (said: T) => T;

/** What a fake provider says, each part of which can be changed. */
export interface Changes {
  /** Its metadata. */
  metadata?: Change<Claims> | undefined;
  /** Its published keys. */
  keys?: Change<Claims[]> | undefined;
  /** The parameters that it sends the browser back with. */
  authorization?: Change<Record<string, string>> | undefined;
  /** The token endpoint's answer. */
  tokens?: Change<Claims> | undefined;
  /** The claims of ID tokens, before they are signed. `refreshed` is true for those of a refresh. */
  idToken?: ((claims: Claims, about: { refreshed: boolean }) => Claims) | undefined;
  /** The userinfo answer. */
  userinfo?: Change<Claims> | undefined;
}

/** What the answers depend on, as it is at the moment. */
export interface Ground {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | null;
  readonly pushedRequests: boolean;
  readonly user: FakeUser;
  readonly keys: readonly SigningKey[];
  readonly signer: Signer;
  readonly changes: Changes;
  /** Unix ms. */
  readonly now: number;
}

/** Claims that stand behind a scope. @see OpenID Connect Core 1.0, section 5.4. */
const SCOPED: Readonly<Record<string, readonly string[]>> = {
  profile: ["name", "given_name", "family_name", "preferred_username", "picture", "locale"],
  email: ["email", "email_verified"],
  phone: ["phone_number", "phone_number_verified"],
  address: ["address"],
};

/** An honest provider's answers. `ground` is asked anew for each. */
export function createAnswers(ground: () => Ground) {
  const grants = createGrants();
  const pushed = new Map<string, URLSearchParams>();
  const changed = <T>(change: Change<T> | undefined, said: T): T => (change ? change(said) : said);

  const idToken = async ({ user, nonce, sid, authTime, clientId }: Grant, refreshed: boolean) => {
    const { issuer, keys, signer, changes, now } = ground();
    const [key] = keys;
    if (!key) throw new Error("The fake provider has no key left to sign with");
    const iat = Math.floor(now / 1000);
    const claims = {
      iss: issuer,
      sub: user.sub,
      aud: clientId,
      iat,
      exp: iat + 3600,
      auth_time: authTime,
      sid,
      ...(nonce === null || refreshed ? {} : { nonce }),
    };
    return signer(changes.idToken?.(claims, { refreshed }) ?? claims, key);
  };

  return {
    metadata() {
      const { issuer, pushedRequests, changes } = ground();
      return changed(changes.metadata, {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        userinfo_endpoint: `${issuer}/userinfo`,
        jwks_uri: `${issuer}/keys`,
        end_session_endpoint: `${issuer}/logout`,
        ...(pushedRequests ? { pushed_authorization_request_endpoint: `${issuer}/push` } : {}),
        response_types_supported: ["code"],
        response_modes_supported: ["query", "form_post"],
        grant_types_supported: ["authorization_code", "refresh_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256", "ES256"],
        token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "none"],
        code_challenge_methods_supported: ["S256"],
        dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
        authorization_response_iss_parameter_supported: true,
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
      });
    },

    async keys() {
      const { keys, changes } = ground();
      return { keys: changed(changes.keys, await Promise.all(keys.map(async (key) => ({ ...(await publicJwk(key)) })))) };
    },

    /** Keeps an authorization request until it is begun. @see RFC 9126. */
    push(request: URLSearchParams, authorization: string | undefined) {
      authenticate(ground(), request, authorization);
      const uri = `urn:ietf:params:oauth:request_uri:${randomToken(16)}`;
      pushed.set(uri, request);
      return { request_uri: uri, expires_in: 60 };
    },

    /** Where the browser is sent back to, and with what: the person agrees to everything. Throws where an honest provider shows a page. */
    authorize(asked: URLSearchParams) {
      const { clientId, issuer, user, changes, now } = ground();
      const request = pushed.get(asked.get("request_uri") ?? "") ?? asked;
      pushed.delete(asked.get("request_uri") ?? "");
      const redirectUri = request.get("redirect_uri");
      if (request.get("client_id") !== clientId || redirectUri === null) throw new GrantRefusal("invalid_request");
      const state = request.get("state");
      const code = grants.authorize({
        user,
        clientId,
        redirectUri,
        scope: request.get("scope") ?? "",
        nonce: request.get("nonce"),
        challenge: request.get("code_challenge"),
        codeKey: request.get("dpop_jkt"),
        sid: randomToken(12),
        authTime: Math.floor(now / 1000),
      });
      const parameters = changed(changes.authorization, { code, iss: issuer, ...(state === null ? {} : { state }) });
      return { redirectUri, parameters: new URLSearchParams(parameters), byForm: request.get("response_mode") === "form_post" };
    },

    /** @param jkt of the key that the request was proved with; `null` for bearer tokens. */
    async tokens(request: URLSearchParams, authorization: string | undefined, jkt: string | null) {
      const at = ground();
      authenticate(at, request, authorization);
      const { grant, accessToken, refreshToken, refreshed } = grants.redeem(request, at.clientId, jkt);
      const openid = grant.scope.split(" ").includes("openid");
      return changed(at.changes.tokens, {
        access_token: accessToken,
        token_type: jkt === null ? "Bearer" : "DPoP",
        expires_in: 3600,
        scope: grant.scope,
        ...(refreshToken === null ? {} : { refresh_token: refreshToken }),
        ...(openid ? { id_token: await idToken(grant, refreshed) } : {}),
      });
    },

    /** @throws {GrantRefusal} `invalid_token`. */
    userinfo({ scheme, accessToken }: ShownToken, jkt: string | null) {
      const grant = grants.find(accessToken ?? "");
      if (!grant || grant.jkt !== jkt || scheme !== (jkt === null ? "bearer" : "dpop")) throw new GrantRefusal("invalid_token", 401);
      const names = grant.scope.split(" ").flatMap((scope) => SCOPED[scope] ?? []);
      const claims = grant.scope.includes("openid")
        ? Object.entries(grant.user).filter(([name]) => names.includes(name))
        : Object.entries(grant.user);
      return changed(ground().changes.userinfo, { sub: grant.user.sub, ...Object.fromEntries(claims) });
    },
  };
}

/** What an Authorization header shows. */
export interface ShownToken {
  /** In lower case. */
  readonly scheme: string;
  readonly accessToken: string | null;
}

/** @throws {GrantRefusal} `invalid_client`. @see RFC 6749, section 2.3.1. */
function authenticate({ clientId, clientSecret }: Ground, request: URLSearchParams, authorization: string | undefined): void {
  const basic = /^Basic (.+)$/i.exec(authorization ?? "")?.[1];
  const [id, secret] = basic === undefined ? [request.get("client_id"), request.get("client_secret")] : fromBasic(basic);
  const known = clientSecret === null ? secret === null : secret !== null && constantTimeEqual(secret, clientSecret);
  if (id !== clientId || !known) throw new GrantRefusal("invalid_client", 401);
}

function fromBasic(value: string): [string, string] {
  const [id = "", secret = ""] = Buffer.from(value, "base64").toString().split(":");
  const decoded = (text: string) => decodeURIComponent(text.replaceAll("+", " "));
  return [decoded(id), decoded(secret)];
}
