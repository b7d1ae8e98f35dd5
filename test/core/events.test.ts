import { afterEach, describe, expect, it, vi } from "vitest";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import { createTestClock } from "../../lib/testing/clock.ts";

const setUp = () => {
  const clock = createTestClock();
  return { clock, events: createEvents(clock) };
};

const details = () => ({ sessionId: "s-1", reason: "sign_out" as const });

afterEach(() => vi.restoreAllMocks());

describe("events", () => {
  it("tell what, when, who and where from, frozen", () => {
    const { events, clock } = setUp();
    const heard: AuthEvent[] = [];
    events.on("session.revoked", (event) => heard.push(event));
    const source = { ip: "192.0.2.1", userAgent: "test" };
    events.emit("session.revoked", details(), { userId: "user-1", tenantId: "acme", source });

    expect(heard).toEqual([{ type: "session.revoked", at: clock.now(), userId: "user-1", tenantId: "acme", source, details: details() }]);
    expect(Object.isFrozen(heard[0])).toBe(true);
    expect(Object.isFrozen(heard[0]!.details)).toBe(true);
    expect(JSON.parse(JSON.stringify(heard[0]))).toEqual(heard[0]);
  });

  it("reach those who asked for that kind or for all, until they stop", () => {
    const { events } = setUp();
    const [one, all, stopped, off] = [vi.fn(), vi.fn(), vi.fn(), vi.fn()];
    events.on("session.revoked", one);
    events.on("*", all);
    events.on("session.revoked", stopped)();
    events.on("session.revoked", off);
    events.off("session.revoked", off);
    events.off("session.created", off);
    events.emit("session.revoked", details());
    events.emit("session.rotated", { sessionId: "s-1" });

    expect([one, all, stopped, off].map((listener) => listener.mock.calls.length)).toEqual([1, 2, 0, 0]);
    events.off("*", all);
    events.emit("session.rotated", { sessionId: "s-1" });
    expect(all).toHaveBeenCalledTimes(2);
  });

  it("warn the process of a failure that nobody listens for, once a message, and of nothing else", () => {
    const { events } = setUp();
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const fail = (message: string) => events.emit("storage.failed", { operation: "/auth/me", message });
    fail("The tables are missing");
    fail("The tables are missing");
    events.emit("session.revoked", details());
    expect(warned.mock.calls.map(String)).toEqual([
      "latchkey: storage.failed: The tables are missing (/auth/me); listen for storage.failed to hear of each",
    ]);
    for (let count = 0; count < 100; count += 1) fail(`failure ${count}`);
    expect(warned).toHaveBeenCalledTimes(20);

    const { events: heard } = setUp();
    heard.on("storage.failed", () => {});
    heard.emit("storage.failed", { operation: "/auth/me", message: "The tables are missing" });
    expect(warned).toHaveBeenCalledTimes(20);
  });

  it("rule 48: of a listener that throws or rejects reach the others, and the process is warned once", async () => {
    const { events } = setUp();
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const after = vi.fn();
    events.on("session.rotated", () => {
      throw new Error("thrown");
    });
    events.on("session.rotated", async () => Promise.reject(new Error("rejected")));
    events.on("session.rotated", after);
    for (let count = 0; count < 3; count += 1) events.emit("session.rotated", { sessionId: "s-1" });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", unhandled);

    expect(after).toHaveBeenCalledTimes(3);
    expect(unhandled).not.toHaveBeenCalled();
    expect(warned.mock.calls.map(([message]) => String(message))).toEqual([
      expect.stringContaining("session.rotated failed: Error: thrown"),
      expect.stringContaining("session.rotated failed: Error: rejected"),
    ]);
  });
});
