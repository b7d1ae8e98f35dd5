import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createPrincipals } from "../../lib/core/principals.ts";
import { directoryCollection } from "../../lib/storage/collection.ts";
import { createTestKit } from "../support/kit.ts";

const principalCollection = directoryCollection("principals");

describe("principals", () => {
  it("rule 49: are refused and reported when their record does not parse", async () => {
    const { principals, store, heard } = createTestKit();
    await principals.setRoles("user-1", ["editor"]);
    const { records } = await store.scan(principalCollection);
    for (const text of ["null", "{", '{"epoch":"1"}', '{"epoch":1,"status":"on","roles":[],"failures":{}}']) {
      await store.commit([{ op: "put", in: principalCollection, record: { ...records[0]!, value: Buffer.from(text) } }]);
      await expect(principals.standing("user-1")).rejects.toMatchObject({ status: 503 });
      expect(heard.pop()).toMatchObject({ type: "record.unreadable", details: { collection: "principals" } });
      await expect(principals.setStatus("user-1", "disabled")).rejects.toMatchObject({ status: 503 });
    }
  });

  it("rule 9: raise an epoch once, when it has to be raised from a certain one", async () => {
    const { principals } = createTestKit();
    const raised = await Promise.all(Array.from({ length: 10 }, () => principals.raiseEpoch("user-1", 0)));
    expect(raised.filter(Boolean)).toHaveLength(1);
    expect((await principals.standing("user-1")).epoch).toEqual([1, 0]);
  });

  it("lose none of 50 changes made at once, the first ones of a new principal included", async () => {
    const principals = createPrincipals(memoryStore());
    await Promise.all(Array.from({ length: 50 }, () => principals.raiseEpoch("user-1")));
    expect((await principals.standing("user-1")).epoch).toEqual([50, 0]);
  });
});
