/** What `TEST_STORE` may say, and which servers each needs. */
export const backends = {
  memory: [],
  redis: ["redis"],
  postgres: ["postgres"],
  mariadb: ["mariadb"],
  sqlite: ["sqlite"],
  routed: ["postgres", "redis"],
  encrypted: ["redis"],
  cached: ["redis"],
} as const satisfies Record<string, readonly ServerKind[]>;

export type Backend = keyof typeof backends;

/** What a backend is kept in. Of SQLite, a migrated file that each store starts as a copy of. */
export type ServerKind = "redis" | "postgres" | "mariadb" | "sqlite";

/** Where the servers are: URLs, of SQLite the path of the file. */
export type ServerAddresses = Readonly<Partial<Record<ServerKind, string>>>;

/** @throws {Error} for a name that is none, with those that are. */
export function parseBackend(name: string): Backend {
  const known = Object.keys(backends).find((each): each is Backend => each === name);
  if (known === undefined) throw new Error(`TEST_STORE: there is no "${name}"; use one of ${Object.keys(backends).join(", ")}`);
  return known;
}

declare module "vitest" {
  interface ProvidedContext {
    /** The backend that the tests of a project run on. */
    testStore: Backend;
    /** Its servers, which run as long as the project. */
    testStoreServers: ServerAddresses;
  }
}
