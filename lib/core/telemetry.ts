import { assertOptions } from "../check-options.ts";
import { ConfigError } from "../errors.ts";
import type { RecordStore } from "../storage/record-store.ts";
import type { AuthEvent } from "./events.ts";
import { messageOf } from "./redact.ts";

/** Names of what is measured, with values of which there are few: never a user, an address, a key or a token. */
export type TelemetryAttributes = Readonly<Record<string, string | number | boolean>>;

/** What measures the kit at work: `openTelemetry({ tracer, meter })`, or the application's own. When it fails, the work goes on. */
export interface Telemetry {
  /** Runs `work`, and gives back what it gives. `name` tells what kind of work it is: `latchkey.store`, `latchkey.password.hash`, ... */
  span<T>(name: SpanName, attributes: TelemetryAttributes, work: () => Promise<T>): Promise<T>;
  /** Counts an event. */
  count(event: AuthEvent): void;
}

/**
 * The work that is measured: operations of the store, hashing and comparing of passwords (waiting for a turn included), tries to send
 * mail, and what a strategy does for one request.
 */
export type SpanName =
  "latchkey.store" | "latchkey.password.hash" | "latchkey.password.verify" | "latchkey.email.send" | "latchkey.strategy";

/** Measures nothing. */
export const noTelemetry: Telemetry = { span: (_name, _attributes, work) => work(), count: () => {} };

/** @throws {ConfigError} unless it is absent or can measure. */
export function resolveTelemetry(telemetry: Telemetry | undefined): Telemetry {
  if (telemetry === undefined) return noTelemetry;
  assertOptions("telemetry", telemetry, Object.keys(telemetry ?? {}));
  const { span, count } = telemetry;
  if (typeof span !== "function" || typeof count !== "function")
    throw new ConfigError("telemetry", "give an object with span() and count(), such as openTelemetry({ tracer, meter })");
  return harmless(telemetry);
}

/** It is somebody else's code: whatever it does or throws, `work` runs once, and what that gives is given back. The process is warned, once. */
function harmless(telemetry: Telemetry): Telemetry {
  let warned = false;
  const warn = (error: unknown) => {
    if (!warned) process.emitWarning(`latchkey: telemetry failed: ${messageOf(error)}`);
    warned = true;
  };
  return {
    span<T>(name: SpanName, attributes: TelemetryAttributes, work: () => Promise<T>) {
      let result: Promise<T> | undefined;
      const once = () => (result ??= Promise.resolve().then(work));
      const measure = async () => telemetry.span(name, attributes, once);
      measure().catch((error: unknown) =>
        once().then(
          () => warn(error),
          (own: unknown) => (own === error ? undefined : warn(error)),
        ),
      );
      return once();
    },
    count(event) {
      try {
        telemetry.count(event);
      } catch (error) {
        warn(error);
      }
    },
  };
}

/** A store each of whose operations is measured; the same store when nothing is. */
export function measuredStore(store: RecordStore, telemetry: Telemetry): RecordStore {
  if (telemetry === noTelemetry) return store;
  const measured = <T>(operation: string, collection: string | null, work: () => Promise<T>) =>
    telemetry.span(
      "latchkey.store",
      {
        "db.system.name": store.name,
        "db.operation.name": operation,
        ...(collection === null ? {} : { "db.collection.name": collection }),
      },
      work,
    );
  return {
    ...store,
    get: (from, key) => measured("get", from.name, () => store.get(from, key)),
    list: (from, partition) => measured("list", from.name, () => store.list(from, partition)),
    find: (from, lookup, value, page) => measured("find", from.name, () => store.find(from, lookup, value, page)),
    take: (from, key) => measured("take", from.name, () => store.take(from, key)),
    commit: (writes) => measured("commit", writes[0]?.in.name ?? null, () => store.commit(writes)),
    count: (counter, change) => measured("count", null, () => store.count(counter, change)),
    scan: (from, page) => measured("scan", from.name, () => store.scan(from, page)),
    sweep: (options) => measured("sweep", null, () => store.sweep(options)),
  };
}
