import type { CookieOptions, Response } from "express";
import type { SessionTransport } from "../core/session-record.ts";

/** How our cookies are written. */
export interface CookieConfig {
  /** The session cookie's name, without prefix, as the others are. */
  readonly name: string;
  readonly accessName: string;
  readonly refreshName: string;
  /** From the scheme of `baseUrl`, once. */
  readonly secure: boolean;
  readonly sameSite: "lax" | "strict" | "none";
  /** Shares cookies with subdomains, at the price of the `__Host-` prefix. `null`: this host only. */
  readonly domain: string | null;
  /** Where our routes are: the refresh cookie goes nowhere else. */
  readonly basePath: string;
  /** Whether there are access and refresh tokens. */
  readonly tokens: boolean;
}

/** The longest a browser keeps a cookie. @see RFC 6265bis, section 5.5. */
const MAX_AGE = 400 * 24 * 3600;

/** Our cookies: one set of attributes for setting and clearing, and never two of one name in a response. */
export interface Cookies {
  readonly session: string;
  /** The access token of the `cookie` transport. */
  readonly access: string;
  /** The refresh token of that transport. */
  readonly refresh: string;
  /** All that may hold a credential: what signing out clears. */
  readonly credentials: readonly string[];
  /** Binds OAuth transactions to the browser that began them. */
  readonly binding: string;
  /** Names the code this browser asked for. */
  readonly pending: string;
  /** Whether somebody who comes from another site brings no session cookie (SameSite=Strict). */
  readonly strict: boolean;
  /** Sets a cookie for `seconds`, and forbids caching the answer. */
  set(res: Response, name: string, value: string, seconds: number): void;
  clear(res: Response, name: string): void;
}

export function createCookies({ name, accessName, refreshName, secure, sameSite, domain, basePath, tokens }: CookieConfig): Cookies {
  const prefix = !secure ? "" : domain ? "__Secure-" : "__Host-";
  const attributes: CookieOptions = { httpOnly: true, secure, sameSite, path: "/", encode: String, ...(domain ? { domain } : {}) };

  const session = prefix + name;
  const access = `${prefix}${accessName}`;
  const refresh = `${secure ? "__Secure-" : ""}${refreshName}`;
  const binding = `${prefix}${name}-oauth`;

  const write = (res: Response, cookie: string, value: string, seconds: number) => {
    const set = res.getHeader("set-cookie");
    if (set !== undefined) {
      const others = [set].flat().map(String);
      res.setHeader(
        "set-cookie",
        others.filter((header) => !header.startsWith(`${cookie}=`)),
      );
    }
    // Who comes back from a provider comes from another site, and must bring what began there.
    const lax = cookie === binding && sameSite === "strict" ? { sameSite: "lax" as const } : {};
    // Only our own pages' scripts refresh.
    const scoped = cookie === refresh ? { path: basePath, sameSite: sameSite === "none" ? sameSite : ("strict" as const) } : {};
    res.cookie(cookie, value, { ...attributes, ...lax, ...scoped, maxAge: seconds * 1000 });
    res.setHeader("cache-control", "no-store");
  };

  return {
    session,
    access,
    refresh,
    credentials: tokens ? [session, access, refresh] : [session],
    binding,
    pending: `${prefix}${name}-code`,
    strict: sameSite === "strict",
    set: (res, cookie, value, seconds) => write(res, cookie, value, Math.max(0, Math.min(Math.floor(seconds), MAX_AGE))),
    clear: (res, cookie) => write(res, cookie, "", 0),
  };
}

/** How one `createAuth` hands credentials to browsers. */
export interface Handing {
  readonly cookies: Cookies;
  /** Of sign-ins that name none. */
  readonly transport: SessionTransport;
}

const handings = new WeakMap<object, Handing>();

/** Makes it known to what acts for a browser without a request, such as tests. */
export function bindHanding(auth: object, handing: Handing): void {
  handings.set(auth, handing);
}

/** What {@link bindHanding} was told; `null` for what is no `auth`. */
export function handingOf(auth: object): Handing | null {
  return handings.get(auth) ?? null;
}
