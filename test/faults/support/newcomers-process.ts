import { insertNewcomer, openShared, type SharedStore } from "./newcomers.ts";

// Makes newcomers, four at a time, until it is killed; says of each when that was acknowledged. One that failed is tried until it is there.

const { store } = openShared(JSON.parse(process.argv[2] ?? "") as SharedStore);

async function go(lane: number): Promise<void> {
  for (let round = 0; ; round += 1) {
    const id = `${process.pid}-${lane}-${round}`;
    while (!(await insertNewcomer(store, id).catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 20));
    process.send?.(id);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

await Promise.all([0, 1, 2, 3].map(go));
