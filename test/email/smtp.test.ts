import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { createTransport } from "nodemailer";
import PostalMime from "postal-mime";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { smtpTransport, type SmtpTransporter, type SmtpTransportOptions } from "../../lib/email/smtp.ts";
import { EmailDeliveryError, type EmailMessage } from "../../lib/email/transport.ts";

const from = "Acme <login@acme.com>";
const message: EmailMessage = {
  to: "ada@example.com",
  subject: "Your sign-in code for Acme",
  text: "Your code: 1234 5678",
  html: "<p>1234 5678</p>",
  idempotencyKey: "magic-code-1",
};

interface Received {
  readonly from: string | false;
  readonly to: string[];
  readonly raw: string;
}

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** A mail server of its own, and what it was given. */
async function startServer(options: SMTPServerOptions = {}, closeWith = open) {
  const mails: Received[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    logger: false,
    closeTimeout: 1,
    async onData(stream, { envelope: { mailFrom, rcptTo } }, done) {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      mails.push({ from: mailFrom && mailFrom.address, to: rcptTo.map(({ address }) => address), raw: Buffer.concat(chunks).toString() });
      done();
    },
    ...options,
  });
  server.on("error", () => {});
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  closeWith.push(() => new Promise<void>((resolve) => server.close(resolve)));
  return { mails, port: (server.server.address() as AddressInfo).port };
}

/** A server that does no more than `talk`. */
async function listen(talk: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => talk(socket.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  open.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

function transportTo(port: number, options: Partial<SmtpTransportOptions> = {}) {
  const transporter = createTransport({ host: "127.0.0.1", port, auth: { user: "acme", pass: "hunter2-hunter2" } });
  open.push(() => transporter.close());
  return smtpTransport({ transporter, from, ...options });
}

const replying = (responseCode: number, text: string) => Object.assign(new Error(text), { responseCode });

const failure = (sending: Promise<void>): Promise<EmailDeliveryError> =>
  sending.then(
    () => expect.fail("it was sent"),
    (error: unknown) => {
      expect(error).toBeInstanceOf(EmailDeliveryError);
      return error as EmailDeliveryError;
    },
  );

/** Takes anybody. */
const onAuth: SMTPServerOptions["onAuth"] = (auth, _session, done) => done(null, { user: auth.username });

describe("mail by SMTP", () => {
  // One connection for all that arrives: the server lets a client wait for its greeting.
  const atEnd: (() => unknown)[] = [];
  let transporter: SmtpTransporter;
  let all: Received[];
  beforeAll(async () => {
    const { mails, port } = await startServer({ onAuth }, atEnd);
    const pool = createTransport({ pool: true, maxConnections: 1, host: "127.0.0.1", port });
    atEnd.unshift(() => pool.close());
    [transporter, all] = [pool, mails];
  });
  afterAll(async () => {
    for (const close of atEnd) await close();
  });
  afterEach(() => {
    all.length = 0;
  });

  it("arrives with its sender, its subject and both its parts", async () => {
    await smtpTransport({ transporter, from }).send({ ...message, subject: "Ihr Code für Acme ✓" });

    expect(all).toMatchObject([{ from: "login@acme.com", to: ["ada@example.com"] }]);
    const mail = await PostalMime.parse(all[0]?.raw ?? "");
    expect(mail.from).toEqual({ name: "Acme", address: "login@acme.com" });
    expect(mail.to).toEqual([{ name: "", address: "ada@example.com" }]);
    expect(mail.subject).toBe("Ihr Code für Acme ✓");
    expect(mail.text?.trim()).toBe(message.text);
    expect(mail.html?.trim()).toBe(message.html);
  });

  it("goes as plain text where there is no HTML, from a sender without a name", async () => {
    const { html: _, ...plain } = message;

    await smtpTransport({ transporter, from: "login@acme.com" }).send(plain);

    const mail = await PostalMime.parse(all[0]?.raw ?? "");
    expect([mail.from, mail.html]).toEqual([{ name: "", address: "login@acme.com" }, undefined]);
  });

  it("carries the same Message-ID at every try of one message, and tells nothing by it", async () => {
    const transport = smtpTransport({ transporter, from });

    await Promise.all([transport.send(message), transport.send(message)]);
    await transport.send({ ...message, idempotencyKey: "magic-code-2" });

    const ids = await Promise.all(all.map(async ({ raw }) => (await PostalMime.parse(raw)).messageId));
    expect(ids[0]).toMatch(/^<[0-9a-f]{32}@acme\.com>$/);
    expect(ids[1]).toBe(ids[0]);
    expect(ids[2]).not.toBe(ids[0]);
  });

  it("has no header, and no recipient, that its subject or its sender smuggles in", async () => {
    const transport = smtpTransport({ transporter, from: '"Acme, Inc. \\"EU\\"" <login@acme.com>' });

    await transport.send({ ...message, subject: "Hello\r\nBcc: eve@evil.example\r\n\r\n<script>\u0000\u2028x" });

    expect(all[0]?.to).toEqual(["ada@example.com"]);
    const mail = await PostalMime.parse(all[0]?.raw ?? "");
    expect(mail.from?.name).toBe('Acme, Inc. "EU"');
    expect(mail.subject).toBe("Hello Bcc: eve@evil.example <script> x");
    expect(mail.headers.map(({ key }) => key)).not.toContain("bcc");
    expect(mail.text?.trim()).toBe(message.text);
  });

  it.each([
    "ada@example.com, eve@evil.example",
    "ada@example.com\r\nRCPT TO:<eve@evil.example>",
    "Ada <ada@example.com>",
    "ADA@example.com",
    "",
  ])("rule 16: goes to one canonical address, not to %j", async (to) => {
    expect(await failure(smtpTransport({ transporter, from }).send({ ...message, to }))).toMatchObject({ retryable: false });
    expect(all).toEqual([]);
  });

  it("keeps a text that looks like the end of a mail whole", async () => {
    const text = "before\n.\nQUIT\n..after";

    await smtpTransport({ transporter, from }).send({ ...message, text });

    expect((await PostalMime.parse(all[0]?.raw ?? "")).text?.trim()).toBe(text);
  });

  it("is worth another try after a 4yz reply to its content and after 503, and none after 5yz", async () => {
    const answered = async (code: number) => {
      const { port } = await startServer({
        onAuth,
        onData: (stream, _session, done) => void stream.resume().on("end", () => done(replying(code, "The reason"))),
      });
      const { code: ours, message: words, retryable } = await failure(transportTo(port).send(message));
      return [ours, words, retryable];
    };

    const codes = [421, 450, 451, 452, 503, 550, 552, 554];
    const text = (code: number) => `The mail server answered ${code}: The reason`;
    expect(await Promise.all(codes.map(answered))).toEqual(codes.map((code) => ["email_delivery_failed", text(code), code <= 503]));
  });

  it("is judged alike when its recipient is refused, whose address stays out", async () => {
    const answered = async (code: number) => {
      const { port } = await startServer({ onAuth, onRcptTo: ({ address }, _session, done) => done(replying(code, `<${address}> no`)) });
      return failure(transportTo(port).send(message));
    };

    expect(await Promise.all([450, 550].map(answered))).toMatchObject([
      { retryable: true, message: "The mail server answered 450: <[address]> no" },
      { retryable: false, message: "The mail server answered 550: <[address]> no" },
    ]);
  });

  it("is judged alike when the server does not let us in, whose password stays out", async () => {
    const answered = async (code: number) => {
      const { port } = await startServer({ onAuth: (_auth, _session, done) => done(replying(code, "No entry")) });
      return failure(transportTo(port).send(message));
    };

    expect(await Promise.all([454, 535].map(answered))).toMatchObject([
      { retryable: true, message: "The mail server answered 454: No entry" },
      { retryable: false, message: "The mail server answered 535: No entry" },
    ]);
  });

  it("may be sent again when nobody listens", async () => {
    const error = await failure(transportTo(1).send(message));

    expect(error).toMatchObject({ retryable: true });
    expect(error.message).toMatch(/^The mail could not be sent: E[A-Z]+$/);
  });

  it("may be sent again when the server hangs up in the middle", async () => {
    const port = await listen((socket) => void socket.once("data", () => socket.destroy()).write("220 mail.example ESMTP\r\n"));

    const error = await failure(transportTo(port).send(message));

    expect(error.retryable).toBe(true);
    expect(error.message).toMatch(/^The mail could not be sent: E[A-Z]+$/);
  });

  it("is given up for now when the server never speaks, and its connection is closed", async () => {
    let closed = false;
    const port = await listen((socket) => void socket.on("close", () => (closed = true)));

    const error = await failure(transportTo(port, { timeout: 0.05 }).send(message));

    expect(error).toMatchObject({ retryable: true, message: "The mail server did not answer within 0.05 s" });
    await expect.poll(() => closed).toBe(true);
  });

  it("is given up for now when the server stalls after its content", async () => {
    const { port } = await startServer({ onAuth, onData: (stream) => void stream.resume() });

    expect(await failure(transportTo(port, { timeout: 0.2 }).send(message))).toMatchObject({ retryable: true });
  });

  it("rule 42: tells in its error neither address, code nor key", async () => {
    const words = `5.7.1 ${message.to} from login@acme.com: ${message.text.trim()}, see https://x.example/?t=1 KEY9abcdefghijklmnop`;
    const { port } = await startServer({
      onAuth,
      onData: (stream, _session, done) => void stream.resume().on("end", () => done(replying(550, words))),
    });

    const error = await failure(transportTo(port).send(message));

    expect(error.message).toBe(
      "The mail server answered 550: 5.7.1 [address] from [address]: Your code: [redacted], see [link] [redacted]",
    );
    expect(error.cause).toBeUndefined();
  });

  it("is not tried again where nodemailer itself refuses", async () => {
    const transporter = { sendMail: () => Promise.reject(Object.assign(new Error("no"), { code: "EENVELOPE" })) };

    expect(await failure(smtpTransport({ transporter, from }).send(message))).toMatchObject({
      retryable: false,
      message: "The mail could not be sent: EENVELOPE",
    });
  });
});

describe("smtpTransport", () => {
  const transporter = createTransport({ host: "127.0.0.1", port: 1 });

  it("takes a transporter without a pool too", async () => {
    const { mails, port } = await startServer({ onAuth });

    await transportTo(port).send(message);

    expect(mails.length).toBe(1);
  });

  it.each<[unknown, string]>([
    [undefined, "smtpTransport: give one options object"],
    [{ from }, "smtpTransport.transporter: give a nodemailer transporter"],
    [{ transporter: "smtp://localhost", from }, "smtpTransport.transporter: give a nodemailer transporter"],
    [{ transporter }, "smtpTransport.from: is missing"],
    [{ transporter, from: "" }, "smtpTransport.from: is missing"],
    [{ transporter, from: "login@localhost" }, "smtpTransport.from: give one address"],
    [{ transporter, from: "a@acme.com, b@acme.com" }, "smtpTransport.from: give one address"],
    [{ transporter, from: "Acme <login@acme.com>\r\nBcc: eve@evil.example" }, "smtpTransport.from: give one address"],
    [{ transporter, from, timeout: "10" }, "smtpTransport.timeout: give seconds, more than 0 and up to 15"],
    [{ transporter, from, timout: 5 }, 'smtpTransport.timout: unknown option; did you mean "timeout"?'],
  ])("refuses options %#", (options, text) => {
    expect(() => smtpTransport(options as SmtpTransportOptions)).toThrow(
      expect.objectContaining({ code: "config_error", message: expect.stringContaining(text) }),
    );
  });
});
