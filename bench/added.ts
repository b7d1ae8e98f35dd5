import express, { type Express } from "express";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { cached } from "../lib/adapters/cached/index.ts";
import { memoryStore } from "../lib/adapters/memory/index.ts";
import { accessTokenGuard, createAuth, requireAuth } from "../lib/index.ts";
import type { Bench } from "./race.ts";

const SECRET = "a secret of the benchmark, which is long enough";
const issuer = "http://localhost";
const audience = "http://api";
/** Requests in one turn. */
const TURN = 2500;

interface Handled {
  readonly app: Express;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * CPU time that authentication adds to a request, in one process, without sockets: what is left when neither the kernel nor other work on the
 * machine is measured along. By turns; the least of them counts.
 */
export async function added({ report, quick }: Bench): Promise<void> {
  report.section("CPU time added to a request of Express by what stands before the handler, in one process, the least of turns");
  const tokens = createAuth({ secret: SECRET, baseUrl: issuer, store: memoryStore(), tokens: { audience } });
  const hot = createAuth({ secret: SECRET, baseUrl: issuer, store: cached(memoryStore(), { maxAge: 60 }) });
  const { session } = await tokens.sessions.create({ userId: "user-1" });
  const issued = await tokens.accessTokens?.issue(session);
  const bearer = { authorization: `Bearer ${issued?.token}` };
  const cookie = { cookie: `sid=${(await hot.sessions.create({ userId: "user-1" })).token}` };
  const guard = accessTokenGuard({ issuer, audience, fetch: async () => Response.json(tokens.accessTokens?.jwks) });

  const sides: Readonly<Record<string, Handled>> = {
    bare: { app: express().get("/me", answer), headers: bearer },
    empty: { app: express().use(pass).get("/me", pass, answer), headers: bearer },
    guard: { app: express().get("/me", guard, answer), headers: bearer },
    tokens: { app: express().use(tokens).get("/me", requireAuth(), answer), headers: bearer },
    cached: { app: express().use(hot).get("/me", requireAuth(), answer), headers: cookie },
  };
  const least = new Map<string, number>();
  for (let turn = 0; turn < (quick ? 16 : 40); turn += 1) {
    for (const [name, side] of Object.entries(sides)) {
      const micros = await time(side);
      // The first turns warm up.
      if (turn > 2) least.set(name, Math.min(least.get(name) ?? Infinity, micros));
    }
  }
  await Promise.all([tokens.close(), hot.close()]);

  const alone = least.get("bare") ?? NaN;
  const show = (what: string, name: string) => report.add({ what, measured: `${((least.get(name) ?? NaN) - alone).toFixed(1)} µs` });
  report.add({ what: "a request without any, sockets and parsing left out", measured: `${alone.toFixed(1)} µs` });
  show("two middlewares that do nothing", "empty");
  show("accessTokenGuard, token seen before", "guard");
  show("app.use(auth) and requireAuth(), access token seen before", "tokens");
  show("app.use(auth) and requireAuth(), session kept by `cached`", "cached");
}

const pass: express.RequestHandler = (_req, _res, next) => next();
const answer: express.RequestHandler = (_req, res) => void res.json({ id: "user-1" });

/** µs of CPU time a request. */
async function time(side: Handled): Promise<number> {
  const start = process.cpuUsage();
  for (let i = 0; i < TURN; i += 1) await handle(side);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / TURN;
}

/** One request, as Node's server would hand it over, up to the end of its answer. */
function handle({ app, headers }: Handled): Promise<void> {
  return new Promise((resolve, reject) => {
    const req = new IncomingMessage(new Socket());
    Object.assign(req, { method: "GET", url: "/me", httpVersionMajor: 1, httpVersionMinor: 1 });
    // Texts made anew, as those of a request are: one that was hashed or compared before would cost less.
    for (const [name, value] of Object.entries({ host: "localhost", ...headers }))
      req.headers[name] = Buffer.from(value).toString("latin1");
    const res = new ServerResponse(req);
    res.end = () => {
      if (res.statusCode === 200) resolve();
      else reject(new Error(`expected 200, was answered ${res.statusCode}`));
      return res;
    };
    app(req, res);
  });
}
