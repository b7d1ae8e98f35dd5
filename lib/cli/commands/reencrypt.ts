import type { EncryptedStore, ReencryptReport } from "../../adapters/encrypted/index.ts";
import type { RecordStore } from "../../storage/record-store.ts";
import { configOption, withApplication } from "../application.ts";
import { defineCommand, UsageError, type CliIo, type ExitCode } from "../command.ts";

/** `latchkey reencrypt`: what rests under old keys is sealed under the first, while the application runs. */
export const reencryptCommand = defineCommand({
  name: "reencrypt",
  summary: "Seals what rests under old keys under the first one, so that the old can be dropped",
  details: [
    "Every process must have the new key before. Safe to stop (Ctrl+C), to run again, and while the application runs, but for",
    "--reindex and --seal-plaintext: stop it for those. Goes over the collections of createAuth.",
  ],
  options: {
    config: configOption,
    "dry-run": { type: "boolean", summary: "Say what would be written, and write nothing" },
    check: { type: "boolean", summary: "Write nothing, and end with 1 when a record needs an old key or cannot be read" },
    from: { type: "string", value: "cursor", summary: "Go on where an interrupted run said that it stopped" },
    reindex: { type: "boolean", summary: "Hash lookups anew under a changed indexKey" },
    "seal-plaintext": { type: "boolean", summary: "Seal what was written before encryption was switched on" },
  },
  run({ config, "dry-run": dryRun, check, from, reindex, "seal-plaintext": sealPlaintext }, io) {
    if (check && (dryRun || from !== null || reindex || sealPlaintext)) throw new UsageError("--check goes over everything: give it alone");
    return withApplication<ExitCode>(config, io, async ({ store }) => {
      if (!isEncrypted(store)) throw new UsageError(`the store is ${store.name}: it is not made by encrypted()`);
      if (check) return checkAll(store, io);
      const report = await store.reencrypt({
        ...{ dryRun, reindex, sealPlaintext, signal: io.signal, onProgress: progress(io) },
        ...(from === null ? {} : { from }),
      });
      io.out(summary(report, dryRun));
      tellUnreadable(report, io);
      if (report.next !== null) io.err(`stopped; go on with: latchkey reencrypt --from ${report.next}`);
      return report.failed > 0 || !report.finished ? 1 : 0;
    });
  },
});

async function checkAll(store: EncryptedStore, io: CliIo): Promise<ExitCode> {
  const uses = await store.checkKeys();
  for (const { keyId, position, records } of uses) {
    const key =
      keyId === null ? "not sealed" : position === null ? `key ${keyId}, which is none of \`keys\`` : `key ${position + 1} (${keyId})`;
    io.out(`${key}: ${records} records`);
  }
  const report = await store.reencrypt({ dryRun: true, signal: io.signal, onProgress: progress(io) });
  tellUnreadable(report, io);
  const settled = report.finished && report.rewritten === 0 && report.failed === 0;
  io.out(
    settled
      ? `all ${report.scanned} records rest under the first key: the others can be dropped`
      : `${report.rewritten} of ${report.scanned} records need an old key, ${report.failed} cannot be read${report.finished ? "" : "; stopped before the end"}`,
  );
  return settled ? 0 : 1;
}

function isEncrypted(store: RecordStore): store is EncryptedStore {
  return "reencrypt" in store && typeof store.reencrypt === "function" && "checkKeys" in store;
}

/** At most a line a second. */
function progress(io: CliIo): (report: ReencryptReport) => void {
  let told = io.clock.now();
  return (report) => {
    if (io.clock.now() - told < 1000) return;
    told = io.clock.now();
    io.err(`${report.scanned} records, at ${report.next}`);
  };
}

function summary({ scanned, current, rewritten, vanished, failed }: ReencryptReport, dryRun: boolean): string {
  const done = `${rewritten} ${dryRun ? "would be rewritten" : "rewritten"}`;
  return `${scanned} records: ${done}, ${current} current, ${vanished} removed meanwhile, ${failed} unreadable`;
}

function tellUnreadable({ unreadable, failed }: ReencryptReport, io: CliIo): void {
  for (const { collection, record, flaw, keyId } of unreadable.slice(0, MAX_TOLD))
    io.err(`unreadable: ${collection} ${record}: ${flaw}${keyId === null ? "" : `, key ${keyId}`}`);
  if (failed > MAX_TOLD) io.err(`and ${failed - MAX_TOLD} more`);
}

const MAX_TOLD = 20;
