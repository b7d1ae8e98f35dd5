import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createPrincipals } from "../../lib/core/principals.ts";

describe("principals", () => {
  it("lose none of 50 changes made at once, the first ones of a new principal included", async () => {
    const principals = createPrincipals(memoryStore());
    await Promise.all(Array.from({ length: 50 }, () => principals.raiseEpoch("user-1")));
    expect((await principals.standing("user-1")).epoch).toEqual([50, 0]);
  });
});
