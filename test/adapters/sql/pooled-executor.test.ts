import { describe, expect, it, vi } from "vitest";
import { createPooledExecutor, type PooledConnection } from "../../../lib/adapters/sql/pooled-executor.ts";
import { ask } from "../../../lib/adapters/sql/program.ts";
import { postgresDialect } from "../../../lib/adapters/postgres/dialect.ts";
import { StorageError } from "../../../lib/errors.ts";

const statement = { sql: "select 1", values: [], reads: true };
const program = () => ask(statement);
const answer = { rows: [], affected: 1, insertId: 0 };
const failure = (code: string) => Object.assign(new Error(code), { code, severity: "ERROR" });

/** An executor over connections that answer as they are told, and what became of these. */
function over(answers: (Error | "never" | undefined)[], { timeout = 1000 } = {}) {
  const log: string[] = [];
  const connection: PooledConnection = {
    query: () => {
      const next = answers.shift();
      log.push("query");
      if (next === "never") return new Promise(() => {});
      return next ? Promise.reject(next) : Promise.resolve(answer);
    },
    begin: async () => void log.push("begin"),
    commit: async () => void log.push("commit"),
    rollback: async () => void log.push("rollback"),
    migrate: async () => {},
    release: (how) => void log.push(how),
  };
  const connect = vi.fn<() => Promise<PooledConnection>>(async () => connection);
  const executor = createPooledExecutor({ name: "Test", connect, failures: postgresDialect.failures, timeout });
  return { executor, log, connect };
}

describe("a program over a pool", () => {
  it("is begun again after deadlocks and serialisation failures, a few times", async () => {
    const { executor, log } = over([failure("40P01"), failure("40001")]);

    expect(await executor.transact(program)).toBe(answer);

    const failed = ["begin", "query", "rollback", "good"];
    expect(log).toEqual([...failed, ...failed, "begin", "query", "commit", "good"]);
  });

  it("is given up after six retries", async () => {
    const { executor, connect } = over(Array.from({ length: 20 }, () => failure("40P01")));

    await expect(executor.run(program)).rejects.toThrow(StorageError);

    expect(connect).toHaveBeenCalledTimes(7);
  });

  it.each([
    { code: "23505", how: "good" },
    { code: "57014", how: "good" },
    { code: "ECONNRESET", how: "broken" },
  ])("is not begun again after $code, and leaves its connection $how", async ({ code, how }) => {
    const error = how === "good" ? failure(code) : Object.assign(new Error(code), { code });
    const { executor, log } = over([error]);

    await expect(executor.run(program)).rejects.toMatchObject({ code: "storage_unavailable", cause: { code } });

    expect(log).toEqual(["query", how]);
  });

  it("is rolled back for null", async () => {
    const { executor, log } = over([]);

    expect(
      await executor.transact(function* () {
        yield* ask(statement);
        return null;
      }),
    ).toBeNull();

    expect(log).toEqual(["begin", "query", "rollback", "good"]);
  });

  it("ends a connection that does not answer within the deadline", async () => {
    const { executor, log } = over(["never"], { timeout: 30 });

    await expect(executor.transact(program)).rejects.toThrow("Test did not answer within 30 ms");

    expect(log).toEqual(["begin", "query", "broken"]);
  });

  it("gives a connection back that it got too late", async () => {
    const { executor, log, connect } = over([], { timeout: 30 });
    const connected = connect.getMockImplementation()!();
    let arrive = () => {};
    connect.mockReturnValue(new Promise((resolve) => (arrive = () => resolve(connected))));

    await expect(executor.run(program)).rejects.toThrow("within 30 ms");
    arrive();

    await expect.poll(() => log).toEqual(["good"]);
  });

  it("rule 48: is refused at once after five that were not answered, until the database answers a probe", async () => {
    const away = Array.from({ length: 5 }, () => new Error("ECONNREFUSED"));
    const { executor, log, connect } = over([...away, new Error("ECONNREFUSED"), "never", undefined, undefined], { timeout: 100 });
    for (let call = 0; call < 5; call += 1) await expect(executor.run(program)).rejects.toThrow("Test failed");

    for (let call = 0; call < 50; call += 1) await expect(executor.run(program)).rejects.toThrow("Test does not answer");

    expect(connect.mock.calls.length).toBeLessThan(8);
    await expect.poll(() => executor.run(program).catch(() => null), { timeout: 5000 }).toBe(answer);
    expect(log.filter((what) => what === "query")).toHaveLength(9);
    await executor.close();
  });

  it("rule 48: is sent while others are answered, whatever fails beside them, and after any answer", async () => {
    const refusals = Array.from({ length: 10 }, () => failure("57014"));
    const { executor } = over([...refusals, ...Array.from({ length: 4 }, () => new Error("ECONNRESET")), undefined, "never"], {
      timeout: 50,
    });
    for (let call = 0; call < 14; call += 1) await expect(executor.run(program)).rejects.toThrow("Test failed");
    expect(await executor.run(program)).toBe(answer);

    const slow = Promise.allSettled([executor.run(program)]);
    for (let call = 0; call < 10; call += 1) expect(await executor.run(program)).toBe(answer);
    expect((await slow)[0].status).toBe("rejected");

    expect(await executor.run(program)).toBe(answer);
    await executor.close();
  });

  it("is refused once the store is closed", async () => {
    const { executor, connect } = over([]);
    await executor.close();

    await expect(executor.run(program)).rejects.toThrow("The Test store is closed");
    expect(connect).not.toHaveBeenCalled();
  });
});
