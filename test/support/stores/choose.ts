import { inject } from "vitest";
import { useTestStore } from "../test-store.ts";
import { openerOf } from "./openers.ts";

/** Set up before each file of a project: `openTestStore` opens the stores that the project is for. */
useTestStore(await openerOf(inject("testStore"), inject("testStoreServers")));
