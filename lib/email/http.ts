import { assertOptions } from "../check-options.ts";
import { ConfigError } from "../errors.ts";
import type { Fetch } from "../fetch.ts";
import { isLoopback } from "../loopback.ts";
import { deliver, describeError, isPassingStatus, resolveTimeout, retryAfterOf } from "./delivery.ts";
import { parseSender, type Sender } from "./sender.ts";
import { EmailDeliveryError, type EmailMessage, type EmailTransport } from "./transport.ts";

/** Options of {@link httpTransport}. */
export interface HttpTransportOptions {
  /** Where mails are posted to: https, or http on this machine. */
  url: string | undefined;
  /** The sender: `Acme <login@acme.com>`. */
  from: string | undefined;
  /** Sent as `Authorization: Bearer`. Default: none. */
  apiKey?: string | undefined;
  /** Further headers, such as `{ "x-postmark-server-token": token }`. Default: none. */
  headers?: Readonly<Record<string, string | undefined>> | undefined;
  /** Makes of a mail what is posted as JSON: {@link sendGridBody}, or your own. Default: {@link webhookBody}. */
  body?: ((message: EmailMessage, from: Sender) => unknown) | undefined;
  /** Seconds for one try, up to 15. Default: 10. */
  timeout?: number | undefined;
  /** Post over plain http beyond this machine. Anybody on the way can read the codes. Default: false. */
  allowInsecureRequests?: boolean | undefined;
  /** What makes the requests. Default: the global one. */
  fetch?: Fetch | undefined;
}

/**
 * Posts mails as JSON: to a webhook of your own, or to a mail service's API. The header `Idempotency-Key` is the same for every try of one
 * message. Any 2xx counts as accepted. Redirects are not followed, and what the service answers is not read.
 * An {@link EmailDeliveryError} is retryable for 408, 425, 429 (with its `Retry-After`), 5xx, and when nobody answered.
 *
 * @throws {ConfigError} when an option is unknown, misshapen or unsafe.
 * @example httpTransport({ url: "https://api.sendgrid.com/v3/mail/send", apiKey, from: "Acme <login@acme.com>", body: sendGridBody });
 */
export function httpTransport(options: HttpTransportOptions): EmailTransport {
  assertOptions("httpTransport", options, OPTIONS);
  const { body = webhookBody, fetch = (url, init) => globalThis.fetch(url, init) } = options;
  const url = resolveUrl(options.url, options.allowInsecureRequests ?? false);
  const from = parseSender("httpTransport.from", options.from);
  const headers = resolveHeaders(options);
  const service = { service: "The mail service", timeout: resolveTimeout("httpTransport.timeout", options.timeout) };
  if (typeof body !== "function") throw fault("body", "give a function that makes the posted JSON of a mail, such as sendGridBody");
  if (typeof fetch !== "function") throw fault("fetch", "give a function like the global fetch");

  return {
    send: (message: EmailMessage) =>
      deliver(message, service, async (mail, signal) => {
        const posted = toJson(() => body(mail, from));
        const sent = new Headers(headers);
        sent.set("idempotency-key", mail.idempotencyKey);
        const response = await fetch(url, { method: "POST", headers: sent, body: posted, redirect: "manual", signal });
        // Not awaited: once accepted, nothing may make this a failure.
        response.body?.cancel().catch(() => undefined);
        const { status } = response;
        if (status >= 200 && status < 300) return;
        const redirected = status >= 300 && status < 400 ? ", a redirect, which is not followed" : "";
        throw new EmailDeliveryError(`The mail service answered ${status}${redirected}`, {
          retryable: isPassingStatus(status),
          ...retryAfterOf(response.headers.get("retry-after")),
        });
      }),
  };
}

/** A mail as a webhook gets it: `{ from, to, subject, text, html, idempotencyKey }`. */
export function webhookBody(message: EmailMessage, from: Sender): unknown {
  const { to, subject, text, html, idempotencyKey } = message;
  return { from: from.text, to, subject, text, html, idempotencyKey };
}

/** A mail as SendGrid takes it. @see https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send */
export function sendGridBody({ to, subject, text, html }: EmailMessage, { name, address }: Sender): unknown {
  return {
    personalizations: [{ to: [{ email: to }] }],
    from: name === "" ? { email: address } : { email: address, name },
    subject,
    // Plain text must come first.
    content: [{ type: "text/plain", value: text }, ...(html === undefined ? [] : [{ type: "text/html", value: html }])],
  };
}

const OPTIONS = ["url", "from", "apiKey", "headers", "body", "timeout", "allowInsecureRequests", "fetch"];
/** Headers that are ours to set. */
const RESERVED = new Set(["content-type", "content-length", "host", "idempotency-key"]);

const fault = (option: string, fix: string) => new ConfigError(`httpTransport.${option}`, fix);

function resolveUrl(url: unknown, allowInsecureRequests: unknown): string {
  if (typeof allowInsecureRequests !== "boolean") throw fault("allowInsecureRequests", "give true or false");
  if (url === undefined || url === "")
    throw fault("url", "is missing: set it to where mails are posted to, such as https://mail.example.com/send");
  // The address may be a secret itself: messages leave it out.
  const parsed = typeof url === "string" && URL.canParse(url) ? new URL(url) : null;
  if (!parsed || !/^https?:$/.test(parsed.protocol)) throw fault("url", "give a whole URL, such as https://mail.example.com/send");
  if (parsed.username !== "" || parsed.password !== "")
    throw fault("url", "leave user and password out: give them by `apiKey` or `headers`");
  if (parsed.protocol === "http:" && !isLoopback(parsed.hostname) && !allowInsecureRequests) {
    throw fault("url", "is not https (allowInsecureRequests: true accepts that)");
  }
  return parsed.href;
}

function resolveHeaders({ apiKey, headers = {} }: HttpTransportOptions): Headers {
  if (typeof headers !== "object" || headers === null || Array.isArray(headers))
    throw fault("headers", "give an object of names and values");
  const resolved = new Headers({ "content-type": "application/json" });
  const set = (option: string, name: string, value: unknown) => {
    if (value === undefined || value === "") throw fault(option, "is missing: set it to the mail service's key");
    if (typeof value !== "string" || !VALUE.test(value)) throw fault(option, "give visible ASCII characters");
    resolved.set(name, value);
  };
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw fault("headers", `"${name}" is no header's name`);
    if (RESERVED.has(name.toLowerCase())) throw fault("headers", `leave "${name}" out: it is set for you`);
    if (apiKey !== undefined && name.toLowerCase() === "authorization") throw fault("headers", `leave "${name}" out: apiKey sets it`);
    set(`headers.${name}`, name, value);
  }
  if (apiKey !== undefined) set("apiKey", "authorization", typeof apiKey === "string" && apiKey !== "" ? `Bearer ${apiKey}` : apiKey);
  return resolved;
}

/** A header's value. @see RFC 9110 section 5.5, without what only old software sends. */
const VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

function toJson(make: () => unknown): string {
  try {
    const text: unknown = JSON.stringify(make());
    if (typeof text === "string") return text;
  } catch (error) {
    throw new EmailDeliveryError(`httpTransport.body failed: ${describeError(error)}`, { retryable: false });
  }
  throw new EmailDeliveryError("httpTransport.body returned nothing to post", { retryable: false });
}
