import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { clientOperations, operationsFile } from "../../scripts/client-operations.ts";

it("the client knows the API as it is: `npm run make:client` was run after the last change", async () => {
  expect(await readFile(operationsFile, "utf8")).toBe(await clientOperations());
});
