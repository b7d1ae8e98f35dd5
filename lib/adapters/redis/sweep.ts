import { sweepCounter } from "./counter-scripts.ts";
import { sweepDirectory, sweepLookup } from "./directory-scripts.ts";
import type { ParsedKey } from "./keys.ts";
import { sweepPartition } from "./partition-scripts.ts";
import type { ScanParts } from "./scan.ts";

/** Where the next sweep goes on. */
interface Position {
  readonly node: string;
  readonly cursor: string;
}

/** Fields or names looked at in one script: a few microseconds each. */
const PAGE = 100;
/** Keys one sweep looks at, at least; and this many for each record it may remove. */
const MIN_VISITS = 10_000;
const VISITS_PER_REMOVAL = 10;

/**
 * Sweeps by SCAN on every master, a batch of keys at a time, each hash a page at a time. One sweep ends when it removed about
 * `limit` records, went round once, or looked at many keys; the next goes on from there.
 */
export function createSweep({ client, commands, keys, now }: ScanParts): (limit: number) => Promise<Record<string, number>> {
  let position: Position | null = null;

  return async (limit) => {
    const counts: Record<string, number> = {};
    let removed = 0;
    let visits = Math.max(MIN_VISITS, limit * VISITS_PER_REMOVAL);
    const tally = (collection: string, count: number) => {
      if (count > 0) counts[collection] = (counts[collection] ?? 0) + count;
      removed += count;
    };

    let at = position;
    let fromStart = at === null;
    while (removed < limit && visits > 0) {
      const masters = commands.masters();
      const index = Math.max(
        0,
        masters.findIndex(({ name }) => name === at?.node),
      );
      const master = masters[index];
      if (!master) break;
      const cursor = master.name === at?.node ? at.cursor : "0";
      const count = Math.min(PAGE, Math.max(10, limit - removed));
      const [next, found] = await commands.read(
        () => master.node.scan(cursor, "MATCH", keys.pattern(), "COUNT", count),
        (page) => page,
      );
      visits -= count;
      await sweepKeys(found, tally);
      const after = masters[index + 1];
      at = next === "0" ? (after ? { node: after.name, cursor: "0" } : null) : { node: master.name, cursor: next };
      if (at) continue;
      if (fromStart) break;
      fromStart = true;
    }
    position = at;
    return counts;
  };

  async function sweepKeys(found: readonly string[], tally: (collection: string, count: number) => void): Promise<void> {
    const parsed = found.map((key) => ({ key, parsed: keys.parse(key) }));
    const records = new Map<string, { collection: string; keys: string[]; ids: string[] }>();
    const work: Promise<void>[] = [];
    for (const { key, parsed: what } of parsed) {
      if (what?.kind === "record") {
        const group = records.get(what.base) ?? { collection: what.collection, keys: [], ids: [] };
        records.set(what.base, group);
        group.keys.push(key);
        group.ids.push(what.id);
      } else if (what) work.push(sweepKey(key, what, tally));
    }
    for (const [base, group] of records) {
      const args = [String(now()), keys.prefix, base, ...group.ids];
      work.push(commands.script(sweepDirectory, group.keys, args, (count) => tally(group.collection, Number(count))));
    }
    await Promise.all(work);
  }

  async function sweepKey(key: string, what: ParsedKey, tally: (collection: string, count: number) => void): Promise<void> {
    if (what.kind === "counter") return commands.script(sweepCounter, [key], [String(now())], (count) => tally("counters", Number(count)));
    let cursor = "0";
    do {
      if (what.kind === "plain") {
        const [next, pairs] = await commands.read(
          () => client.zscan(key, cursor, "COUNT", PAGE),
          (page) => page,
        );
        const ids = pairs.filter((_, index) => index % 2 === 0);
        const records = ids.map((id) => `${keys.prefix}d${what.base}${id}`);
        await commands.script(sweepLookup, [key, ...records], ids, Number);
        cursor = next;
      } else if (what.kind === "partition") {
        const { collection } = what;
        cursor = await commands.script(sweepPartition, [key], [String(now()), cursor, String(PAGE)], (reply) => {
          const [next, count] = reply as [Buffer, number];
          tally(collection, Number(count));
          return next.toString();
        });
      }
    } while (cursor !== "0");
  }
}
