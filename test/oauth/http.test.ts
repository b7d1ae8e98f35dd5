import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isLoopback } from "../../lib/loopback.ts";
import { createLanes, providerFetch, type ProviderHttp } from "../../lib/oauth/http.ts";

let server: Server;
let answer: RequestListener;
let url: string;
let hits = 0;

beforeAll(async () => {
  server = createServer((req, res) => {
    hits += 1;
    answer(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
});

afterAll(() => {
  server.close();
  server.closeAllConnections();
});

function ask(to: string, http: Partial<ProviderHttp> = {}, signal?: AbortSignal) {
  const bounded = providerFetch({ fetch: (...args) => fetch(...args), plainHttp: "loopback", ...http });
  return bounded(to, { method: "POST", headers: { "x-test": "1" }, body: "a=1", redirect: "manual", ...(signal ? { signal } : {}) });
}

describe("requests to a provider", () => {
  it("carry method, headers and body, and bring status, headers and body", async () => {
    answer = (req, res) => {
      res.writeHead(201, { "x-reply": `${req.method} ${req.headers["x-test"]}` });
      req.pipe(res);
    };

    const response = await ask(url);

    expect([response.status, response.headers.get("x-reply"), await response.text()]).toEqual([201, "POST 1", "a=1"]);
  });

  it("take an answer without a body", async () => {
    answer = (_req, res) => res.writeHead(204).end();

    expect((await ask(url)).status).toBe(204);
  });

  it("follow no redirect, so that a secret goes nowhere else", async () => {
    answer = (_req, res) => res.writeHead(307, { location: url }).end();
    hits = 0;

    await expect(ask(url)).rejects.toMatchObject({ code: "invalid_provider_response" });
    expect(hits).toBe(1);
  });

  it.each([
    ["that says its length", { "content-length": String(2 * 1024 * 1024) }],
    ["that does not", { "transfer-encoding": "chunked" }],
  ])("refuse an answer of 2 MB %s", async (_, headers) => {
    let closed = false;
    answer = (_req, res) => {
      res.on("close", () => (closed = true));
      res.writeHead(200, headers);
      res.write("x".repeat(1024 * 1024));
      res.write("x".repeat(1024 * 1024));
      setTimeout(() => res.end(), 2000).unref();
    };

    await expect(ask(url)).rejects.toMatchObject({ code: "invalid_provider_response" });
    await expect.poll(() => closed).toBe(true);
  });

  it("take an answer of exactly 1 MB", async () => {
    answer = (_req, res) => res.end("x".repeat(1024 * 1024));

    expect((await (await ask(url)).text()).length).toBe(1024 * 1024);
  });

  it.each([
    ["before it answers", () => {}],
    ["in the middle of its answer", (_req, res) => void res.writeHead(200).write("{")],
  ] satisfies [string, RequestListener][])("give a provider up that stalls %s", async (_, stall) => {
    answer = stall;

    await expect(ask(url, { timeout: 0.1 })).rejects.toMatchObject({
      code: "provider_unavailable",
      message: "The provider took too long to answer",
    });
  });

  it("give up even when what makes them minds no signal", async () => {
    await expect(ask(url, { timeout: 0.05, fetch: () => new Promise(() => {}) })).rejects.toMatchObject({ code: "provider_unavailable" });
  });

  it("end with the caller's signal", async () => {
    answer = () => {};

    await expect(ask(url, {}, AbortSignal.timeout(20))).rejects.toMatchObject({ code: "provider_unavailable" });
  });

  it("say when nobody is there", async () => {
    await expect(ask("http://127.0.0.1:1/")).rejects.toMatchObject({
      code: "provider_unavailable",
      message: "The provider cannot be reached",
    });
  });

  it("go by https, or by http to this machine for a provider that lives here", async () => {
    const fetch = async () => new Response("ok");

    expect(await (await ask("https://id.example/", { fetch, plainHttp: "none" })).text()).toBe("ok");
    expect(await (await ask("http://localhost:1/", { fetch })).text()).toBe("ok");
    expect(await (await ask("http://id.example/", { fetch, plainHttp: "all" })).text()).toBe("ok");
    await expect(ask("http://localhost:1/", { fetch, plainHttp: "none" })).rejects.toMatchObject({ code: "invalid_provider_response" });
    await expect(ask("http://id.example/", { fetch })).rejects.toMatchObject({ code: "invalid_provider_response" });
    await expect(ask("file:///etc/passwd", { fetch, plainHttp: "all" })).rejects.toMatchObject({ code: "invalid_provider_response" });
  });
});

describe("the lanes of requests to one provider", () => {
  it("rule 43: let so many under way, and the next in when one is over, however it ended", async () => {
    const lanes = createLanes(2);
    const open: ((response: Response | Error) => void)[] = [];
    const fetch = () =>
      new Promise<Response>((resolve, reject) => open.push((outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome))));
    const asked = [1, 2, 3, 4].map(() => ask(url, { lanes, fetch }).then(({ status }) => status, () => "failed")); // prettier-ignore
    await expect.poll(() => open.length).toBe(2);

    open[0]?.(new Error("reset"));
    await expect.poll(() => open.length).toBe(3);
    open[1]?.(new Response("x".repeat(10)));
    await expect.poll(() => open.length).toBe(4);
    for (const end of open.slice(2)) end(new Response("ok"));

    expect(await Promise.all(asked)).toEqual(["failed", 200, 200, 200]);
  });

  it("rule 43: keep nobody in line beyond the deadline, and no place for who gave up", async () => {
    const lanes = createLanes(1);
    const leave = await lanes.enter(AbortSignal.timeout(10_000));

    await expect(ask(url, { lanes, timeout: 0.05 })).rejects.toMatchObject({ code: "provider_unavailable" });
    leave();
    leave(); // once
    const next = await lanes.enter(AbortSignal.timeout(10_000));

    await expect(lanes.enter(AbortSignal.timeout(20))).rejects.toBeDefined();
    await expect(lanes.enter(AbortSignal.abort())).rejects.toBeDefined();
    next();
    await lanes.enter(AbortSignal.timeout(10_000));
  });
});

describe("a loopback host", () => {
  it("is one by its whole name", () => {
    expect(["localhost", "app.localhost", "127.0.0.1", "127.9.9.9", "[::1]"].filter((host) => !isLoopback(host))).toEqual([]);
    expect(["localhost.example", "127.0.0.1.example", "1127.0.0.1", "[::2]", "0.0.0.0"].filter(isLoopback)).toEqual([]);
  });
});
