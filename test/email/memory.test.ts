import { describe, expect, it } from "vitest";
import { memoryTransport } from "../../lib/email/memory.ts";
import { emailTemplates } from "../../lib/email/messages.ts";
import type { EmailMessage } from "../../lib/email/transport.ts";

const mail = (to: string, text: string): EmailMessage => ({ to, subject: "Your code", text, idempotencyKey: text });

describe("the mailbox for tests", () => {
  it("keeps what was sent, the oldest first, until it is cleared", async () => {
    const mailbox = memoryTransport();
    await mailbox.send(mail("ada@example.com", "one"));
    await mailbox.send(mail("bob@example.com", "two"));

    expect(mailbox.messages.map(({ text }) => text)).toEqual(["one", "two"]);
    mailbox.clear();
    expect(mailbox.messages).toEqual([]);
  });

  it("waits for a mail that is still to come, and takes one that is there", async () => {
    const mailbox = memoryTransport();
    const later = mailbox.waitFor(({ to }) => to === "ada@example.com");
    await mailbox.send(mail("bob@example.com", "one"));
    await mailbox.send(mail("ada@example.com", "two"));

    expect((await later).text).toBe("two");
    expect((await mailbox.waitFor(({ to }) => to === "bob@example.com")).text).toBe("one");
  });

  it("says that no mail came", async () => {
    const mailbox = memoryTransport();

    await expect(mailbox.waitFor(() => true, 10)).rejects.toThrow("No such mail came within 10 ms");
    await mailbox.send(mail("ada@example.com", "too late, which harms nobody"));
  });

  it("reads the codes of one address in turn, each once", async () => {
    const mailbox = memoryTransport();
    await mailbox.send(mail("ada@example.com", "1111 1111"));
    await mailbox.send(mail("bob@example.com", "2222 2222"));
    await mailbox.send(mail("ada@example.com", "no code"));
    await mailbox.send(mail("ada@example.com", "333 333"));

    expect(await mailbox.waitForCode("ada@example.com")).toBe("11111111");
    expect(await mailbox.waitForCode("ada@example.com")).toBe("333333");
    await expect(mailbox.waitForCode("ada@example.com", 10)).rejects.toThrow("No such mail");
    expect(await mailbox.waitForCode("bob@example.com")).toBe("22222222");
  });

  it("gives each of two who wait a code of its own", async () => {
    const mailbox = memoryTransport();
    const both = Promise.all([mailbox.waitForCode("ada@example.com"), mailbox.waitForCode("ada@example.com")]);

    await mailbox.send(mail("ada@example.com", "1111 1111"));
    await mailbox.send(mail("ada@example.com", "2222 2222"));

    expect((await both).toSorted()).toEqual(["11111111", "22222222"]);
  });

  it.each(["123456", "1234567", "12345678", "123456789", "1234567890"])(
    "finds %s in our own mail, whatever numbers stand around it",
    async (code) => {
      const mailbox = memoryTransport();
      const { text } = emailTemplates.magicCode({ appName: "Acme 2026, 1234567 served", code, link: null, expiresInMinutes: 100 });

      await mailbox.send(mail("ada@example.com", text));

      expect(await mailbox.waitForCode("ada@example.com")).toBe(code);
    },
  );

  it("reads the code and the link of one mail, each once, and takes no digits of a link for a code", async () => {
    const mailbox = memoryTransport();
    const link = "https://acme.example/auth/magic/link?token=a1234567890-";
    await mailbox.send(mail("ada@example.com", `Open ${link}`));
    await mailbox.send(
      mail("ada@example.com", emailTemplates.magicCode({ appName: "Acme", code: "12345678", link, expiresInMinutes: 10 }).text),
    );

    expect(await mailbox.waitForCode("ada@example.com")).toBe("12345678");
    expect(await mailbox.waitForLink("ada@example.com")).toBe(link);
    expect(await mailbox.waitForLink("ada@example.com")).toBe(link);
    await expect(mailbox.waitForCode("ada@example.com", 10)).rejects.toThrow("No such mail");
    await expect(mailbox.waitForLink("ada@example.com", 10)).rejects.toThrow("No such mail");
  });

  it("finds a code in the middle of an application's own text", async () => {
    const mailbox = memoryTransport();

    await mailbox.send(mail("ada@example.com", "In 2026 your code is 12345678, good for 10 minutes."));

    expect(await mailbox.waitForCode("ada@example.com")).toBe("12345678");
  });
});
