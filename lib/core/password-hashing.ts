import { randomBytes, scrypt } from "node:crypto";
import { availableParallelism } from "node:os";
import { constantTimeEqual } from "../crypto/hash.ts";
import type { Argon2Cost, ForeignHash } from "./password-options.ts";
import { passwordForm } from "./password-policy.ts";
import type { Telemetry } from "./telemetry.ts";
import { createPasswordQueue, type PasswordQueue } from "./password-queue.ts";

/** Hashes passwords by argon2id, off the event loop, so many at once. */
export interface PasswordHasher {
  /** The PHC string of a password that the policy let through. @throws {AuthError} 503 `too_busy`. */
  hash(form: string): Promise<string>;
  /**
   * Compares a password as it was typed. Without a stored hash (`null`) it costs the same and never matches; one too long to be a password costs nothing.
   * `outdated`: it matched, and should be hashed again. @throws {AuthError} 503 `too_busy`.
   */
  verify(password: string, stored: string | null): Promise<{ readonly matches: boolean; readonly outdated: boolean }>;
  /** Whether a stored hash is of a format that can be compared with. */
  recognises(stored: string): boolean;
}

export interface PasswordHasherParts {
  readonly cost: Argon2Cost;
  readonly foreignHashes: readonly ForeignHash[];
  /** Default: max(1, min(4, cores - 1)) at once, 64 waiting, for 2 s. */
  readonly queue?: PasswordQueue;
}

const NO = { matches: false, outdated: false };

export function createPasswordHasher({ cost, foreignHashes, queue = defaultQueue() }: PasswordHasherParts): PasswordHasher {
  const settings = { memoryCost: cost.memory, timeCost: cost.passes, parallelism: cost.lanes, outputLen: 32 };
  const prefix = `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.lanes}$`;
  /** Of no password that anybody knows; comparing with it takes as long as with any other. */
  const dummy = `${prefix}${phc(16)}$${phc(32)}`;

  const compare = async (password: string, stored: string) => {
    const { verify } = await argon2();
    try {
      return await verify(stored, passwordForm(password) ?? "");
    } catch {
      return false; // no argon2 hash, or one that was cut short
    }
  };

  const isOurs = (stored: string) => stored.startsWith(prefix) || isArgon2(stored);
  const foreignOf = (stored: string) => foreignHashes.find((format) => format.recognises(stored));

  return {
    recognises: (stored) => isOurs(stored) || foreignOf(stored) !== undefined,

    hash: (form) => queue.run(async () => (await argon2()).hash(form, settings)),

    async verify(password, stored) {
      if (passwordForm(password) === null) return NO;
      return queue.run(async () => {
        const ours = stored !== null && isOurs(stored);
        const foreign = stored === null || ours ? undefined : foreignOf(stored);
        if (stored === null || !(ours || foreign)) {
          await compare(password, dummy);
          return NO;
        }
        const matches = foreign ? (await foreign.verify(password, stored)) === true : await compare(password, stored);
        return { matches, outdated: matches && !stored.startsWith(prefix) };
      });
    },
  };
}

/** A hasher whose work is measured, waiting for a turn included. */
export function measuredHasher(hasher: PasswordHasher, telemetry: Telemetry): PasswordHasher {
  return {
    ...hasher,
    hash: (form) => telemetry.span("latchkey.password.hash", {}, () => hasher.hash(form)),
    verify: (password, stored) => telemetry.span("latchkey.password.verify", {}, () => hasher.verify(password, stored)),
  };
}

/** The most memory, KiB, and KiB over all passes, that a stored hash may ask for: RFC 9106's first choice, and libsodium's dearest. */
const MAX_MEMORY = 2_097_152;
const MAX_WORK = 4 * 1_048_576;

/** Whether it is argon2 at a price that somebody may have meant: imported hashes name their own, and each guess would pay it. */
function isArgon2(stored: string): boolean {
  const [, memory, passes] = /^\$argon2(?:id|i|d)\$(?:v=\d+\$)?m=(\d+),t=(\d+),/.exec(stored) ?? [];
  return Number(memory) <= MAX_MEMORY && Number(memory) * Number(passes) <= MAX_WORK;
}

/** Loaded with the first password: an application without passwords never pays for it. */
function argon2() {
  return import("@node-rs/argon2");
}

function defaultQueue(): PasswordQueue {
  return createPasswordQueue({ concurrency: Math.max(1, Math.min(4, availableParallelism() - 1)) });
}

function phc(bytes: number): string {
  return randomBytes(bytes).toString("base64").replace(/=+$/, "");
}

/**
 * Hashes that bcrypt wrote, compared by the `compare` of whichever bcrypt you have. One of a cost over 16, seconds for each guess, is not recognised.
 * @example passwords: { foreignHashes: [bcryptHashes(bcrypt.compare)] }
 */
export function bcryptHashes(compare: (password: string, stored: string) => Promise<boolean>): ForeignHash {
  return {
    recognises: (stored) => /^\$2[abxy]\$(?:0[4-9]|1[0-6])\$/.test(stored),
    verify: (password, stored) => compare(password, stored),
  };
}

/**
 * Hashes as better-auth writes them: `salt:key` in hexadecimal, scrypt of the NFKC form with N=16384, r=16, p=1 and the salt's text.
 * @see https://www.better-auth.com/docs/authentication/email-password
 */
export const betterAuthHashes: ForeignHash = {
  recognises: (stored) => /^[0-9a-f]{32}:[0-9a-f]{128}$/.test(stored),
  verify(password, stored) {
    const [salt = "", key = ""] = stored.split(":");
    return new Promise((resolve, reject) => {
      scrypt(password.normalize("NFKC"), salt, 64, { N: 16_384, r: 16, p: 1, maxmem: 64 * 1024 * 1024 }, (error, derived) =>
        error ? reject(error) : resolve(constantTimeEqual(derived, Buffer.from(key, "hex"))),
      );
    });
  },
};
