import { importBetterAuth, type BetterAuthReport, type SkippedByImport } from "../../better-auth/index.ts";
import { configOption, withApplication } from "../application.ts";
import { defineCommand, UsageError, type CliIo, type ExitCode } from "../command.ts";

/** `latchkey import better-auth`: users, their accounts and passwords, out of better-auth's own database. */
export const importBetterAuthCommand = defineCommand({
  name: "import better-auth",
  summary: "Takes users, linked accounts and passwords over from a better-auth database",
  details: [
    "May be run again: whoever is here is left as they are. The database is only read. Sessions are not taken over.",
    "The configuration exports `auth`, with the strategies that people signed in by, and betterAuthHashes for their passwords.",
  ],
  options: {
    config: configOption,
    from: { type: "string", value: "url", required: true, summary: "postgres://..., mysql://... or the file of a SQLite database" },
    "dry-run": { type: "boolean", summary: "Read and count, and write nothing" },
  },
  run: ({ config, from, "dry-run": dryRun }, io) =>
    withApplication<ExitCode>(config, io, async ({ auth }) => {
      if (!auth) throw new UsageError("the configuration must export `auth`: accounts are sealed under its secret");
      const report = await importBetterAuth({
        from,
        auth,
        dryRun,
        clock: io.clock,
        onProgress: progress(io),
        onSkipped: (each) => io.err(left(each)),
      });
      for (const line of summary(report)) io.out(line);
      return 0;
    }),
});

function left({ userId, provider, reason }: SkippedByImport): string {
  return `left out: ${provider === null ? "user" : `${provider} of user`} ${userId}: ${reason}`;
}

function progress(io: CliIo): (report: BetterAuthReport) => void {
  return ({ users }) => io.err(`${users.read} users read`);
}

function summary({ dryRun, users, accounts, passwords, skipped, leftBehind }: BetterAuthReport): string[] {
  const done = dryRun ? "would be imported" : "imported";
  const notes = {
    "accounts came without their tokens, which better-auth had encrypted": leftBehind.encryptedTokens,
    "users had another role: give it to them with auth.users.setRoles": leftBehind.roles,
    "users had a second factor, and sign in without it from now on": leftBehind.secondFactors,
  };
  return [
    `users: ${users.imported} ${done}, ${users.unchanged} here already, ${users.skipped} left out, of ${users.read}`,
    `accounts: ${accounts.imported} ${done}, ${accounts.skipped} left out`,
    `passwords: ${passwords.imported} ${done}, ${passwords.skipped} left out`,
    ...Object.entries(skipped).map(([reason, count]) => `left out: ${count} for ${reason}`),
    ...Object.entries(notes).flatMap(([note, count]) => (count > 0 ? [`${count} ${note}`] : [])),
  ];
}
