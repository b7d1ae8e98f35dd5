import { directoryCollection, partitionedCollection } from "../../storage/collection.ts";
import type { Collection } from "../../storage/record-store.ts";

/**
 * The collections that each version of the schema makes tables of. Written out, not gathered from where they are used:
 * what a migration made stays as it was made, and a new collection is a version of its own at the end.
 */
export const collectionsByVersion: readonly (readonly Collection[])[] = [
  [
    partitionedCollection("s"),
    partitionedCollection("api_keys"),
    partitionedCollection("codes"),
    partitionedCollection("code_sources"),
    partitionedCollection("oauth_transactions"),
    partitionedCollection("one_time_tokens"),
    partitionedCollection("password_failures"),
    directoryCollection("users", { email: "unique" }),
    directoryCollection("principals"),
    directoryCollection("accounts", { identity: "unique", userId: "plain" }),
    directoryCollection("tokens", { accessToken: "unique", userId: "plain" }),
    directoryCollection("kv", { all: "plain" }),
  ],
  [directoryCollection("audit", { all: "plain", tenantId: "plain", userId: "plain" })],
  [partitionedCollection("provider_sessions"), partitionedCollection("logout_tokens")],
];

/** All collections of the kit. */
export const kitCollections: readonly Collection[] = collectionsByVersion.flat();
