import type { EmailMessage, EmailTransport } from "./transport.ts";

/** A mailbox for tests. */
export interface MemoryTransport extends EmailTransport {
  /** All that was sent, the oldest first. */
  readonly messages: readonly EmailMessage[];
  /** The first message that `matches`, sent or still to come. Rejects after `timeout` ms (default 5,000). */
  waitFor(matches: (message: EmailMessage) => boolean, timeout?: number): Promise<EmailMessage>;
  /** The digits of the next unread code to `address`, sent or still to come. */
  waitForCode(address: string, timeout?: number): Promise<string>;
  /** The link in the next unread mail to `address` that has one, sent or still to come. */
  waitForLink(address: string, timeout?: number): Promise<string>;
  clear(): void;
}

/** Keeps mails in this process. */
export function memoryTransport(): MemoryTransport {
  const messages: EmailMessage[] = [];
  /** A mail may hold a code and a link, and each is read for itself. */
  const read = { code: new WeakSet<EmailMessage>(), link: new WeakSet<EmailMessage>() };
  const waiting = new Set<() => void>();

  const waitFor: MemoryTransport["waitFor"] = (matches, timeout = 5000) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = messages.find(matches);
        if (!found) return;
        clearTimeout(timer);
        waiting.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => {
        waiting.delete(look);
        reject(new Error(`No such mail came within ${timeout} ms`));
      }, timeout);
      waiting.add(look);
      look();
    });

  /** What is in the next mail to `address` that was not read for it. Taken at once: of several who wait, each gets one of their own. */
  const next = async (address: string, what: keyof typeof read, timeout: number | undefined) => {
    const find = what === "code" ? codeIn : linkIn;
    const take = (message: EmailMessage) => {
      if (message.to !== address || read[what].has(message) || find(message.text) === null) return false;
      read[what].add(message);
      return true;
    };
    return find((await waitFor(take, timeout)).text) ?? "";
  };

  return {
    messages,
    waitFor,
    async send(message) {
      messages.push(message);
      for (const look of waiting) look();
    },
    waitForCode: (address, timeout) => next(address, "code", timeout),
    waitForLink: (address, timeout) => next(address, "link", timeout),
    clear() {
      messages.length = 0;
    },
  };
}

function linkIn(text: string): string | null {
  return /https?:\/\/[^\s<>"]+/.exec(text)?.[0] ?? null;
}

/** A code as our templates write it: 6 to 10 digits in two halves, on a line of its own; else the first outside links that looks like one. */
function codeIn(text: string): string | null {
  const words = text.replaceAll(/https?:\/\/\S+/g, "");
  const found = /^ *(\d{3,5} ?\d{3,5}) *$/m.exec(text) ?? /(?<!\d)(\d{3,5} ?\d{3,5})(?!\d)/.exec(words);
  return found?.[1]?.replace(" ", "") ?? null;
}
