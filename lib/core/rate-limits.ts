import { isIPv4 } from "node:net";
import type { Clock } from "../clock.ts";
import { hmacSha256 } from "../crypto/hash.ts";
import type { KeyRing } from "../crypto/key-ring.ts";
import { ConfigError, RateLimitError } from "../errors.ts";
import type { RecordStore } from "../storage/record-store.ts";
import { clientAddress } from "./client-address.ts";
import type { Events, RequestSource } from "./events.ts";

/** So many times within a window that starts at the first of them and is never extended. */
export interface Limit {
  readonly max: number;
  readonly windowSeconds: number;
}

/** One use of a limit: `name` says which limit, `key` of whom; a `null` key has no bucket and is let through unasked. */
export interface LimitUse {
  /** Constant in the code, such as `magic_code_sends`: never a part of a request. */
  readonly name: string;
  /** Whatever tells one bucket from another; it is stored as a keyed hash only. */
  readonly key: string | null;
  readonly limit: Limit;
}

/** What a bucket holds after a use. */
export interface RateLimitState {
  readonly allowed: boolean;
  /** The limit's `max`. */
  readonly limit: number;
  readonly remaining: number;
  /** Unix ms at which the window ends. */
  readonly resetAt: number;
  /** Whole seconds until then, at least 1. 0 when allowed. */
  readonly retryAfter: number;
}

/** A use that was counted, and can be given back. */
export interface Reservation extends RateLimitState {
  readonly name: string;
  readonly windowSeconds: number;
  /** The counter in the store; `null` when there was nothing to count. */
  readonly counter: string | null;
}

/** Is told what is left of the limits that a call was counted against, before it does its work; not of those that strangers share. */
export type Counted = (limits: readonly Reservation[]) => void;

/** Limits counted in the store, so that all processes share them. A use is reserved before the work it admits, never counted after it. */
export interface RateLimits {
  /** Counts one use, atomically: of 50 at once on a limit of 5, 5 are allowed. A refused use is not held against the bucket. One wait on the store, two when refused. */
  take(name: string, key: string | null, limit: Limit): Promise<Reservation>;
  /**
   * Uncounts what {@link RateLimits.take} allowed, such as a sign-in that succeeded on a limit of failures.
   * Within the last two seconds of a window it does nothing: a late command must not open the next window wider.
   */
  give(reservation: Reservation): Promise<void>;
  /**
   * Counts a use of each limit, or of none.
   * @throws {RateLimitError} `rate_limited`, with the longest `retryAfter` and those that refuse; what the others counted is given back.
   */
  requireAll(uses: readonly LimitUse[], source?: RequestSource | null): Promise<Reservation[]>;
}

/** Failures by one source, of all methods together. @see OWASP ASVS 5.0, 6.3.1. */
export const sourceFailureLimit: Limit = { max: 100, windowSeconds: 3600 };

export interface RateLimitsParts {
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly events: Events;
  readonly keys: KeyRing;
}

/** Longer than any command of ours may take, its retry included. */
const LATE = 2000;

export function createRateLimits({ store, clock, events, keys }: RateLimitsParts): RateLimits {
  const counterOf = (name: string, key: string) =>
    `${name}:${hmacSha256(keys.current("rate limit").key, key).subarray(0, 16).toString("base64url")}`;

  const give = async ({ counter, windowSeconds, resetAt }: Reservation) => {
    const now = clock.now();
    if (counter === null || now + LATE >= resetAt) return;
    await store.count(counter, { by: -1, window: windowSeconds, now });
  };

  const take: RateLimits["take"] = async (name, key, { max, windowSeconds }) => {
    const now = clock.now();
    if (key === null) {
      return {
        name,
        windowSeconds,
        counter: null,
        allowed: true,
        limit: max,
        remaining: max,
        resetAt: now + windowSeconds * 1000,
        retryAfter: 0,
      };
    }
    const counter = counterOf(name, key);
    const { count, resetAt } = await store.count(counter, { by: 1, window: windowSeconds, now });
    const allowed = count <= max;
    const reservation: Reservation = {
      name,
      windowSeconds,
      counter,
      allowed,
      limit: max,
      remaining: Math.max(0, max - count),
      resetAt,
      retryAfter: allowed ? 0 : Math.max(1, Math.ceil((resetAt - now) / 1000)),
    };
    if (!allowed) await give(reservation);
    return reservation;
  };

  return {
    take,
    give,
    async requireAll(uses, source = null) {
      const reservations = await Promise.all(uses.map(({ name, key, limit }) => take(name, key, limit)));
      const refused = reservations.filter(({ allowed }) => !allowed);
      if (refused.length === 0) return reservations;
      await Promise.all(reservations.filter(({ allowed }) => allowed).map(give));
      for (const { name } of refused) events.emit("rate_limit.exceeded", { limit: name }, { source });
      const spent = refused.map(({ name, limit: max, windowSeconds, retryAfter }) => ({ name, max, windowSeconds, retryAfter }));
      const longest = Math.max(...spent.map(({ retryAfter }) => retryAfter));
      throw new RateLimitError("Too many requests: try again later", longest, "rate_limited", spent);
    },
  };
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const MAX_WINDOW = 31 * 86_400;

/**
 * Reads a limit as people write it: `5/15m` is 5 in 15 minutes; units are s, m, h and d, and `20/h` is 20 in one hour.
 * @throws {ConfigError} naming `option`, for anything else, none at all, or a window over 31 days.
 */
export function parseLimit(text: string, option = "limit"): Limit {
  const [, max, length, unit] = /^(\d{1,9})\/(\d{1,9})?([smhd])$/.exec(text) ?? [];
  const limit = { max: Number(max), windowSeconds: Number(length ?? 1) * (UNITS[unit ?? ""] ?? 0) };
  if (!(limit.max >= 1 && limit.windowSeconds >= 1 && limit.windowSeconds <= MAX_WINDOW)) {
    throw new ConfigError(option, `"${text}" is no limit: write one like "5/15m" or "20/h" (units s, m, h, d)`);
  }
  return limit;
}

/**
 * The bucket of a client address: an IPv4 address itself, also when mapped into IPv6; of any other IPv6 address its /64,
 * as one subscriber has at least that. `null`, no bucket, when the address is unknown or is none.
 */
export function sourceKey(ip: string | null): string | null {
  const known = clientAddress(ip);
  if (known === null || isIPv4(known)) return known;
  const [address = ""] = known.split("%");
  const groups = ipv6Groups(address);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped)
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 0xff])
      .join(".");
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

/** The eight groups of a valid address; the URL parser brings every spelling to one. */
function ipv6Groups(address: string): number[] {
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const parse = (part: string | undefined) => (part ? part.split(":").map((group) => Number.parseInt(group, 16)) : []);
  const left = parse(head);
  const right = parse(tail);
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}
