import { LEEWAY } from "../core/access-token-claims.ts";
import { ConfigError, type AuthError } from "../errors.ts";
import { failed, type Step, type TokenState } from "./step.ts";

/** A claim's scalar values. */
export type ClaimValue = string | number | boolean;

type Check = (value: unknown, state: TokenState) => string | null | Promise<string | null>;

/** A step over one claim: fails with "bearer token claim X not found", or with what `check` says. */
function claimStep(step: string, claim: string, check: Check): Step {
  if (typeof claim !== "string" || claim === "") throw new ConfigError(step, "name a claim");
  return {
    name: `${step}(${claim})`,
    needs: "claims",
    async run(state) {
      const { claims } = state;
      const value = claims && Object.hasOwn(claims, claim) ? claims[claim] : undefined;
      if (value === undefined) return failed(state, `bearer token claim ${claim} not found`);
      const message = await check(value, state);
      return message === null ? state : failed(state, message);
    },
  };
}

const invalid = (claim: string) => `bearer token claim ${claim} invalid`;

/** Whole text or number; a claim that is no number is no time. */
function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

/** Seconds that clocks may lie apart. Default: 5. */
export interface LeewayOptions {
  leeway?: number | undefined;
}

function leewayOf(step: string, { leeway = LEEWAY }: LeewayOptions): number {
  if (!Number.isInteger(leeway) || leeway < 0 || leeway > 60) throw new ConfigError(`${step}.leeway`, "give whole seconds from 0 to 60");
  return leeway;
}

/** Fails with "bearer token not yet valid" before `nbf`. @throws {ConfigError} now, for a leeway out of 0 to 60. */
export function verifyNotBefore(options: LeewayOptions = {}): Step {
  const leeway = leewayOf("verifyNotBefore", options);
  return claimStep("verifyNotBefore", "nbf", (nbf, { now }) => {
    if (!isTime(nbf)) return invalid("nbf");
    return Math.floor(now / 1000) >= nbf - leeway ? null : "bearer token not yet valid";
  });
}

/** Fails with "bearer token expired" from `exp` on. @throws {ConfigError} now, for a leeway out of 0 to 60. */
export function verifyExpiry(options: LeewayOptions = {}): Step {
  const leeway = leewayOf("verifyExpiry", options);
  return claimStep("verifyExpiry", "exp", (exp, { now }) => {
    if (!isTime(exp)) return invalid("exp");
    return Math.floor(now / 1000) < exp + leeway ? null : "bearer token expired";
  });
}

/** Each named claim must be exactly this value: `claimEquals({ type: "access" })`. @throws {ConfigError} now, without a claim. */
export function claimEquals(expected: Readonly<Record<string, ClaimValue>>): Step {
  return all("claimEquals", expected, (claim, value) =>
    claimStep("claimEquals", claim, (found) => (found === value ? null : invalid(claim))),
  );
}

/** Each named claim must be one of these values: `claimIn({ styp: ["full", "guest"] })`. @throws {ConfigError} now, for none. */
export function claimIn(expected: Readonly<Record<string, readonly ClaimValue[]>>): Step {
  return all("claimIn", expected, (claim, values) => {
    const set = valuesOf("claimIn", values);
    return claimStep("claimIn", claim, (found) => (set.has(found) ? null : invalid(claim)));
  });
}

/** Each named claim, a list or words parted by spaces such as `scope`, must hold all of these: `claimHasAll({ scope: ["read"] })`. */
export function claimHasAll(expected: Readonly<Record<string, readonly ClaimValue[]>>): Step {
  return all("claimHasAll", expected, (claim, values) => {
    const needed = [...valuesOf("claimHasAll", values)];
    return claimStep("claimHasAll", claim, (found) => {
      const held = heldBy(found);
      if (!held) return invalid(claim);
      return needed.every((value) => held.has(value))
        ? null
        : `bearer token claim ${claim} does not contain [${needed.map(String).sort().join(", ")}]`;
    });
  });
}

/** Each named claim must hold at least one of these. */
export function claimHasAny(expected: Readonly<Record<string, readonly ClaimValue[]>>): Step {
  return all("claimHasAny", expected, (claim, values) => {
    const needed = [...valuesOf("claimHasAny", values)];
    return claimStep("claimHasAny", claim, (found) => {
      const held = heldBy(found);
      return held && needed.some((value) => held.has(value)) ? null : invalid(claim);
    });
  });
}

/** The application's own word on one claim: `null` when it is good, else why not. What it throws is a failure, too. */
export function claim(name: string, check: (value: unknown, state: TokenState) => string | null | Promise<string | null>): Step {
  if (typeof check !== "function") throw new ConfigError("claim", "give a function of the claim's value");
  return claimStep("claim", name, check);
}

/** The application's own word on all claims. */
export function checkClaims(
  check: (claims: Readonly<Record<string, unknown>>, state: TokenState) => AuthError | string | null | Promise<AuthError | string | null>,
): Step {
  if (typeof check !== "function") throw new ConfigError("checkClaims", "give a function of the claims");
  return {
    name: "checkClaims",
    needs: "claims",
    async run(state) {
      const refusal = await check(state.claims ?? {}, state);
      return refusal === null ? state : failed(state, refusal);
    },
  };
}

/** Steps in the order their claims are written, as one. */
function all<T>(name: string, expected: Readonly<Record<string, T>>, step: (claim: string, value: T) => Step): Step {
  if (typeof expected !== "object" || expected === null || Object.keys(expected).length === 0) {
    throw new ConfigError(name, `name a claim, such as ${name}({ type: ... })`);
  }
  const steps = Object.entries(expected).map(([claim, value]) => step(claim, value));
  return {
    name,
    needs: "claims",
    async run(state, auth) {
      let current = state;
      for (const each of steps) current = current.error ? current : ((await each.run(current, auth)) ?? current);
      return current;
    },
  };
}

/** @throws {ConfigError} for what would let everybody through, or nobody. */
function valuesOf(step: string, values: readonly ClaimValue[]): ReadonlySet<unknown> {
  if (!Array.isArray(values) || values.length === 0) throw new ConfigError(step, "give each claim a list of one or more values");
  if (values.some((value) => !["string", "number", "boolean"].includes(typeof value))) throw new ConfigError(step, "give texts or numbers");
  return new Set(values);
}

/** What a claim holds, in whatever order; `null` when it is no set. */
function heldBy(value: unknown): ReadonlySet<unknown> | null {
  if (typeof value === "string") return new Set(value.split(" ").filter(Boolean));
  return Array.isArray(value) ? new Set(value as readonly unknown[]) : null;
}
