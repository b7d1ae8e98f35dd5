import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";

/** A server that greets as Redis does and answers everything else with whatever a test says. */
export interface FakeRedis {
  readonly port: number;
  /** What it answers from now on, as it goes over the wire: `-OOM command not allowed`, `:1`, `$-1`. */
  answer: string;
  stop(): Promise<void>;
}

export async function startFakeRedis(): Promise<FakeRedis> {
  const sockets = new Set<Socket>();
  const info = "redis_version:7.0.15\r\nrole:master\r\nloading:0\r\n";
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      // Each command is an array of bulk strings; ioredis writes one whole.
      for (const [, name] of data.toString("latin1").matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
        if (name?.toLowerCase() === "info") socket.write(`$${info.length}\r\n${info}\r\n`);
        else if (name?.toLowerCase() === "client") socket.write("+OK\r\n");
        else socket.write(`${fake.answer}\r\n`);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const fake = {
    port: (server.address() as AddressInfo).port,
    answer: "$-1",
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  return fake;
}
