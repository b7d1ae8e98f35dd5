/** A long-lived bearer secret of a user, as far as it may be shown: it names the key, and opens nothing. */
export interface ApiKey {
  /** The public id: 22 base62 characters. */
  readonly id: string;
  readonly userId: string;
  /** What its owner calls it, 1 to 100 characters. */
  readonly name: string;
  /** The first characters of the key, by which its owner recognises it: the prefix and nine more. */
  readonly keyPrefix: string;
  readonly scopes: readonly string[];
  /** The owner's roles (narrowed, if it was made so), as of the last check: at most a minute of use ago. */
  readonly roles: readonly string[];
  readonly tenantId: string | null;
  /** Unix ms, as all instants here. */
  readonly createdAt: number;
  /** The end, whatever happens; `null`: never. */
  readonly expiresAt: number | null;
  /** The end unless it is used before; `null`: it has no idle limit. */
  readonly idleExpiresAt: number | null;
  /** The last use, to the minute; `null`: not yet. */
  readonly lastUsedAt: number | null;
  /** The id of the key that replaces it, while both are good; `null`: none. */
  readonly replacedBy: string | null;
}
