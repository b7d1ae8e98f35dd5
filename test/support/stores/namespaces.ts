import type { Clock } from "../../../lib/clock.ts";
import type { RecordStore } from "../../../lib/storage/record-store.ts";
import type { OpenTestStore } from "../test-store.ts";

/** How a database keeps many stores apart: each has tables of its own, which begin with its prefix. */
export interface Database {
  /** A prefix that no store has had. */
  newPrefix(): string;
  open(prefix: string, clock: Clock): RecordStore;
  tablesOf(prefix: string): Promise<string[]>;
  /** Removes all rows of these tables. */
  empty(tables: readonly string[]): Promise<unknown>;
}

/** Tables that a store has, or had until it was closed. */
interface Namespace {
  readonly prefix: string;
  /** Those to be emptied for the next store; `null` before they are made. */
  tables: string[] | null;
}

/**
 * Opens each store in tables that are empty: those of one that was closed before, as making them takes longer than many a test.
 * The store is there at once; its operations wait until its tables are.
 */
export function reusingTables(database: Database): OpenTestStore {
  const free: Namespace[] = [];

  return ({ clock }) => {
    const namespace = free.shift() ?? { prefix: database.newPrefix(), tables: null };
    const store = database.open(namespace.prefix, clock);
    const prepare = async () => {
      if (namespace.tables) return void (await database.empty(namespace.tables));
      await store.migrate();
      const tables = await database.tablesOf(namespace.prefix);
      namespace.tables = tables.filter((table) => table !== `${namespace.prefix}_versions`);
    };
    const ready = prepare();
    ready.catch(() => {}); // whoever uses the store is told
    const whenReady =
      <Given extends unknown[], Result>(operation: (...given: Given) => Promise<Result>) =>
      async (...given: Given): Promise<Result> => {
        await ready;
        return operation(...given);
      };

    let closed = false;
    return {
      name: store.name,
      persistent: store.persistent,
      keepsExpired: store.keepsExpired,
      ordered: store.ordered,
      get: whenReady(store.get),
      list: whenReady(store.list),
      find: whenReady(store.find),
      take: whenReady(store.take),
      commit: whenReady(store.commit),
      count: whenReady(store.count),
      scan: whenReady(store.scan),
      sweep: whenReady(store.sweep),
      watch: whenReady(store.watch),
      migrate: whenReady(store.migrate),
      close: whenReady(async () => {
        await store.close();
        if (!closed) free.push(namespace);
        closed = true;
      }),
    };
  };
}
