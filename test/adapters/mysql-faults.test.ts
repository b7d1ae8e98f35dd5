import { describe } from "vitest";
import { startMariadb } from "../support/mariadb.ts";
import { faultTests } from "./sql/faults.ts";

describe("MariaDB, when it fails,", { timeout: 30_000 }, () => faultTests(() => startMariadb()));
