import { assertOptions } from "../../check-options.ts";
import { ConfigError } from "../../errors.ts";
import { assertStore, assertWithout, wrapperName } from "../../storage/check-store.ts";
import { assertCommit } from "../../storage/commit.ts";
import { NOT_DURABLE, unavailable, type Finding } from "../../storage/finding.ts";
import type { Collection, RecordStore } from "../../storage/record-store.ts";
import { kitCollections } from "../sql/collections.ts";

/** Options of {@link routed}. */
export interface RoutedOptions {
  /** Keeps users, principals, accounts and all else that has lookups: SQL, as a rule. All of it is in one store, as one commit may span it. */
  directory: RecordStore;
  /** Keeps sessions, codes, transactions, API keys and counters: Redis, as a rule. */
  ephemeral: RecordStore;
  /** Partitioned collections by name that go elsewhere than `ephemeral`: `{ api_keys: postgres }`. Default: none. */
  collections?: Readonly<Record<string, RecordStore | undefined>> | undefined;
}

/**
 * Keeps some collections in one store and some in another. Every operation is one operation of one of them, so it is as atomic and as
 * fast as there; a commit whose collections are in two stores is refused with a {@link ConfigError}.
 *
 * `sweep`, `watch`, `migrate` and `close` go to all of them; `sweep({ kept: true })` to those alone that keep what expired. It is
 * `persistent` when all of them are, and `keepsExpired` when any does; it is `ordered` only over a single
 * one, as two stores do not wait for each other.
 * Encryption goes around it, never inside: `encrypted(routed({ ... }), ...)`, so that no collection is left out.
 *
 * @throws {ConfigError} now rather than per request, when an option is unknown or no store, or takes a directory collection from the others.
 * @example routed({ directory: postgresStore({ pool }), ephemeral: redisStore({ client }) })
 */
export function routed(options: RoutedOptions): RecordStore {
  assertOptions("routed", options, ["directory", "ephemeral", "collections"]);
  const { directory, ephemeral } = options;
  const exceptions = resolveExceptions(options.collections);
  const routes = { directory, ephemeral, ...Object.fromEntries([...exceptions].map(([name, store]) => [`collections.${name}`, store])) };
  for (const [option, store] of Object.entries(routes)) {
    assertStore(`routed.${option}`, store);
    assertWithout(`routed.${option}`, store, "encrypted", "put encrypted() around routed(), so that every collection is sealed");
    assertWithout(`routed.${option}`, store, "routed", "list all stores in one routed()");
  }
  const stores = [...new Set<RecordStore>(Object.values(routes))];

  const storeOf = ({ kind, name }: Collection): RecordStore => {
    const exception = exceptions.get(name);
    if (kind === "partitioned") return exception ?? ephemeral;
    if (exception) throw directoryApart(name);
    return directory;
  };

  return {
    name: wrapperName("routed", ...stores),
    persistent: stores.every(({ persistent }) => persistent),
    keepsExpired: stores.some(({ keepsExpired }) => keepsExpired),
    ordered: stores.length === 1 && directory.ordered,

    get: async (from, key) => storeOf(from).get(from, key),
    list: async (from, partition) => storeOf(from).list(from, partition),
    find: async (from, ...rest) => storeOf(from).find(from, ...rest),
    take: async (from, key) => storeOf(from).take(from, key),
    scan: async (from, page) => storeOf(from).scan(from, page),
    count: async (counter, change) => ephemeral.count(counter, change),

    async commit(writes) {
      assertCommit(writes);
      const [first] = writes;
      if (!first) return true;
      const store = storeOf(first.in);
      const elsewhere = writes.find((write) => storeOf(write.in) !== store);
      if (elsewhere) {
        const fix = `"${first.in.name}" is in ${store.name} and "${elsewhere.in.name}" in ${storeOf(elsewhere.in).name}: route them alike`;
        throw new ConfigError("routed.collections", `${fix}, as one commit writes both`);
      }
      return store.commit(writes);
    },

    async sweep({ limit = 1000, ...options } = {}) {
      const swept = options.kept ? stores.filter(({ keepsExpired }) => keepsExpired) : stores;
      const each = Math.max(1, Math.ceil(limit / swept.length));
      const removed: Record<string, number> = {};
      for (const counts of await ofAll(swept, (store) => store.sweep({ ...options, limit: each }))) {
        for (const [name, count] of Object.entries(counts)) removed[name] = (removed[name] ?? 0) + count;
      }
      return removed;
    },

    async watch(onChange) {
      const watches: { close(): Promise<void> }[] = [];
      const end = async () => void (await ofAll(watches, (watch) => watch.close()));
      try {
        await ofAll(stores, async (store) => void watches.push(await store.watch(onChange)));
      } catch (error) {
        await end();
        throw error;
      }
      return { close: end };
    },

    migrate: async () => void (await ofAll(stores, (store) => store.migrate())),
    async inspect() {
      const found = await ofAll(
        stores,
        async (store) => (await store.inspect?.().catch((error: unknown) => [unavailable(store.name, error)])) ?? [],
      );
      // Where there are no users, a restart ends sessions and no more.
      return found.flatMap((findings, index) => (stores[index] === directory ? findings : findings.map(asEphemeral)));
    },
    close: async () => void (await ofAll(stores, (store) => store.close())),
  };
}

/** The kit's own, for a refusal at start; one of the application is refused at its first use. */
const DIRECTORY = kitCollections.filter(({ kind }) => kind === "directory").map(({ name }) => name);

function resolveExceptions(collections: RoutedOptions["collections"]): ReadonlyMap<string, RecordStore> {
  const exceptions = new Map<string, RecordStore>();
  for (const [name, store] of Object.entries(collections ?? {})) {
    if (DIRECTORY.includes(name)) throw directoryApart(name);
    if (store !== undefined) exceptions.set(name, store);
  }
  return exceptions;
}

function directoryApart(name: string): ConfigError {
  return new ConfigError(
    `routed.collections.${name}`,
    `"${name}" has lookups: it stays with the others in \`directory\`, as one commit may span them`,
  );
}

function asEphemeral(finding: Finding): Finding {
  return finding.code === NOT_DURABLE && finding.level === "problem" ? { ...finding, level: "warning" } : finding;
}

/** Does something with each of them at once, whether or not another fails; only then throws the first failure. */
async function ofAll<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const outcomes = await Promise.allSettled(items.map((item) => work(item)));
  return outcomes.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
}
