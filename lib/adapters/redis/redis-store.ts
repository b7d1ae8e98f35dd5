import { assertOptions, resolveClock } from "../../check-options.ts";
import type { Clock } from "../../clock.ts";
import { ConfigError } from "../../errors.ts";
import { assertCommit } from "../../storage/commit.ts";
import type { RecordStore, StoredRecord } from "../../storage/record-store.ts";
import { createBreaker } from "./breaker.ts";
import { announcement, createChanges } from "./changes.ts";
import { assertClient, assertSubscriber, isCluster, type RedisClient } from "./client.ts";
import { createCommands } from "./commands.ts";
import { countInWindow } from "./counter-scripts.ts";
import { commitDirectory, findInDirectory, takeFromDirectory } from "./directory-scripts.ts";
import { isExpired, readDirectoryRecord, readPartitionRecord, readPlacedRecord } from "./envelope.ts";
import { inspectRedis } from "./inspection.ts";
import { createKeys } from "./keys.ts";
import { commitPartition, takeFromPartition } from "./partition-scripts.ts";
import { scanPage } from "./scan.ts";
import { createSignatures, type SignedOptions } from "./signatures.ts";
import { signed as signedStore } from "./signed.ts";
import { createSweep } from "./sweep.ts";
import { directoryCall, partitionCall } from "./writes.ts";

export type { RedisClient } from "./client.ts";

/** Options of {@link redisStore}. */
export interface RedisStoreOptions {
  /**
   * The application's ioredis 6 client, `Redis` or `Cluster`. It must read from masters, without a `keyPrefix`. How soon a lost
   * connection is tried again is the client's to say, and its default backs off to 5 s: {@link clientOptions} suit.
   */
  client: RedisClient;
  /** A connection for announcements. Default: the first `watch` makes one like `client`, which `close` ends. */
  subscriber?: RedisClient | undefined;
  /** What all keys begin with. Default: `lk:`. Nothing else may use it. */
  prefix?: string | undefined;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock | undefined;
  /** Deadline of a command, ms. Default: 500. */
  timeout?: number | undefined;
  /** Ends every record in a MAC, so that who can write to Redis cannot grant themselves anything: see {@link redisStore}. Default: off. */
  signed?: SignedOptions | undefined;
}

/**
 * Keeps records in Redis 6.2 or newer, or Valkey: a server, a master watched by sentinels, or a Cluster. Each read is one
 * command, each change of state one script. What one partition holds is one hash; a Cluster spreads partitions over its slots,
 * and keeps all directory collections in one of them: a directory that outgrows a node belongs in SQL.
 *
 * Every operation rejects with a {@link StorageError} within the deadline, at once while Redis is known to be away, and works
 * again within 250 ms of the client being ready.
 * A record that cannot be read is refused with one too, and kept: by whatever reads it, and in a partition by lists and caps that meet it;
 * a scan leaves it out and counts it. Sweeps pass it by, inserts beside it succeed, a clear or an unversioned delete of its partition's record
 * removes it.
 * Of a Cluster set `cluster-require-full-coverage no`, so that its other masters go on while one is replaced.
 * Set `maxmemory-policy noeviction` or a `volatile-` one: records that never expire must stay.
 *
 * With `signed`, prefix, collection, partition, id, expiry, lookups and value of every record are covered by a MAC, and what fails it is refused with a
 * {@link StorageError}, reported and kept. Who can write to Redis, and has not the key, cannot change a record, make one, move one to another
 * id, owner or collection, give it a longer life or let another lookup lead to it. They can still put an older state of a record back into its
 * own place, such as roles that were taken away since, change versions and the order of insertion, remove records, which lets in whom a missing
 * principal no longer keeps out, and change counters, which limits go by. It costs 22 bytes a record, and no commands: a `take` of what is refused
 * puts it back, at version 1. Switch it on with an empty `prefix`, as records without a MAC are refused. Rotate by putting a new secret first;
 * the old one is needed until nothing is left that it signed.
 *
 * @throws {ConfigError} now rather than per request, when an option is unknown or the client reads from replicas.
 * @example redisStore({ client: new Redis(url, clientOptions) })
 */
export function redisStore(options: RedisStoreOptions): RecordStore {
  assertOptions("redisStore", options, ["client", "subscriber", "prefix", "clock", "timeout", "signed"]);
  const { client, subscriber, prefix = "lk:", timeout = 500 } = options;
  const clock = resolveClock("redisStore.clock", options.clock);
  assertClient(client);
  assertSubscriber(subscriber);
  if (typeof prefix !== "string" || prefix === "") throw new ConfigError("redisStore.prefix", 'give text, such as "lk:"');
  if (typeof timeout !== "number" || !(timeout > 0)) throw new ConfigError("redisStore.timeout", "give a number of milliseconds above 0");
  const signatures = options.signed === undefined || options.signed === null ? null : createSignatures(options.signed, prefix);
  const keys = createKeys(prefix);
  const breaker = createBreaker(client, timeout);
  const commands = createCommands(client, breaker);
  const changes = createChanges(client, subscriber, keys.channel, timeout);
  const now = () => Math.floor(clock.now());
  const sweep = createSweep({ client, commands, keys, now });

  const live = (record: StoredRecord | null): StoredRecord | null => (record && !isExpired(record, now()) ? record : null);

  const store: RecordStore = {
    name: "redis",
    persistent: true,
    keepsExpired: false,
    ordered: !isCluster(client),

    get(from, { partition, id }) {
      if (from.kind === "directory") {
        const key = keys.record(from, id);
        return commands.read(
          () => client.getBuffer(key),
          (bytes) => live(bytes && readDirectoryRecord(id, bytes)),
        );
      }
      const key = keys.partition(from, partition);
      return commands.read(
        () => client.hgetBuffer(key, id),
        (bytes) => live(bytes && readPartitionRecord({ partition, id }, bytes)),
      );
    },

    async list(from, partition) {
      if (from.kind !== "partitioned") throw new ConfigError("list", `"${from.name}" is a directory: use find`);
      const key = keys.partition(from, partition);
      return commands.read(
        () => client.hgetallBuffer(key),
        (fields) =>
          Object.entries(fields)
            .map(([id, bytes]) => readPlacedRecord({ partition, id }, bytes))
            .filter(({ record }) => !isExpired(record, now()))
            .sort((a, b) => a.order - b.order)
            .map(({ record }) => record),
      );
    },

    async find(from, lookup, value, { limit = 100, after } = {}) {
      const kind = from.kind === "directory" ? from.lookups[lookup] : undefined;
      if (!kind) throw new ConfigError("find", `"${from.name}" has no lookup "${lookup}"`);
      const args = [String(now()), keys.prefix, keys.directory(from), kind, String(limit), after === undefined ? "-" : `(${after}`];
      return commands.script(findInDirectory, [keys.lookup(from, kind, lookup, value)], args, (reply) => {
        const found = reply as Buffer[];
        const records: StoredRecord[] = [];
        for (let i = 0; i + 1 < found.length; i += 2) {
          const [id, bytes] = [found[i], found[i + 1]];
          if (id && bytes && isBehind(id, after)) records.push(readDirectoryRecord(id.toString(), bytes));
        }
        return records;
      });
    },

    take(from, { partition, id }) {
      const told = announcement(from.name, partition, id);
      const common = [id, String(now()), keys.channel, told];
      if (from.kind === "directory") {
        return commands.script(takeFromDirectory, [keys.record(from, id)], [...common, keys.prefix, keys.directory(from)], (bytes) =>
          bytes === null ? null : readDirectoryRecord(id, bytes as Buffer),
        );
      }
      return commands.script(takeFromPartition, [keys.partition(from, partition)], common, (bytes) =>
        bytes === null ? null : readPartitionRecord({ partition, id }, bytes as Buffer),
      );
    },

    async commit(writes) {
      assertCommit(writes);
      const [first] = writes;
      if (!first) return true;
      const inDirectory = first.in.kind === "directory";
      const call = (inDirectory ? directoryCall : partitionCall)(keys, writes, now());
      return commands.script(inDirectory ? commitDirectory : commitPartition, call.keys, call.args, (done) => Number(done) === 1);
    },

    count(counter, { by, window, now: at }) {
      return commands.script(countInWindow, [keys.counter(counter)], [String(by), String(window * 1000), String(at)], (reply) => {
        const [count, resetAt] = reply as [number, number];
        return { count: Number(count), resetAt: Number(resetAt) };
      });
    },

    scan: (from, page = {}) => scanPage({ client, commands, keys, now }, from, page),

    sweep: ({ limit = 1000 } = {}) => sweep(limit),

    watch: changes.watch,

    async migrate() {},

    inspect: () => inspectRedis(commands, now),

    async close() {
      breaker.close();
      await changes.close();
    },
  };
  return signatures ? signedStore(store, signatures) : store;
}

/** Whether an id comes after another in the order of their bytes. */
function isBehind(id: Buffer, after: string | undefined): boolean {
  return after === undefined || Buffer.compare(id, Buffer.from(after)) > 0;
}
