import { performance } from "node:perf_hooks";
import type { RecordStore } from "../lib/storage/record-store.ts";
import { sessionCollection } from "../lib/core/session-record.ts";
import { median } from "./duel.ts";
import { accounts, fill, nameOf, ownerOf } from "./fill.ts";
import { atMost, factor, type Bench } from "./race.ts";
import { startBackend } from "./servers.ts";
import { backendNames, openStore, type BackendName } from "./stores.ts";

const MOST = 1.5;
const TURNS = 30;
const CALLS = 40;

interface Sized {
  readonly rows: number;
  readonly store: RecordStore;
  close(): Promise<void>;
}

/** What `list` and `find` take in tables of growing size. All sizes are there at once and are asked by turns, so that a busy machine slows all alike. */
export async function growth({ report, quick }: Bench): Promise<void> {
  const sizes = quick ? [1e3, 1e4, 1e5] : [1e3, 1e4, 1e5, 1e6];
  report.section(
    `list and find in tables of ${sizes.map((rows) => rows.toLocaleString("en")).join(", ")} rows: µs at each size, and largest / smallest`,
  );
  for (const name of backendNames) {
    const place = await startBackend(name);
    const tables: Sized[] = [];
    try {
      for (const rows of sizes) tables.push(await openFilled(name, place.url, rows));
      for (const [what, ask] of Object.entries(questions)) {
        const times = await timeByTurns(tables, ask);
        const grown = median(times.map((turn) => (turn.at(-1) ?? NaN) / (turn[0] ?? NaN)));
        const micros = tables.map((_, i) => median(times.map((turn) => turn[i] ?? NaN)).toFixed(0));
        report.add({ what: `${name}, ${what}`, measured: `${factor(grown)} (${micros.join(", ")} µs)`, ...atMost(MOST, grown) });
      }
    } finally {
      for (const { close } of tables) await close();
      await place.stop();
    }
  }
}

/** Each of a row picked at random, whose owner has two. */
const questions: Readonly<Record<string, (store: RecordStore, row: number) => Promise<readonly unknown[]>>> = {
  "list a user's sessions": (store, row) => store.list(sessionCollection, ownerOf(row)),
  "find by a unique lookup": (store, row) => store.find(accounts, "identity", nameOf(row)),
  "find by a plain lookup": (store, row) => store.find(accounts, "userId", ownerOf(row)),
};
const ANSWERS: Readonly<Record<string, number>> = { "find by a unique lookup": 1 };

async function openFilled(name: BackendName, url: string, rows: number): Promise<Sized> {
  const place = { redis: `${url}/${Math.log10(rows)}`, sqlite: `${url}-${rows}`, postgres: url, mariadb: url }[name];
  const prefix = `rows_${rows}`;
  const { store, close } = await openStore(name, place, prefix);
  await fill(name, place, prefix, store, rows);
  return { rows, store, close };
}

/** µs of a call, for each turn and size. */
async function timeByTurns(tables: readonly Sized[], ask: (typeof questions)[string]): Promise<number[][]> {
  const expected = ANSWERS[Object.entries(questions).find(([, each]) => each === ask)?.[0] ?? ""] ?? 2;
  const times: number[][] = [];
  for (let turn = 0; turn <= TURNS; turn += 1) {
    const took: number[] = [];
    for (const { rows, store } of tables) {
      const each: number[] = [];
      for (let call = 0; call < CALLS; call += 1) {
        const row = Math.floor(Math.random() * rows);
        const start = performance.now();
        const found = await ask(store, row);
        each.push((performance.now() - start) * 1000);
        if (found.length !== expected) throw new Error(`${store.name}: ${found.length} of ${expected} records were found`);
      }
      took.push(median(each));
    }
    if (turn > 0) times.push(took); // the first warms up
  }
  return times;
}
