import type { Redis } from "ioredis";
import type { Breaker } from "./breaker.ts";
import { isCluster, type CheckedClient } from "./client.ts";
import { isUnknownScript, type Script } from "./script.ts";

/** What the parts of the store ask of Redis. Each call is one command, within the breaker's deadline. */
export interface Commands {
  /** A command that changes nothing. It never overtakes a script started before it. */
  read<Reply, Result>(send: () => Promise<Reply>, read: (reply: Reply) => Result): Promise<Result>;
  /**
   * One script, sent by its name, and whole when Redis does not know it. One that changes records may then overtake one that was
   * started before it; one that changes nothing does not.
   */
  script<Result>(
    script: Script,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
    read: (reply: unknown) => Result,
  ): Promise<Result>;
  /** Every master, by a name that stays while it is one. Only a Cluster has more than one. */
  masters(): { readonly name: string; readonly node: Redis }[];
}

export function createCommands(client: CheckedClient, breaker: Breaker): Commands {
  /** Scripts that Redis did not know, until they have run after all. */
  let reloading: Promise<unknown> | null = null;

  const reload = (script: Script, keys: readonly string[], args: readonly (string | Buffer)[]) => {
    // Within a deadline of its own: reads wait for it, and a connection lost meanwhile may leave it unsettled for ever.
    const done = breaker.run(
      () => client.evalBuffer(script.lua, keys.length, ...keys, ...args),
      (reply) => reply,
    );
    const settled: Promise<unknown> = done.then(ignore, ignore).then(() => {
      if (reloading === settled) reloading = null;
    });
    reloading = settled;
    return done;
  };

  return {
    read(send, read) {
      const sendInOrder = () =>
        send().then((reply) => {
          // A script that was sent before this command was not run before it: what was read may be older than what it wrote.
          if (reloading) return reloading.then(send);
          return reply;
        });
      return breaker.run(sendInOrder, read);
    },

    script(script, keys, args, read) {
      const sendName = () => client.evalshaBuffer(script.sha1, keys.length, ...keys, ...args);
      const send = () =>
        sendName().then(
          (reply) => (reloading && script.changes === "nothing" ? reloading.then(sendName) : reply),
          (error: unknown) => {
            if (!isUnknownScript(error)) throw error;
            return reload(script, keys, args);
          },
        );
      return breaker.run(send, read);
    },

    masters() {
      if (!isCluster(client)) return [{ name: "", node: client as Redis }];
      return client
        .nodes("master")
        .map((node) => ({ name: `${node.options.host}:${node.options.port}`, node }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}

function ignore(): void {}
