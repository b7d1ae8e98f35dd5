import type { Clock } from "../clock.ts";
import { ownerTag } from "../crypto/hash.ts";
import type { NewSession } from "./new-session.ts";
import { endedMeanwhile } from "./new-session.ts";
import { assertUserId, sameEpoch, type Principals } from "./principals.ts";
import type { Session } from "./session-record.ts";
import { publicSessionId, type SessionTokens } from "./session-token.ts";

/**
 * Sessions that rest nowhere: what an access token is issued for where no store should be asked, ever. Nothing can end one but its
 * token's expiry; it has no refresh token, is in no list, and does not pass `requireAuth({ live: true })`.
 */
export interface StatelessSessions {
  /**
   * A session as long as an access token. Two reads at once, of the principal and the epochs; no write.
   * @throws {CredentialError} `user_disabled`, or `session_revoked` when `epoch` moved on; {@link RequestError} `invalid_user_id`.
   */
  create(
    options: Pick<NewSession, "userId" | "transport" | "methods" | "tenantId" | "type" | "epoch" | "authenticatedAt">,
  ): Promise<Session>;
}

export interface StatelessSessionsParts {
  readonly tokens: SessionTokens;
  readonly principals: Principals;
  readonly clock: Clock;
  /** Seconds. */
  readonly accessTtl: number;
}

export function createStatelessSessions({ tokens, principals, clock, accessTtl }: StatelessSessionsParts): StatelessSessions {
  return {
    async create({ userId, transport = "bearer", methods = [], tenantId = null, type = "full", epoch: proven, authenticatedAt }) {
      assertUserId(userId);
      const { epoch, principal } = await principals.activeStanding(userId);
      if (proven && !sameEpoch(epoch, proven)) throw endedMeanwhile();
      const now = clock.now();
      const expiresAt = now + accessTtl * 1000;
      const tag = ownerTag(userId);
      return {
        id: publicSessionId(tag, tokens.issue(tag).sid),
        userId,
        kind: "user",
        type,
        transport,
        createdAt: now,
        expiresAt,
        idleExpiresAt: expiresAt,
        lastSeenAt: now,
        authenticatedAt: authenticatedAt ?? now,
        methods,
        tenantId,
        roles: principal.roles,
        device: null,
        data: {},
        epoch,
        idp: null,
      };
    },
  };
}
