import { SpanStatusCode } from "@opentelemetry/api";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import request from "supertest";
import { afterEach, describe, expect, it, vi } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { EmailDeliveryError } from "../../lib/email/transport.ts";
import { StorageError } from "../../lib/errors.ts";
import { openTelemetry } from "../../lib/opentelemetry/index.ts";
import { requireAuth } from "../../lib/index.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

function observers() {
  const spans = new InMemorySpanExporter();
  const tracing = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const metering = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 3_600_000 })],
  });
  ends.push(
    () => tracing.shutdown(),
    () => metering.shutdown(),
  );
  return {
    tracer: tracing.getTracer("latchkey"),
    meter: metering.getMeter("latchkey"),
    spans: () => spans.getFinishedSpans(),
    /** Attributes and value of each point of a metric. */
    async points(name: string) {
      await metering.forceFlush();
      const last = metrics.getMetrics().at(-1);
      const found = last?.scopeMetrics.flatMap((scope) => scope.metrics).find(({ descriptor }) => descriptor.name === name);
      return found?.dataPoints.map(({ attributes, value }) => ({ attributes, value: value as unknown })) ?? [];
    },
  };
}

async function start(parts: Parameters<typeof openTelemetry>[0], options: Parameters<typeof startApp>[0] = {}) {
  const app = await startApp({
    passwords: { requireConfirmedEmail: false },
    ...options,
    telemetry: openTelemetry(parts),
    routes: (to) => void to.get("/me", requireAuth(), (_req, res) => void res.end()),
  });
  ends.push(() => app.close());
  return app;
}

const fail = (): never => {
  throw new Error("the collector is away");
};
const tracing = (faulty: object) => {
  const processor = { onStart: () => {}, onEnd: () => {}, shutdown: async () => {}, forceFlush: async () => {}, ...faulty };
  return new BasicTracerProvider({ spanProcessors: [processor] }).getTracer("latchkey");
};

const both = ({ tracer, meter }: ReturnType<typeof observers>) => ({ tracer, meter });

const ada = { email: "ada@example.com", password: "correct horse battery staple" };

describe("openTelemetry", () => {
  it("gives a span to each operation of the store, each password and each mail, and no secret to any", async () => {
    const seen = observers();
    const app = await start(both(seen));
    const agent = request.agent(app.url);
    await agent.post("/auth/sign-up").send(ada).expect(200);
    await agent.post("/auth/sign-in").send(ada).expect(200);
    await request(app.url).post("/auth/sign-in").send({ ...ada, password: "wrong password, this" }).expect(401); // prettier-ignore
    await agent.post("/auth/magic/send").send({ email: ada.email }).expect(200);
    await app.mailbox.waitForCode(ada.email);
    await expect.poll(() => seen.spans().filter(({ name }) => name === "latchkey.email.send").length).toBe(1);

    const names = new Set(seen.spans().map(({ name }) => name));
    for (const name of ["latchkey.store get", "latchkey.store commit", "latchkey.password.hash", "latchkey.password.verify"])
      expect(names).toContain(name);
    const store = seen.spans().find(({ name }) => name === "latchkey.store find" || name === "latchkey.store get");
    expect(store?.attributes).toMatchObject({ "db.system.name": "memory", "db.operation.name": expect.any(String) as string });
    const told = JSON.stringify(seen.spans().map(({ name, attributes, events, status }) => ({ name, attributes, events, status })));
    expect(told).not.toMatch(/ada@|correct horse|wrong password/);
  });

  it("gives a guarded request one span, of its one read", async () => {
    const seen = observers();
    const app = await start(both(seen));
    const { token } = await app.auth.sessions.create({ userId: "alice", transport: "token" });
    const before = seen.spans().length;
    await request(app.url).get("/me").set("authorization", `Bearer ${token}`).expect(200);
    const made = seen.spans().slice(before);
    expect(made.map(({ name, attributes }) => [name, attributes["db.collection.name"]])).toEqual([["latchkey.store get", "s"]]);
  });

  it("marks what failed, by the error's code alone", async () => {
    const seen = observers();
    const clock = createTestClock();
    const store = { ...memoryStore({ clock }), get: () => Promise.reject(new StorageError("of ada@example.com")) };
    const app = await start(both(seen), { store, clock });
    await expect(app.auth.sessions.create({ userId: "alice" })).rejects.toThrow(StorageError);
    const failed = seen.spans().find(({ status }) => status.code === SpanStatusCode.ERROR);
    expect(failed).toMatchObject({ name: "latchkey.store get", attributes: { "error.type": "storage_unavailable" } });
    expect(JSON.stringify([failed?.attributes, failed?.events, failed?.status])).not.toContain("ada@");
    expect(await seen.points("latchkey.operation.duration")).toContainEqual(
      expect.objectContaining({ attributes: expect.objectContaining({ "error.type": "storage_unavailable" }) as unknown }),
    );
  });

  it("counts events by kind, in words of which there are few", async () => {
    const seen = observers();
    const app = await start(both(seen));
    const wrong = () => request(app.url).post("/auth/sign-in").send({ ...ada, password: "wrong password, this" }).expect(401); // prettier-ignore
    await wrong();
    await wrong();
    await request(app.url).get("/auth/login/nobody-knows-this-one").expect(404);
    const points = await seen.points("latchkey.events");
    expect(points).toContainEqual({
      attributes: { "event.name": "sign_in.failed", method: "password", code: "invalid_credentials" },
      value: 2,
    });
    expect(JSON.stringify(points)).not.toMatch(/ada@|nobody-knows/);
  });

  it("measures how long it took, without a tracer too", async () => {
    const seen = observers();
    const app = await start({ meter: seen.meter });
    await app.auth.sessions.create({ userId: "alice" });
    expect(seen.spans()).toEqual([]);
    const points = await seen.points("latchkey.operation.duration");
    const commit = points.find(({ attributes }) => attributes["db.operation.name"] === "commit");
    expect(commit).toMatchObject({ attributes: { "latchkey.operation": "latchkey.store" }, value: { count: 1 } });
  });

  it("tells of a mail that could not be sent", async () => {
    const seen = observers();
    const email = { send: () => Promise.reject(new EmailDeliveryError("no such address", { retryable: false })) };
    const app = await start({ tracer: seen.tracer }, { email });
    await request(app.url).post("/auth/magic/send").send({ email: ada.email }).expect(200);
    await expect.poll(() => seen.spans().find(({ name }) => name === "latchkey.email.send")?.status.code).toBe(SpanStatusCode.ERROR);
  });

  it.each<[string, Parameters<typeof openTelemetry>[0]]>([
    ["a span processor that throws at the start", { tracer: tracing({ onStart: fail }) }],
    ["a span processor that throws at the end", { tracer: tracing({ onEnd: fail }) }],
    ["instruments that throw", { meter: { createCounter: () => ({ add: fail }), createHistogram: () => ({ record: fail }) } }],
  ])("leaves the work as it is, done once, with %s", async (_, parts) => {
    const warned = vi.spyOn(process, "emitWarning").mockReturnValue();
    const app = await start(parts);
    const agent = request.agent(app.url);
    await agent.post("/auth/sign-up").send(ada).expect(200);
    expect(await app.auth.sessions.count()).toBe(1);
    await agent.post("/auth/sign-out").send({}).expect(200);
    await request(app.url).post("/auth/sign-in").send({ ...ada, password: "wrong password, this" }).expect(401); // prettier-ignore
    const told = warned.mock.calls.map(([text]) => text).filter((text) => typeof text === "string" && text.includes("telemetry"));
    warned.mockRestore();
    expect(told).toEqual(["latchkey: telemetry failed: the collector is away"]);
  });

  it("waits for no telemetry that takes its time, and runs the work without it", async () => {
    const never = new Promise<never>(() => {});
    const app = await startApp({ telemetry: { span: () => never, count: () => {} } });
    ends.push(() => app.close());
    await request(app.url).post("/auth/guest").send({}).expect(200);
    await request(app.url).get("/auth/me").set("cookie", "sid=x").expect(401);
  });

  it("refuses what is no tracer and no meter, naming the option", () => {
    expect(() => openTelemetry({})).toThrow("openTelemetry: give a tracer");
    expect(() => openTelemetry({ tracer: {} as never })).toThrow("openTelemetry.tracer");
    expect(() => openTelemetry({ meter: {} as never })).toThrow("openTelemetry.meter");
    expect(() => openTelemetry({ trace: {} } as never)).toThrow('did you mean "tracer"');
  });
});
