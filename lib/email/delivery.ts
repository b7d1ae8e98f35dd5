import { normaliseEmail } from "../core/email-address.ts";
import { redact } from "../core/redact.ts";
import { ConfigError } from "../errors.ts";
import { EmailDeliveryError, type EmailMessage } from "./transport.ts";

/** How one transport reaches its service. */
export interface DeliveryOptions {
  /** The service as errors name it, such as `Resend`. */
  readonly service: string;
  /** Seconds for one try. */
  readonly timeout: number;
}

/**
 * One try to send `message` by `attempt`, which gets it with everything fit for a header, and a signal that ends with the time.
 * @throws {EmailDeliveryError} for whatever goes wrong, retryable unless `attempt` says otherwise; secrets and addresses stay out of it.
 */
export async function deliver(
  message: EmailMessage,
  { service, timeout }: DeliveryOptions,
  attempt: (message: EmailMessage, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const safe = fitForHeaders(message);
  const deadline = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  // Holds even for a client that minds no signal.
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new EmailDeliveryError(`${service} did not answer within ${timeout} s`, { retryable: true }));
      deadline.abort();
    }, timeout * 1000);
    timer.unref();
  });
  try {
    await Promise.race([attempt(safe, deadline.signal), late]);
  } catch (error) {
    if (error instanceof EmailDeliveryError) throw error;
    // Clients hang requests, replies and transcripts on their errors: those stay behind.
    throw new EmailDeliveryError(`${service} could not be reached: ${describeError(error)}`, { retryable: true });
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the same request may be answered better later, by its HTTP status. */
export function isPassingStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** The seconds of a `Retry-After` header. A date counts as none given: the queue has waits of its own. */
export function retryAfterOf(header: string | null | undefined): { retryAfter?: number } {
  return header && /^\d{1,5}$/.test(header) ? { retryAfter: Number(header) } : {};
}

/** Seconds for one try. Default: 10. @throws {ConfigError} naming `option`. */
export function resolveTimeout(option: string, timeout: unknown = 10): number {
  if (typeof timeout === "number" && timeout > 0 && timeout <= MAX_TIMEOUT) return timeout;
  throw new ConfigError(option, `give seconds, more than 0 and up to ${MAX_TIMEOUT}`);
}

/** A mail service's own words as a log may show them: no addresses, links, codes, tokens or keys; one line of at most 200 characters. */
export function redactWords(words: string): string {
  // What is cut off in the middle might no longer be known for what it is.
  const whole = words.length > MAX_WORDS ? words.slice(0, MAX_WORDS).replace(/\S*$/, "") : words;
  return redact(whole)
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .replaceAll(/\b[a-z][a-z+]*:\/\/\S+/gi, "[link]")
    .replaceAll(/[^\s<>"'`,;:()[\]]+(?:@|%40)[^\s<>"'`,;:()[\]]+/gi, "[address]")
    .replaceAll(/(?=[\w+/=-]*\d)[\w+/=-]{16,}|[\w+/=-]{24,}/g, "[redacted]")
    .replaceAll(/\d(?:[ -]?\d){5,}/g, "[redacted]")
    .trim()
    .slice(0, 200);
}

/** The system's code where there is one (`ECONNREFUSED`), else the redacted message. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return "unknown failure";
  for (const source of [error, error.cause]) {
    const code = source instanceof Error && "code" in source ? source.code : undefined;
    if (typeof code === "string" && /^[A-Z][A-Z0-9_]{1,40}$/.test(code)) return code;
  }
  return redactWords(error.message) || error.name;
}

/** The queue gives a transport 15 s: a longer limit would never be reached. */
const MAX_TIMEOUT = 15;
const MAX_WORDS = 2000;

/** Nothing in it can begin another header, or add another recipient. */
function fitForHeaders(message: EmailMessage): EmailMessage {
  const refused = (reason: string) => new EmailDeliveryError(reason, { retryable: false });
  if (!isCanonical(message.to)) throw refused("The recipient is not a canonical email address");
  if (!/^[\x21-\x7e]{1,256}$/.test(message.idempotencyKey)) throw refused("The idempotency key is not 1 to 256 visible ASCII characters");
  return { ...message, subject: message.subject.replaceAll(/[\s\p{Cc}]+/gu, " ").trim() };
}

function isCanonical(address: string): boolean {
  try {
    return normaliseEmail(address) === address;
  } catch {
    return false;
  }
}
