import type { Redis } from "ioredis";

/** Notes the name of every command that a client is asked to send from now on. `splice(0)` what is there to look at what comes next. */
export function sentCommands(client: Redis): string[] {
  const sent: string[] = [];
  const sendCommand = client.sendCommand.bind(client);
  client.sendCommand = (...args) => {
    sent.push(args[0].name);
    return sendCommand(...args);
  };
  return sent;
}
