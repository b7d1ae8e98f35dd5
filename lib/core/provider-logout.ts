import { sha256 } from "../crypto/hash.ts";
import { partitionedCollection } from "../storage/collection.ts";
import type { RecordStore } from "../storage/record-store.ts";
import type { Accounts } from "./accounts.ts";
import type { RequestSource } from "./events.ts";
import type { ProviderSessionName, ProviderSessions, ProviderSubject } from "./provider-sessions.ts";
import type { Sessions } from "./sessions.ts";
import type { Session } from "./session-record.ts";
import { isProviderStrategy, type LogoutToken } from "./strategy.ts";

/** What a provider's word did. */
export interface LoggedOut {
  /** How many sessions ended. */
  readonly ended: number;
}

/** Ends sessions because their provider says that somebody signed out there. Every call may be repeated until it succeeds. */
export interface ProviderLogout {
  /**
   * Does what a logout token says, once: of the same token again nothing comes. Ends the sessions made from the provider's session, or,
   * where it names none, all that its subject made there; also those that are being made meanwhile, from what the provider vouched for
   * before. Up to five writes, and a read and a write for each session or user.
   */
  withToken(token: LogoutToken, from: LogoutFrom): Promise<LoggedOut>;
  /** Ends the sessions made from a session of the provider. */
  withSession(name: ProviderSessionName, from: Pick<LogoutFrom, "source">): Promise<LoggedOut>;
  /**
   * The provider that a session was made through, and the newest ID token that tells it whose session is meant; `null` for a session made
   * otherwise. A read for the accounts, and one for each account there.
   */
  behind(session: Session): Promise<{ readonly provider: string; readonly idToken: string | null } | null>;
}

/** Who says so. */
interface LogoutFrom {
  /** The strategy's name. */
  readonly provider: string;
  readonly source?: RequestSource | null | undefined;
}

export interface ProviderLogoutParts {
  readonly store: RecordStore;
  readonly accounts: Pick<Accounts, "findByIdentity" | "listForUser" | "getTokens">;
  readonly sessions: Pick<Sessions, "list" | "revokeMany">;
  readonly providerSessions: ProviderSessions;
  /** The configured strategies, by name. */
  readonly strategies: ReadonlyMap<string, object>;
}

/** Tokens that were shown: partition and id: hash of issuer and `jti`. They are kept for as long as such a token is taken. */
const shownTokens = partitionedCollection("logout_tokens");

const BEGUN = Buffer.from("0");
const DONE = Buffer.from("1");

export function createProviderLogout({ store, accounts, sessions, providerSessions, strategies }: ProviderLogoutParts): ProviderLogout {
  const end = async (ids: readonly string[], source: RequestSource | null = null) => {
    const { revoked } = await sessions.revokeMany(ids, { reason: "provider_sign_out", source });
    return { ended: revoked };
  };

  const endSession = async (name: ProviderSessionName, issuedAt: number | null, source: LogoutFrom["source"]) => {
    const ids = await providerSessions.end(name, issuedAt);
    const ended = await end(ids, source ?? null);
    await providerSessions.forget(name, ids);
    return ended;
  };

  /** Of a subject: the sessions made at this provider, of its session `sid` or of all. */
  const withSubject = async ({ issuer, subject }: ProviderSubject, sid: string | null, { provider, source = null }: LogoutFrom) => {
    const account = await accounts.findByIdentity({ provider, issuer, subject });
    const theirs = account ? await sessions.list(account.userId) : [];
    const made = theirs.filter(({ idp, methods }) => {
      const there = idp?.provider === provider && idp.issuer === issuer;
      return sid === null ? there || methods.includes(provider) : there && idp.sid === sid;
    });
    const ids = made.map(({ id }) => id);
    return await end(ids, source);
  };

  return {
    withSession: (name, { source }) => endSession(name, null, source),

    async behind({ userId, idp, methods }) {
      const made = idp ? [idp.provider] : methods;
      const strategy = made.map((name) => strategies.get(name)).find((each) => each !== undefined && isProviderStrategy(each));
      if (!strategy || !isProviderStrategy(strategy)) return null;
      const linked = (await accounts.listForUser(userId)).filter(
        ({ providerId, issuer }) => providerId === strategy.name && (idp ? issuer === idp.issuer : strategy.speaksFor(issuer)),
      );
      const newestFirst = linked.sort((a, b) => b.updatedAt - a.updatedAt);
      const tokens = await Promise.all(newestFirst.map(({ id }) => accounts.getTokens(id)));
      const idTokens = tokens.flatMap((each) => each?.idToken ?? []);
      const ofSession = idTokens.find((idToken) => idp !== null && sidIn(idToken) === idp.sid);
      return { provider: strategy.name, idToken: ofSession ?? idTokens[0] ?? null };
    },

    async withToken({ issuer, subject, sessionId, tokenId, issuedAt, usableUntil }, from) {
      const id = sha256(`${Buffer.byteLength(issuer)}:${issuer}${tokenId}`).toString("base64url");
      const key = { partition: id, id };
      const record = { ...key, expiresAt: usableUntil };
      const first = await store.commit([{ op: "insert", in: shownTokens, record: { ...record, value: BEGUN } }]);
      // One that was begun and did not come to its end, as when a process died, is shown again to be finished.
      const shown = first ? null : await store.get(shownTokens, key);
      if (shown && Buffer.from(shown.value).equals(DONE)) return { ended: 0 };
      const ofSession = sessionId === null ? 0 : (await endSession({ issuer, sid: sessionId }, issuedAt, from.source)).ended;
      if (subject !== null && sessionId === null) await providerSessions.endAllOf({ issuer, subject }, issuedAt);
      // Sessions from before there were records of them are found by the subject.
      const ofSubject = subject === null ? 0 : (await withSubject({ issuer, subject }, sessionId, from)).ended;
      await store.commit([{ op: "put", in: shownTokens, record: { ...record, value: DONE } }]);
      return { ended: ofSession + ofSubject };
    },
  };
}

/** The provider's name for its session, in an ID token that was checked when it came. */
function sidIn(idToken: string): unknown {
  try {
    const claims: unknown = JSON.parse(Buffer.from(idToken.split(".")[1] ?? "", "base64url").toString());
    return typeof claims === "object" && claims !== null && "sid" in claims ? claims.sid : undefined;
  } catch {
    return undefined;
  }
}
