import { describe } from "vitest";
import { startPostgres } from "../support/postgres.ts";
import { faultTests } from "./sql/faults.ts";

describe("PostgreSQL, when it fails,", { timeout: 30_000 }, () => faultTests(() => startPostgres()));
