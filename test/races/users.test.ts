import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arenas, RACE_TIMEOUT, repeat, tally, valuesOf, type Arena } from "./arena.ts";
import { atOnce } from "./kit.ts";
import { identityOf, moves } from "./users.racers.ts";

const kinds = arenas(new URL("./users.racers.ts", import.meta.url), moves, { core: true });

describe.each(kinds)("users, raced over $name", { timeout: RACE_TIMEOUT }, ({ open, rounds }) => {
  let arena: Arena<typeof moves>;
  beforeAll(async () => {
    arena = await open();
  });
  afterAll(() => arena.close());

  const person = () => {
    const subject = arena.id();
    return { subject, email: `${subject}@example.com` };
  };

  it("rule 10: of 20 first sign-ins through a provider one makes the user, and one account", () =>
    repeat(rounds, async () => {
      const { subject, email } = person();

      const outcomes = (await arena.race("byProvider", { subject, email })).flat();

      expect(tally(outcomes)).toEqual({ ok: 20 });
      const resolved = valuesOf(outcomes);
      expect(resolved.filter(({ created }) => created)).toHaveLength(1);
      const [userId = "", ...others] = new Set(resolved.map((one) => one.userId));
      expect(others).toEqual([]);
      expect((await arena.kit.users.findByEmail(email))?.id).toBe(userId);
      expect(await arena.kit.accounts.listForUser(userId)).toMatchObject([{ accountId: subject, pending: false }]);
    }));

  it("rule 10: of 20 first sign-ins by mail one makes the user", () =>
    repeat(rounds, async () => {
      const { email } = person();

      const outcomes = (await arena.race("byEmail", { email })).flat();

      expect(tally(outcomes)).toEqual({ ok: 20 });
      const resolved = valuesOf(outcomes);
      expect(resolved.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(resolved.map(({ userId }) => userId))).toEqual(new Set([(await arena.kit.users.findByEmail(email))?.id]));
    }));

  it("rule 26: a first sign-in through a provider and one by mail with the same address at once make one user, unlinked unless it was the provider's", () =>
    repeat(rounds, async () => {
      const { subject, email } = person();

      const [provider = [], mail = []] = await arena.race("byEither", { subject, email });

      expect(tally(mail)).toEqual({ ok: 5 });
      const holder = await arena.kit.users.findByEmail(email);
      expect(new Set(valuesOf([...provider, ...mail]).map(({ userId }) => userId))).toEqual(new Set([holder?.id]));
      const providerFirst = valuesOf(provider).some(({ created }) => created);
      expect(tally(provider)).toEqual(providerFirst ? { ok: 5 } : { account_not_linked: 5 });
      expect(valuesOf([...provider, ...mail]).filter(({ created }) => created)).toHaveLength(1);
      expect(await arena.kit.accounts.listForUser(holder?.id ?? "")).toHaveLength(providerFirst ? 1 : 0);
    }));

  it("rule 10: of two identities with one address one makes the user, and the other leaves nothing behind", () =>
    repeat(rounds, async () => {
      const { subject, email } = person();
      const subjects = [`${subject} 0`, `${subject} 1`];

      const results = await arena.race("bySameAddress", { subjects, email });

      const winner = results.findIndex((outcomes) => valuesOf(outcomes).length > 0);
      expect(results.map(tally)).toEqual([0, 1].map((index) => (index === winner ? { ok: 5 } : { account_not_linked: 5 })));
      const found = await Promise.all(subjects.map((one) => arena.kit.accounts.findByIdentity(identityOf(one, email))));
      expect(found.map((account) => account && account.pending)).toEqual([0, 1].map((index) => (index === winner ? false : null)));
    }));

  it("rule 25: of two users who link one identity at once, one gets it", () =>
    repeat(rounds, async () => {
      const subject = arena.id();
      const users = [arena.id(), arena.id()];

      const results = await arena.race("link", { subject, users });

      const winner = results.findIndex((outcomes) => valuesOf(outcomes).length > 0);
      expect(results.map(tally)).toEqual([0, 1].map((index) => (index === winner ? { ok: 5 } : { account_already_linked: 5 })));
      const linked = await Promise.all(users.map((userId) => arena.kit.accounts.listForUser(userId)));
      expect(linked.map((accounts) => accounts.length)).toEqual([0, 1].map((index) => (index === winner ? 1 : 0)));
    }));

  it("rule 26: of the last two ways in, unlinked at once, one remains", () =>
    repeat(rounds, async () => {
      const userId = arena.id();
      const accounts = [
        await arena.kit.accounts.link({ userId, identity: identityOf(`${userId} home`, null) }),
        await arena.kit.accounts.link({ userId, identity: identityOf(`${userId} work`, null) }),
      ];

      const outcomes = (await arena.race("unlink", { userId, accountIds: accounts.map(({ id }) => id) })).flat();

      expect(tally(outcomes)).toEqual({ ok: 1, account_not_found: 4, last_way_in: 5 });
      expect(await arena.kit.accounts.listForUser(userId)).toHaveLength(1);
    }));

  it("rule 10: of two users who take one address at once, one has it", () =>
    repeat(rounds, async () => {
      const { email } = person();
      const userIds = [(await arena.kit.users.create()).id, (await arena.kit.users.create()).id];

      const results = await arena.race("claimAddress", { email, userIds });

      const holder = await arena.kit.users.findByEmail(email);
      expect(results.map(tally)).toEqual(userIds.map((id) => (id === holder?.id ? { ok: 5 } : { email_taken: 5 })));
      const addresses = (await Promise.all(userIds.map((id) => arena.kit.users.findById(id)))).map((user) => user?.email);
      expect(addresses).toEqual(userIds.map((id) => (id === holder?.id ? email : null)));
    }));

  it("rule 9: of 20 raises of an epoch at once each counts, the first ever among them", () =>
    repeat(rounds, async () => {
      const userId = arena.id();

      await arena.race("raiseEpoch", { userId });

      expect((await arena.kit.principals.standing(userId)).epoch[0]).toBe(20);
    }));

  it("rule 17: the first proof of a mailbox leaves nothing of who had claimed it, whatever they do meanwhile", () =>
    repeat(rounds, async (round) => {
      const { kit } = arena;
      const { subject, email } = person();
      const { id: userId } = await kit.users.create({ email });
      await kit.signIn.linkIdentity(userId, identityOf(subject, null));
      const [before, { epoch }] = [await kit.sessions.create({ userId }), await kit.principals.standing(userId)];

      const [, squatter] = await arena.race("takeOver", { email, userId, epoch, steps: round % 12 });

      const tokens = [before.token, ...(squatter?.tokens ?? [])];
      const resolutions = await Promise.all(tokens.map((token) => kit.sessions.resolve(token)));
      expect(resolutions.filter(({ session }) => session)).toEqual([]);
      const keys = squatter?.keys ?? [];
      expect(valuesOf(await atOnce(keys.length, (n) => kit.apiKeys.authenticate(keys[n] ?? "")))).toEqual([]);
      expect(await kit.accounts.listForUser(userId)).toEqual([]);
      expect(await kit.users.findByEmail(email)).toMatchObject({ id: userId, emailVerified: true });
    }));
});
