export { openTelemetry, type OpenTelemetryOptions } from "./open-telemetry.ts";
export type { MeterLike, SpanLike, TracerLike } from "./api.ts";
