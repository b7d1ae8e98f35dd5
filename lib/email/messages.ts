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
  readonly expiresInMinutes: number;
}

/** The mails we send; an application may give its own. */
export interface EmailTemplates {
  magicCode(content: MagicCodeContent): EmailContent;
}

/** Our mails: plain words, text and HTML alike, nothing loaded from elsewhere. */
export const emailTemplates: EmailTemplates = {
  // The code stays out of the subject: subjects show on locked screens.
  magicCode({ appName, code, expiresInMinutes }) {
    const shown = `${code.slice(0, Math.ceil(code.length / 2))} ${code.slice(Math.ceil(code.length / 2))}`;
    const minutes = expiresInMinutes === 1 ? "a minute" : `${expiresInMinutes} minutes`;
    const life = `It is good for ${minutes} and can be used once.`;
    const warning = "If you did not ask for it, do nothing: without this code nobody gets in. Never tell it to anybody.";
    return {
      subject: `Your sign-in code for ${appName}`,
      text: `Your sign-in code for ${appName}:\n\n    ${shown}\n\n${life}\n\n${warning}\n`,
      html: `<!doctype html><html lang="en"><body style="font:16px/1.5 sans-serif;color:#1b1f24">
<p>Your sign-in code for ${escapeHtml(appName)}:</p>
<p style="font:600 28px/1.4 monospace;letter-spacing:2px">${escapeHtml(shown)}</p>
<p>${life}</p>
<p style="color:#57606a">${warning}</p>
</body></html>`,
    };
  },
};
