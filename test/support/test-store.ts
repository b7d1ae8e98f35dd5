import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { systemClock, type Clock } from "../../lib/clock.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";

/** Opens an empty store that nobody else uses, ready to use. Whoever opened it closes it. */
export type OpenTestStore = (given: { clock: Clock }) => RecordStore;

const inMemory: OpenTestStore = ({ clock }) => memoryStore({ clock });
let open = inMemory;

/**
 * The store that a test of the kit runs on: in memory, unless the vitest project, or `TEST_STORE`, says otherwise.
 * Tests that need one kind of store whatever the switch says make it themselves, and say why.
 */
export function openTestStore({ clock = systemClock }: { clock?: Clock } = {}): RecordStore {
  return open({ clock });
}

/** Turns the switch, for the tests that follow in this process. Default: memory. */
export function useTestStore(opener: OpenTestStore = inMemory): void {
  open = opener;
}
