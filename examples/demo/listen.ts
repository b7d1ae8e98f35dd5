import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Listening {
  readonly http: Server;
  readonly port: number;
}

/** A server on this machine's loopback address; port 0 takes a free one. Rejects with EADDRINUSE when the port is taken. */
export function listen(port: number): Promise<Listening> {
  const http = createServer();
  return new Promise((resolve, reject) => {
    http.once("error", reject);
    http.listen(port, "127.0.0.1", () => resolve({ http, port: (http.address() as AddressInfo).port }));
  });
}

/** Ends a server and what is still connected to it. */
export function closeServer({ http }: Listening): Promise<void> {
  return new Promise((resolve) => {
    http.close(() => resolve());
    http.closeAllConnections();
  });
}
