import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { kitCollections } from "../../lib/adapters/sql/collections.ts";
import { authStorageContract } from "./auth-storage-contract.ts";

authStorageContract("memory", async (clock) => {
  const store = memoryStore({ clock });
  const dump = async () => {
    const pages = await Promise.all(kitCollections.map((from) => store.scan(from, { limit: 1000 })));
    const records = pages.flatMap(({ records: each }) => each);
    return JSON.stringify(records.map(({ value, ...rest }) => ({ ...rest, value: Buffer.from(value).toString("latin1") })));
  };
  return { store, dump };
});
