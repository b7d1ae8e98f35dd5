import type { Request } from "express";
import { describe, expect, it } from "vitest";
import { requestSource } from "../../lib/http/source.ts";

const from = (ip: string | undefined, userAgent?: string) => requestSource({ ip, get: () => userAgent } as unknown as Request);

describe("where a request comes from", () => {
  it.each([
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:cb00:7107", "::ffff:cb00:7107"],
    ["2001:db8::1", "2001:db8::1"],
    [undefined, null],
    ["203.0.113.7:50123", "203.0.113.7"],
    ["[2001:db8::1]:443", "2001:db8::1"],
    ["<script>alert(1)</script>", null],
    ["unknown", null],
    ["x".repeat(10_000), null],
  ])("takes the address %s for %s", (ip, expected) => {
    expect(from(ip).ip).toBe(expected);
  });

  it("keeps no more of a user agent than tells a device", () => {
    expect(from(undefined, "x".repeat(10_000)).userAgent).toHaveLength(512);
    expect(from(undefined).userAgent).toBeNull();
  });
});
