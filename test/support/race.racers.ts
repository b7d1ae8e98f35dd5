import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { PrepareRacer } from "./race.ts";

/** Each round is a directory that one process can make. */
const claimDirectory: PrepareRacer<string, number, { index: number; won: boolean }> = async (dir, index) => ({
  run: async (round) => {
    const won = await mkdir(join(dir, String(round))).then(
      () => true,
      () => false,
    );
    return { index, won };
  },
});
export default claimDirectory;

/** Sends what it was given back, bytes and all. */
export const echo: PrepareRacer<unknown, null, unknown> = async (input) => ({ run: async () => input });

export const fail: PrepareRacer<null, null, never> = async () => ({
  run: async () => {
    throw Object.assign(new Error("lost the way"), { code: "lost" });
  },
});

export const crash: PrepareRacer<null, null, never> = async () => ({ run: async () => process.exit(1) });

/** Is at it for longer than anybody waits. */
export const stay: PrepareRacer<null, null, never> = async () => ({ run: () => new Promise<never>(() => {}) });
