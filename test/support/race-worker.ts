/** The program of a process that `startRacers` starts: one race after another. It ends when its parent does. */
import type { Numbered, PrepareRacer, RaceAnswer, RaceCommand } from "./race.ts";

type Racer = Awaited<ReturnType<PrepareRacer<unknown, unknown, unknown>>>;

let racer: Racer | null = null;

process.on("message", ({ number, ...command }: Numbered<RaceCommand>) => {
  obey(command).then(
    (result) => answer({ number, result }),
    (error: unknown) => answer({ number, failure: describeError(error) }),
  );
});
process.on("disconnect", () => process.exit(0));

async function obey(command: RaceCommand): Promise<unknown> {
  switch (command.do) {
    case "prepare": {
      const module = (await import(command.worker)) as Record<string, PrepareRacer<unknown, unknown, unknown> | undefined>;
      const prepare = module[command.race];
      if (!prepare) throw new Error(`${command.worker} exports no "${command.race}"`);
      racer = await prepare(command.input, command.index);
      return null;
    }
    case "run":
      if (!racer) throw new Error("not prepared");
      waitUntil(command.at);
      return racer.run(command.round);
    case "end": {
      const ended = racer;
      racer = null;
      await ended?.end?.();
      return null;
    }
  }
}

/** Spins, since a timer would be late by a millisecond or more, and by a different one in each process. */
function waitUntil(at: number): void {
  while (performance.timeOrigin + performance.now() < at);
}

function answer(message: Numbered<RaceAnswer>): void {
  process.send?.(message);
}

function describeError(error: unknown): { message: string; code: unknown; stack: string | undefined } {
  if (!(error instanceof Error)) return { message: String(error), code: undefined, stack: undefined };
  return { message: error.message, code: "code" in error ? error.code : undefined, stack: error.stack };
}
