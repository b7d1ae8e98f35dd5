import { describe, expect, it } from "vitest";
import { decodeSession, encodeSession, type SessionRecord } from "../../lib/core/session-record.ts";
import { publicSessionId } from "../../lib/core/session-token.ts";
import type { StoredRecord } from "../../lib/storage/record-store.ts";

const [tag, sid] = ["A".repeat(22), "Q".repeat(22)];
const createdAt = Date.UTC(2026, 0, 1);

const plain: SessionRecord = {
  tag,
  sid,
  secretHash: Buffer.alloc(32, 7),
  mergedInto: null,
  refresh: null,
  version: 3,
  session: {
    id: publicSessionId(tag, sid),
    userId: "14a1ad5d-d8cf-4474-85a4-bdaf43424d2c",
    kind: "user",
    type: "full",
    transport: "session",
    createdAt,
    expiresAt: createdAt + 2_592_000_000,
    idleExpiresAt: createdAt + 86_400_000,
    lastSeenAt: createdAt,
    authenticatedAt: createdAt,
    methods: [],
    tenantId: null,
    roles: [],
    device: null,
    data: {},
    epoch: [0, 0],
    idp: null,
  },
};

const full: SessionRecord = {
  ...plain,
  mergedInto: "user-2",
  session: {
    ...plain.session,
    userId: "ü\0ser {}",
    kind: "guest",
    type: "kiosk",
    transport: "token",
    idleExpiresAt: createdAt + 90_000_000,
    lastSeenAt: createdAt + 3_600_000,
    authenticatedAt: createdAt + 1_800_000,
    methods: ["oidc", "magic_code"],
    tenantId: "t",
    roles: ["admin"],
    device: { label: "Chrome on macOS", ip: null },
    data: { cart: [1, { two: null }] },
    epoch: [4, 1],
    idp: { provider: "corp", issuer: "https://idp.example.com", sid: "s" },
  },
};

const stored = (record: SessionRecord, value = encodeSession(record).value): StoredRecord => ({
  ...encodeSession(record),
  value,
  version: record.version,
  lookups: {},
});

const refusalOf = (attempt: () => unknown): Error => {
  try {
    attempt();
  } catch (error) {
    return error as Error;
  }
  throw new Error("it was not refused");
};

describe("a session's record", () => {
  it("is read back as it was written, with nothing set and with everything", () => {
    for (const record of [plain, full]) expect(decodeSession(stored(record))).toEqual(record);
  });

  it("keeps since when its access tokens are fresh; of an older version's only the latest are", () => {
    const begun = {
      ...{ n: 1, seed: "A".repeat(22), keyId: "abcdefgh", rotatedAt: createdAt },
      generations: { current: createdAt, previous: createdAt },
    };
    const later = { ...begun, n: 7, rotatedAt: createdAt + 90_000, generations: { current: createdAt + 85_000, previous: createdAt } };
    for (const refresh of [begun, later]) expect(decodeSession(stored({ ...plain, refresh })).refresh).toEqual(refresh);

    const text = encodeSession({ ...plain, refresh: later }).value;
    const older = Buffer.from(
      Buffer.from(text)
        .toString("latin1")
        .replace(/,5000,90000\]/, "]"),
      "latin1",
    );
    expect(older.length).toBe(text.length - 11);
    const at = later.rotatedAt;
    expect(decodeSession(stored(plain, older)).refresh).toEqual({ ...later, generations: { current: at, previous: at } });
  });

  it("holds no more than 90 bytes for a session of a user whose id is a UUID, before and after it was used", () => {
    const used = { ...plain, session: { ...plain.session, lastSeenAt: createdAt + 3_600_000, authenticatedAt: createdAt + 3_600_000 } };
    for (const record of [plain, used]) expect(encodeSession(record).value.length).toBeLessThanOrEqual(90);
  });

  it("does not make an authentication that is older than the session look fresh", () => {
    const old = { ...plain, session: { ...plain.session, authenticatedAt: createdAt - 3_600_000 } };

    expect(decodeSession(stored(old)).session.authenticatedAt).toBe(createdAt - 3_600_000);
  });

  it("rule 49: is refused when it does not parse, and the refusal quotes nothing of it", () => {
    const bytes = Buffer.from(encodeSession(full).value);
    const foreign = [
      Buffer.alloc(0),
      Buffer.from("{}"),
      bytes.subarray(0, 60),
      bytes.subarray(0, bytes.length - 1),
      Buffer.concat([bytes, Buffer.from("secret")]),
      Buffer.concat([Buffer.from([2]), bytes.subarray(1)]),
      Buffer.concat([encodeSession(plain).value, Buffer.from("null")]),
    ];

    for (const value of foreign) {
      const refusal = refusalOf(() => decodeSession(stored(full, value)));
      expect(refusal).toMatchObject({ code: "storage_unavailable", message: "A stored session could not be read" });
      expect(refusal.cause).toBeUndefined();
    }
  });
});
