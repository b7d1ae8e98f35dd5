import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { sessionCollection } from "../../lib/core/session-record.ts";
import { StorageError } from "../../lib/errors.ts";
import { errorHandler } from "../../lib/http/problem.ts";
import type { Collection, RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";
import { openTestStore } from "../support/test-store.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

type Operation = "get" | "list" | "take" | "commit";

/** A store of which a part can be away, as when one master of a Cluster is. */
function partlyAway(store: RecordStore) {
  let away: { operations: readonly Operation[]; in: string } | null = null;
  const check = (operation: Operation, { name }: Collection) => {
    if (away?.operations.includes(operation) && away.in === name) throw new StorageError("Redis at 10.0.0.7 is away");
  };
  const checked: RecordStore = {
    ...store,
    get: async (from, key) => (check("get", from), store.get(from, key)),
    list: async (from, partition) => (check("list", from), store.list(from, partition)),
    take: async (from, key) => (check("take", from), store.take(from, key)),
    commit: async (writes) => {
      for (const write of writes) check("commit", write.in);
      return store.commit(writes);
    },
  };
  return {
    store: checked,
    fail: (operations: readonly Operation[], where: string = sessionCollection.name) => (away = { operations, in: where }),
  };
}

async function startWithSomebody() {
  const clock = createTestClock();
  const { store, fail } = partlyAway(openTestStore({ clock }));
  const app = await startApp({
    clock,
    store,
    routes(server) {
      server.post("/login", (req, res, next) => req.login({ id: "user-2" }, (error) => (error ? next(error) : res.json({}))));
      server.post("/logout", (req, res, next) => req.logout((error) => (error ? next(error) : res.json({}))));
      server.use(errorHandler());
    },
  });
  closing.push(app.close);
  await app.auth.users.create({ id: "user-1", email: "user-1@example.com", emailVerified: true });
  const { session, token } = await app.auth.sessions.create({ userId: "user-1" });
  const { apiKey } = await app.auth.apiKeys.create({ userId: "user-1", name: "key" });
  const ask = (method: "get" | "post" | "delete", path: string, body?: object) =>
    request(app.server)[method](path).set("cookie", `sid=${token}`).send(body);
  return { app, clock, ask, fail, session, apiKey };
}

const refused = (response: request.Response) => [response.status, response.body.code, response.headers["set-cookie"]];
const OUTAGE = [503, "storage_unavailable", undefined];

describe("while it cannot be told who asks", () => {
  it.each(["/auth/guest", "/login", "/logout"])("rule 43: POST %s puts nobody in the place of somebody", async (path) => {
    const { ask, fail, app } = await startWithSomebody();
    fail(["get"]);

    expect(refused(await ask("post", path))).toEqual(OUTAGE);

    fail([]);
    await ask("get", "/auth/me").expect(200);
    expect(await app.auth.sessions.count()).toBe(1);
  });

  it("rule 43: signing in by code spends no code", async () => {
    const { ask, fail, app } = await startWithSomebody();
    const { body } = await ask("post", "/auth/magic/send", { email: "ada@example.com" }).expect(200);
    const guess = { request_id: body.request_id, code: await app.mailbox.waitForCode("ada@example.com") };
    fail(["get"]);
    expect(refused(await ask("post", "/auth/magic/verify", guess))).toEqual(OUTAGE);
    fail([]);
    await ask("post", "/auth/magic/verify", guess).expect(200);
  });

  it("rule 43: signing in by a link spends no link, and its page does not call it wrong", async () => {
    const { ask, fail, app } = await startWithSomebody();
    await ask("post", "/auth/magic/send", { email: "ada@example.com", link: true }).expect(200);
    const token = new URL(await app.mailbox.waitForLink("ada@example.com")).searchParams.get("token");
    for (const where of ["one_time_tokens", "codes", undefined]) {
      fail(["get"], where);
      if (where !== undefined) expect(refused(await ask("get", `/auth/magic/link?token=${token}`))).toEqual(OUTAGE);
      expect(refused(await ask("post", "/auth/magic/link", { token }))).toEqual(OUTAGE);
    }
    fail([]);
    await ask("post", "/auth/magic/link", { token }).expect(200);
  });

  it("rule 42: the answer tells nothing of what sessions are kept in", async () => {
    const { ask, fail } = await startWithSomebody();
    fail(["get"]);
    const { text } = await ask("get", "/auth/me").expect(503);
    expect(text).not.toMatch(/redis|10\.0/i);
  });
});

describe("while nothing can be changed", () => {
  it("rule 44: whatever ends something answers 503, keeps the cookie, and can be repeated", async () => {
    const { ask, fail, session, apiKey, app } = await startWithSomebody();
    const endings = [
      ["post", "/auth/sign-out", sessionCollection.name],
      ["post", "/logout", sessionCollection.name],
      ["delete", `/auth/sessions/${session.id}`, sessionCollection.name],
      ["delete", "/auth/sessions", "principals"],
      ["delete", `/auth/api-keys/${apiKey.id}`, "api_keys"],
    ] as const;
    for (const [method, path, where] of endings) {
      fail(["take", "commit"], where);
      expect([path, ...refused(await ask(method, path))]).toEqual([path, ...OUTAGE]);
    }
    expect(await app.auth.apiKeys.list("user-1")).toHaveLength(1);

    fail([]);
    await ask("delete", `/auth/api-keys/${apiKey.id}`).expect(200);
    await ask("delete", "/auth/sessions").expect(200);
    await ask("post", "/auth/sign-out").expect(200);
    await ask("get", "/auth/me").expect(401);
  });

  it("rule 44: ending all sessions, once begun, ends them within a minute, also when it broke off half-way", async () => {
    const { ask, fail, app, clock } = await startWithSomebody();
    const { token } = await app.auth.sessions.create({ userId: "user-1" });
    fail(["commit"]);
    expect(refused(await ask("delete", "/auth/sessions"))).toEqual(OUTAGE);

    fail([]);
    clock.advance(60);
    const other = () => request(app.server).get("/auth/sessions").set("cookie", `sid=${token}`);
    await other();
    await expect.poll(async () => (await other()).status).toBe(401);
  });

  it("rule 46: a session that could not be stored is given to nobody", async () => {
    const { ask, fail, app } = await startWithSomebody();
    const { body } = await ask("post", "/auth/magic/send", { email: "ada@example.com" }).expect(200);
    const guess = { request_id: body.request_id, code: await app.mailbox.waitForCode("ada@example.com"), transport: "token" };
    fail(["commit"]);
    const response = await ask("post", "/auth/magic/verify", guess);
    expect(refused(response)).toEqual(OUTAGE);
    expect(response.body).not.toHaveProperty("token");
  });
});
