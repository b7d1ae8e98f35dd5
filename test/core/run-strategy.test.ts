import passport, { type Strategy } from "passport";
import { Strategy as LocalStrategy } from "passport-local";
import { describe, expect, it } from "vitest";
import { runStrategy, withState } from "../../lib/core/run-strategy.ts";
import { CredentialError, StorageError } from "../../lib/errors.ts";

const LOGIN = { body: { username: "ada", password: "secret" }, query: {}, headers: {} };

/** A strategy whose `authenticate` is `run`. */
function strategyOf(run: (this: Run, req: Request, options: Record<string, unknown>) => unknown): Strategy {
  return Object.assign(new passport.Strategy(), { name: "test", authenticate: run }) as unknown as Strategy;
}

interface Run {
  success(user?: unknown, info?: unknown): void;
  fail(challenge?: unknown, status?: number): void;
  redirect(url: string, status?: number): void;
  pass(): void;
  error(error: unknown): void;
}

interface Request {
  readonly session: Record<string, unknown> & { regenerate(done: () => void): void; save(done: () => void): void };
  readonly query: Record<string, unknown>;
  readonly method: string;
}

function run(strategy: Strategy, options = {}) {
  return runStrategy(strategy, { req: LOGIN, session: {} }, options);
}

describe("running a strategy", () => {
  it("tells what came of it", async () => {
    expect(await run(strategyOf(function () { this.success({ id: "1" }, { via: "x" }); }))).toEqual({ kind: "success", user: { id: "1" }, info: { via: "x" } }); // prettier-ignore
    expect(await run(strategyOf(function () { this.fail("Basic", 400); }))).toEqual({ kind: "fail", challenge: "Basic", status: 400 }); // prettier-ignore
    expect(await run(strategyOf(function () { this.fail(403); }))).toEqual({ kind: "fail", challenge: undefined, status: 403 }); // prettier-ignore
    expect(await run(strategyOf(function () { this.redirect("https://a.example/"); }))).toEqual({ kind: "redirect", url: "https://a.example/", status: 302 }); // prettier-ignore
    expect(await run(strategyOf(function () { this.pass(); }))).toEqual({ kind: "pass" }); // prettier-ignore
  });

  it("takes a success without a user for a failure", async () => {
    expect(await run(strategyOf(function () { this.success(false); }))).toMatchObject({ kind: "fail" }); // prettier-ignore
  });

  it("counts the first outcome alone", async () => {
    const strategy = strategyOf(function () {
      this.fail("no");
      this.success({ id: "1" });
    });

    expect(await run(strategy)).toMatchObject({ kind: "fail", challenge: "no" });
  });

  it("leaves the strategy as it was, so that two runs at once do not meet", async () => {
    const strategy = strategyOf(async function (req) {
      await new Promise((resolve) => setTimeout(resolve, req.query["wait"] as number));
      this.success({ id: req.query["user"] });
    });
    const before = Reflect.ownKeys(strategy);

    const outcomes = await Promise.all(
      [
        { user: "slow", wait: 20 },
        { user: "fast", wait: 0 },
      ].map((query) => runStrategy(strategy, { req: LOGIN, session: {}, query })),
    );

    expect(outcomes.map((outcome) => outcome.kind === "success" && outcome.user)).toEqual([{ id: "slow" }, { id: "fast" }]);
    expect(Reflect.ownKeys(strategy)).toEqual(before);
  });

  it("turns what a strategy throws, at once or later, into an error without its secrets", async () => {
    const outcomes = await Promise.all([
      run(strategyOf(() => { throw new Error("token exchange: client_secret=s3cret"); })), // prettier-ignore
      run(strategyOf(async () => { throw new Error("token exchange: client_secret=s3cret"); })), // prettier-ignore
      run(strategyOf(function () { this.error(Object.assign(new Error("refused"), { data: "client_secret=s3cret" })); })), // prettier-ignore
    ]);

    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ kind: "error", error: { code: "provider_error", status: 502 } });
      const { error } = outcome as { error: Error };
      expect(`${error.message} ${(error.cause as Error).message} ${(error.cause as Error).stack}`).not.toContain("s3cret");
    }
  });

  it("lets our own errors through as they are, also when a strategy fails with one", async () => {
    const outage = new StorageError();
    const refused = new CredentialError("user_disabled", "This account is disabled");

    expect(await run(strategyOf(function () { this.error(outage); }))).toEqual({ kind: "error", error: outage }); // prettier-ignore
    expect(await run(strategyOf(function () { this.fail(refused); }))).toEqual({ kind: "error", error: refused }); // prettier-ignore
  });

  it("gives a strategy that says nothing up", async () => {
    const outcome = await run(
      strategyOf(() => {}),
      { timeout: 0.02 },
    );

    expect(outcome).toMatchObject({ kind: "error", error: { code: "provider_unavailable", status: 502 } });
  });

  it("passes options on, but its own", async () => {
    const strategy = strategyOf(function (_req, options) {
      this.success(options);
    });

    expect(await run(strategy, { callbackURL: "https://a.example/cb", scope: "x", timeout: 1 })).toMatchObject({
      user: { callbackURL: "https://a.example/cb", scope: "x" },
    });
  });

  it("shows the request with a session that keeps what is written, and is cleared by regenerate", async () => {
    const req = Object.assign(Object.create({ method: "GET" }) as object, { session: "the application's", query: { a: 1 } });
    const session: Record<string, unknown> = { old: true };
    const enumerable: string[] = [];
    const strategy = strategyOf(function (view) {
      for (const name in view.session) enumerable.push(name);
      view.session.regenerate(() => {
        view.session["state"] = view.query["b"];
        view.session.save(() => this.success({ id: view.method }));
      });
    });

    const outcome = await runStrategy(strategy, { req, session, query: { b: 2 } });

    expect(outcome).toMatchObject({ user: { id: "GET" } });
    expect(enumerable).toEqual(["old"]);
    expect(JSON.stringify(session)).toBe('{"state":2}');
    expect(req).toMatchObject({ session: "the application's", query: { a: 1 } });
  });

  it("rule 28: says a provider's error in our words, whatever the strategy made of it", async () => {
    const query = { error: "access_denied", error_description: "<b>call 555-0100</b>" };
    const failing = strategyOf(function (req) { this.fail({ message: req.query["error_description"] }); }); // prettier-ignore
    const erring = strategyOf(function (req) { this.error(new Error(String(req.query["error_description"]))); }); // prettier-ignore

    for (const strategy of [failing, erring]) {
      const outcome = await runStrategy(strategy, { req: LOGIN, session: {}, query });
      expect(outcome).toMatchObject({ kind: "error", error: { code: "access_denied", status: 401, message: "Signing in was cancelled" } });
    }
    const other = await runStrategy(failing, { req: LOGIN, session: {}, query: { error: "<script>", error_description: "x" } });
    expect(other).toMatchObject({ kind: "error", error: { code: "provider_error", message: "The provider refused" } });
  });
});

describe("passport-local in our runner", () => {
  it("signs in and refuses as under Passport", async () => {
    const strategy = new LocalStrategy((username, password, done) => {
      done(null, username === "ada" && password === "secret" ? { id: "user-1" } : false, { message: "no" });
    });

    expect(await run(strategy)).toEqual({ kind: "success", user: { id: "user-1" }, info: { message: "no" } });
    const wrong = { ...LOGIN, body: { username: "ada", password: "wrong" } };
    expect(await runStrategy(strategy, { req: wrong, session: {} })).toMatchObject({ kind: "fail", challenge: { message: "no" } });
    expect(await runStrategy(strategy, { req: LOGIN, session: {}, body: { username: "eve", password: "x" } })).toMatchObject({
      kind: "fail",
    });
  });

  it("rule 48: survives a verify function that rejects, which under Passport ends the process", async () => {
    const rejections: unknown[] = [];
    const listener = (reason: unknown) => void rejections.push(reason);
    process.on("unhandledRejection", listener);
    const strategies = [
      new LocalStrategy(async () => Promise.reject(new Error("database: access_token=s3cret"))),
      new LocalStrategy(() => { throw new Error("database"); }), // prettier-ignore
      new LocalStrategy(async () => Promise.reject(undefined as unknown as Error)),
      new LocalStrategy({ passReqToCallback: true }, async (_req, _username, _password, _done) => { throw new StorageError(); }), // prettier-ignore
    ];

    const outcomes = await Promise.all(strategies.map((strategy) => run(strategy)));
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", listener);

    expect(rejections).toEqual([]);
    expect(outcomes.map((outcome) => outcome.kind === "error" && outcome.error.code)).toEqual([
      ...Array.from({ length: 3 }, () => "provider_error"),
      "storage_unavailable",
    ]);
  });
});

describe("a verify function", () => {
  type Verify = (...args: unknown[]) => unknown;
  const verifying = (verify: Verify, call: (verify: Verify, self: Run) => void) =>
    Object.assign(
      strategyOf(function () {
        call((this as unknown as { _verify: Verify })._verify, this);
      }),
      { _verify: verify },
    );

  it("rule 48: is not called once there was an outcome: it might make users of who was refused", async () => {
    const seen: string[] = [];
    const late = verifying(
      () => seen.push("verified"),
      (verify, self) => {
        self.error(new Error("the connections could not be read"));
        verify("token", {}, () => {});
      },
    );

    expect(await run(late)).toMatchObject({ kind: "error" });
    expect(seen).toEqual([]);
  });

  it("rule 25: gives none of what it was given as its user, nor what the provider said", async () => {
    const profile = { id: "1", _json: { id: "1" } };
    for (const user of [profile, profile._json]) {
      const strategy = verifying(
        (...args) => (args.at(-1) as (error: unknown, user: unknown) => void)(null, user),
        (verify, self) => void verify("token", profile, (_error: unknown, given: unknown) => self.success(given)),
      );
      expect(await run(strategy)).toMatchObject({ kind: "error", error: { code: "config_error" } });
    }
  });

  it("keeps its length and its own properties, by which strategies decide what to pass", async () => {
    const verify = Object.assign(
      (_a: unknown, _b: unknown, _c: unknown, done: (error: unknown, user: object) => void) => done(null, { id: "1" }),
      { own: 7 },
    );
    const lengths: unknown[] = [];
    const strategy = verifying(verify as Verify, (shown, self) => {
      lengths.push(shown.length, Reflect.get(shown, "own"));
      shown(1, 2, 3, (_error: unknown, user: unknown) => self.success(user));
    });

    expect(await run(strategy)).toMatchObject({ kind: "success", user: { id: "1" } });
    expect(lengths).toEqual([4, 7]);
  });

  it("rule 48: what is thrown behind a request of an OAuth client is an error, on the strategy's own client too", async () => {
    const client = { _request: (_url: string, done: (data: string) => void) => setImmediate(done, "null") };
    const strategy = Object.assign(
      strategyOf(function () {
        const { _oauth2 } = this as unknown as { _oauth2: typeof client };
        _oauth2._request("https://id.example/me", (data) => this.success((JSON.parse(data) as { id: string }).id));
      }),
      { _oauth2: client },
    );

    expect(await run(strategy)).toMatchObject({ kind: "error", error: { code: "provider_error" } });
    expect(Object.keys(client)).toEqual(["_request"]);
  });
});

describe("the state of a redirect", () => {
  it("is the strategy's own state or oauth_token", () => {
    const url = "https://id.example/authorize?client_id=a&state=abc";
    expect(withState(url)).toEqual({ url, state: "abc" });
    const oauth1 = "https://id.example/authenticate?oauth_token=tok";
    expect(withState(oauth1)).toEqual({ url: oauth1, state: "tok" });
  });

  it("rule 23: is added, with 256 bits, where a strategy sends none", () => {
    const first = withState("https://id.example/authorize?client_id=a&state=");
    const second = withState("https://id.example/authorize?client_id=a");

    expect(first.state).toMatch(/^[\w-]{43}$/);
    expect(new URL(first.url).searchParams.getAll("state")).toEqual([first.state]);
    expect(second.state).not.toBe(first.state);
  });

  it("is asked of http URLs alone", () => {
    for (const url of ["javascript:alert(1)", "/relative", "data:text/html,x", ""]) {
      expect(() => withState(url)).toThrow(expect.objectContaining({ code: "provider_error" }));
    }
  });
});
