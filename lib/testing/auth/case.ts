import assert from "node:assert/strict";
import type { Answer, Visitor } from "./visitor.ts";

/** How a server under test is set up: what every application may choose. */
export interface AuthServerOptions {
  /** Whether addresses are confirmed before anybody signs in by a password. Default: false. */
  readonly confirmation: boolean;
  /** Whether signing in ends the other sessions. Default: `single`. */
  readonly policy: "single" | "multi";
  /** Seconds for which the refresh token before the latest one still counts. Default: 0. */
  readonly grace: number;
  /** What comes of a refresh token that was replaced before. Default: `refuse`. */
  readonly onReuse: "end" | "refuse";
  /** Whether browsers may be answered tokens in bodies. Default: false. */
  readonly tokensInBrowsers: boolean;
  /** For whom access tokens are. Default: `https://api.example.com`. */
  readonly audience: string;
}

/** What only the inside of a server can show or do. */
export interface AuthServerInside {
  /** How many users there are. */
  users(): Promise<number>;
  /** How many sessions of the user of an address are live. */
  sessions(email: string): Promise<number>;
  /** Proves a password as a sign-in does, runs `meanwhile`, then makes the session. Resolves to whether one was made. */
  signInAround(credentials: { email: string; password: string }, meanwhile: () => Promise<void>): Promise<boolean>;
  /** Refreshes as the route does. Resolves to whether the token was taken. */
  refresh(token: string): Promise<boolean>;
  /** Takes the confirmation from an address. */
  unconfirm(email: string): Promise<void>;
}

/** A server under test, running, empty and nobody else's. */
export interface AuthServer {
  /** Where it is, such as `http://localhost:3000`. Its routes are below `/auth`. */
  readonly url: string;
  /** Seconds, as it is set up: `session` at the most, whatever is refreshed. */
  readonly ttl: { readonly access: number; readonly refresh: number; readonly session: number };
  /** Names of the cookies of the access and the refresh token, as they are set. */
  readonly cookies: { readonly access: string; readonly refresh: string };
  readonly mailbox: {
    /** The link in the next unread mail to an address that has one. */
    waitForLink(address: string): Promise<string>;
  };
  /** Moves the server's clock on by `seconds`. */
  readonly advance?: ((seconds: number) => void | Promise<void>) | undefined;
  readonly inside?: AuthServerInside | undefined;
  close(): Promise<void>;
}

/** What a case may need and not every server has: a `clock` to move, what is `inside`, or signing in by `codes` and links in mails. */
export type Capability = "clock" | "inside" | "codes";

/** A server under test with all that a case needs, and those who visit it. */
export interface Given {
  readonly server: AuthServer;
  readonly inside: AuthServerInside;
  advance(seconds: number): Promise<void>;
  visitor(): Visitor;
  /** An address that nobody has. */
  email(name?: string): string;
  /** Somebody new, signed up and signed in by cookies. On a server with confirmation, confirmed first. */
  person(name?: string): Promise<Person>;
  /** The token of the next unread link in a mail. */
  mailedToken(address: string): Promise<string>;
  /** Another server beside it. */
  open(options: Partial<AuthServerOptions>): Promise<Given>;
}

export interface Person {
  readonly email: string;
  readonly password: string;
  readonly visitor: Visitor;
  /** What signing in was answered. */
  readonly answer: Answer;
}

/** One behaviour. */
export interface AuthCase {
  readonly title: string;
  /** Behaviours of docs/conformance.md that it shows, such as `sign-up 1`. */
  readonly shows: readonly string[];
  readonly needs?: readonly Capability[];
  readonly options?: Partial<AuthServerOptions>;
  run(given: Given): Promise<void>;
}

/** Strong enough for any policy, and in no list. */
export const PASSWORD = "Mauve-kettle-7-orbits";
export const OTHER_PASSWORD = "Quiet-badger-9-lanterns";

/** Fails unless an answer has this status. @returns the answer. */
export function assertStatus(answer: Answer, status: number): Answer {
  assert.equal(answer.status, status, `expected ${status}, came ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer;
}

/** Fails unless an answer refuses, and leaves the cookies alone. @returns the answer. */
export function assertRefused(answer: Answer, status: number, code?: string): Answer {
  assertStatus(answer, status);
  if (code !== undefined) assert.equal(answer.body["code"], code);
  assert.deepEqual(names(answer), [], "a refusal sets no cookie");
  return answer;
}

/** Fails unless an answer sets exactly these cookies, or clears exactly these. */
export function assertCookies(answer: Answer, { access, refresh }: AuthServer["cookies"], state: "set" | "cleared"): void {
  assert.deepEqual(names(answer).sort(), [access, refresh].sort());
  for (const { name, value, attributes } of answer.cookies) {
    assert.ok(attributes.has("httponly"), `${name} should be HttpOnly`);
    assert.equal(value === "", state === "cleared", `${name} should be ${state}`);
    if (state === "cleared") assert.equal(attributes.get("max-age"), "0");
  }
}

export function names(answer: Answer): string[] {
  return answer.cookies.map(({ name }) => name);
}

/** A bearer's header. */
export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}
