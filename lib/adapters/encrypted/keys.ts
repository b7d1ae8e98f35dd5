import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { createKeyRing, type KeyRing } from "../../crypto/key-ring.ts";
import { ConfigError } from "../../errors.ts";

/** Where the secrets of an encrypted store come from. Those of the environment may be `undefined`: the refusal says what is missing. */
export interface StoreKeys {
  /**
   * What values are sealed under: a secret of 32 bytes or more, a list of which the first seals and all open, or a file with one a line
   * in that order (empty lines and those that begin with `#` do not count) which nobody but its owner may read.
   */
  keys: string | readonly (string | undefined)[] | { readonly file: string } | undefined;
  /**
   * What lookups are hashed under: one more such secret, none of `keys`. It stays when they are rotated; another one takes
   * a {@link reencrypt} with `reindex`.
   */
  indexKey: string | { readonly file: string } | undefined;
}

/** @throws {ConfigError} naming the option that is missing, too short, unreadable, or open to others. */
export function resolveKeys(where: string, { keys, indexKey }: StoreKeys): { readonly values: KeyRing; readonly index: KeyRing } {
  const values = readSecrets(`${where}.keys`, keys);
  const index = readSecrets(`${where}.indexKey`, indexKey);
  if (index.length > 1) throw new ConfigError(`${where}.indexKey`, "give one secret: lookups are hashed under a single key");
  if (index.some((secret) => values.includes(secret)))
    throw new ConfigError(`${where}.indexKey`, "give a secret that is none of `keys`: they are rotated, and it stays");
  return { values: createKeyRing(values, `${where}.keys`), index: createKeyRing(index, `${where}.indexKey`) };
}

/** The ids of `keys`, in their order. @throws {ConfigError} as {@link resolveKeys}. */
export function resolveKeyIds(where: string, keys: StoreKeys["keys"]): readonly string[] {
  return keyIds(createKeyRing(readSecrets(`${where}.keys`, keys), `${where}.keys`));
}

/** The ids of a ring's keys, the current one first. */
export function keyIds(ring: KeyRing): readonly string[] {
  return ring.all("id").map(({ id }) => id); // of the secrets, so the same for every purpose
}

/** The secrets that an option names, in their order. @throws {ConfigError} as {@link resolveKeys}. */
export function readSecrets(option: string, source: StoreKeys["keys"]): readonly string[] {
  if (typeof source === "object" && source !== null && "file" in source) return readKeyFile(option, source.file);
  const given: readonly unknown[] = Array.isArray(source) ? source : [source];
  const secrets = given.filter((secret) => secret !== undefined && secret !== null && secret !== "");
  if (secrets.some((secret) => typeof secret !== "string")) throw new ConfigError(option, "give secrets as text, or { file }");
  if (secrets.length === 0) throw new ConfigError(option, "is missing; make one with: openssl rand -base64 48");
  return secrets as string[];
}

/** Looks at the permissions of the file it opened, so that none is put in its place in between. */
function readKeyFile(option: string, path: unknown): readonly string[] {
  if (typeof path !== "string" || path === "") throw new ConfigError(`${option}.file`, "give the path of a file");
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (cause) {
    throw new ConfigError(`${option}.file`, `"${path}" cannot be opened`, cause);
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile()) throw new ConfigError(`${option}.file`, `"${path}" is no file`);
    // Windows has no such permissions.
    if (process.platform !== "win32" && (status.mode & 0o077) !== 0)
      throw new ConfigError(`${option}.file`, `others than its owner may use "${path}": chmod 600 it`);
    const secrets = readFileSync(file, "utf8")
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "" && !line.startsWith("#"));
    if (secrets.length === 0) throw new ConfigError(`${option}.file`, `"${path}" has no secrets: write one a line`);
    return secrets;
  } finally {
    closeSync(file);
  }
}
