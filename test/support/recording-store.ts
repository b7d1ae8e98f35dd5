import type { RecordStore } from "../../lib/storage/record-store.ts";

/** What a noun asked of its store: the operation, and its arguments as text. */
export interface StoreCall {
  readonly operation: string;
  readonly args: string;
}

/** A store that notes every operation before passing it on. */
export function recordingStore(inner: RecordStore): RecordStore & { readonly calls: StoreCall[] } {
  const calls: StoreCall[] = [];
  const store = new Proxy(inner, {
    get(target, property, receiver) {
      const value: unknown = Reflect.get(target, property, receiver);
      if (property === "calls") return calls;
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        calls.push({ operation: String(property), args: JSON.stringify(args) });
        return value.apply(target, args) as unknown;
      };
    },
  });
  return store as RecordStore & { readonly calls: StoreCall[] };
}
