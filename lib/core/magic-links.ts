import type { RecordKey, RecordStore } from "../storage/record-store.ts";
import type { Events } from "./events.ts";
import { addressTag, codeCollection, decodeCodeRequest } from "./magic-code-record.ts";
import { invalidToken, type OneTimeToken, type OneTimeTokens } from "./one-time-tokens.ts";
import { reportingUnreadable } from "./unreadable-records.ts";

/** A link that is good still: its own token, and the code of the same mail, which is not spent either. */
export interface MagicLink {
  readonly token: OneTimeToken;
  readonly codeKey: RecordKey;
  readonly codeVersion: number;
  /** Canonical: where it was mailed. */
  readonly email: string;
  readonly userId: string | null;
  readonly returnTo: string | null;
}

/** Links that sign in, each beside a code. The code's record decides which of the two came first: whoever removes it has won. */
interface MagicLinks {
  /** Makes the link that belongs to the code of `key`, in place of the one before. One write, for nobody as for somebody. @returns its path. */
  issue(link: {
    readonly key: RecordKey;
    readonly email: string;
    readonly userId: string | null;
    readonly returnTo: string | null;
    /** Seconds. */
    readonly ttl: number;
  }): Promise<string>;
  /** Spends nothing. Two reads, none for what is forged. @throws {CredentialError} 401 `invalid_token`. */
  find(token: string): Promise<MagicLink>;
  /** Spends the link, then its code. @throws {CredentialError} 401 `invalid_token` when either was spent, replaced or revoked meanwhile. */
  spend(link: MagicLink): Promise<void>;
}

export function createMagicLinks({
  store,
  events,
  oneTimeTokens,
  basePath,
}: {
  readonly store: RecordStore;
  readonly events: Events;
  readonly oneTimeTokens: OneTimeTokens;
  readonly basePath: string;
}): MagicLinks {
  const decoded = reportingUnreadable(events, codeCollection, decodeCodeRequest);

  return {
    async issue({ key, email, userId, returnTo, ttl }) {
      const magicLink = { codeId: key.id, returnTo };
      const { token } = await oneTimeTokens.issue({ purpose: "magic_link", userId, email, ttl, magicLink });
      return `${basePath}/magic/link?token=${token}`;
    },

    async find(text) {
      const token = await oneTimeTokens.find(text, "magic_link");
      const { email, userId, magicLink } = token;
      if (!magicLink) throw invalidToken();
      const codeKey = { partition: addressTag(email), id: magicLink.codeId };
      const stored = await store.get(codeCollection, codeKey);
      const code = stored && decoded(stored);
      if (!code || code.purpose !== "sign_in" || code.email !== email) throw invalidToken();
      return { token, codeKey, codeVersion: code.version, email, userId, returnTo: magicLink.returnTo };
    },

    async spend({ token, codeKey, codeVersion }) {
      await oneTimeTokens.spend(token);
      if (!(await store.commit([{ op: "delete", in: codeCollection, key: codeKey, ifVersion: codeVersion }]))) throw invalidToken();
    },
  };
}
