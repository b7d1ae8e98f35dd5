#!/usr/bin/env node
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { systemClock } from "../clock.ts";
import type { CliIo } from "./command.ts";
import { commands } from "./commands.ts";
import { runCli } from "./run.ts";

/** How long what a configuration opened and did not close may keep the process, ms. */
const LINGER = 250;

/** How long a command that is interrupted may take to come to an end, ms, and what it ends with if it does not. */
const GRACE = 5000;
const INTERRUPTED = 130;

const stop = new AbortController();
process.once("SIGINT", () => {
  stop.abort();
  setTimeout(() => process.exit(INTERRUPTED), GRACE).unref();
});

const io: CliIo = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  cwd: process.cwd(),
  clock: systemClock,
  fetch: (url, init) => fetch(url, init),
  load: (path) => import(pathToFileURL(path).href),
  signal: stop.signal,
};
// Who reads no further, as `latchkey schema | head` does, is done.
process.stdout.on("error", () => process.exit());

const { version } = createRequire(import.meta.url)("latchkey/package.json") as { version: string };
process.exitCode = await runCli(process.argv.slice(2), io, commands, version);
setTimeout(() => process.exit(), LINGER).unref();
