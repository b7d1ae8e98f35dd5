import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { httpTransport, sendGridBody, type HttpTransportOptions } from "../../lib/email/http.ts";
import { EmailDeliveryError, type EmailMessage } from "../../lib/email/transport.ts";

const from = "Acme <login@acme.com>";
const apiKey = "SG.n0tARealKey_forTests";
const message: EmailMessage = {
  to: "ada@example.com",
  subject: "Your sign-in code for Acme",
  text: "Your code: 1234 5678",
  html: "<p>1234 5678</p>",
  idempotencyKey: "magic-code-1",
};

const requests: { method: string | undefined; url: string | undefined; headers: IncomingHttpHeaders; body: unknown }[] = [];
let answer: RequestListener;
const server = createServer(async (req, res) => {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  requests.push({ method: req.method, url: req.url, headers: req.headers, body: JSON.parse(Buffer.concat(chunks).toString()) });
  answer(req, res);
});
let url: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/send/s3cret-path`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => {
  requests.length = 0;
  answer = (_req, res) => void res.writeHead(202).end();
});

const failure = (sending: Promise<void>): Promise<EmailDeliveryError> =>
  sending.then(
    () => expect.fail("it was sent"),
    (error: unknown) => {
      expect(error).toBeInstanceOf(EmailDeliveryError);
      return error as EmailDeliveryError;
    },
  );

describe("mail to a webhook", () => {
  it("is posted as JSON, with its idempotency key and ours to get in", async () => {
    await httpTransport({ url, from, apiKey, headers: { "X-App": "acme" } }).send(message);

    expect(requests).toMatchObject([
      {
        method: "POST",
        url: "/send/s3cret-path",
        headers: {
          "content-type": "application/json",
          "idempotency-key": "magic-code-1",
          authorization: `Bearer ${apiKey}`,
          "x-app": "acme",
        },
        body: { from, ...message },
      },
    ]);
  });

  it("shows no credentials where none were given", async () => {
    await httpTransport({ url, from, apiKey: undefined }).send(message);

    expect(requests[0]?.headers).not.toHaveProperty("authorization");
  });

  it("takes the shape that its service knows", async () => {
    await httpTransport({
      url,
      from,
      headers: { "x-postmark-server-token": "token" },
      body: ({ to, subject, text }, sender) => ({ From: sender.text, To: to, Subject: subject, TextBody: text }),
    }).send(message);

    expect(requests[0]?.body).toEqual({ From: from, To: message.to, Subject: message.subject, TextBody: message.text });
  });

  it("takes SendGrid's shape, with and without a name and HTML", async () => {
    const { to, subject, text, html, idempotencyKey } = message;

    await httpTransport({ url, from, apiKey, body: sendGridBody }).send(message);
    await httpTransport({ url, from: "login@acme.com", apiKey, body: sendGridBody }).send({ to, subject, text, idempotencyKey });

    const plain = { type: "text/plain", value: text };
    const personalizations = [{ to: [{ email: to }] }];
    expect(requests.map(({ body }) => body)).toEqual([
      { personalizations, from: { email: "login@acme.com", name: "Acme" }, subject, content: [plain, { type: "text/html", value: html }] },
      { personalizations, from: { email: "login@acme.com" }, subject, content: [plain] },
    ]);
  });

  it("has a subject of one line", async () => {
    await httpTransport({ url, from }).send({ ...message, subject: "Hello\r\nBcc: eve@evil.example" });

    expect(requests[0]?.body).toMatchObject({ subject: "Hello Bcc: eve@evil.example" });
  });

  it.each([
    ["ada@example.com, eve@evil.example", "key"],
    ["ada@example.com", "key\r\nx-evil: 1"],
    ["ada@example.com", ""],
  ])("rule 16: is not sent to %j with the key %j", async (to, idempotencyKey) => {
    expect(await failure(httpTransport({ url, from }).send({ ...message, to, idempotencyKey }))).toMatchObject({ retryable: false });
    expect(requests).toEqual([]);
  });

  it.each([200, 201, 202, 204])("counts as sent when it is answered %i", async (status) => {
    answer = (_req, res) => void res.writeHead(status).end();

    await httpTransport({ url, from }).send(message);
  });

  it.each([
    [408, true],
    [425, true],
    [429, true],
    [500, true],
    [503, true],
    [400, false],
    [401, false],
    [404, false],
    [409, false],
    [422, false],
  ])("that is answered %i: retryable %s", async (status, retryable) => {
    answer = (_req, res) => void res.writeHead(status).end(`no ${message.to} ${message.text}`);

    const error = await failure(httpTransport({ url, from, apiKey }).send(message));

    expect(error).toMatchObject({ code: "email_delivery_failed", retryable, message: `The mail service answered ${status}` });
    expect(error.cause).toBeUndefined();
  });

  it.each([
    ["7", 7],
    ["Wed, 21 Oct 2037 07:28:00 GMT", undefined],
    ["-1", undefined],
    ["9999999999", undefined],
  ])("waits as long as the service says by %j", async (header, retryAfter) => {
    answer = (_req, res) => void res.writeHead(503, { "retry-after": header }).end();

    expect((await failure(httpTransport({ url, from }).send(message))).retryAfter).toBe(retryAfter);
  });

  it.each([301, 302, 303, 307, 308])("follows no redirect (%i), so that a code goes nowhere else", async (status) => {
    answer = (_req, res) => void res.writeHead(status, { location: url }).end();

    expect(await failure(httpTransport({ url, from }).send(message))).toMatchObject({ retryable: false });
    expect(requests.length).toBe(1);
  });

  it("counts as sent though the answer never ends: it is not read", async () => {
    const ended = new Promise<void>((resolve) => {
      answer = (_req, res) => void res.on("close", resolve).writeHead(200).write("x".repeat(1000));
    });

    await httpTransport({ url, from }).send(message);
    await ended;
  });

  it("is given up for now when the service never answers, and the request is ended", async () => {
    const ended = new Promise<void>((resolve) => (answer = (_req, res) => void res.on("close", resolve)));

    const error = await failure(httpTransport({ url, from, timeout: 0.05 }).send(message));
    await ended;

    expect(error).toMatchObject({ retryable: true, message: "The mail service did not answer within 0.05 s" });
  });

  it("is given up for now with a fetch that minds no signal", async () => {
    const stuck = () => new Promise<never>(() => {});

    expect(await failure(httpTransport({ url, from, timeout: 0.05, fetch: stuck }).send(message))).toMatchObject({ retryable: true });
  });

  it("may be sent again when nobody listens; the address stays out of the error", async () => {
    const error = await failure(httpTransport({ url: "http://127.0.0.1:1/s3cret-path", from }).send(message));

    expect(error.retryable).toBe(true);
    expect(error.message).toMatch(/^The mail service could not be reached: [\w ]+$/);
    expect(`${error.message} ${error.stack}`).not.toContain("s3cret-path");
  });

  it("may be sent again when the service hangs up", async () => {
    answer = (req) => void req.socket.destroy();

    expect(await failure(httpTransport({ url, from }).send(message))).toMatchObject({ retryable: true });
  });

  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error(`bad template for ${message.to}`);
      },
    ],
    ["makes nothing", () => undefined],
    ["makes what is no JSON", () => 1n],
  ])("is given up when its body function %s", async (_, body) => {
    const error = await failure(httpTransport({ url, from, body }).send(message));

    expect(error.retryable).toBe(false);
    expect(error.message).toMatch(/^httpTransport\.body /);
    expect(error.message).not.toContain(message.to);
  });
});

describe("httpTransport", () => {
  const https = "https://mail.example.com/send";

  it("takes https, http on this machine, and other http only when told so", () => {
    expect(() => httpTransport({ url: https, from })).not.toThrow();
    expect(() => httpTransport({ url: "http://localhost:8025/send", from })).not.toThrow();
    expect(() => httpTransport({ url: "http://mailer.internal/send", from, allowInsecureRequests: true })).not.toThrow();
    expect(() => httpTransport({ url: "http://mailer.internal/send", from })).toThrow("httpTransport.url: is not https");
  });

  it.each<[unknown, string]>([
    [undefined, "httpTransport: give one options object"],
    [{ from }, "httpTransport.url: is missing"],
    [{ url: "", from }, "httpTransport.url: is missing"],
    [{ url: "mail.example.com", from }, "httpTransport.url: give a whole URL"],
    [{ url: "ftp://mail.example.com", from }, "httpTransport.url: give a whole URL"],
    [{ url: "https://user:pass@mail.example.com", from }, "httpTransport.url: leave user and password out"],
    [{ url: https }, "httpTransport.from: is missing"],
    [{ url: https, from: "Acme" }, "httpTransport.from: give one address"],
    [{ url: https, from, apiKey: "" }, "httpTransport.apiKey: is missing"],
    [{ url: https, from, apiKey: 7 }, "httpTransport.apiKey: give visible ASCII characters"],
    [{ url: https, from, apiKey: "key\r\nx-evil: 1" }, "httpTransport.apiKey: give visible ASCII characters"],
    [{ url: https, from, headers: [] }, "httpTransport.headers: give an object of names and values"],
    [{ url: https, from, headers: { "x key": "1" } }, 'httpTransport.headers: "x key" is no header\'s name'],
    [{ url: https, from, headers: { "x-key": undefined } }, "httpTransport.headers.x-key: is missing"],
    [{ url: https, from, headers: { "x-key": "a\nb" } }, "httpTransport.headers.x-key: give visible ASCII characters"],
    [{ url: https, from, headers: { "Content-Type": "text/plain" } }, 'httpTransport.headers: leave "Content-Type" out: it is set for you'],
    [{ url: https, from, apiKey, headers: { Authorization: "x" } }, 'httpTransport.headers: leave "Authorization" out: apiKey sets it'],
    [{ url: https, from, body: {} }, "httpTransport.body: give a function"],
    [{ url: https, from, fetch: {} }, "httpTransport.fetch: give a function"],
    [{ url: https, from, timeout: Number.NaN }, "httpTransport.timeout: give seconds"],
    [{ url: https, from, allowInsecureRequests: "yes" }, "httpTransport.allowInsecureRequests: give true or false"],
    [{ url: https, from, apikey: "x" }, 'httpTransport.apikey: unknown option; did you mean "apiKey"?'],
  ])("refuses options %#", (options, text) => {
    expect(() => httpTransport(options as HttpTransportOptions)).toThrow(
      expect.objectContaining({ code: "config_error", message: expect.stringContaining(text) }),
    );
  });

  it("names no key in its refusal", () => {
    const bad = `${apiKey}\n`;

    expect(() => httpTransport({ url: https, from, apiKey: bad })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(apiKey) }),
    );
  });
});
