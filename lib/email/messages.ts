import { escapeHtml } from "../escape-html.ts";

/** A mail's content. */
export interface EmailContent {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** What a mail with a code says. */
export interface MagicCodeContent {
  readonly appName: string;
  readonly code: string;
  /** Signs in as the code does, instead of it; `null` when none was asked for. */
  readonly link: string | null;
  readonly expiresInMinutes: number;
}

/** What a mail with a link says. */
export interface LinkContent {
  readonly appName: string;
  readonly link: string;
  readonly expiresInMinutes: number;
}

/** What a mail says that only tells of something. */
export interface NoticeContent {
  readonly appName: string;
}

/** The mails we send; an application may give its own. */
export interface EmailTemplates {
  magicCode(content: MagicCodeContent): EmailContent;
  /** To a new user's address. */
  confirmEmail(content: LinkContent): EmailContent;
  /** To the new address of a user. */
  changeEmail(content: LinkContent): EmailContent;
  resetPassword(content: LinkContent): EmailContent;
  /** To whoever has an address that somebody signed up with again; the link is to choose a new password. */
  accountExists(content: LinkContent): EmailContent;
  passwordChanged(content: NoticeContent): EmailContent;
  /** To the old address. */
  emailChanged(content: NoticeContent): EmailContent;
}

/** Our mails: plain words, text and HTML alike, nothing loaded from elsewhere. */
export const emailTemplates: EmailTemplates = {
  // The code stays out of the subject: subjects show on locked screens.
  magicCode({ appName, code, link, expiresInMinutes }) {
    const shown = `${code.slice(0, Math.ceil(code.length / 2))} ${code.slice(Math.ceil(code.length / 2))}`;
    const minutes = expiresInMinutes === 1 ? "a minute" : `${expiresInMinutes} minutes`;
    const life = `It is good for ${minutes} and can be used once.`;
    const either = link === null ? life : `Either is good for ${minutes}, and one of the two can be used once.`;
    const warning =
      link === null
        ? "If you did not ask for it, do nothing: without this code nobody gets in. Never tell it to anybody."
        : "If you did not ask for it, do nothing: without this mail nobody gets in. Never tell the code to anybody, nor pass on the link.";
    const url = link === null ? "" : escapeHtml(link);
    return {
      subject: `Your sign-in code for ${appName}`,
      text: `Your sign-in code for ${appName}:\n\n    ${shown}\n\n${link === null ? "" : `Or open this link to sign in:\n\n${link}\n\n`}${either}\n\n${warning}\n`,
      html: `<!doctype html><html lang="en"><body style="font:16px/1.5 sans-serif;color:#1b1f24">
<p>Your sign-in code for ${escapeHtml(appName)}:</p>
<p style="font:600 28px/1.4 monospace;letter-spacing:2px">${escapeHtml(shown)}</p>
${link === null ? "" : `<p>Or open this link to sign in:</p>\n<p><a href="${url}">${url}</a></p>\n`}<p>${either}</p>
<p style="color:#57606a">${warning}</p>
</body></html>`,
    };
  },

  confirmEmail: ({ appName, ...link }) =>
    linked(
      `Confirm your email address for ${appName}`,
      "Confirm that this is your address:",
      link,
      "If you did not sign up, say so on that page.",
    ),
  changeEmail: ({ appName, ...link }) =>
    linked(`Confirm your new email address for ${appName}`, "Confirm that this is your new address:", link, NOT_ASKED),
  resetPassword: ({ appName, ...link }) => linked(`Choose a new password for ${appName}`, "Choose a new password here:", link, NOT_ASKED),
  accountExists: ({ appName, ...link }) =>
    linked(
      `You have an account at ${appName} already`,
      "Somebody signed up with this address, which has an account already. If it was you, sign in, or choose a new password here:",
      link,
      NOT_ASKED,
    ),
  passwordChanged: ({ appName }) =>
    paragraphs(`Your password for ${appName} was changed`, ["Your password was changed, and all other sessions were ended.", NOT_YOU]),
  emailChanged: ({ appName }) =>
    paragraphs(`Your email address for ${appName} was changed`, [
      "Your account has another email address now. This one is no longer used.",
      NOT_YOU,
    ]),
};

const NOT_ASKED = "If you did not ask for it, do nothing: nothing changes.";
const NOT_YOU = "If it was not you, choose a new password at once, or write to those who run the site.";

function linked(subject: string, what: string, { link, expiresInMinutes }: Omit<LinkContent, "appName">, warning: string): EmailContent {
  const hours = Math.round(expiresInMinutes / 60);
  const life = expiresInMinutes < 120 ? `${expiresInMinutes} minutes` : `${hours} hours`;
  const after = [`The link is good for ${life} and can be used once.`, warning];
  const url = escapeHtml(link);
  const { html } = paragraphs(subject, after);
  return {
    subject,
    text: `${[what, link, ...after].join("\n\n")}\n`,
    html: html.replace("<p>", () => `<p>${escapeHtml(what)}</p>\n<p><a href="${url}">${url}</a></p>\n<p>`),
  };
}

function paragraphs(subject: string, lines: readonly string[]): EmailContent {
  return {
    subject,
    text: `${lines.join("\n\n")}\n`,
    html: `<!doctype html><html lang="en"><body style="font:16px/1.5 sans-serif;color:#1b1f24">
${lines.map((line) => `<p>${escapeHtml(line)}</p>`).join("\n")}
</body></html>`,
  };
}
