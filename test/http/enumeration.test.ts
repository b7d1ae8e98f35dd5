import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Telemetry } from "../../lib/core/telemetry.ts";
import { startApp } from "../support/app.ts";

const PASSWORD = "seven purple lighthouses";
const OTHER = "eleven orange windmills";

/** Everything that takes an address of somebody who has not proven to be anybody. */
const ASKED = {
  "signing in": ["/auth/sign-in", { password: OTHER }],
  "a forgotten password": ["/auth/password/forgot", {}],
  "a code": ["/auth/magic/send", {}],
  "a code with a link": ["/auth/magic/send", { link: true }],
  "a link to confirm an address": ["/auth/email/confirm/send", {}],
  "signing up": ["/auth/sign-up", { password: OTHER }],
} as const;

let app: Awaited<ReturnType<typeof startApp>>;
let work: Record<string, number>;

/** Counts calls of the store by kind, and hashes. Mails are sent when the answer is out. */
const telemetry: Telemetry = {
  span(name, { "db.operation.name": operation = "" }, done) {
    const kind = `${name} ${String(operation)}`.trim();
    if (name !== "latchkey.email.send") work[kind] = (work[kind] ?? 0) + 1;
    return done();
  },
  count() {},
};

const post = (path: string, body: object) => request(app.server).post(path).set("sec-fetch-site", "same-origin").send(body);

beforeEach(async () => {
  work = {};
  app = await startApp({ passwords: true, telemetry });
  for (const email of ["confirmed@example.com", "unconfirmed@example.com"])
    await post("/auth/sign-up", { email, password: PASSWORD }).expect(200);
  const token = new URL(await app.mailbox.waitForLink("confirmed@example.com")).searchParams.get("token");
  await post("/auth/email/confirm", { token }).expect(200);
  await app.auth.users.create({ id: "mailed", email: "codes-only@example.com", emailVerified: true });
});
afterEach(() => app.close());

/** What anybody can see of an answer, and the work behind it. */
async function observed(path: string, body: object) {
  // Each is the first of its hour: limits are by address too.
  app.clock.advance(3600);
  work = {};
  const { status, body: answer, headers } = await post(path, body);
  return { status, answer, headers: Object.keys(headers).sort(), work };
}

describe.each(Object.entries(ASKED))("what %s tells of an address", (_what, [path, body]) => {
  it.each(["confirmed", "unconfirmed", "codes-only"])(
    "rule 14: of one that is %s as much as of one that nobody has: nothing",
    async (who) => {
      const unknown = await observed(path, { ...body, email: "nobody@example.com" });
      const known = await observed(path, { ...body, email: `${who}@example.com` });
      expect(known).toEqual(unknown);
      // Not by what was forgotten, or remembered, the first time either.
      const again = await observed(path, { ...body, email: `${who}@example.com` });
      expect({ ...again, work: 0 }).toEqual({ ...unknown, work: 0 });
    },
  );
});

describe("a password that is guessed", () => {
  it("rule 14: costs one comparison for every address, and the sixth guess in a row none", async () => {
    for (const email of ["confirmed@example.com", "codes-only@example.com", "nobody@example.com"]) {
      const compared = [];
      for (let guess = 0; guess < 6; guess += 1) {
        work = {};
        const { status } = await post("/auth/sign-in", { email, password: OTHER });
        compared.push([status, work["latchkey.password.verify"] ?? 0, work["latchkey.password.hash"] ?? 0]);
      }
      expect(compared).toEqual([...Array<number[]>(5).fill([401, 1, 0]), [429, 0, 0]]);
    }
  });
});
