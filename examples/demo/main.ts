/** What `npm start` runs. PORT: default 3000. REDIS_URL: default none, records stay in memory. AUTH_SECRET: default a new one each time. */
import { startDemo } from "./demo.ts";

const { REDIS_URL, AUTH_SECRET } = process.env;
const PORT = process.env.PORT || "3000";

const demo = await startDemo({ port: Number(PORT), redisUrl: REDIS_URL, secret: AUTH_SECRET }).catch((error: NodeJS.ErrnoException) => {
  if (error.code === "EADDRINUSE") console.error(`Port ${PORT} is taken. Choose another: PORT=${Number(PORT) + 1} npm start`);
  else if (error.code === "ERR_SOCKET_BAD_PORT") console.error(`PORT=${PORT} is no port: give a number from 0 to 65535`);
  else console.error(error.message);
  process.exit(1);
});

console.log(`
  latchkey demo

  Open     ${demo.url}
  Codes    are printed here, in this terminal, instead of being mailed
  Demo ID  ${demo.issuer}, an OpenID provider of this demo that takes any name
  Records  ${demo.storedIn}
  Stop     Ctrl-C
`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void demo.close().then(() => process.exit());
  });
}
