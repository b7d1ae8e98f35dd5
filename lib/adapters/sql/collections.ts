import { directoryCollection, partitionedCollection } from "../../storage/collection.ts";
import type { Collection } from "../../storage/record-store.ts";

/**
 * The collections of the kit, of which the first version of the schema makes tables. Written out, not gathered from where they
 * are used: what a migration made stays as it was made, and later versions add to it.
 */
export const kitCollections: readonly Collection[] = [
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
];
