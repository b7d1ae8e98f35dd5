import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StorageError } from "../../lib/errors.ts";
import { requireAuth } from "../../lib/index.ts";
import type { Write } from "../../lib/storage/record-store.ts";
import { systemClock } from "../../lib/clock.ts";
import { notes, people, record } from "../adapters/sql/open-store.ts";
import { startApp } from "../support/app.ts";
import { send } from "./support/load.ts";
import { outageProblem } from "./support/outage.ts";
import { full, LARGE, readOnly, type RefusingStore } from "./support/refusing.ts";

const cases = Object.entries({ ...readOnly, ...full }).map(([name, open]) => ({ name, open }));

const large = (id: string, rest: Parameters<typeof record>[1] = {}) => record(id, { value: randomBytes(LARGE), ...rest });

describe.each(cases)("over $name", { timeout: 60_000 }, ({ open }) => {
  let refusing: RefusingStore;
  let app: Awaited<ReturnType<typeof startApp>>;
  beforeAll(async () => {
    refusing = await open();
    app = await startApp({
      store: refusing.store,
      clock: systemClock,
      routes: (on) => {
        on.get("/public", ({ auth }, res) => void res.json({ kind: auth.kind }));
        on.get("/guarded", requireAuth(), (req, res) => void res.json({ userId: req.auth.userId }));
      },
    });
  });
  afterAll(async () => {
    await app?.close();
    await refusing?.end();
  });

  it("rule 43: what only reads goes on, what writes is refused whole with 503, and all works again without a restart", async () => {
    const { store, refuse, allow } = refusing;
    const { token } = await app.auth.sessions.create({ userId: "user-1" });
    const kept = ["a", "b", "c", "d"];
    for (const id of kept) expect(await store.commit([{ op: "insert", in: notes, record: large(id) }])).toBe(true);
    await store.commit([{ op: "insert", in: people, record: large("ada", { lookups: { email: "ada" } }) }]);
    const headers = { cookie: `sid=${token}` };
    const get = (path: string) => send(app.url, { name: path, path, headers });
    const post = (path: string) =>
      send(app.url, { name: path, method: "POST", path, headers: { ...headers, "content-type": "application/json" }, body: "{}" });
    await refuse();

    const commits: Record<string, readonly Write[]> = {
      one: [{ op: "insert", in: notes, record: large("one") }],
      several: [
        { op: "put", in: notes, record: large("a") },
        { op: "insert", in: notes, record: large("several") },
        { op: "insert", in: notes, record: large("more") },
      ],
      capped: [{ op: "insert", in: notes, record: large("capped"), max: 2 }],
      directory: [
        { op: "insert", in: people, record: large("bob", { lookups: { email: "bob" } }) },
        { op: "insert", in: people, record: large("eve", { lookups: { email: "eve" } }) },
      ],
    };
    const before = await store.list(notes, "p");
    for (const [name, writes] of Object.entries(commits)) {
      expect(await store.commit(writes).catch((thrown: unknown) => thrown), name).toBeInstanceOf(StorageError);
    }
    // A client of Redis that met a replica looks for the master again, and reads fail for a moment.
    await expect.poll(() => store.list(notes, "p").catch(() => null)).toEqual(before);
    expect(before.map(({ id }) => id)).toEqual(kept);
    expect(await store.find(people, "email", "bob")).toEqual([]);
    expect(await store.find(people, "email", "ada")).toHaveLength(1);
    expect((await get("/guarded")).body).toBe('{"userId":"user-1"}');
    expect((await get("/public")).body).toBe('{"kind":"session"}');

    if (refusing.removes) {
      expect((await post("/auth/sign-out")).status).toBe(200);
      expect((await get("/guarded")).status).toBe(401);
      expect(await store.commit([{ op: "delete", in: notes, key: { partition: "p", id: "a" } }])).toBe(true);
      expect((await store.take(notes, { partition: "p", id: "b" }))?.id).toBe("b");
      expect((await store.list(notes, "p")).map(({ id }) => id)).toEqual(["c", "d"]);
      expect(await store.commit([{ op: "clear", in: notes, partition: "p" }])).toBe(true);
    } else {
      const answer = await post("/auth/sign-out");
      expect([answer.status, outageProblem(answer.headers, answer.body)]).toEqual([503, null]);
    }

    await allow();
    for (const [name, writes] of Object.entries(commits)) {
      await expect.poll(() => store.commit(writes).catch(() => false), { timeout: 5000, message: name }).toBe(true);
    }
    expect((await post(refusing.removes ? "/auth/guest" : "/auth/sign-out")).status).toBe(200);
  });
});
