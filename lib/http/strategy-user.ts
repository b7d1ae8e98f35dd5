import { profileIsNoUser, type Identity } from "../core/strategy.ts";
import { ProviderError } from "../errors.ts";

/** Who a strategy says somebody is: an identity at a provider, or a user that the application found itself. */
export type StrategyUser = { readonly identity: Identity; readonly userId: null } | { readonly identity: null; readonly userId: string };

/**
 * What a strategy gave as its user, read as one or the other. A Passport profile is neither, although it has an `id`: that is the
 * provider's, and anybody's among ours.
 *
 * @throws {ConfigError} for a profile; {@link ProviderError} `provider_error` for what has no id.
 */
export function readStrategyUser(user: unknown): StrategyUser {
  const fields = typeof user === "object" && user !== null ? (user as Readonly<Record<string, unknown>>) : {};
  if ("provider" in fields && "subject" in fields) return { identity: user as Identity, userId: null };
  assertNoProfile(fields);
  const { id } = fields;
  if (typeof id !== "string" || id === "")
    throw new ProviderError("provider_error", "The strategy's user has no id: give { id: string } or identify()");
  return { identity: null, userId: id };
}

/** @throws {ConfigError} for a profile, told by what Passport's and passport-discord's have. */
export function assertNoProfile(user: object): void {
  const profile = "_json" in user || "_raw" in user || ("provider" in user && ("displayName" in user || "fetchedAt" in user));
  if (profile) throw profileIsNoUser();
}
