import { describe, expect, it } from "vitest";
import { createOneTimeTokens } from "../../lib/core/one-time-tokens.ts";
import { counting, createTestKit } from "../support/kit.ts";

function setup() {
  const kit = createTestKit();
  const { store, calls } = counting(kit.store);
  return { ...kit, calls, tokens: createOneTimeTokens({ ...kit, store }) };
}

const RESET = { purpose: "password_reset", userId: "ada", email: "ada@example.com", ttl: 1800 } as const;
const UNKNOWN = { code: "invalid_token", status: 401 };

describe("one-time tokens", () => {
  it("rule 1: are spent once, of any number at once", async () => {
    const { tokens } = setup();
    const { token } = await tokens.issue(RESET);
    const found = await Promise.all(Array.from({ length: 20 }, () => tokens.find(token, "password_reset")));
    const spent = await Promise.allSettled(found.map((one) => tokens.spend(one)));
    expect(spent.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await expect(tokens.find(token, "password_reset")).rejects.toMatchObject(UNKNOWN);
  });

  it("rule 4: are unknown to another purpose, and not consumed by it", async () => {
    const { tokens, calls } = setup();
    const { token } = await tokens.issue(RESET);
    const before = { ...calls };
    await expect(tokens.find(token, "email_confirm")).rejects.toMatchObject(UNKNOWN);
    expect(calls).toEqual(before);
    expect(await tokens.find(token, "password_reset")).toMatchObject({ userId: "ada", email: "ada@example.com" });
  });

  it("rule 6: give way to the next of their purpose, and to no other", async () => {
    const { tokens } = setup();
    const first = await tokens.issue(RESET);
    const other = await tokens.issue({ ...RESET, purpose: "email_confirm" });
    const second = await tokens.issue(RESET);
    await expect(tokens.find(first.token, "password_reset")).rejects.toMatchObject(UNKNOWN);
    await tokens.find(second.token, "password_reset");
    await tokens.find(other.token, "email_confirm");
  });

  it("rule 7: end when their record says", async () => {
    const { tokens, clock } = setup();
    const { token } = await tokens.issue(RESET);
    clock.advance(1799);
    await tokens.find(token, "password_reset");
    clock.advance(1);
    await expect(tokens.find(token, "password_reset")).rejects.toMatchObject(UNKNOWN);
  });

  it("rule 40: ask the store nothing when forged or misshapen", async () => {
    const { tokens, calls } = setup();
    const { token } = await tokens.issue(RESET);
    const before = { ...calls };
    const flipped = `${token.slice(0, 40)}${token[40] === "A" ? "B" : "A"}${token.slice(41)}`;
    for (const forged of ["", "%%%", flipped, `${token}A`, token.slice(1), "A".repeat(86)]) {
      await expect(tokens.find(forged, "password_reset")).rejects.toMatchObject(UNKNOWN);
    }
    expect(calls).toEqual(before);
  });

  it("rule 49: are refused and reported when their record does not parse", async () => {
    const { tokens, store, heard } = setup();
    for (const magicLink of [{}, { codeId: 1, returnTo: null }, { codeId: "x", returnTo: 1 }, "x"]) {
      const { token } = await tokens.issue({ ...RESET, purpose: "magic_link", magicLink: magicLink as never });
      await expect(tokens.find(token, "magic_link")).rejects.toMatchObject({ code: "storage_unavailable" });
    }
    expect(heard.map(({ type }) => type)).toContain("record.unreadable");
    const { token } = await tokens.issue({ ...RESET, purpose: "magic_link", magicLink: { codeId: "x", returnTo: "/" } });
    expect(await tokens.find(token, "magic_link")).toMatchObject({ magicLink: { codeId: "x", returnTo: "/" } });
    expect((await store.scan({ kind: "partitioned", name: "one_time_tokens" })).records).toHaveLength(1);
  });

  it("rest as hashes: what is stored opens nothing", async () => {
    const { tokens, store } = setup();
    const { token } = await tokens.issue(RESET);
    const { records } = await store.scan({ kind: "partitioned", name: "one_time_tokens" });
    const secret = Buffer.from(token, "base64url").subarray(16, 48).toString("base64url");
    expect(records).toHaveLength(1);
    expect(Buffer.from(records[0]?.value ?? []).toString()).not.toContain(secret);
  });
});
