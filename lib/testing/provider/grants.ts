import { randomToken } from "../../crypto/random.ts";
import { sha256 } from "../../crypto/hash.ts";

/** Who signs in at a fake provider: claims. Only `sub` is needed. */
export interface FakeUser {
  readonly sub: string;
  readonly [claim: string]: unknown;
}

/** What somebody agreed to at the provider. */
export interface Grant {
  readonly user: FakeUser;
  readonly scope: string;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly nonce: string | null;
  readonly challenge: string | null;
  /** The thumbprint of the key that must prove whose the code is (`dpop_jkt`); `null`: none has to. */
  readonly codeKey: string | null;
  readonly sid: string;
  /** Unix seconds. */
  readonly authTime: number;
}

/** What an access token stands for. */
interface BoundGrant extends Grant {
  /** The thumbprint of the key that it is bound to; `null` of a bearer token. */
  readonly jkt: string | null;
}

/** OAuth's error answers: an `error` value and its status. */
export class GrantRefusal extends Error {
  readonly status: number;

  constructor(error: string, status = 400) {
    super(error);
    this.status = status;
  }
}

/** Codes and tokens that a fake provider gave out. Codes and refresh tokens count once. */
export function createGrants() {
  const codes = new Map<string, Grant>();
  const refreshTokens = new Map<string, Grant>();
  const accessTokens = new Map<string, BoundGrant>();

  const issue = (grant: Grant, jkt: string | null) => {
    const [accessToken, refreshToken] = [randomToken(24), grant.scope.includes("offline_access") ? randomToken(24) : null];
    accessTokens.set(accessToken, { ...grant, jkt });
    if (refreshToken !== null) refreshTokens.set(refreshToken, grant);
    return { grant, accessToken, refreshToken };
  };

  return {
    /** A code for what was agreed to. */
    authorize(grant: Grant): string {
      const code = randomToken(24);
      codes.set(code, grant);
      return code;
    },

    /** @throws {GrantRefusal} when the token request does not fit what was agreed to. @see RFC 6749, section 4.1.3; RFC 7636, section 4.6. */
    redeem(request: URLSearchParams, clientId: string, jkt: string | null) {
      const kind = request.get("grant_type");
      const held = kind === "authorization_code" ? codes : kind === "refresh_token" ? refreshTokens : null;
      if (!held) throw new GrantRefusal("unsupported_grant_type");
      const value = request.get(kind === "refresh_token" ? "refresh_token" : "code") ?? "";
      const grant = held.get(value);
      held.delete(value);
      if (!grant || grant.clientId !== clientId) throw new GrantRefusal("invalid_grant");
      if (kind === "authorization_code") {
        if (request.get("redirect_uri") !== grant.redirectUri) throw new GrantRefusal("invalid_grant");
        const verifier = request.get("code_verifier");
        const shown = verifier === null ? null : sha256(verifier).toString("base64url");
        if (shown !== grant.challenge) throw new GrantRefusal("invalid_grant");
        if (grant.codeKey !== null && grant.codeKey !== jkt) throw new GrantRefusal("invalid_grant");
      }
      return { ...issue(grant, jkt), refreshed: kind === "refresh_token" };
    },

    /** Whose access token it is. */
    find: (accessToken: string): BoundGrant | null => accessTokens.get(accessToken) ?? null,
  };
}
