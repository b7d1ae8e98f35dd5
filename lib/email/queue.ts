import type { Clock } from "../clock.ts";
import type { Events } from "../core/events.ts";
import { EmailDeliveryError, type EmailMessage, type EmailTransport } from "./transport.ts";

/** Sends mail off the response path, so that an answer tells nothing by its time. Held in this process: a crash loses what is in it, and the person asks again. */
export interface EmailQueue {
  /** Takes a message and returns at once; `false` when the queue is full. It is worth nothing from `expiresAt` (Unix ms) on, and is dropped then. */
  enqueue(message: EmailMessage, options: { expiresAt: number; userId?: string | null }): boolean;
  /** Resolves when everything was sent or given up, or after `ms`. */
  drain(ms: number): Promise<void>;
}

export interface EmailQueueParts {
  readonly transport: EmailTransport;
  readonly clock: Clock;
  readonly events: Events;
  /** Messages waiting or under way at once. Default: 1,000. */
  readonly capacity?: number;
  /** Messages under way at once. Default: 4. */
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
  const running = new Set<Promise<void>>();

  const failed = ({ message, userId }: Job, code: string, final: boolean) =>
    events.emit("email.failed", { subject: message.subject, code, final }, { userId });

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

  /** Tries with the same idempotency key until it is sent, refused for good, or not worth sending any more. */
  const deliver = async (job: Job) => {
    for (let tries = 0; ; tries += 1) {
      if (clock.now() >= job.expiresAt) return failed(job, "expired", true);
      try {
        await attempt(job.message);
        return events.emit("email.sent", { subject: job.message.subject }, { userId: job.userId });
      } catch (error) {
        const { retryable, code, retryAfter } = error instanceof EmailDeliveryError ? error : UNKNOWN;
        const wait = Math.max(backoff[tries] ?? 0, retryAfter ?? 0) * 1000;
        const final = !retryable || tries >= backoff.length || clock.now() + wait >= job.expiresAt;
        failed(job, code, final);
        if (final) return;
        await sleep(wait);
      }
    }
  };

  const pump = () => {
    while (running.size < concurrency) {
      const job = waiting.shift();
      if (!job) return;
      const work: Promise<void> = deliver(job).finally(() => {
        running.delete(work);
        pump();
      });
      running.add(work);
    }
  };

  return {
    enqueue(message, { expiresAt, userId = null }) {
      const job = { message, expiresAt, userId };
      if (waiting.length + running.size >= capacity) {
        failed(job, "queue_full", true);
        return false;
      }
      waiting.push(job);
      setImmediate(pump);
      return true;
    },
    async drain(ms) {
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<"late">((resolve) => (timer = setTimeout(() => resolve("late"), ms)));
      try {
        pump();
        while (running.size > 0) if ((await Promise.race([Promise.all(running), deadline])) === "late") return;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** What a transport threw that is no delivery error: a fault of the moment, as far as anybody knows. */
const UNKNOWN = { retryable: true, code: "email_delivery_failed", retryAfter: undefined };
