import { assertOptions } from "../check-options.ts";
import { ConfigError } from "../errors.ts";
import { deliver, isPassingStatus, redactWords, resolveTimeout, retryAfterOf } from "./delivery.ts";
import { parseSender } from "./sender.ts";
import { EmailDeliveryError, type EmailMessage, type EmailTransport } from "./transport.ts";

/** What we need of a Resend client; `new Resend(apiKey)` fits. */
export interface ResendClient {
  readonly emails: {
    send(mail: ResendMail, options: { idempotencyKey: string; signal: AbortSignal }): Promise<ResendReply>;
  };
}

/** A mail as Resend takes it. */
export interface ResendMail {
  from: string;
  to: string;
  subject: string;
  text: string;
  html?: string;
}

/** What Resend answers: errors are returned, not thrown. */
export interface ResendReply {
  readonly data: { readonly id: string } | null;
  /** `statusCode` is `null` when nobody answered. */
  readonly error: { readonly name: string; readonly message: string; readonly statusCode?: number | null } | null;
  readonly headers?: Readonly<Record<string, string>> | null;
}

/** Options of {@link resendTransport}. */
export interface ResendTransportOptions {
  /** The application's own: `new Resend(apiKey)`. */
  client: ResendClient;
  /** The sender, on a domain that Resend has verified: `Acme <login@acme.com>`. */
  from: string | undefined;
  /** Seconds for one try, up to 15. Default: 10. */
  timeout?: number | undefined;
}

/**
 * Sends mail by Resend, with the idempotency key of each message, so that a repeated try sends once.
 * An {@link EmailDeliveryError} is retryable for 429 (with Resend's `Retry-After`), 5xx, a request with the same key still under way, and
 * when nobody answered; otherwise Resend will not take this mail.
 *
 * @throws {ConfigError} when an option is unknown or misshapen.
 * @see https://resend.com/docs/api-reference/errors
 * @example createAuth({ email: resendTransport({ client: new Resend(process.env.RESEND_API_KEY), from: "Acme <login@acme.com>" }) });
 */
export function resendTransport(options: ResendTransportOptions): EmailTransport {
  assertOptions("resendTransport", options, ["client", "from", "timeout"]);
  const { client } = options;
  if (!isClient(client)) throw new ConfigError("resendTransport.client", "give a Resend client: new Resend(apiKey)");
  const from = parseSender("resendTransport.from", options.from);
  const service = { service: "Resend", timeout: resolveTimeout("resendTransport.timeout", options.timeout) };

  return {
    send: (message: EmailMessage) =>
      deliver(message, service, async ({ to, subject, text, html, idempotencyKey }, signal) => {
        const mail = { from: from.text, to, subject, text, ...(html === undefined ? {} : { html }) };
        const reply = await client.emails.send(mail, { idempotencyKey, signal });
        if (reply.error || !reply.data) throw refusal(reply);
      }),
  };
}

/** Another request with the same key is under way: it may be ours that timed out. */
const CONCURRENT = "concurrent_idempotent_requests";

function refusal({ error, headers }: ResendReply): EmailDeliveryError {
  const { statusCode, name, message } = error ?? { name: "no_answer", message: "", statusCode: null };
  // Nobody answered, or something in between that does not speak as Resend does.
  if (typeof statusCode !== "number") return new EmailDeliveryError("Resend could not be reached", { retryable: true });
  const code = /^[a-z_]{1,64}$/.test(String(name)) ? ` ${name}` : "";
  return new EmailDeliveryError(`Resend answered ${statusCode}${code}: ${redactWords(String(message))}`, {
    retryable: isPassingStatus(statusCode) || name === CONCURRENT,
    ...retryAfterOf(headers?.["retry-after"]),
  });
}

function isClient(client: Partial<ResendClient> | undefined): client is ResendClient {
  return typeof client?.emails?.send === "function";
}
