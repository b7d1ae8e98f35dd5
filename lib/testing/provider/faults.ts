import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { IncomingMessage, ServerResponse } from "node:http";

/** Where a {@link fakeProvider} can be had misbehave. */
export type FakeEndpoint = "discovery" | "keys" | "authorization" | "pushed" | "token" | "userinfo" | "endSession";

/**
 * Answers a request in place of the honest endpoint. `honest` answers as that would have; one that returns without answering leaves the
 * request open until the provider is closed.
 */
export type Fault = (req: IncomingMessage, res: ServerResponse, honest: () => Promise<void>) => void | Promise<void>;

/**
 * Ways for an endpoint to go wrong.
 *
 * @example provider.breakOnce("token", faults.busy(30));
 */
export const faults = {
  /** Takes the request and never answers. */
  hang(): Fault {
    return () => {};
  },

  /** Answers as it should, `seconds` late. */
  slow(seconds: number): Fault {
    return async (_req, _res, honest) => {
      await sleep(seconds * 1000, undefined, { ref: false });
      await honest();
    };
  },

  /** Sends headers at once, then one byte every `seconds` for as long as anybody reads. */
  drip(seconds: number): Fault {
    return async (_req, res) => {
      res.writeHead(200, { "content-type": "application/json" });
      while (!res.destroyed) {
        res.write(" ");
        await sleep(seconds * 1000, undefined, { ref: false });
      }
    };
  },

  /** Cuts the connection without an answer. */
  reset(): Fault {
    return (req) => void req.socket.resetAndDestroy();
  },

  /** Cuts the connection in the middle of its answer. */
  cut(): Fault {
    return (req, res) => {
      res.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      res.write('{"access_token":"', () => req.socket.destroy());
    };
  },

  /** Answers with `status` and `body`: a text as it is, anything else as JSON. `headers` go over the ones that follow from it. */
  answer(status: number, body: unknown = "", headers: Readonly<Record<string, string>> = {}): Fault {
    return (_req, res) => {
      const text = typeof body === "string";
      res.writeHead(status, { "content-type": text ? "text/plain" : "application/json", ...headers });
      res.end(text ? body : JSON.stringify(body));
    };
  },

  /** 200 with a page, as a proxy that is in the way answers. */
  page(): Fault {
    return faults.answer(200, "<!doctype html><title>Sign in to the network</title>", { "content-type": "text/html" });
  },

  /** Says JSON and sends what is none. */
  garbage(): Fault {
    return faults.answer(200, '{"access_token": \u0000\ufffd', { "content-type": "application/json" });
  },

  /** 307 to `location`, which makes a client that follows repeat the whole request there. */
  redirect(location: string): Fault {
    return faults.answer(307, "", { location });
  },

  /** 429, with a `Retry-After` of `seconds`. */
  busy(seconds: number): Fault {
    return faults.answer(429, "slow down", { "retry-after": String(seconds) });
  },

  /** An answer of `bytes` bytes, without a length, as fast as they are taken. */
  huge(bytes: number): Fault {
    return async (_req, res) => {
      res.writeHead(200, { "content-type": "application/json" });
      await pipeline(Readable.from(spaces(bytes)), res).catch(() => {});
    };
  },

  /** The same, compressed to a thousandth. `bytes` is taken up to a whole megabyte. */
  gzipBomb(bytes: number): Fault {
    return async (_req, res) => {
      res.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
      // RFC 1952, section 2.2: members follow one another, so one is made for all of them.
      const member = gzipSync(Buffer.alloc(MEGABYTE, " "));
      const members = Array.from({ length: Math.ceil(bytes / MEGABYTE) }, () => member);
      await pipeline(Readable.from(members), res).catch(() => {});
    };
  },
};

const MEGABYTE = 1024 * 1024;

function* spaces(bytes: number): Generator<Buffer> {
  const chunk = Buffer.alloc(64 * 1024, " ");
  for (let left = bytes; left > 0; left -= chunk.length) yield left < chunk.length ? chunk.subarray(0, left) : chunk;
}
