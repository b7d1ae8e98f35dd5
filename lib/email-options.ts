import { assertOptions } from "./check-options.ts";
import { emailTemplates, type EmailTemplates } from "./email/messages.ts";
import type { EmailTransport } from "./email/transport.ts";
import { ConfigError } from "./errors.ts";

/** What sends mail; `null` where nothing does. @throws {ConfigError} */
export function resolveEmail(email: EmailTransport | undefined, production: boolean): EmailTransport | null {
  if (email !== undefined && typeof email?.send !== "function")
    throw new ConfigError(
      "email",
      "give a transport, such as smtpTransport({ transporter, from }), or an object of your own with send(message)",
    );
  if (production && email?.delivers === false)
    throw new ConfigError(
      "email",
      "prints codes instead of mailing them: use another in production, such as smtpTransport({ transporter, from })",
    );
  return email ?? null;
}

/** The name in mails: the host, where the application gives none. @throws {ConfigError} */
export function resolveAppName(appName: string | undefined, origin: string | null): string {
  if (appName === undefined || appName === "") return origin ? new URL(origin).hostname : "localhost";
  // It goes into the subjects of mails.
  if (typeof appName !== "string" || appName.length > 100 || /\p{Cc}/u.test(appName))
    throw new ConfigError("appName", "give one line of up to 100 characters");
  return appName;
}

/** Our words for every mail, but where the application has its own. @throws {ConfigError} */
export function resolveTemplates(own: Partial<EmailTemplates>): EmailTemplates {
  assertOptions("emailTemplates", own, Object.keys(emailTemplates));
  const given = Object.entries(own).filter(([, template]) => template !== undefined);
  for (const [name, template] of given) {
    if (typeof template !== "function")
      throw new ConfigError(`emailTemplates.${name}`, "give a function that returns { subject, text, html }");
  }
  return { ...emailTemplates, ...Object.fromEntries(given) };
}
