import { StorageError } from "../../errors.ts";
import type { RedisClient } from "./client.ts";
import { createDeadlines, type Deadline } from "./deadlines.ts";
import { createOneWrite } from "./one-write.ts";

/**
 * What every command goes through. It bounds how long a caller waits, and keeps commands from queueing up inside a client
 * that has no server to send them to:
 * - a command that is not answered within the deadline rejects; it may still run, so every write is safe to run late;
 * - while the client is not ready, commands reject at once, except before it was ready for the first time: then they wait
 *   for it, within the deadline;
 * - after five deadlines in a row, within which nothing else was answered either, commands reject at once, until a PING, sent four times a second and never twice at once,
 *   is answered in time.
 */
export interface Breaker {
  /**
   * Sends a command and resolves to its reply as `read` returns it.
   * @throws {StorageError} for whatever goes wrong, with its cause; what `read` throws, as it is.
   */
  run<Reply, Result>(send: () => Promise<Reply>, read: (reply: Reply) => Result): Promise<Result>;
  /** Rejects what waits and all that comes, ends the timers and takes its listeners off the client. */
  close(): void;
}

const TIMEOUTS_IN_A_ROW = 5;
const PROBE_MS = 250;

/** @param timeout of each command, ms. */
export function createBreaker(client: RedisClient, timeout: number): Breaker {
  const deadlines = createDeadlines(timeout);
  const inOneWrite = createOneWrite(client);
  let waiting: (() => void)[] = [];
  let wasReady = client.status === "ready";
  let timeouts = 0;
  let replies = 0;
  let probe: NodeJS.Timeout | null = null;
  let pinging: Deadline | null = null;
  let closed = false;

  const onReady = () => {
    wasReady = true;
    const held = waiting;
    waiting = [];
    for (const send of held) send();
    // A client that sends nothing twice forgets what the lost connection did not answer: such a PING never settles.
    pinging = null;
    if (probe) ping();
  };

  /** What was answered since the command was sent tells that only its own master is away, one of a Cluster's: the others go on. */
  const onTimeout = (repliesBefore: number) => {
    if (replies !== repliesBefore) return;
    timeouts += 1;
    if (timeouts < TIMEOUTS_IN_A_ROW || probe || closed) return;
    probe = setInterval(ping, PROBE_MS).unref();
  };

  const onAnswer = () => {
    timeouts = 0;
    replies += 1;
  };

  /** Only an answer within the deadline closes the breaker: a server that answers late would open it again at once. */
  const ping = () => {
    if (pinging || client.status !== "ready") return;
    const deadline = (pinging = deadlines.start(() => {}));
    const done = (answered: boolean) => {
      const inTime = deadline.expire !== null;
      deadline.expire = null;
      if (pinging !== deadline) return;
      pinging = null;
      if (!answered || !probe) return;
      if (!inTime) return ping(); // it answers again: perhaps in time now
      clearInterval(probe);
      probe = null;
      timeouts = 0;
    };
    client.ping().then(
      () => done(true),
      () => done(false),
    );
  };

  /** Why a command cannot be sent now, nor after a short wait. */
  const refusal = (): StorageError | null => {
    if (closed) return new StorageError("The Redis store is closed");
    if (probe) return new StorageError("Redis does not answer");
    if (client.status === "end" || (wasReady && client.status !== "ready"))
      return new StorageError(`Redis is not connected (${client.status})`);
    return null;
  };

  /** The client's errors reach callers through their commands; ioredis would print those that nobody listens to. */
  const onClientError = () => {};

  client.on("ready", onReady);
  client.on("error", onClientError);

  return {
    run<Reply, Result>(send: () => Promise<Reply>, read: (reply: Reply) => Result): Promise<Result> {
      const refused = refusal();
      if (refused) return Promise.reject(refused);
      const replied = new Promise<Reply>((resolve, reject) => {
        let repliesBefore = replies;
        const deadline: Deadline = deadlines.start(() => {
          onTimeout(repliesBefore);
          reject(new StorageError(closed ? "The Redis store was closed" : `Redis did not answer within ${timeout} ms`));
        });
        const onReply = (reply: Reply) => {
          if (deadline.expire === null) return;
          deadline.expire = null;
          onAnswer();
          resolve(reply);
        };
        const onError = (cause: unknown) => {
          if (deadline.expire === null) return;
          deadline.expire = null;
          if (isTimeout(cause)) onTimeout(repliesBefore);
          else if (isReply(cause)) onAnswer();
          reject(cause instanceof StorageError ? cause : new StorageError(undefined, { cause: withoutCommand(cause) }));
        };
        const start = () => {
          if (deadline.expire === null) return;
          repliesBefore = replies;
          try {
            inOneWrite();
            send().then(onReply, onError);
          } catch (error) {
            onError(error);
          }
        };
        if (client.status === "ready" && waiting.length === 0) return start();
        waiting.push(start);
        if (client.status === "ready") onReady();
        else if (client.status === "wait") client.connect().catch(ignore);
      });
      return replied.then(read);
    },

    close() {
      closed = true;
      if (probe) clearInterval(probe);
      probe = null;
      waiting = [];
      deadlines.end();
      client.off("ready", onReady);
      client.off("error", onClientError);
    },
  };
}

/** ioredis's own `commandTimeout`, where the application set one shorter than ours. */
function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "Command timed out";
}

/** ioredis puts a command's arguments on its error, and they hold what is stored: no log should. */
function withoutCommand(error: unknown): unknown {
  if (error instanceof Error && "command" in error) delete error.command;
  return error;
}

/** An error that the server answered: it is there. */
function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}

function ignore(): void {}
