import type { CodeGuess } from "../../lib/core/magic-codes.ts";
import { atOnce, racing, type RaceKit } from "./kit.ts";

/** A guess from a source that nobody can tell. */
type Guess = Pick<CodeGuess, "requestId" | "email">;

const verify = ({ magicCodes }: RaceKit, guess: Guess, code: string) =>
  magicCodes.verify({ ...guess, code, purpose: "sign_in", source: null });

export const moves = {
  /** Gives the code 25 times. */
  redeem: (kit: RaceKit, { code, ...guess }: Guess & { code: string }) => atOnce(25, () => verify(kit, guess, code)),

  /** Opens the link 25 times. */
  follow: (kit: RaceKit, { token }: { token: string }) => atOnce(25, () => kit.magicCodes.verifyLink({ token, source: null })),

  /** Gives the code, the request id with it or without, and opens the link, 24 times in turns: each process begins with another. */
  either: (kit: RaceKit, { token, code, ...guess }: Guess & { token: string; code: string }, index: number) =>
    atOnce(24, (n) => ((n + index) % 2 ? verify(kit, guess, code) : kit.magicCodes.verifyLink({ token, source: null }))),

  /** Guesses 25 times, by different wrong codes; the one of all that is given `at` gives the right code instead. */
  guess: (kit: RaceKit, { code, at, ...guess }: Guess & { code: string; at: number | null }, index: number) =>
    atOnce(25, (n) => verify(kit, guess, index * 25 + n === at ? code : wrong(code, index * 25 + n))),

  /** Asks for 10 codes. */
  ask: async (kit: RaceKit, { email }: { email: string }) => {
    const before = kit.mails.length;
    const outcomes = await atOnce(10, () => kit.magicCodes.request({ email, purpose: "sign_in", source: null }));
    return { outcomes, mails: kit.mails.length - before };
  },

  /** One wrong guess each at many codes of one user. */
  fail: (kit: RaceKit, { requestIds, code }: { requestIds: string[]; code: string }) =>
    atOnce(requestIds.length, (n) => verify(kit, { requestId: requestIds[n] ?? "" }, code)),
};

export default racing(moves);

/** A code that differs from `code` by `n` + 1, of the same length. */
export function wrong(code: string, n: number): string {
  return String((Number(code) + n + 1) % 10 ** code.length).padStart(code.length, "0");
}
