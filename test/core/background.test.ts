import { describe, expect, it } from "vitest";
import { createBackground } from "../../lib/core/background.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("work off the response path", () => {
  it("starts after the turn, is done once at a time, and fails to whoever listens", async () => {
    const failures: unknown[] = [];
    const background = createBackground((error) => failures.push(error));
    let runs = 0;
    for (let count = 0; count < 5; count += 1) background.run("same", async () => void (runs += 1));
    background.run("bad", () => Promise.reject(new Error("bad")));
    expect(runs).toBe(0);
    await background.drain(1000);
    expect([runs, failures.length]).toEqual([1, 1]);
  });

  it("rule 48: is dropped beyond a thousand at once", async () => {
    const background = createBackground(() => {});
    let runs = 0;
    for (let count = 0; count < 1500; count += 1) background.run(`${count}`, async () => void (runs += 1));
    await background.drain(1000);
    expect(runs).toBe(1000);
    background.run("later", async () => void (runs += 1));
    await background.drain(1000);
    expect(runs).toBe(1001);
  });

  it("is waited for at the end, but no longer than that", async () => {
    const background = createBackground(() => {});
    let finish = () => {};
    let done = false;
    background.run("slow", () => new Promise<void>((resolve) => (finish = resolve)).then(() => void (done = true)));
    await turn();
    await background.drain(1);
    expect(done).toBe(false);
    const drained = background.drain(60_000);
    finish();
    await drained;
    expect(done).toBe(true);
  });
});
