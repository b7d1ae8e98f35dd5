/** As much of OpenTelemetry's API as is used here: its own tracer and meter fit, of any version that is still in use. */
export interface TracerLike {
  startActiveSpan<T>(name: string, options: { attributes?: Record<string, string | number | boolean> }, work: (span: SpanLike) => T): T;
}

export interface SpanLike {
  setStatus(status: { code: number; message?: string }): unknown;
  setAttribute(name: string, value: string): unknown;
  end(): void;
}

export interface MeterLike {
  createCounter(
    name: string,
    options: { description: string; unit: string },
  ): {
    add(value: number, attributes: Record<string, string | number | boolean>): void;
  };
  createHistogram(
    name: string,
    options: { description: string; unit: string; advice: { explicitBucketBoundaries: number[] } },
  ): {
    record(value: number, attributes: Record<string, string | number | boolean>): void;
  };
}
