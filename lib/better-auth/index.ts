export { importBetterAuth, type ImportBetterAuthOptions } from "./import.ts";
export type { AccountSkip, UserSkip } from "./person.ts";
export type { BetterAuthReport, SkippedByImport } from "./report.ts";
export type { SourceTables } from "./source.ts";
