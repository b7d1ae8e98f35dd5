import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** One HTTP request as it goes over the wire. */
export type WireRequest = Buffer;

/** Writes a request out. A `body` is JSON. */
export function wireRequest(method: string, path: string, headers: Readonly<Record<string, string>> = {}, body?: unknown): WireRequest {
  const text = body === undefined ? "" : JSON.stringify(body);
  const length = method === "GET" ? {} : { "content-length": String(Buffer.byteLength(text)) };
  const type = body === undefined ? {} : { "content-type": "application/json" };
  const lines = Object.entries({ host: "localhost", ...length, ...type, ...headers });
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${text}`);
}

/** Requests that keep coming until they are stopped. */
export interface Load {
  /** Answers had so far. */
  readonly answers: number;
  /** False once it was stopped, or an answer was not the status expected. */
  readonly running: boolean;
  /** Lets what is under way finish. @throws {Error} when an answer was not the status expected. */
  stop(): Promise<void>;
}

/** Connections of a load, each with one request under way: enough to keep an app busy all the time. */
const CONNECTIONS = 32;

/**
 * Sends `requests` one after another, over and over, on keep-alive connections.
 * It reads of an answer no more than its status and length, so that it leaves the apps the processor.
 */
export async function startLoad(port: number, requests: readonly WireRequest[], status = 200): Promise<Load> {
  let answers = 0;
  let next = 0;
  let stopped = false;
  let failure: Error | null = null;

  const run = async (socket: Socket) => {
    const closed = once(socket, "close");
    const send = () => {
      if (stopped) socket.end();
      else socket.write(requests[next++ % requests.length]!);
    };
    onAnswer(socket, (answered) => {
      answers += 1;
      if (answered !== status) {
        failure ??= new Error(`expected ${status}, was answered ${answered}`);
        stopped = true;
      }
      send();
    });
    send();
    await closed;
  };

  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => open(port)));
  const running = Promise.all(sockets.map(run));

  return {
    get answers() {
      return answers;
    },
    get running() {
      return !stopped;
    },
    async stop() {
      stopped = true;
      await running;
      if (failure) throw failure;
    },
  };
}

/** An answer, read whole. */
export interface WireAnswer {
  readonly status: number;
  /** The cookies it set, as a browser sends them back. */
  readonly cookie: string;
  readonly body: string;
}

/** One keep-alive connection, with one request under way at a time. */
export interface Conversation {
  /** Sends a request and reads the answer whole. */
  ask(request: WireRequest): Promise<WireAnswer>;
  close(): void;
}

export async function converse(port: number): Promise<Conversation> {
  const socket = await open(port);
  return {
    async ask(request) {
      const answered = new Promise<WireAnswer>((resolve) => onAnswer(socket, (status, text) => resolve(readAnswer(status, text))));
      socket.write(request);
      const answer = await answered;
      socket.removeAllListeners("data");
      return answer;
    },
    close: () => void socket.destroy(),
  };
}

/** Sends requests over one connection, one after another, and reads the answers whole. */
export async function ask(port: number, requests: readonly WireRequest[]): Promise<WireAnswer[]> {
  const conversation = await converse(port);
  const answers: WireAnswer[] = [];
  for (const request of requests) answers.push(await conversation.ask(request));
  conversation.close();
  return answers;
}

function readAnswer(status: number, text: string): WireAnswer {
  const cookies = [...text.matchAll(/^set-cookie: ([^;\r\n]+)/gim)].map(([, pair]) => pair);
  return { status, cookie: cookies.join("; "), body: text.slice(text.indexOf("\r\n\r\n") + 4) };
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await once(socket, "connect");
  return socket;
}

/** Calls back once for each answer; it must have a Content-Length, and nothing may be sent before it is here. */
function onAnswer(socket: Socket, answer: (status: number, text: string) => void): void {
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
    if (text.length < end + 4 + Number(length ?? 0)) return;
    const whole = text;
    text = "";
    answer(Number(whole.slice(9, 12)), whole);
  });
}
