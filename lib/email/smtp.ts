import { assertOptions } from "../check-options.ts";
import { sha256 } from "../crypto/hash.ts";
import { ConfigError } from "../errors.ts";
import { deliver, describeError, redactWords, resolveTimeout } from "./delivery.ts";
import { parseSender } from "./sender.ts";
import { EmailDeliveryError, type EmailMessage, type EmailTransport } from "./transport.ts";

/** What we need of a nodemailer transporter; what `nodemailer.createTransport(...)` returns fits. */
export interface SmtpTransporter {
  sendMail(mail: SmtpMail): Promise<unknown>;
}

/** A mail as nodemailer takes it. Addresses are objects, so that none is parsed again. */
export interface SmtpMail {
  from: { name: string; address: string };
  to: { name: string; address: string };
  subject: string;
  text: string;
  html?: string;
  messageId: string;
  signal: AbortSignal;
  disableFileAccess: true;
  disableUrlAccess: true;
}

/** Options of {@link smtpTransport}. */
export interface SmtpTransportOptions {
  /** The application's own: `nodemailer.createTransport({ host, auth })`, pooled or not. */
  transporter: SmtpTransporter;
  /** The sender: `Acme <login@acme.com>`. */
  from: string | undefined;
  /** Seconds for one try, from connecting to the server's last answer, up to 15. Default: 10. */
  timeout?: number | undefined;
}

/**
 * Sends mail by SMTP, through nodemailer. Each try of one message carries the same Message-ID, by which mailboxes tell repeats.
 * An {@link EmailDeliveryError} is retryable for a 4yz reply and a failed connection, and final for a 5yz reply.
 *
 * @throws {ConfigError} when an option is unknown or misshapen.
 * @see RFC 5321 section 4.2.1, for the replies.
 * @example createAuth({ email: smtpTransport({ transporter: createTransport(process.env.SMTP_URL), from: "Acme <login@acme.com>" }) });
 */
export function smtpTransport(options: SmtpTransportOptions): EmailTransport {
  assertOptions("smtpTransport", options, ["transporter", "from", "timeout"]);
  const { transporter } = options;
  if (typeof transporter?.sendMail !== "function") {
    throw new ConfigError("smtpTransport.transporter", "give a nodemailer transporter: createTransport({ host, auth })");
  }
  const { name, address } = parseSender("smtpTransport.from", options.from);
  const domain = address.slice(address.indexOf("@") + 1);
  const service = { service: "The mail server", timeout: resolveTimeout("smtpTransport.timeout", options.timeout) };

  return {
    send: (message: EmailMessage) =>
      deliver(message, service, async ({ to, subject, text, html, idempotencyKey }, signal) => {
        const mail: SmtpMail = {
          from: { name, address },
          to: { name: "", address: to },
          subject,
          text,
          ...(html === undefined ? {} : { html }),
          messageId: `<${sha256(idempotencyKey).toString("hex").slice(0, 32)}@${domain}>`,
          signal,
          disableFileAccess: true,
          disableUrlAccess: true,
        };
        try {
          await transporter.sendMail(mail);
        } catch (error) {
          throw refusal(error as SmtpError);
        }
      }),
  };
}

/** What nodemailer rejects with. */
interface SmtpError extends Error {
  readonly code?: string;
  /** The server's last reply, when it gave one. */
  readonly responseCode?: number;
  readonly response?: string;
}

/** nodemailer's codes for what no second try can change. */
const FINAL = new Set(["EENVELOPE", "ENOAUTH", "ECONFIG", "EREQUIRETLS", "EMAXRECIPIENTS", "EFILEACCESS", "EURLACCESS"]);

function refusal(error: SmtpError): EmailDeliveryError {
  const { responseCode, response, code } = error;
  if (responseCode === undefined) {
    return new EmailDeliveryError(`The mail could not be sent: ${describeError(error)}`, { retryable: !FINAL.has(code ?? "") });
  }
  // 503 says that the conversation went wrong, not that the mail was refused.
  const final = responseCode >= 500 && responseCode !== 503;
  const words = redactWords((response ?? "").replace(/^\d{3}[ -]?/, ""));
  return new EmailDeliveryError(`The mail server answered ${responseCode}: ${words}`, { retryable: !final });
}
