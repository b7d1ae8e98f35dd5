import { describe, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { recordStoreConformance } from "../../lib/testing/index.ts";

recordStoreConformance("rule 11: memory", async ({ clock }) => memoryStore({ clock }), { describe, it });
