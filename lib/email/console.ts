import type { EmailMessage, EmailTransport } from "./transport.ts";

/** Options of {@link consoleTransport}. */
export interface ConsoleTransportOptions {
  /** Where the text goes. Default: standard error. */
  write?: (text: string) => void;
}

/** Prints mails instead of sending them: for development, where the terminal is the mailbox. Never fails. */
export function consoleTransport({ write = (text) => void process.stderr.write(text) }: ConsoleTransportOptions = {}): EmailTransport {
  return {
    async send({ to, subject, text }: EmailMessage) {
      const body = text.trim().replaceAll(/^/gm, "  ");
      write(`\n--- mail to ${to}\n    ${subject}\n\n${body}\n---\n`);
    },
  };
}
