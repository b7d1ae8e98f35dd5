import { MIGRATION_PENDING } from "../../storage/finding.ts";
import type { RecordStore } from "../../storage/record-store.ts";
import { configOption, withApplication } from "../application.ts";
import { defineCommand, type ExitCode } from "../command.ts";

/** `latchkey migrate`: the store's own migrate(), through whatever wraps it. */
export const migrateCommand = defineCommand({
  name: "migrate",
  summary: "Makes the tables of the application's store, or brings them to the newest version",
  details: ["Safe to repeat, and for several processes at once. Redis has no schema: there is nothing to do."],
  options: {
    config: configOption,
    "dry-run": { type: "boolean", summary: "Say what is due, and do nothing" },
  },
  run: ({ config, "dry-run": dryRun }, io) =>
    withApplication<ExitCode>(config, io, async ({ store }) => {
      const due = await pending(store);
      if (!dryRun) await store.migrate();
      if (due.length === 0) io.out(`${store.name}: nothing to do`);
      for (const step of due) io.out(`${store.name}: ${dryRun ? "due" : "done"}: ${step}`);
      return 0;
    }),
});

async function pending(store: RecordStore): Promise<readonly string[]> {
  const findings = (await store.inspect?.()) ?? [];
  return findings.flatMap(({ code, message }) => (code === MIGRATION_PENDING ? [message] : []));
}
