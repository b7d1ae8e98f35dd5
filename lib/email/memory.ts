import type { EmailMessage, EmailTransport } from "./transport.ts";

/** A mailbox for tests. */
export interface MemoryTransport extends EmailTransport {
  /** All that was sent, the oldest first. */
  readonly messages: readonly EmailMessage[];
  /** The first message that `matches`, sent or still to come. Rejects after `timeout` ms (default 5,000). */
  waitFor(matches: (message: EmailMessage) => boolean, timeout?: number): Promise<EmailMessage>;
  /** The digits of the next unread code to `address`, sent or still to come. */
  waitForCode(address: string, timeout?: number): Promise<string>;
  clear(): void;
}

/** Keeps mails in this process. */
export function memoryTransport(): MemoryTransport {
  const messages: EmailMessage[] = [];
  const read = new Set<EmailMessage>();
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

  return {
    messages,
    waitFor,
    async send(message) {
      messages.push(message);
      for (const look of waiting) look();
    },
    async waitForCode(address, timeout) {
      const message = await waitFor((candidate) => candidate.to === address && !read.has(candidate) && CODE.test(candidate.text), timeout);
      read.add(message);
      return CODE.exec(message.text)?.[0].replaceAll(" ", "") ?? "";
    },
    clear() {
      messages.length = 0;
    },
  };
}

/** A code as our templates write it: digits, perhaps in groups. */
const CODE = /\b\d{3,5}(?: ?\d{3,5})?\b/;
