import { describe, expect, it } from "vitest";
import { anonymousContext, apiKeyContext, sessionContext } from "../../lib/core/context.ts";
import { CredentialError } from "../../lib/errors.ts";
import { createTestKit } from "../support/kit.ts";

const { sessions, principals } = createTestKit();

const contextOf = async (roles: readonly string[]) => {
  await principals.setRoles("user-1", roles);
  return sessionContext((await sessions.create({ userId: "user-1", methods: ["test"] })).session, new Set(["read"]));
};

describe("who makes a request", () => {
  it("is nobody without a credential, and nobody with a reason when one did not hold", () => {
    const failure = new CredentialError("invalid_token", "no");
    expect(anonymousContext()).toMatchObject({ kind: "anonymous", userId: null, isAuthenticated: false, isAdmin: false, failure: null });
    expect(anonymousContext(failure)).toMatchObject({ kind: "anonymous", userId: null, isAuthenticated: false, failure });
  });

  it("is not signed in as a guest, who has an id but neither roles nor scopes nor a time of authentication", async () => {
    const guest = sessionContext((await sessions.createGuest()).session, new Set(["read"]));
    expect(guest).toMatchObject({ kind: "guest", isAuthenticated: false, roles: [], authenticatedAt: null, isAdmin: false });
    expect(guest.userId).toMatch(/^guest_/);
    expect(guest.hasScope("read")).toBe(false);
    expect(guest.hasAnyRole([])).toBe(false);
  });

  it("has a role by its exact name, any role as admin, and none of an empty list but as admin", async () => {
    const editor = await contextOf(["editor"]);
    expect([editor.hasRole("editor"), editor.hasRole("Editor"), editor.hasRole("edit"), editor.hasRole("")]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect([editor.hasAnyRole(["x", "editor"]), editor.hasAnyRole(["x"]), editor.hasAnyRole([])]).toEqual([true, false, false]);
    const admin = await contextOf(["admin"]);
    expect([admin.isAdmin, admin.hasRole("editor"), admin.hasAnyRole([]), admin.isAuthenticated]).toEqual([true, true, true, true]);
    expect([editor.hasScope("read"), editor.hasScope("rea"), admin.hasScope("write")]).toEqual([true, false, false]);
  });

  it("serialises without the session, its data or the key, and cannot be changed by who reads it", async () => {
    const context = await contextOf(["editor"]);
    const { session } = await sessions.create({ userId: "user-1", data: { note: "private" } });
    expect(JSON.parse(JSON.stringify(sessionContext(session)))).toEqual({
      kind: "session",
      userId: "user-1",
      tenantId: null,
      roles: ["editor"],
      scopes: [],
      authenticatedAt: session.authenticatedAt,
      methods: [],
      isAdmin: false,
      isAuthenticated: true,
    });
    expect(() => Object.assign(context, { isAdmin: true })).toThrow(TypeError);
    expect(() => Object.assign(anonymousContext(), { userId: "user-1" })).toThrow(TypeError);
    for (const { scopes } of [anonymousContext(), sessionContext(session)])
      expect(() => (scopes as Set<string>).add("admin")).toThrow(TypeError);
    expect(anonymousContext().hasScope("admin")).toBe(false);
  });

  it("has as an API key the key's scopes, its owner's roles, and no time of authentication", () => {
    const key = { id: "k", userId: "user-1", name: "ci", keyPrefix: "sk-1", scopes: ["read"], roles: ["editor"], tenantId: "acme" };
    const context = apiKeyContext({ ...key, createdAt: 0, expiresAt: null, idleExpiresAt: null, lastUsedAt: null, replacedBy: null });
    expect(context).toMatchObject({ kind: "api_key", userId: "user-1", tenantId: "acme", authenticatedAt: null, isAuthenticated: true });
    expect([context.hasRole("editor"), context.hasScope("read"), context.hasScope("write")]).toEqual([true, true, false]);
  });
});
