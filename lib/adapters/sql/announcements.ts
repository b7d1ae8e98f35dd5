import type { Change, RecordStore } from "../../storage/record-store.ts";
import type { Statement } from "./program.ts";

/** How watchers hear of what was committed. */
export interface Announcements {
  /** A statement that also announces the change, if it changes a row. */
  within(statement: Statement, change: Change): Statement;
  /** What to send before a transaction with these changes is committed. */
  statements(changes: readonly Change[]): readonly Statement[];
  /** Called when they were committed. */
  committed(changes: readonly Change[]): void;
  readonly watch: RecordStore["watch"];
  close(): Promise<void>;
}

/** Tells those who watch this very store, of what was done through it. Other processes are told nothing. */
export function createLocalAnnouncements(): Announcements {
  const watchers = new Set<(change: Change) => void>();
  return {
    within: (statement) => statement,
    statements: () => [],
    committed(changes) {
      for (const change of changes) for (const watcher of watchers) watcher(change);
    },
    async watch(onChange) {
      const watcher = (change: Change) => onChange(change); // one per call, though a function may watch twice
      watchers.add(watcher);
      return { close: async () => void watchers.delete(watcher) };
    },
    async close() {
      watchers.clear();
    },
  };
}
