import { describe, expect, it } from "vitest";
import { emailTemplates } from "../../lib/email/messages.ts";

const content = { appName: "Acme", code: "12345678", link: null, expiresInMinutes: 10 };

describe("a mail with a code", () => {
  it("says what it is for, the code in two halves, and how long it is good", () => {
    const { subject, text, html } = emailTemplates.magicCode(content);

    expect(subject).toBe("Your sign-in code for Acme");
    for (const part of [text, html]) {
      expect(part).toContain("1234 5678");
      expect(part).toContain("It is good for 10 minutes and can be used once.");
      expect(part).toContain("If you did not ask for it, do nothing");
    }
  });

  it("keeps the code out of the subject, which shows on locked screens", () => {
    expect(emailTemplates.magicCode(content).subject).not.toMatch(/\d/);
  });

  it("halves codes of any length, the first half the longer", () => {
    const shown = ["123456", "1234567", "123456789"].map((code) =>
      emailTemplates
        .magicCode({ ...content, code })
        .text.split("\n")[2]
        ?.trim(),
    );

    expect(shown).toEqual(["123 456", "1234 567", "12345 6789"]);
  });

  it("counts a single minute in words", () => {
    expect(emailTemplates.magicCode({ ...content, expiresInMinutes: 1 }).text).toContain("It is good for a minute and can be used once.");
  });

  it("shows the application's name as text, never as markup", () => {
    const { text, html } = emailTemplates.magicCode({ ...content, appName: `A&B <script>"'` });

    expect(text).toContain(`code for A&B <script>"'`);
    expect(html).toContain("code for A&amp;B &lt;script&gt;&quot;&#39;");
    expect(html).not.toContain("<script");
  });

  it("has a link beside the code where one was asked for, as text and as markup, and says that one of the two counts", () => {
    const link = "https://acme.example/auth/magic/link?token=a&b";
    const { subject, text, html } = emailTemplates.magicCode({ ...content, link });

    expect(text).toContain(`\n${link}\n`);
    expect(html).toContain('<a href="https://acme.example/auth/magic/link?token=a&amp;b">');
    expect(subject).not.toContain("acme.example");
    for (const part of [text, html]) {
      expect(part).toContain("1234 5678");
      expect(part).toContain("Either is good for 10 minutes, and one of the two can be used once.");
      expect(part).toContain("nor pass on the link");
    }
  });

  it("loads nothing and links nowhere, so that opening it tells nobody", () => {
    expect(emailTemplates.magicCode(content).html).not.toMatch(/https?:|src=|href=|url\(/);
  });
});

const LINK = "https://acme.example/auth/page?token=a&b";
const NOT_ASKED = "If you did not ask for it, do nothing: nothing changes.";

describe("a mail with a link", () => {
  it.each([
    [
      "confirmEmail",
      "Confirm your email address for Acme",
      "Confirm that this is your address:",
      "If you did not sign up, say so on that page.",
    ],
    ["changeEmail", "Confirm your new email address for Acme", "Confirm that this is your new address:", NOT_ASKED],
    ["resetPassword", "Choose a new password for Acme", "Choose a new password here:", NOT_ASKED],
    [
      "accountExists",
      "You have an account at Acme already",
      "Somebody signed up with this address, which has an account already. If it was you, sign in, or choose a new password here:",
      NOT_ASKED,
    ],
  ] as const)("%s: says what it is for, where it leads, and how long it is good", (template, subject, what, warning) => {
    const mail = emailTemplates[template]({ appName: "Acme", link: LINK, expiresInMinutes: 30 });

    const after = ["The link is good for 30 minutes and can be used once.", warning];
    expect(mail.subject).toBe(subject);
    expect(mail.text).toBe(`${[what, LINK, ...after].join("\n\n")}\n`);
    const shown = "https://acme.example/auth/page?token=a&amp;b";
    const paragraphs = [what, `<a href="${shown}">${shown}</a>`, ...after];
    expect(mail.html.match(/<p>.*<\/p>/g)).toEqual(paragraphs.map((paragraph) => `<p>${paragraph}</p>`));
  });

  it.each([
    [30, "30 minutes"],
    [119, "119 minutes"],
    [120, "2 hours"],
    [1440, "24 hours"],
  ])("good for %i minutes says so: %s", (expiresInMinutes, words) => {
    const { text, html } = emailTemplates.resetPassword({ appName: "Acme", link: LINK, expiresInMinutes });
    for (const part of [text, html]) expect(part).toContain(`The link is good for ${words} and can be used once.`);
  });

  it("keeps its link out of the subject, and loads nothing", () => {
    for (const template of ["confirmEmail", "changeEmail", "resetPassword", "accountExists"] as const) {
      const { subject, html } = emailTemplates[template]({ appName: "Acme", link: LINK, expiresInMinutes: 30 });
      expect(subject).not.toMatch(/token|https?:/);
      expect(html).not.toMatch(/src=|url\(|<img|<link/);
    }
  });
});

describe("a mail that only tells", () => {
  const NOT_YOU = "If it was not you, choose a new password at once, or write to those who run the site.";

  it.each([
    ["passwordChanged", "Your password for Acme was changed", "Your password was changed, and all other sessions were ended."],
    ["emailChanged", "Your email address for Acme was changed", "Your account has another email address now. This one is no longer used."],
  ] as const)("%s: says what happened and what to do, and links nowhere", (template, subject, what) => {
    const mail = emailTemplates[template]({ appName: "Acme" });

    expect([mail.subject, mail.text]).toEqual([subject, `${what}\n\n${NOT_YOU}\n`]);
    expect(mail.html.match(/<p>.*<\/p>/g)).toEqual([`<p>${what}</p>`, `<p>${NOT_YOU}</p>`]);
    expect(mail.html).not.toMatch(/https?:|href=/);
  });
});
