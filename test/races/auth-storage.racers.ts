import { createKv } from "../../lib/core/kv.ts";
import { createTokens } from "../../lib/core/tokens.ts";
import { atOnce, racing, type RaceKit } from "./kit.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { TEST_SECRET } from "../support/kit.ts";

/** The services that a kit for races does not have. */
export function servicesOf({ store, clock }: RaceKit) {
  return { kv: createKv({ store, clock }), tokens: createTokens({ store, clock, keys: createKeyRing([TEST_SECRET]) }) };
}

export const moves = {
  /** Takes an entry five times. */
  take: (kit: RaceKit, { key }: { key: string }) => atOnce(5, async () => (await servicesOf(kit).kv.take(key))?.toString() ?? null),

  /** Swaps what an entry holds for the same value ten times. */
  swap: (kit: RaceKit, { key, expected }: { key: string; expected: string | null }) =>
    atOnce(10, () => servicesOf(kit).kv.compareAndSet(key, expected, "next")),

  /** The first racer changes a token and counts its use, the second revokes it. */
  revoke: (kit: RaceKit, { id }: { id: string }, index: number) =>
    atOnce(6, async (n) => {
      const { tokens } = servicesOf(kit);
      if (index === 1) return void (await tokens.revoke(id, "stolen"));
      if (n % 2 === 0) await tokens.markUsed(id);
      else await tokens.update(id, { scopes: [`${n}`] });
    }),
};

export default racing(moves);
