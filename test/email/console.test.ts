import { describe, expect, it, vi } from "vitest";
import { consoleTransport, type ConsoleTransportOptions } from "../../lib/email/console.ts";

const message = { to: "ada@example.com", subject: "Your code", text: "Your code:\n\n1234 5678\n", html: "<p>", idempotencyKey: "k" };

describe("mail to the console", () => {
  it("shows recipient, subject and text", async () => {
    let shown = "";

    await consoleTransport({ write: (text) => void (shown += text) }).send(message);

    expect(shown).toBe("\n--- mail to ada@example.com\n    Your code\n\n  Your code:\n  \n  1234 5678\n---\n");
  });

  it("goes to standard error, so that it mixes with no output", async () => {
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    try {
      await consoleTransport().send(message);
      expect(write).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("1234 5678"));
    } finally {
      write.mockRestore();
    }
  });

  it.each([
    [{ wirte: () => {} }, 'consoleTransport.wirte: unknown option; did you mean "write"?'],
    [{ write: "stderr" }, "consoleTransport.write: give a function that takes text"],
  ])("refuses options %#", (options, text) => {
    expect(() => consoleTransport(options as ConsoleTransportOptions)).toThrow(
      expect.objectContaining({ code: "config_error", message: expect.stringContaining(text) }),
    );
  });
});
