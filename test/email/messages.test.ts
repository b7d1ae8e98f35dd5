import { describe, expect, it } from "vitest";
import { emailTemplates } from "../../lib/email/messages.ts";

const content = { appName: "Acme", code: "12345678", expiresInMinutes: 10 };

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

  it("loads nothing and links nowhere, so that opening it tells nobody", () => {
    expect(emailTemplates.magicCode(content).html).not.toMatch(/https?:|src=|href=|url\(/);
  });
});
