import type { CliCommand } from "./command.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { importBetterAuthCommand } from "./commands/import-better-auth.ts";
import { migrateCommand } from "./commands/migrate.ts";
import { reencryptCommand } from "./commands/reencrypt.ts";
import { schemaCommand } from "./commands/schema.ts";

/** Every command, in the order of the list. */
export const commands: readonly CliCommand[] = [migrateCommand, schemaCommand, reencryptCommand, doctorCommand, importBetterAuthCommand];
