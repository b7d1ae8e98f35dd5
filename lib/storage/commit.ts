import { ConfigError } from "../errors.ts";
import type { Write } from "./record-store.ts";

/**
 * What every backend refuses alike before it writes anything: a commit that could not be atomic on all of them.
 * @throws {ConfigError} when the writes cross partitions, mix the kinds of collection, or use what their kind does not have.
 */
export function assertCommit(writes: readonly Write[]): void {
  const [first] = writes;
  if (!first) return;
  for (const write of writes) {
    const { kind, name } = write.in;
    if (kind !== first.in.kind)
      throw new ConfigError("commit", `"${name}" and "${first.in.name}" are of different kinds: commit them apart`);
    const partition = partitionOf(write);
    if (partition !== partitionOf(first)) throw new ConfigError("commit", "its writes cross partitions: commit them apart");
    if (kind === "directory") {
      if (partition !== "") throw new ConfigError("commit", `"${name}" is a directory: its keys have partition ""`);
      if (write.op === "insert" && write.max !== undefined) throw new ConfigError("commit", `"${name}" is a directory: it takes no cap`);
      for (const lookup of "record" in write ? Object.keys(write.record.lookups ?? {}) : []) {
        if (!write.in.lookups[lookup]) throw new ConfigError("commit", `"${name}" has no lookup "${lookup}"`);
      }
    } else if ("record" in write && write.record.lookups && Object.keys(write.record.lookups).length > 0) {
      throw new ConfigError("commit", `"${name}" is partitioned: it has no lookups`);
    }
  }
}

/** The one partition a write touches. */
export function partitionOf(write: Write): string {
  return write.op === "clear" ? write.partition : write.op === "delete" ? write.key.partition : write.record.partition;
}
