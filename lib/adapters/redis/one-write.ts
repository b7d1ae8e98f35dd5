import type { Writable } from "node:stream";
import type { RedisClient } from "./client.ts";

/**
 * Called before each command, lets all that one turn of the event loop sends leave in one write: the system call costs more than the rest
 * of a command does. Order stays, and nothing waits longer than until the loop has read what lies ready. A Cluster's commands go their own ways.
 */
export function createOneWrite(client: RedisClient): () => void {
  let held: Writable | null = null;

  const release = () => {
    held?.uncork();
    held = null;
  };

  return () => {
    const stream = "stream" in client ? client.stream : null; // another one after each reconnect
    if (!stream || stream === held) return;
    if (!held) setImmediate(release);
    held = stream;
    stream.cork();
  };
}
