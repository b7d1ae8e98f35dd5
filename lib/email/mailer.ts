import type { Clock } from "../clock.ts";
import type { Events } from "../core/events.ts";
import type { MagicCodeMail } from "../core/magic-codes.ts";
import type { PasswordMail } from "../core/password-parts.ts";
import type { Telemetry } from "../core/telemetry.ts";
import { ConfigError } from "../errors.ts";
import type { AuthConfig } from "../options.ts";
import { consoleTransport } from "./console.ts";
import type { EmailContent } from "./messages.ts";
import { createEmailQueue } from "./queue.ts";
import { EmailDeliveryError, type EmailMessage, type EmailTransport } from "./transport.ts";

/** Puts into words what the services have to say, and has it sent off the response path. */
export interface Mailer {
  /** @throws {ConfigError} where no codes are mailed, or for a link whose base is not known. */
  sendCode(mail: MagicCodeMail, expiresAt: number): void;
  /** A notice is left out where there is no transport. @throws {ConfigError} for a link there, or one whose base is not known. */
  sendPasswordMail(mail: PasswordMail, expiresAt: number): void;
  /** Waits up to `ms` for what is in the queue. */
  drain(ms: number): Promise<void>;
}

export interface MailerParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly telemetry: Telemetry;
  readonly config: Pick<AuthConfig, "email" | "production" | "origin" | "appName" | "emailTemplates">;
}

/** A production's console keeps what it is told: no code goes there. */
const nowhere: EmailTransport = {
  send: () => Promise.reject(new EmailDeliveryError("There is no `email` transport", { retryable: false })),
};

/** Whether mail is sent at all: not in production without a transport. */
export function sendsMail({ email, production }: Pick<AuthConfig, "email" | "production">): boolean {
  return email !== null || !production;
}

export function createMailer({ clock, events, telemetry, config }: MailerParts): Mailer {
  const { appName, emailTemplates } = config;
  const transport = config.email ?? (config.production ? nowhere : consoleTransport());
  const send = (message: EmailMessage) => telemetry.span("latchkey.email.send", {}, async () => transport.send(message));
  const queue = createEmailQueue({ transport: { send }, clock, events });
  const urlOf = (path: string, origin: string | null) => {
    const base = config.origin ?? origin;
    if (base === null) throw new ConfigError("baseUrl", "links in mails need it: set it, or give an `origin`");
    return `${base}${path}`;
  };
  const minutesTo = (expiresAt: number) => Math.round((expiresAt - clock.now()) / 60_000);

  return {
    sendCode({ to, code, userId, link, idempotencyKey }, expiresAt) {
      if (!sendsMail(config)) throw new ConfigError("email", "codes need a transport, such as smtpTransport({ ... })");
      const url = link && urlOf(link.path, link.origin);
      const content = emailTemplates.magicCode({ appName, code, link: url, expiresInMinutes: minutesTo(expiresAt) });
      queue.enqueue({ to, idempotencyKey, ...content }, { expiresAt, userId });
    },

    sendPasswordMail({ kind, to, userId, path, origin, idempotencyKey }, expiresAt) {
      if (!sendsMail(config)) {
        if (path === null) return;
        throw new ConfigError("email", "links need a transport, such as smtpTransport({ ... })");
      }
      const content = passwordMailContent(config, kind, path === null ? "" : urlOf(path, origin), minutesTo(expiresAt));
      queue.enqueue({ to, idempotencyKey, ...content }, { expiresAt, userId });
    },

    drain: (ms) => queue.drain(ms),
  };
}

/** The words of a mail about a password or an address: ours, or the application's. */
function passwordMailContent(
  { appName, emailTemplates }: MailerParts["config"],
  kind: PasswordMail["kind"],
  link: string,
  expiresInMinutes: number,
): EmailContent {
  const content = { appName, link, expiresInMinutes };
  switch (kind) {
    case "confirm_email":
      return emailTemplates.confirmEmail(content);
    case "change_email":
      return emailTemplates.changeEmail(content);
    case "reset_password":
      return emailTemplates.resetPassword(content);
    case "account_exists":
      return emailTemplates.accountExists(content);
    case "password_changed":
      return emailTemplates.passwordChanged({ appName });
    case "email_changed":
      return emailTemplates.emailChanged({ appName });
  }
}
