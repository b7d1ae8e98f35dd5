import { inspect } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { StorageError } from "../../../lib/errors.ts";
import type { Write } from "../../../lib/storage/record-store.ts";
import type { ServerProcess } from "../../support/server-process.ts";
import { startCuttingProxy, type CuttingProxy } from "./cutting-proxy.ts";
import { notes, openStore, people, record, type OpenStore } from "./open-store.ts";

export type SqlServer = ServerProcess & { readonly url: string };

const TIMEOUT = 1000;

/** Declares what a store does when its server or the way to it fails. */
export function faultTests(start: () => Promise<SqlServer>): void {
  let server: SqlServer;
  let proxy: CuttingProxy;
  let direct: OpenStore;
  let cut: OpenStore;

  beforeAll(async () => {
    server = await start();
    proxy = await startCuttingProxy(server.port);
    direct = openStore(server.url, { timeout: TIMEOUT });
    cut = openStore(server.url.replace(`:${server.port}`, `:${proxy.port}`), { timeout: TIMEOUT });
    await direct.store.migrate();
  });
  afterAll(async () => {
    await Promise.all([direct.end(), cut.end()]);
    await proxy.close();
    await server.stop();
  });

  const insert = (id: string): Write => ({ op: "insert", in: notes, record: record(id) });
  const clear: Write = { op: "clear", in: notes, partition: "p" };

  it.each([
    { name: "at its second write", statement: /insert into [^ ]*notes/, nth: 2, when: "before" as const, left: [] },
    { name: "when it commits", statement: /\bcommit\b/, nth: 1, when: "before" as const, left: [] },
    { name: "when it has committed", statement: /\bcommit\b/, nth: 1, when: "after" as const, left: ["a", "b"] },
  ])("applies a commit whole or not at all when the connection is cut $name", async ({ statement, nth, when, left }) => {
    await direct.store.commit([clear]);
    const before = proxy.cuts;
    proxy.cutAt(statement, when, nth);

    await expect(cut.store.commit([insert("a"), insert("b")])).rejects.toBeInstanceOf(StorageError);

    expect(proxy.cuts).toBe(before + 1);
    expect((await direct.store.list(notes, "p")).map(({ id }) => id)).toEqual(left);
    expect(await cut.store.commit([insert("a"), insert("b")])).toBe(true);
    expect((await cut.store.list(notes, "p")).map(({ id }) => id)).toEqual(["a", "b"]);
  });

  it("refuses within the deadline while the server is frozen, and works when it goes on", async () => {
    await direct.store.commit([clear, insert("a")]);
    server.pause();
    try {
      const startedAt = performance.now();
      const calls = Array.from({ length: 15 }, (_, n) =>
        n % 3 === 0
          ? direct.store.commit([clear, insert(`${n}`)])
          : n % 3 === 1
            ? direct.store.get(notes, record("a"))
            : direct.store.list(notes, "p"),
      );
      const settled = await Promise.allSettled(calls);
      expect(performance.now() - startedAt).toBeLessThan(TIMEOUT + 500);
      expect(settled.map((call) => call.status === "rejected" && call.reason instanceof StorageError)).toEqual(Array(15).fill(true));
    } finally {
      server.resume();
    }

    await expect.poll(() => direct.store.commit([clear, insert("after")]).catch(() => false), { timeout: 5000 }).toBe(true);
    expect((await direct.store.list(notes, "p")).map(({ id }) => id)).toEqual(["after"]);
  });

  it("refuses at once while the server is down, and works without a restart when it is back", async () => {
    await direct.store.commit([clear, insert("acknowledged")]);
    await server.kill("SIGKILL");
    const startedAt = performance.now();
    await expect(direct.store.get(notes, record("acknowledged"))).rejects.toMatchObject({ code: "storage_unavailable", status: 503 });
    await expect(direct.store.commit([insert("a"), insert("b")])).rejects.toBeInstanceOf(StorageError);
    expect(performance.now() - startedAt).toBeLessThan(TIMEOUT);

    await server.restart();

    await expect.poll(() => direct.store.commit([insert("c")]).catch(() => false), { timeout: 5000 }).toBe(true);
    expect((await direct.store.list(notes, "p")).map(({ id }) => id)).toEqual(["acknowledged", "c"]);
  });

  it("says what is missing when it was never migrated, and puts neither statements nor what is stored on an error", async () => {
    const fresh = openStore(server.url, { prefix: "never_migrated", timeout: TIMEOUT });
    await expect(fresh.store.get(notes, record("a"))).rejects.toThrow("call the store's migrate()");
    await fresh.end();

    const broken = openStore(server.url, { prefix: "broken", timeout: TIMEOUT });
    await broken.store.migrate();
    await broken.query("alter table broken_people drop column value");
    const secret = "canary-4711";
    const write: Write = { op: "insert", in: people, record: record(secret, { lookups: { email: secret } }) };
    for (const writes of [[write], [write, write]]) {
      const error = await broken.store.commit(writes).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(StorageError);
      const shown = inspect(error, { depth: 10 });
      expect(shown).not.toContain(secret);
      expect(shown).not.toContain(Buffer.from(secret).toString("hex"));
      expect(shown).not.toMatch(/insert into|select \*/);
    }
    await broken.end();
  });

  it("waits for a connection no longer than the deadline, and gives back all that it had", async () => {
    const blocked = await Promise.all(Array.from({ length: 30 }, (_, n) => direct.store.commit([clear, insert(String(n))])));
    expect(blocked).toEqual(Array(30).fill(true));
    expect(await direct.store.list(notes, "p")).toHaveLength(1);
  });
}
