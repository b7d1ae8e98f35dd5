import type { EpochPair } from "../../lib/core/principals.ts";
import type { Identity } from "../../lib/core/strategy.ts";
import { after, atOnce, racing, type RaceKit } from "./kit.ts";

/** Somebody at a provider that vouches for the address. */
export function identityOf(subject: string, email: string | null): Identity {
  return {
    ...{ provider: "company", issuer: "https://id.example.com", subject, email, emailVerified: email !== null },
    ...{ name: subject, image: null, tokens: null, providerSessionId: null, authenticatedAt: null },
  };
}

export const moves = {
  /** Comes ten times from the provider, in quick succession. */
  byProvider: (kit: RaceKit, { subject, email }: { subject: string; email: string | null }) =>
    atOnce(10, async (n) => {
      await after(kit, n % 5); // some look for the account before it is there, and for the user after
      return kit.signIn.withIdentity(identityOf(subject, email));
    }),

  /** Proves the mailbox ten times. */
  byEmail: ({ signIn }: RaceKit, { email }: { email: string }) => atOnce(10, () => signIn.withEmail(email)),

  /** The first racer comes from the provider with the address, the second proves to read it. */
  byEither: ({ signIn }: RaceKit, { subject, email }: { subject: string; email: string }, index: number) =>
    atOnce(5, () => (index === 0 ? signIn.withIdentity(identityOf(subject, email)) : signIn.withEmail(email))),

  /** Each racer comes as somebody else with the same address. */
  bySameAddress: ({ signIn }: RaceKit, { subjects, email }: { subjects: string[]; email: string }, index: number) =>
    atOnce(5, () => signIn.withIdentity(identityOf(subjects[index] ?? "", email))),

  /** Each racer links the identity to its own user. */
  link: ({ signIn }: RaceKit, { subject, users }: { subject: string; users: string[] }, index: number) =>
    atOnce(5, async () => (await signIn.linkIdentity(users[index] ?? "", identityOf(subject, null))).userId),

  /** Each racer removes another of the user's two ways in. */
  unlink: ({ accounts }: RaceKit, { userId, accountIds }: { userId: string; accountIds: string[] }, index: number) =>
    atOnce(5, async () => accounts.unlink({ userId, accountId: accountIds[index] ?? "", otherWaysIn: 0 })),

  /** Each racer gives its own user the address. */
  claimAddress: ({ users }: RaceKit, { email, userIds }: { email: string; userIds: string[] }, index: number) =>
    atOnce(5, async () => (await users.update(userIds[index] ?? "", { email })).id),

  /** Raises the epoch ten times. */
  raiseEpoch: async ({ principals }: RaceKit, { userId }: { userId: string }) => {
    await Promise.all(Array.from({ length: 10 }, () => principals.raiseEpoch(userId)));
  },

  /**
   * The first racer proves a mailbox that somebody else had claimed. The second is that somebody, and in its session of `epoch` makes
   * sessions and keys, and links identities, when `steps` answers came.
   */
  takeOver: async (
    kit: RaceKit,
    { email, userId, epoch, steps }: { email: string; userId: string; epoch: EpochPair; steps: number },
    index: number,
  ) => {
    if (index === 0) {
      await atOnce(3, () => kit.signIn.withEmail(email));
      return { tokens: [], keys: [] };
    }
    await after(kit, steps);
    const [tokens, keys] = await Promise.all([
      atOnce(3, async () => (await kit.sessions.create({ userId, epoch })).token),
      atOnce(3, async (n) => (await kit.apiKeys.create({ userId, name: `${n}`, epoch })).key),
      atOnce(3, (n) => kit.signIn.linkIdentity(userId, identityOf(`${userId} ${n}`, null), { epoch })),
    ]);
    return { tokens: tokens.flatMap(({ value }) => value ?? []), keys: keys.flatMap(({ value }) => value ?? []) };
  },
};

export default racing(moves);
