import { partitionOf } from "../../storage/commit.ts";
import type { DirectoryCollection, Write } from "../../storage/record-store.ts";
import { announcement, announcementStart } from "./changes.ts";
import { directoryTail } from "./envelope.ts";
import type { Keys } from "./keys.ts";

/** What a commit script is called with. */
export interface ScriptCall {
  readonly keys: string[];
  readonly args: (string | Buffer)[];
}

/** The call of `commitPartition`. */
export function partitionCall(keys: Keys, writes: readonly Write[], now: number): ScriptCall {
  const names: string[] = [];
  const args: (string | Buffer)[] = [String(now), keys.channel];
  for (const write of writes) {
    const { name } = write.in;
    const partition = partitionOf(write);
    const key = keys.partition(write.in, partition);
    let index = names.indexOf(key);
    if (index < 0) index = names.push(key) - 1;
    args.push(write.op, String(index + 1));
    switch (write.op) {
      case "insert": {
        const { id, expiresAt, value } = write.record;
        const max = String(write.max ?? -1);
        args.push(id, expiry(expiresAt), bytes(value), max, write.over ?? "evict", announcementStart(name, partition));
        break;
      }
      case "put":
      case "replace": {
        const { id, expiresAt, value } = write.record;
        const ifVersion = write.op === "replace" ? String(write.ifVersion) : "";
        args.push(id, expiry(expiresAt), bytes(value), ifVersion, "", write.quiet ? "" : announcement(name, partition, id));
        break;
      }
      case "delete":
        args.push(write.key.id, "0", "", version(write.ifVersion), "", announcement(name, partition, write.key.id));
        break;
      case "clear": {
        const { keep } = write;
        args.push(keep ?? "", "0", "", keep === undefined ? "" : "keep", "", announcement(name, partition, null, keep));
      }
    }
  }
  return { keys: names, args };
}

/** The call of `commitDirectory`. */
export function directoryCall(keys: Keys, writes: readonly Write[], now: number): ScriptCall {
  const records: string[] = [];
  const lookups: string[] = [];
  const args: (string | Buffer)[] = [String(now), keys.channel, keys.prefix];
  for (const write of writes) {
    if (write.op === "clear") continue; // there is none for directories
    const { id } = write.op === "delete" ? write.key : write.record;
    const told = write.op === "insert" || ("quiet" in write && write.quiet) ? "" : announcement(write.in.name, "", id);
    records.push(keys.record(write.in, id));
    args.push(write.op, keys.directory(write.in), id);
    if (write.op === "delete") args.push("0", "", version(write.ifVersion), told);
    else {
      const ifVersion = write.op === "replace" ? String(write.ifVersion) : "";
      const from = write.in as DirectoryCollection;
      args.push(expiry(write.record.expiresAt), directoryTail(from, write.record), ifVersion, told);
      for (const [lookup, value] of Object.entries(write.record.lookups ?? {})) {
        if (value !== null) lookups.push(keys.lookup(from, from.lookups[lookup] ?? "plain", lookup, value));
      }
    }
  }
  return { keys: [...records, ...lookups], args };
}

/** 0 stands for never, so an expiry at or before the start of 1970 becomes the next instant: long past all the same. */
function expiry(expiresAt: number | null): string {
  return expiresAt === null ? "0" : String(Math.max(1, Math.ceil(expiresAt)));
}

function version(ifVersion: number | undefined): string {
  return ifVersion === undefined ? "" : String(ifVersion);
}

function bytes(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
