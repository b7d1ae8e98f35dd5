import { createServer } from "node:http";

/** What every app is asked for at `GET /me`, and answers with: as small as an answer gets. */
export const answer = (res, id) => res.json({ id });

/**
 * Listens on a port of loopback that is free, tells the benchmark which, and from then on tells it, whenever asked, the CPU time
 * used so far (µs, all threads, user and system) and the answers given.
 */
export function serve(app) {
  let requests = 0;
  const server = createServer((req, res) => {
    requests += 1;
    app(req, res);
  });
  server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send({ cpu: user + system, requests });
  });
  process.on("disconnect", () => process.exit());
}
