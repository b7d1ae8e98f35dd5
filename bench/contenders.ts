import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Contender } from "./app-process.ts";

export const bare: Contender = { name: "Express alone", file: "apps/bare.mjs" };
export const limit: Contender = { name: "the limit", file: "apps/limit.mjs" };
export const latchkey: Contender = { name: "latchkey", file: "apps/latchkey.mjs" };
export const latchkeyCached: Contender = { ...latchkey, name: "latchkey, cached", env: { CACHED: "1" } };
export const latchkeyTokens: Contender = { ...latchkey, name: "latchkey, access tokens", env: { TOKENS: "1" } };
export const tokenGuard: Contender = { name: "accessTokenGuard", file: "apps/access-token-guard.mjs" };
export const jose: Contender = { name: "Express and jose", file: "apps/jose.mjs" };
export const passport: Contender = { name: "passport", file: "peers/passport.mjs" };
export const betterAuth: Contender = { name: "better-auth", file: "peers/better-auth.mjs" };
export const betterAuthCookieCache: Contender = { ...betterAuth, name: "better-auth, cookie cache", env: { COOKIE_CACHE: "1" } };

/** Installs what latchkey is compared with, as its own lock file says, unless it is there. @returns whether it is there now. */
export async function installPeers(): Promise<boolean> {
  const cwd = fileURLToPath(new URL("peers", import.meta.url));
  if (existsSync(`${cwd}/node_modules/.package-lock.json`)) return true;
  console.log("Installing the peers (once) ...");
  try {
    await promisify(execFile)("npm", ["ci", "--no-audit", "--no-fund"], { cwd });
    return true;
  } catch (error) {
    console.log(
      `They could not be installed, so latchkey runs against the limit alone: ${(error as Error).message.split("\n", 2).join(" ")}`,
    );
    return false;
  }
}
