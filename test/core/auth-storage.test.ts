import { afterEach } from "vitest";
import { kitCollections } from "../../lib/adapters/sql/collections.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { openTestStore } from "../support/test-store.ts";
import { authStorageContract } from "./auth-storage-contract.ts";

let stores: RecordStore[] = [];

afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  stores = [];
});

authStorageContract("the store of the tests", async (clock) => {
  const store = openTestStore({ clock });
  stores.push(store);
  const dump = async () => {
    const pages = await Promise.all(kitCollections.map((from) => store.scan(from, { limit: 1000 })));
    const records = pages.flatMap(({ records: each }) => each);
    return JSON.stringify(records.map(({ value, ...rest }) => ({ ...rest, value: Buffer.from(value).toString("latin1") })));
  };
  return { store, dump };
});
