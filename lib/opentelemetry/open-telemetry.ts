import { assertOptions } from "../check-options.ts";
import { ConfigError } from "../errors.ts";
import type { AuthEvent } from "../core/events.ts";
import type { SpanName, Telemetry, TelemetryAttributes } from "../core/telemetry.ts";
import type { MeterLike, SpanLike, TracerLike } from "./api.ts";

export interface OpenTelemetryOptions {
  /** `trace.getTracer("latchkey")`. Without it there are no spans. */
  readonly tracer?: TracerLike | undefined;
  /** `metrics.getMeter("latchkey")`. Without it there are no metrics. */
  readonly meter?: MeterLike | undefined;
}

/** OpenTelemetry's `SpanStatusCode.ERROR`. */
const ERROR = 2;

/** Seconds; of OpenTelemetry's conventions for database and HTTP clients. */
const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** What of an event's details is told: words of which there are few. */
const TOLD = ["method", "code", "reason", "provider", "limit", "purpose", "kind", "final", "operation", "collection"] as const;

/**
 * Spans and metrics of latchkey's work, for `createAuth({ telemetry })`:
 * - a span, and a duration in the histogram `latchkey.operation.duration` (s), for each operation of the store, password hashed or
 *   compared, mail sent and strategy run, named as `latchkey.store get`;
 * - the counter `latchkey.events`, with the event's name as `event.name` and its `method`, `code`, `reason`, `provider`, ...
 *
 * No user, address, key or token is told: how many values an attribute has does not grow with the users.
 *
 * @throws {ConfigError} when an option is not what OpenTelemetry's API gives.
 * @example
 * import { metrics, trace } from "@opentelemetry/api";
 * const telemetry = openTelemetry({ tracer: trace.getTracer("latchkey"), meter: metrics.getMeter("latchkey") });
 * @see https://opentelemetry.io/docs/specs/semconv/database/
 */
export function openTelemetry(options: OpenTelemetryOptions): Telemetry {
  assertOptions("openTelemetry", options, ["tracer", "meter"]);
  const { tracer, meter } = options;
  if (tracer !== undefined && typeof tracer?.startActiveSpan !== "function")
    throw new ConfigError("openTelemetry.tracer", 'give a tracer, such as trace.getTracer("latchkey")');
  if (meter !== undefined && (typeof meter?.createCounter !== "function" || typeof meter.createHistogram !== "function"))
    throw new ConfigError("openTelemetry.meter", 'give a meter, such as metrics.getMeter("latchkey")');
  if (!tracer && !meter) throw new ConfigError("openTelemetry", "give a tracer, a meter, or both");

  const events = meter?.createCounter("latchkey.events", { description: "What happened, by kind", unit: "{event}" });
  const durations = meter?.createHistogram("latchkey.operation.duration", {
    ...{ description: "How long stores, hashing, mail and strategies took", unit: "s" },
    advice: { explicitBucketBoundaries: BUCKETS },
  });

  const timed = async <T>(name: SpanName, attributes: TelemetryAttributes, work: () => Promise<T>): Promise<T> => {
    if (!durations) return work();
    const started = performance.now();
    let failure: Record<string, string> = {};
    try {
      return await work();
    } catch (error) {
      failure = { "error.type": typeOf(error) };
      throw error;
    } finally {
      durations.record((performance.now() - started) / 1000, { "latchkey.operation": name, ...attributes, ...failure });
    }
  };

  return {
    span(name, attributes, work) {
      if (!tracer) return timed(name, attributes, work);
      const operation = attributes["db.operation.name"] ?? attributes["latchkey.provider"];
      return tracer.startActiveSpan(operation === undefined ? name : `${name} ${operation}`, { attributes }, (span) =>
        ended(span, timed(name, attributes, work)),
      );
    },
    count: (event) => events?.add(1, { "event.name": event.type, ...toldOf(event) }),
  };
}

async function ended<T>(span: SpanLike, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    // What an error says may quote what somebody sent; its type does not.
    span.setAttribute("error.type", typeOf(error));
    span.setStatus({ code: ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** An error's stable code, or its class. */
function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

function toldOf({ details }: AuthEvent): Record<string, string | boolean> {
  const all = details as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    TOLD.flatMap((name) => (typeof all[name] === "string" || typeof all[name] === "boolean" ? [[name, all[name]]] : [])),
  );
}
