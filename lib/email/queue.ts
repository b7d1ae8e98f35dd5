import type { Clock } from "../clock.ts";
import type { Events } from "../core/events.ts";
import { describeError } from "./delivery.ts";
import { EmailDeliveryError, type EmailMessage, type EmailTransport } from "./transport.ts";

/** Sends mail off the response path, so that an answer tells nothing by its time. Held in this process: a crash loses what is in it, and the person asks again. */
export interface EmailQueue {
  /** Takes a message and returns at once; `false` when the queue is full or drained. It is worth nothing from `expiresAt` (Unix ms) on, and is dropped then. */
  enqueue(message: EmailMessage, options: { expiresAt: number; userId?: string | null }): boolean;
  /** For the end: takes nothing more, and resolves when everything was sent or given up. What is left after `ms` is dropped. */
  drain(ms: number): Promise<void>;
}

export interface EmailQueueParts {
  readonly transport: EmailTransport;
  readonly clock: Clock;
  readonly events: Events;
  /** Messages waiting, resting between two tries, or under way at once. Default: 1,000. */
  readonly capacity?: number;
  /** Tries under way at once. Default: 4. */
  readonly concurrency?: number;
  /** Waits between tries, in seconds. Default: 1, 5, 15, 60, 120. */
  readonly backoff?: readonly number[];
  /** Seconds a transport may take for one try. Default: 15. */
  readonly timeout?: number;
  /** Waits; given by tests. */
  readonly sleep?: (ms: number) => Promise<void>;
}

interface Job {
  readonly message: EmailMessage;
  readonly expiresAt: number;
  readonly userId: string | null;
  /** How many have failed. */
  tries: number;
}

const unrefSleep = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms).unref());

export function createEmailQueue(parts: EmailQueueParts): EmailQueue {
  const {
    transport,
    clock,
    events,
    capacity = 1000,
    concurrency = 4,
    backoff = [1, 5, 15, 60, 120],
    timeout = 15,
    sleep = unrefSleep,
  } = parts;
  const waiting: Job[] = [];
  /** Between two tries, with the instant of the next. They hold nobody up, however many a service puts off. */
  const resting = new Map<Job, number>();
  const running = new Set<Promise<void>>();
  const idle = new Set<() => void>();
  /** Unix ms from which on no try begins. */
  let endsAt = Infinity;
  const size = () => waiting.length + resting.size + running.size;

  const failed = ({ message, userId }: Job, code: string, words: string, final: boolean) =>
    events.emit("email.failed", { subject: message.subject, code, message: words, final }, { userId });

  const drop = (job: Job) => failed(job, "queue_closed", "The queue was closed before the mail was sent", true);

  const attempt = async (message: EmailMessage) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new EmailDeliveryError("The mail service took too long", { retryable: true })), timeout * 1000);
      timer.unref();
    });
    try {
      await Promise.race([(async () => transport.send(message))(), late]);
    } finally {
      clearTimeout(timer);
    }
  };

  const rest = async (job: Job, wait: number) => {
    resting.set(job, clock.now() + wait);
    await sleep(wait);
    if (!resting.delete(job)) return;
    waiting.push(job);
    pump();
  };

  /** One try, each with the same idempotency key, until the mail is sent, refused for good, or not worth sending any more. */
  const deliver = async (job: Job) => {
    if (clock.now() >= job.expiresAt) return failed(job, "expired", "It expired before the mail was sent", true);
    try {
      await attempt(job.message);
    } catch (error) {
      const { retryable, code, retryAfter } = error instanceof EmailDeliveryError ? error : UNKNOWN;
      const words = error instanceof EmailDeliveryError ? error.message : describeError(error);
      const wait = Math.max(backoff[job.tries] ?? 0, retryAfter ?? 0) * 1000;
      const final = !retryable || job.tries >= backoff.length || clock.now() + wait >= Math.min(job.expiresAt, endsAt);
      failed(job, code, words, final);
      job.tries += 1;
      if (!final) void rest(job, wait);
      return;
    }
    events.emit("email.sent", { subject: job.message.subject }, { userId: job.userId });
  };

  const pump = () => {
    while (running.size < concurrency) {
      const job = waiting.shift();
      if (!job) return;
      const work: Promise<void> = deliver(job).finally(() => {
        running.delete(work);
        pump();
        if (size() === 0) for (const resolve of idle) resolve();
      });
      running.add(work);
    }
  };

  return {
    enqueue(message, { expiresAt, userId = null }) {
      const job = { message, expiresAt, userId, tries: 0 };
      if (endsAt !== Infinity) drop(job);
      else if (size() >= capacity) failed(job, "queue_full", `There are ${capacity} mails in the queue already`, true);
      else {
        waiting.push(job);
        setImmediate(pump);
        return true;
      }
      return false;
    },
    async drain(ms) {
      endsAt = clock.now() + ms;
      for (const [job, at] of resting) if (at >= endsAt && resting.delete(job)) drop(job);
      pump();
      if (size() > 0) {
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          idle.add(resolve);
          timer = setTimeout(resolve, ms);
        });
        clearTimeout(timer);
      }
      for (const job of [...waiting.splice(0), ...resting.keys()]) drop(job);
      resting.clear();
    },
  };
}

/** What a transport threw that is no delivery error: a fault of the moment, as far as anybody knows. */
const UNKNOWN = { retryable: true, code: "email_delivery_failed", retryAfter: undefined };
