import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { raceProcesses, startRacers } from "./race.ts";

const worker = new URL("./race.racers.ts", import.meta.url);

describe("races between processes", () => {
  it("start together, round after round, and one of them wins each", async () => {
    const dir = await mkdtemp(join(tmpdir(), "latchkey-race-"));
    const racers = await startRacers<string, number, { index: number; won: boolean }>({ worker, input: dir });
    try {
      for (let round = 0; round < 20; round++) {
        const results = await racers.race(round);
        expect(results.map(({ index }) => index)).toEqual([0, 1]);
        expect(results.filter(({ won }) => won)).toHaveLength(1);
      }
    } finally {
      await racers.stop();
      await rm(dir, { recursive: true });
    }
  });

  it("give every process the input and every result back, bytes and all", async () => {
    const input = { bytes: Buffer.from([0, 255]), at: 1, none: null };

    const results = await raceProcesses<typeof input, typeof input>({ worker, race: "echo", processes: 3, input });

    expect(results.map(({ bytes, ...rest }) => ({ ...rest, bytes: [...bytes] }))).toEqual(
      Array(3).fill({ bytes: [0, 255], at: 1, none: null }),
    );
  });

  it("leave nothing of an earlier race to the next, also when that was given up half-way", async () => {
    const input = { text: "mine" };
    const abandoned = await startRacers<null, null, never>({ worker, race: "stay", input: null });
    const round = abandoned.race(null).catch((error: Error) => error.message);
    await abandoned.stop();
    expect(await round).toMatch("ended during");
    await expect(abandoned.race(null)).rejects.toThrow("have stopped");

    for (let again = 0; again < 3; again += 1) {
      expect(await raceProcesses<typeof input, typeof input>({ worker, race: "echo", input })).toEqual([input, input]);
      await expect(raceProcesses({ worker, race: "fail", input: null })).rejects.toThrow("lost the way");
    }
  });

  it("fail as the process failed, also when it ends or there is no such race", async () => {
    await expect(raceProcesses({ worker, race: "fail", input: null })).rejects.toMatchObject({ message: "lost the way", code: "lost" });
    await expect(raceProcesses({ worker, race: "crash", input: null })).rejects.toThrow("a racer ended");
    await expect(raceProcesses({ worker, race: "absent", input: null })).rejects.toThrow('no "absent"');
  });
});
