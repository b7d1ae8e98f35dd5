import { createProviderLogout } from "../../lib/core/provider-logout.ts";
import { createProviderSessions } from "../../lib/core/provider-sessions.ts";
import { resolveSessionLife } from "../../lib/core/session-life.ts";
import { createSessions } from "../../lib/core/sessions.ts";
import { after, outcomeOf, racing, type RaceKit } from "./kit.ts";

export const PROVIDER = { provider: "company", issuer: "https://login.example.com" };

/** The services that know of providers' sessions. */
function logoutsOf({ store, clock, tokens, principals, events, background, accounts }: RaceKit) {
  const providerSessions = createProviderSessions({ store, clock });
  const sessions = createSessions({
    ...{ store, tokens, principals, clock, events, background, providerSessions },
    config: { life: resolveSessionLife(undefined, {}), policy: "multi", max: 100, membership: null, onGuestMerge: null },
  });
  return { sessions, logout: createProviderLogout({ store, accounts, sessions, providerSessions, strategies: new Map() }) };
}

export const moves = {
  /** The first racer signs somebody in, by an ID token of a second ago; the second is told, some steps later, that they signed out there. */
  signInWhileSignedOut: async (
    kit: RaceKit,
    { subject, sid, steps }: { subject: string; sid: string | null; steps: number },
    index: number,
  ) => {
    const { sessions, logout } = logoutsOf(kit);
    const now = kit.clock.now();
    if (index === 1) {
      await after(kit, steps);
      const names = { subject: sid === null ? subject : null, sessionId: sid };
      await logout.withToken({ ...names, issuer: PROVIDER.issuer, tokenId: subject, issuedAt: now, usableUntil: now + 300_000 }, PROVIDER);
      return null;
    }
    const profile = { subject, email: null, emailVerified: false, name: null, image: null, tokens: null };
    const { userId, epoch } = await kit.signIn.withIdentity({ ...PROVIDER, ...profile, providerSessionId: sid, authenticatedAt: null });
    const idp = sid === null ? null : { ...PROVIDER, sid };
    const assertion = { issuer: PROVIDER.issuer, subject, issuedAt: now - 1000, askedAt: now };
    const made = await outcomeOf(() => sessions.create({ userId, epoch, methods: [PROVIDER.provider], idp, assertion }));
    return { userId, code: made.code, token: made.value?.token ?? null };
  },
};

export default racing(moves);
