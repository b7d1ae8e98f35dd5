import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startApp } from "../support/app.ts";

const PASSWORD = "seven purple lighthouses";
const GUESS = "eleven orange windmills";
const ADA = "ada@example.com";
const HERE = "203.0.113.7";
const ELSEWHERE = "198.51.100.9";

/** Of another system, and compared in no time: what is counted here is not how long it takes. */
const plain = {
  recognises: (stored: string) => stored.startsWith("plain:"),
  verify: (password: string, stored: string) => stored === `plain:${password}`,
};

/** The same, but throws instead of saying no, as a client of a directory would. */
const throwing = {
  recognises: (stored: string) => stored.startsWith("throwing:"),
  verify: (password: string, stored: string) => {
    if (stored !== `throwing:${password}`) throw new Error("InvalidCredentialsError");
    return true;
  },
};

let app: Awaited<ReturnType<typeof startApp>>;
beforeEach(async () => {
  app = await startApp({
    passwords: { requireConfirmedEmail: false, foreignHashes: [plain, throwing] },
    before: (server) => server.set("trust proxy", true),
  });
});
afterEach(() => app.close());

const post = (path: string, body: object, ip = HERE) =>
  request(app.server).post(path).set({ "sec-fetch-site": "same-origin", "x-forwarded-for": ip }).send(body);
const signIn = (email: string, password: string, ip = HERE) => post("/auth/sign-in", { email, password }, ip);
const limits = ({ headers }: request.Response) => [headers["ratelimit-policy"], headers["ratelimit"]];
/** What the headers name, without what is left. */
const named = (response: request.Response) => limits(response).map((header) => header?.match(/"[\w.-]+"/g));

async function register(email: string) {
  await app.auth.users.create({ id: email, email, emailVerified: true });
  await app.auth.accounts.setPassword(email, `plain:${PASSWORD}`);
}

/** So many wrong passwords, no five of them for one address. */
async function fail(times: number, ip = HERE) {
  const answers = [];
  for (let n = 0; n < times; n += 1) {
    const email = `person-${Math.floor(n / 4)}@example.com`;
    if (n % 4 === 0) await register(email);
    answers.push(await signIn(email, GUESS, ip));
  }
  return answers;
}

describe("wrong passwords from one source", () => {
  it("rule 15: are 100 an hour, whatever the addresses: then also the right one waits there, and nobody elsewhere", async () => {
    await register(ADA);
    const failures = await fail(100);
    expect(new Set(failures.map(({ status }) => status))).toEqual(new Set([401]));
    expect(failures.slice(-2).map((answer) => limits(answer)[1])).toEqual(['"source_failures";r=1;t=3600', '"source_failures";r=0;t=3600']);

    app.clock.advance(1000);
    for (const password of [GUESS, PASSWORD]) {
      const refused = await signIn(ADA, password);
      expect([refused.status, refused.body.code, refused.headers["retry-after"]]).toEqual([429, "rate_limited", "2600"]);
      expect(limits(refused)).toEqual(['"source_failures";q=100;w=3600', '"source_failures";r=0;t=2600']);
    }
    expect((await signIn(ADA, GUESS, ELSEWHERE)).status).toBe(401);
    await signIn(ADA, PASSWORD, ELSEWHERE).expect(200);

    app.clock.advance(2599);
    await signIn(ADA, PASSWORD).expect(429);
    app.clock.advance(1);
    await signIn(ADA, PASSWORD).expect(200);
  });

  it("rule 5: are counted where what compares them throws: it has compared them all the same", async () => {
    await app.auth.users.create({ id: ADA, email: ADA, emailVerified: true });
    await app.auth.accounts.setPassword(ADA, `throwing:${PASSWORD}`);
    const answers = [];
    for (let n = 0; n < 6; n += 1) answers.push(await signIn(ADA, GUESS));
    expect(answers.map(({ status }) => status)).toEqual([500, 500, 500, 500, 500, 429]);
    expect(limits(answers[4]!)[1]).toBe('"source_failures";r=95;t=3600');
    app.clock.advance(1);
    await signIn(ADA, PASSWORD).expect(200);
  });

  it("are not used up by right ones", async () => {
    await register(ADA);
    await fail(99);
    for (let n = 0; n < 3; n += 1) expect(limits(await signIn(ADA, PASSWORD).expect(200))[1]).toBe('"source_failures";r=1;t=3600');
    expect((await signIn(ADA, GUESS)).status).toBe(401);
    await signIn(ADA, PASSWORD).expect(429);
  });

  it("count alike where a session proves its password again", async () => {
    await register(ADA);
    const { headers } = await signIn(ADA, PASSWORD).expect(200);
    await fail(100);
    const cookie = (headers["set-cookie"] as unknown as string[]).map((set) => set.split(";")[0]).join("; ");
    for (const [path, body] of [
      ["/auth/reauthenticate", { method: "password", password: PASSWORD }],
      ["/auth/password/change", { current_password: PASSWORD, password: GUESS }],
      ["/auth/email/change", { current_password: PASSWORD, email: "new@example.com" }],
    ] as const) {
      const refused = await post(path, body).set("cookie", cookie);
      expect([path, refused.status, limits(refused)[1]]).toEqual([path, 429, '"source_failures";r=0;t=3600']);
    }
  });
});

describe("what is left of a limit", () => {
  const MAILED = {
    "a forgotten password": ["/auth/password/forgot", "mail_link"],
    "a link to confirm": ["/auth/email/confirm/send", "mail_link"],
    "a code": ["/auth/magic/send", "magic_code"],
  } as const;

  it.each(Object.entries(MAILED))("of asking for %s is told, and when to come back", async (_what, [path, limit]) => {
    await register(ADA);
    const sent = await post(path, { email: ADA }).expect(200);
    expect(named(sent)).toEqual(Array(2).fill([`"${limit}_cooldown"`, `"${limit}_sends"`, `"${limit}_sends_by_source"`]));
    expect(sent.headers["ratelimit"]).toMatch(new RegExp(`^"${limit}_cooldown";r=0;t=60, "${limit}_sends";r=4;t=3600, "`));

    app.clock.advance(20);
    const refused = await post(path, { email: ADA });
    expect([refused.status, refused.headers["retry-after"]]).toEqual([429, "40"]);
    expect(limits(refused)).toEqual([`"${limit}_cooldown";q=1;w=60`, `"${limit}_cooldown";r=0;t=40`]);
    await post(path, { email: ADA }, ELSEWHERE).expect(200);
  });

  it.each(Object.entries(MAILED))(
    "rule 14: of asking for %s says as much of every address, whatever its owner did elsewhere",
    async (_what, [path]) => {
      await register(ADA);
      const answers = [];
      for (const email of ["nobody@example.com", ADA]) {
        app.clock.advance(3600);
        if (email === ADA) await post(path, { email }, ELSEWHERE).expect(200);
        answers.push([limits(await post(path, { email })), limits(await post(path, { email }))]);
      }
      expect(answers[1]).toEqual(answers[0]);
    },
  );

  it("of an address, which strangers share, is told once nothing is left", async () => {
    for (let n = 0; n < 20; n += 1) await post("/auth/password/forgot", { email: ADA }, `198.51.100.${n}`).expect(200);
    const refused = await post("/auth/password/forgot", { email: ADA });
    expect([refused.status, ...limits(refused)]).toEqual([
      429,
      '"mail_link_sends_to_address";q=20;w=3600',
      '"mail_link_sends_to_address";r=0;t=3600',
    ]);
  });

  it("rule 14: of signing in says as much of every address, also when it is slowed down", async () => {
    await register(ADA);
    const answers = [];
    for (const email of ["nobody@example.com", ADA]) {
      app.clock.advance(3600);
      const seen = [];
      for (let n = 0; n < 6; n += 1) seen.push(await signIn(email, GUESS));
      answers.push(seen.map((answer) => [answer.status, answer.headers["retry-after"], ...limits(answer)]));
    }
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[1]?.at(-1)).toEqual([429, "1", '"source_failures";q=100;w=3600', '"source_failures";r=94;t=3600']);
  });
});
