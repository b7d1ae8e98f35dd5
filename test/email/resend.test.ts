import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { Resend } from "resend";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resendTransport, type ResendTransportOptions } from "../../lib/email/resend.ts";
import { EmailDeliveryError, type EmailMessage } from "../../lib/email/transport.ts";

const API_KEY = "re_N0tAReal1_KeyForTestsOnly";
const from = "Acme <login@acme.com>";
const message: EmailMessage = {
  to: "ada@example.com",
  subject: "Your sign-in code for Acme",
  text: "Your code: 1234 5678",
  html: "<p>1234 5678</p>",
  idempotencyKey: "magic-code-1",
};

/** Speaks as api.resend.com does. */
const requests: { method: string | undefined; url: string | undefined; headers: IncomingHttpHeaders; body: unknown }[] = [];
let answer: RequestListener;
const accept: RequestListener = (_req, res) => json(res, 200, { id: "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794" });
const json = (res: Parameters<RequestListener>[1], status: number, body: unknown, headers = {}) =>
  void res.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
const server = createServer(async (req, res) => {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  requests.push({ method: req.method, url: req.url, headers: req.headers, body: JSON.parse(Buffer.concat(chunks).toString()) });
  answer(req, res);
});
let client: Resend;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  client = new Resend(API_KEY, { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => {
  requests.length = 0;
  answer = accept;
});

const failure = (sending: Promise<void>): Promise<EmailDeliveryError> =>
  sending.then(
    () => expect.fail("it was sent"),
    (error: unknown) => {
      expect(error).toBeInstanceOf(EmailDeliveryError);
      return error as EmailDeliveryError;
    },
  );

describe("mail by Resend", () => {
  it("is posted with its sender, its parts and its idempotency key", async () => {
    await resendTransport({ client, from }).send(message);

    const { to, subject, text, html } = message;
    expect(requests).toMatchObject([
      {
        method: "POST",
        url: "/emails",
        headers: { authorization: `Bearer ${API_KEY}`, "idempotency-key": "magic-code-1" },
        body: { from, to, subject, text, html },
      },
    ]);
  });

  it("goes as plain text where there is no HTML", async () => {
    const { html: _, ...plain } = message;

    await resendTransport({ client, from }).send(plain);

    expect(requests[0]?.body).not.toHaveProperty("html");
  });

  it("keeps its idempotency key when it is sent again", async () => {
    const transport = resendTransport({ client, from });
    answer = (_req, res) => json(res, 500, { statusCode: 500, name: "internal_server_error", message: "Sorry" });
    await failure(transport.send(message));
    answer = accept;

    await transport.send(message);

    expect(requests.map(({ headers }) => headers["idempotency-key"])).toEqual(["magic-code-1", "magic-code-1"]);
    expect(requests[1]?.body).toEqual(requests[0]?.body);
  });

  it.each([
    [429, "rate_limit_exceeded", true],
    [500, "internal_server_error", true],
    [503, "application_error", true],
    [409, "concurrent_idempotent_requests", true],
    [409, "invalid_idempotent_request", false],
    [400, "validation_error", false],
    [401, "missing_api_key", false],
    [403, "validation_error", false],
    [422, "invalid_from_address", false],
  ])("that is answered %i %s: retryable %s", async (statusCode, name, retryable) => {
    answer = (_req, res) => json(res, statusCode, { statusCode, name, message: "The reason" });

    const error = await failure(resendTransport({ client, from }).send(message));

    expect(error).toMatchObject({ code: "email_delivery_failed", retryable, message: `Resend answered ${statusCode} ${name}: The reason` });
  });

  it("waits as long as Resend says", async () => {
    answer = (_req, res) => json(res, 429, { statusCode: 429, name: "rate_limit_exceeded", message: "Slow down" }, { "retry-after": "7" });

    expect(await failure(resendTransport({ client, from }).send(message))).toMatchObject({ retryable: true, retryAfter: 7 });
  });

  it.each([
    ["null", (_req, res) => json(res, 502, null)],
    ["JSON of somebody else", (_req, res) => json(res, 502, { oops: true })],
    ["no JSON", (_req, res) => void res.writeHead(502).end("<h1>Bad gateway</h1>")],
    ["success without an id's object", (_req, res) => json(res, 200, null)],
  ] satisfies [string, RequestListener][])("is not taken for sent when the answer is %s", async (_, listener) => {
    answer = listener;

    expect(await failure(resendTransport({ client, from }).send(message))).toMatchObject({ retryable: true });
  });

  it("may be sent again when nobody answers at all", async () => {
    const away = new Resend(API_KEY, { baseUrl: "http://127.0.0.1:1" });

    const error = await failure(resendTransport({ client: away, from }).send(message));

    expect(error).toMatchObject({ retryable: true, message: "Resend could not be reached" });
  });

  it("is given up for now when Resend takes too long, and the request is ended", async () => {
    const ended = new Promise<void>((resolve) => (answer = (_req, res) => void res.on("close", resolve)));

    const error = await failure(resendTransport({ client, from, timeout: 0.05 }).send(message));
    await ended;

    expect(error).toMatchObject({ retryable: true, message: "Resend did not answer within 0.05 s" });
  });

  it("is given up for now with a client that minds no signal", async () => {
    const stuck = { emails: { send: () => new Promise<never>(() => {}) } };

    expect(await failure(resendTransport({ client: stuck, from, timeout: 0.05 }).send(message))).toMatchObject({ retryable: true });
  });

  it("may be sent again when the client throws, whose words stay behind", async () => {
    const broken = { emails: { send: () => Promise.reject(new Error(`no way to ada@example.com with ${API_KEY}`)) } };

    const error = await failure(resendTransport({ client: broken, from }).send(message));

    expect(error).toMatchObject({ retryable: true, message: "Resend could not be reached: no way to [address] with [redacted]" });
    expect(error.cause).toBeUndefined();
  });

  it("rule 42: tells in its error neither address, code nor key", async () => {
    const words = `${message.to} is not you@acme.com; ${message.text} at https://acme.com/x?t=abc, key ${API_KEY}\r\nX: y`;
    answer = (_req, res) => json(res, 403, { statusCode: 403, name: "validation_error", message: words });

    const error = await failure(resendTransport({ client, from }).send(message));

    expect(error.message).toBe(
      "Resend answered 403 validation_error: [address] is not [address]; Your code: [redacted] at [link] key [redacted] X: y",
    );
    expect(error.cause).toBeUndefined();
  });
});

describe("resendTransport", () => {
  it.each([
    [undefined, "resendTransport: give one options object"],
    [{ from }, "resendTransport.client: give a Resend client"],
    [{ client: API_KEY, from }, "resendTransport.client: give a Resend client"],
    [{ client: () => client }, "resendTransport.from: is missing"],
    [{ client: () => client, from: "Acme" }, "resendTransport.from: give one address"],
    [{ client: () => client, from, timeout: 0 }, "resendTransport.timeout: give seconds, more than 0 and up to 15"],
    [{ client: () => client, from, timeout: 60 }, "resendTransport.timeout: give seconds"],
    [{ client: () => client, form: from }, 'resendTransport.form: unknown option; did you mean "from"?'],
    [{ apiKey: API_KEY, from }, "resendTransport.apiKey: unknown option; there are: client, from, timeout"],
  ])("refuses %j", (options, text) => {
    const given =
      options && "client" in options && typeof options.client === "function" ? { ...options, client: options.client() } : options;

    expect(() => resendTransport(given as ResendTransportOptions)).toThrow(
      expect.objectContaining({ code: "config_error", message: expect.stringContaining(text) }),
    );
  });
});
