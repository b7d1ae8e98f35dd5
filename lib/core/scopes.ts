/** A set that many requests share: it throws when it should change. */
export function sharedScopes(scopes: Iterable<string> = []): ReadonlySet<string> {
  const set = new Set(scopes);
  const refuse = () => {
    throw new TypeError("Scopes are granted with a credential, never added to one");
  };
  return Object.freeze(Object.assign(set, { add: refuse, delete: refuse, clear: refuse }));
}

/** Shared by all who were granted none. */
export const NO_SCOPES = sharedScopes();
