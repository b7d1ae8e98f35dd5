import { AuthError } from "../errors.ts";

/** One message, ready to go out. */
export interface EmailMessage {
  /** A canonical address. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  /** The same for every try of one message, so that a provider that knows it sends once. */
  readonly idempotencyKey: string;
}

/** The port to whatever sends mail. A transport is one file with one `send`. */
export interface EmailTransport {
  /** Resolves once the service has accepted the message. @throws {EmailDeliveryError} when it has not. */
  send(message: EmailMessage): Promise<void>;
  /** `false`: mails reach nobody, so that production refuses it. Default: they are delivered. */
  readonly delivers?: boolean | undefined;
}

/** A mail service refused or could not be reached. The message carries its words, redacted. */
export class EmailDeliveryError extends AuthError {
  /** Whether trying again may help. */
  readonly retryable: boolean;
  constructor(message: string, options: { retryable: boolean; cause?: unknown; retryAfter?: number }) {
    super("email_delivery_failed", message, 502, options);
    this.retryable = options.retryable;
  }
}
