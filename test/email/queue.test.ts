import { setImmediate as tick } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import { createEmailQueue, type EmailQueueParts } from "../../lib/email/queue.ts";
import { EmailDeliveryError, type EmailMessage } from "../../lib/email/transport.ts";
import { createTestClock } from "../../lib/testing/clock.ts";

const TEN_MINUTES = 600_000;
const mailTo = (to: string): EmailMessage => ({ to, subject: "Your code", text: "1234 5678", idempotencyKey: `key of ${to}` });
const busy = (options: { retryAfter?: number } = {}) => new EmailDeliveryError("Busy", { retryable: true, ...options });

/**
 * A queue on a clock of its own. `outcomes` are what the transport does, one a try: throw an error, or wait for a promise; then it sends.
 * Waits pass when the test says so.
 */
function createTestQueue(outcomes: unknown[] = [], parts: Partial<EmailQueueParts> = {}) {
  const clock = createTestClock();
  const start = clock.now();
  const events = createEvents(clock);
  const heard: AuthEvent[] = [];
  events.on("*", (event) => heard.push(event));
  const tries: { message: EmailMessage; second: number }[] = [];
  const sleepers: { until: number; wake: () => void }[] = [];
  const queue = createEmailQueue({
    clock,
    events,
    sleep: (ms) => new Promise((wake) => sleepers.push({ until: clock.now() + ms, wake })),
    transport: {
      async send(message) {
        tries.push({ message, second: (clock.now() - start) / 1000 });
        const outcome = outcomes.shift();
        if (outcome instanceof Error) throw outcome;
        await outcome;
      },
    },
    ...parts,
  });
  /** Lets everything happen that can happen now. */
  const settle = async () => {
    for (let turn = 0; turn < 10; turn += 1) await tick();
  };
  return {
    clock,
    tries,
    queue,
    settle,
    send: (to = "ada@example.com", life = TEN_MINUTES) => queue.enqueue(mailTo(to), { expiresAt: clock.now() + life, userId: "user-1" }),
    /** Moves the clock from one waking to the next, up to `seconds` on. */
    async pass(seconds: number) {
      const end = clock.now() + seconds * 1000;
      await settle();
      for (;;) {
        sleepers.sort((a, b) => a.until - b.until);
        if (!sleepers[0] || sleepers[0].until > end) break;
        const { until, wake } = sleepers.shift()!;
        clock.set(until);
        wake();
        await settle();
      }
      clock.set(end);
    },
    said: () => heard.map(({ type, details }) => ("code" in details ? [type, details.code, "final" in details && details.final] : [type])),
    heard,
    /** To whom each try went. */
    recipients: () => tries.map(({ message }) => message.to),
    seconds: () => tries.map(({ second }) => second),
  };
}

describe("the mail queue", () => {
  it("rule 22: returns at once, and sends after the answer", async () => {
    const { send, tries, settle, heard } = createTestQueue();

    expect(send()).toBe(true);
    expect(tries).toEqual([]);
    await settle();

    expect(tries.map(({ message }) => message)).toEqual([mailTo("ada@example.com")]);
    expect(heard).toMatchObject([{ type: "email.sent", userId: "user-1", details: { subject: "Your code" } }]);
  });

  it("rule 22: tries again with the same idempotency key, waiting longer each time", async () => {
    const { send, tries, seconds, pass, said } = createTestQueue([busy(), busy(), busy(), busy(), busy()]);

    send();
    await pass(600);

    expect(seconds()).toEqual([0, 1, 6, 21, 81, 201]);
    expect(new Set(tries.map(({ message }) => message.idempotencyKey)).size).toBe(1);
    expect(said()).toEqual([...Array.from({ length: 5 }, () => ["email.failed", "email_delivery_failed", false]), ["email.sent"]]);
  });

  it("gives up after the sixth try", async () => {
    const { send, tries, pass, said } = createTestQueue(Array.from({ length: 9 }, () => busy()));

    send();
    await pass(600);

    expect(tries.length).toBe(6);
    expect(said().at(-1)).toEqual(["email.failed", "email_delivery_failed", true]);
  });

  it("gives up at once what was refused for good", async () => {
    const { send, tries, pass, heard } = createTestQueue([new EmailDeliveryError("No such domain", { retryable: false })]);

    send();
    await pass(600);

    expect(tries.length).toBe(1);
    expect(heard).toMatchObject([
      { type: "email.failed", userId: "user-1", details: { code: "email_delivery_failed", message: "No such domain", final: true } },
    ]);
  });

  it("waits as long as the service asks for, but never less than its own waits", async () => {
    const { send, seconds, pass } = createTestQueue([busy({ retryAfter: 30 }), busy({ retryAfter: 2 })]);

    send();
    await pass(600);

    expect(seconds()).toEqual([0, 30, 35]);
  });

  it("gives up what would have expired by its next try", async () => {
    const { send, seconds, pass, said } = createTestQueue([busy(), busy(), busy()]);

    send("ada@example.com", 6000);
    await pass(600);

    expect(seconds()).toEqual([0, 1]);
    expect(said().at(-1)).toEqual(["email.failed", "email_delivery_failed", true]);
  });

  it("rule 22: drops what expired while it waited", async () => {
    const turn = deferred();
    const { send, clock, settle, recipients, said } = createTestQueue([turn.promise], { concurrency: 1 });

    send("first@example.com");
    send("second@example.com", 1000);
    await settle();
    clock.advance(1);
    turn.resolve();
    await settle();

    expect(recipients()).toEqual(["first@example.com"]);
    expect(said()).toEqual([["email.sent"], ["email.failed", "expired", true]]);
  });

  it("tries again what a transport failed with otherwise, and tells no address", async () => {
    const { send, tries, pass, heard } = createTestQueue([new TypeError("cannot send to ada@example.com")]);

    send();
    await pass(600);

    expect(tries.length).toBe(2);
    expect(heard[0]).toMatchObject({ details: { code: "email_delivery_failed", message: "cannot send to [address]", final: false } });
  });

  it("survives a transport that throws before it returns a promise", async () => {
    const transport = {
      send() {
        throw new Error("broken");
      },
    };
    const { send, pass, said } = createTestQueue([], { transport });

    send();
    await pass(600);

    expect(said().at(-1)).toEqual(["email.failed", "email_delivery_failed", true]);
  });

  it("gives a try up that never ends", async () => {
    const { send, queue, heard } = createTestQueue([new Promise(() => {})], { timeout: 0.02, backoff: [] });

    send();
    await queue.drain(60_000);

    expect(heard).toMatchObject([{ details: { message: "The mail service took too long", final: true } }]);
  });

  it("makes at most four tries at once, in the order of asking", async () => {
    const gate = deferred();
    const { send, settle, recipients } = createTestQueue(Array.from({ length: 4 }, () => gate.promise));

    for (const name of ["a", "b", "c", "d", "e"]) send(`${name}@example.com`);
    await settle();
    expect(recipients()).toEqual(["a@example.com", "b@example.com", "c@example.com", "d@example.com"]);

    gate.resolve();
    await settle();
    expect(recipients()[4]).toBe("e@example.com");
  });

  it("rule 15: lets addresses that are put off hold nobody else up", async () => {
    const { send, settle, recipients } = createTestQueue(Array.from({ length: 4 }, () => busy()));

    for (const name of ["eve1", "eve2", "eve3", "eve4", "ada"]) send(`${name}@example.com`);
    await settle();

    expect(recipients()).toContain("ada@example.com");
  });

  it("rule 48: holds so many messages and no more, those between two tries included", async () => {
    const gate = deferred();
    const { send, settle, said } = createTestQueue([busy(), gate.promise], { capacity: 3, concurrency: 1 });

    send("a@example.com");
    send("b@example.com");
    await settle();
    expect([send("c@example.com"), send("d@example.com")]).toEqual([true, false]);
    expect(said()).toEqual([
      ["email.failed", "email_delivery_failed", false],
      ["email.failed", "queue_full", true],
    ]);

    gate.resolve();
    await settle();
    expect(send("e@example.com")).toBe(true);
  });

  it("says nothing of a message's text in its events", async () => {
    const { send, pass, heard } = createTestQueue([busy()]);

    send();
    await pass(600);

    expect(JSON.stringify(heard)).not.toMatch(/1234|ada@example/);
  });
});

describe("the mail queue, drained", () => {
  it("sends what was asked for just before", async () => {
    const { send, queue, recipients } = createTestQueue();
    for (let n = 0; n < 10; n += 1) send(`n${n}@example.com`);

    await queue.drain(60_000);

    expect(recipients().length).toBe(10);
  });

  it("takes nothing more", async () => {
    const { send, queue, tries, said } = createTestQueue();
    await queue.drain(60_000);

    expect(send()).toBe(false);
    await tick();

    expect(tries).toEqual([]);
    expect(said()).toEqual([["email.failed", "queue_closed", true]]);
  });

  it("waits for a try that comes in time", async () => {
    const { send, queue, settle, pass, said } = createTestQueue([busy()]);
    send();
    await settle();

    const drained = queue.drain(5000);
    await pass(1);
    await drained;

    expect(said()).toEqual([["email.failed", "email_delivery_failed", false], ["email.sent"]]);
  });

  it("does not wait for one that would not", async () => {
    const { send, queue, settle, said } = createTestQueue([busy({ retryAfter: 61 })]);
    send();
    await settle();

    await queue.drain(60_000);

    expect(said()).toEqual([
      ["email.failed", "email_delivery_failed", false],
      ["email.failed", "queue_closed", true],
    ]);
  });

  it("resolves when its time is over, and drops what had no turn", async () => {
    const gate = deferred();
    const { send, queue, settle, recipients, said } = createTestQueue([gate.promise], { concurrency: 1 });
    send("a@example.com");
    send("b@example.com");

    await queue.drain(10);
    expect(said()).toEqual([["email.failed", "queue_closed", true]]);
    gate.resolve();
    await settle();

    expect(recipients()).toEqual(["a@example.com"]);
    expect(said().at(-1)).toEqual(["email.sent"]);
  });

  it("begins no other try of what fails after that", async () => {
    const gate = deferred();
    const { send, queue, clock, pass, tries, said } = createTestQueue([gate.promise]);
    send();
    await queue.drain(10);
    clock.advance(1);

    gate.reject(busy());
    await pass(600);

    expect(tries.length).toBe(1);
    expect(said()).toEqual([["email.failed", "email_delivery_failed", true]]);
  });
});

/** A promise that the test settles. */
function deferred() {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
