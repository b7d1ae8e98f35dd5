import { assertOptions } from "../check-options.ts";
import { ConfigError } from "../errors.ts";
import type { EmailMessage, EmailTransport } from "./transport.ts";

/** Options of {@link consoleTransport}. */
export interface ConsoleTransportOptions {
  /** Where the text goes. Default: standard error. */
  write?: ((text: string) => void) | undefined;
}

/**
 * Prints mails instead of sending them: for development, where the terminal is the mailbox. Never fails.
 * Production refuses it, without a `write` of your own: its console keeps the codes.
 * @throws {ConfigError} when an option is unknown or misshapen.
 */
export function consoleTransport(options: ConsoleTransportOptions = {}): EmailTransport {
  assertOptions("consoleTransport", options, ["write"]);
  const { write = (text) => void process.stderr.write(text) } = options;
  if (typeof write !== "function") throw new ConfigError("consoleTransport.write", "give a function that takes text");

  return {
    // Who says where the text goes knows who reads it there.
    delivers: options.write !== undefined,
    async send({ to, subject, text }: EmailMessage) {
      const body = text.trim().replaceAll(/^/gm, "  ");
      write(`\n--- mail to ${to}\n    ${subject}\n\n${body}\n---\n`);
    },
  };
}
