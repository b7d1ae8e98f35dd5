import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** Stands between a client and a database on loopback, and cuts a connection when a statement passes. */
export interface CuttingProxy {
  readonly port: number;
  /** Cuts when `statement` passes for the `nth` time from now: before it is delivered, or when it was and before its answer is. Once. */
  cutAt(statement: RegExp, when: "before" | "after", nth?: number): void;
  /** How often it has cut. */
  readonly cuts: number;
  close(): Promise<void>;
}

export async function startCuttingProxy(target: number): Promise<CuttingProxy> {
  let rule: { statement: RegExp; when: "before" | "after"; left: number } | null = null;
  let cuts = 0;
  const sockets = new Set<Socket>();

  const server = createServer((client) => {
    const database = connect(target, "127.0.0.1");
    let answering = true;
    const end = () => {
      client.destroy();
      database.destroy();
    };
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.on("error", end).on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on("data", (data) => {
      if (rule?.statement.test(data.toString("latin1")) && (rule.left -= 1) === 0) {
        const { when } = rule;
        rule = null;
        cuts += 1;
        if (when === "before") return end();
        answering = false; // the first byte of the answer shows that it was carried out
      }
      database.write(data);
    });
    database.on("data", (data) => void (answering ? client.write(data) : end()));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    port: (server.address() as AddressInfo).port,
    cutAt: (statement, when, nth = 1) => void (rule = { statement, when, left: nth }),
    get cuts() {
      return cuts;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
