import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPostgres, type PostgresServer } from "../support/postgres.ts";
import { versions } from "../migrations/versions.ts";
import { openStore } from "./sql/open-store.ts";
import { raceMigrations, raceTests } from "./sql/races.ts";

let server: Pick<PostgresServer, "url" | "stop">;
beforeAll(async () => {
  server = await openPostgres();
});
afterAll(() => server.stop());

describe("PostgreSQL under two processes", () => {
  raceTests(() => server.url);

  it("is migrated by three processes at once, ten times over", { timeout: 60_000 }, async () => {
    const prefix = (round: number) => `mig_${process.pid}_${round}`;

    await raceMigrations(server.url, prefix);

    const { query, end } = openStore(server.url);
    for (let round = 0; round < 10; round += 1) {
      expect((await query(`select version from ${prefix(round)}_versions`)).map(({ version }) => version)).toEqual(versions);
    }
    await end();
  });
});
