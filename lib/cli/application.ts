import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Auth } from "../auth.ts";
import { ConfigError } from "../errors.ts";
import { assertStore } from "../storage/check-store.ts";
import type { RecordStore } from "../storage/record-store.ts";
import { UsageError, type CliIo } from "./command.ts";

/** The option of every command that works on the application's own store. */
export const configOption = {
  type: "string",
  value: "module",
  summary: "What exports `auth` or `store`. Default: latchkey.config.js, .mjs, .cjs or .ts in this folder",
} as const;

/** What the application's configuration gave. */
export interface Application {
  /** `null` when it exports a store alone. */
  readonly auth: Auth | null;
  readonly store: RecordStore;
}

const NAMES = ["js", "mjs", "cjs", "ts"].map((extension) => `latchkey.config.${extension}`);

/**
 * Loads the configuration, does the work, and closes what that opened: `auth` or `store`, then whatever an exported `close()` ends.
 * @throws {UsageError} when there is no such module, or it exports neither.
 */
export async function withApplication<T>(config: string | null, io: CliIo, work: (application: Application) => Promise<T>): Promise<T> {
  const path = config === null ? findConfig(io.cwd) : resolve(io.cwd, config);
  if (!existsSync(path)) throw new UsageError(`there is no ${path}`);
  const exported = exportsOf(await load(path, io));
  const auth = isAuth(exported["auth"]) ? exported["auth"] : null;
  if (exported["auth"] !== undefined && !auth) throw new ConfigError("auth", `${path} exports it, but not what createAuth() returned`);
  const store: unknown = exported["store"] ?? auth?.store;
  if (store === undefined) throw new UsageError(`${path} exports neither \`auth\`, as createAuth() makes it, nor \`store\``);
  assertStore("store", store);
  try {
    return await work({ auth, store });
  } finally {
    await auth?.close();
    if (store !== auth?.store) await store.close();
    if (isFunction(exported["close"])) await exported["close"]();
  }
}

function findConfig(cwd: string): string {
  const found = NAMES.map((name) => resolve(cwd, name)).find((path) => existsSync(path));
  if (found === undefined) throw new UsageError(`there is no ${NAMES.join(", ")} in ${cwd}: name one with --config <module>`);
  return found;
}

async function load(path: string, io: CliIo): Promise<unknown> {
  try {
    return await io.load(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_UNKNOWN_FILE_EXTENSION" && /\.[mc]?ts$/.test(path)) {
      const fix = `${path} is TypeScript, which this Node does not load: run it as NODE_OPTIONS="--import tsx" npx latchkey ...`;
      throw new ConfigError("--config", fix);
    }
    throw error;
  }
}

function isFunction(value: unknown): value is () => unknown {
  return typeof value === "function";
}

/** Of CommonJS all is in `default`. */
function exportsOf(module: unknown): Record<string, unknown> {
  const named = module as Record<string, unknown>;
  const all = named["default"];
  return typeof all === "object" && all !== null ? { ...all, ...named } : named;
}

function isAuth(value: unknown): value is Auth {
  return typeof value === "function" && "inspect" in value && "sessions" in value && "store" in value;
}
