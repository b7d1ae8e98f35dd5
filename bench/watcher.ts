/** A process that keeps sessions by `cached`, and tells when it stopped serving one that another process ended. Its parent asks it by messages. */
import { setTimeout as delay } from "node:timers/promises";
import { cached } from "../lib/adapters/cached/index.ts";
import { createAuth } from "../lib/auth.ts";
import type { RecordStore } from "../lib/storage/record-store.ts";
import { AUTH_OPTIONS, monotonic, type WatcherReply, type WatcherTask } from "./revocations.ts";
import { openStore, type BackendName } from "./stores.ts";

const { STORE, STORE_URL, CUT } = process.env;
const { store } = await openStore(STORE as BackendName, STORE_URL ?? "");
/** When each partition was told of, after the cache was. */
const heard = new Map<string, number>();
let reads = 0;
let answer: ((partition: string) => void) | null = null;

const watched: RecordStore = {
  ...store,
  get(from, key) {
    reads += 1;
    return store.get(from, key);
  },
  async watch(onChange) {
    // A stream that is open and brings nothing.
    if (CUT === "1") return { close: async () => {} };
    return store.watch((change) => {
      onChange(change);
      heard.set(change.partition, monotonic());
      answer?.(change.partition);
    });
  },
};
const { sessions } = createAuth({ ...AUTH_OPTIONS, store: cached(watched) });

const accepts = async (token: string) => (await sessions.resolve(token)).session !== null;

const work = async (task: WatcherTask): Promise<WatcherReply> => {
  switch (task.do) {
    case "keep": {
      for (const token of task.tokens) await accepts(token);
      const before = reads;
      for (const token of task.tokens) if (!(await accepts(token))) throw new Error("A live session was refused");
      return { kept: reads === before };
    }
    case "hear": {
      // Idle until the notice comes.
      if (!heard.has(task.partition))
        await Promise.race([
          delay(2000),
          new Promise<void>((resolve) => (answer = (partition) => partition === task.partition && resolve())),
        ]);
      return { at: heard.get(task.partition) ?? Infinity, accepted: await accepts(task.token) };
    }
    case "poll": {
      const last = new Map<string, number>();
      const left = new Set(task.tokens);
      process.send?.({ polling: true });
      while (left.size > 0) {
        for (const token of left) {
          const asked = monotonic();
          if (await accepts(token)) last.set(token, asked);
          else left.delete(token);
        }
        await delay(5);
      }
      return { last: task.tokens.map((token) => last.get(token) ?? 0) };
    }
  }
};

process.on("message", (task: WatcherTask) => {
  void work(task).then((reply) => process.send?.(reply));
});
process.on("disconnect", () => process.exit());
process.send?.({ ready: true });
