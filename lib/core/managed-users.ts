import type { Accounts } from "./accounts.ts";
import type { ApiKeys } from "./api-keys.ts";
import type { Events, RequestSource, RevocationReason } from "./events.ts";
import type { Principals } from "./principals.ts";
import type { Sessions } from "./sessions.ts";
import type { Users } from "./users.ts";
import { RequestError } from "../errors.ts";

/** Where a change was asked from, for its events. */
interface From {
  readonly source?: RequestSource | null | undefined;
}

/** Users with all that hangs on them: what decides about their credentials, and those credentials. Each call may be repeated until it succeeds. */
export interface ManagedUsers extends Users {
  /** Locks a user out: from the first write on no credential is made, and when this resolves all sessions and API keys are gone, for good. */
  disable(id: string, from?: From): Promise<void>;
  /** Lets a disabled user sign in again. What was ended stays ended. */
  enable(id: string, from?: From): Promise<void>;
  /**
   * Gives a user these roles and no others, and takes them into all sessions and API keys at once. `admin` passes every role.
   * @throws {RequestError} `invalid_role` for what is no text of 1 to 64 characters.
   */
  setRoles(id: string, roles: readonly string[], from?: From): Promise<void>;
  /** Removes a user: locks them out as {@link ManagedUsers.disable} does, then removes linked accounts and password, then the profile. */
  delete(id: string, from?: From): Promise<void>;
}

export interface ManagedUsersParts {
  readonly users: Users;
  readonly principals: Principals;
  readonly sessions: Sessions;
  readonly apiKeys: ApiKeys;
  readonly accounts: Accounts;
  readonly events: Events;
}

const MAX_ROLES = 100;

export function createManagedUsers({ users, principals, sessions, apiKeys, accounts, events }: ManagedUsersParts): ManagedUsers {
  /** The status first, so that what is made meanwhile is refused, and noticed by who makes it. */
  const lockOut = async (userId: string, reason: RevocationReason, source: RequestSource | null) => {
    await principals.setStatus(userId, "disabled");
    await Promise.all([sessions.revokeAll(userId, { reason, source }), apiKeys.revokeAll(userId, { source })]);
  };

  return {
    ...users,

    async disable(userId, { source = null } = {}) {
      await lockOut(userId, "disabled", source);
      events.emit("user.disabled", {}, { userId, source });
    },

    async enable(userId, { source = null } = {}) {
      await principals.setStatus(userId, "active");
      events.emit("user.enabled", {}, { userId, source });
    },

    async setRoles(userId, roles, { source = null } = {}) {
      const unique = [...new Set(roles)];
      if (unique.length > MAX_ROLES || unique.some((role) => typeof role !== "string" || role === "" || role.length > 64)) {
        throw new RequestError(`Roles are up to ${MAX_ROLES} texts of 1 to 64 characters`, "invalid_role");
      }
      await principals.setRoles(userId, unique);
      await Promise.all([sessions.refresh(userId), apiKeys.refresh(userId)]);
      events.emit("user.roles_changed", { roles: unique }, { userId, source });
    },

    async delete(userId, { source = null } = {}) {
      await lockOut(userId, "deleted", source);
      await accounts.deleteForUser(userId);
      await users.delete(userId);
      events.emit("user.deleted", {}, { userId, source });
    },
  };
}
