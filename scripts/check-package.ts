/**
 * Checks the package as its users get it: the packed tarball, installed beside Express in an empty project, is imported and
 * required under each of its entry points, serves a request, runs as the command `latchkey`, and type-checks with the types of its dependencies checked too.
 *
 *     npx tsx scripts/check-package.ts [tarball]      packs one when none is given
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));
const project = mkdtempSync(join(tmpdir(), "latchkey-package-"));
process.on("exit", () => rmSync(project, { recursive: true, force: true }));

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  name: string;
  version: string;
  exports: Record<string, unknown>;
  devDependencies: Record<string, string>;
};
const entryPoints = Object.keys(manifest.exports)
  .filter((path) => path !== "./package.json")
  .flatMap(filesOf)
  .map((path) => manifest.name + path.slice(1));

const tarball = process.argv[2] ? resolve(process.argv[2]) : pack();
// No driver and no SDK beside it: every entry point must load without its optional peers.
const beside = ["express", "@types/express", "@types/passport", "@types/node"].map((name) => `${name}@${manifest.devDependencies[name]}`);
writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", tarball, ...beside]);

const serve = `
  const server = app.listen(0, "127.0.0.1", async () => {
    const answer = await fetch("http://127.0.0.1:" + server.address().port + "/me");
    console.log(answer.status, answer.headers.get("content-type"), (await answer.json()).code);
    server.close();
    await auth.close();
  });
`;
const app = `
  const auth = createAuth({});
  const app = express();
  app.use(auth);
  app.get("/me", requireAuth(), (req, res) => res.json({ id: req.auth.userId }));
`;
const programs = {
  "as-module.mjs": `
    import express from "express";
    import { createAuth, requireAuth } from "latchkey";
    for (const name of ${JSON.stringify(entryPoints)}) if (Object.keys(await import(name)).length === 0) throw new Error(name + " exports nothing");
    ${app}${serve}`,
  "as-script.cjs": `
    const express = require("express");
    const { createAuth, requireAuth } = require("latchkey");
    for (const name of ${JSON.stringify(entryPoints)}) if (Object.keys(require(name)).length === 0) throw new Error(name + " exports nothing");
    if (require("latchkey/package.json").name !== "latchkey") throw new Error("package.json is not exported");
    ${app}${serve}`,
};
for (const [file, source] of Object.entries(programs)) {
  writeFileSync(join(project, file), source);
  const output = run(process.execPath, [file]);
  if (!/^401 application\/problem\+json\S* authentication_required$/m.test(output.replace("; charset=utf-8", ""))) {
    throw new Error(`${file}: GET /me should be refused with a problem document, but: ${output}`);
  }
  console.log(`ok: ${file}, ${entryPoints.length} entry points`);
}

// As `npx latchkey` runs it: by the link that npm made, with the application's own configuration.
writeFileSync(join(project, "latchkey.config.js"), `import { createAuth } from "latchkey";\nexport const auth = createAuth({});\n`);
const latchkey = join(project, "node_modules/.bin/latchkey");
for (const [args, expected] of [
  [["--version"], manifest.version],
  [["schema", "--dialect", "postgres"], 'create table if not exists "latchkey_users"'],
  [["schema", "--dialect", "sqlite", "--better-auth"], 'create view "session"'],
  [["migrate"], "memory: nothing to do"],
] as const) {
  const output = run(latchkey, args);
  if (!output.includes(expected)) throw new Error(`latchkey ${args.join(" ")} should say "${expected}", but: ${output}`);
}
console.log("ok: the command latchkey");

// Entry points that a pattern stands for are named in no other check of types.
const strategies = entryPoints.filter((name) => name.startsWith("latchkey/strategies/"));
writeFileSync(
  join(project, "app.ts"),
  `import express from "express";\nimport { createAuth, requireAuth } from "latchkey";\n${app}app.listen(3000);\n` +
    strategies.map((name, index) => `import * as strategy${index} from "${name}";\nvoid strategy${index};\n`).join(""),
);
const compilerOptions = {
  module: "nodenext",
  target: "es2023",
  lib: ["es2023"],
  types: ["node"],
  strict: true,
  skipLibCheck: false,
  noEmit: true,
};
writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["app.ts"] }));
run(join(root, "node_modules/.bin/tsc"), ["-p", project]);
console.log("ok: types, with those of all dependencies checked");

const client = join(project, "node_modules/latchkey/dist/lib/client");
const clientFiles = readdirSync(client).filter((file) => file.endsWith(".js"));
const clientSize = gzipSync(Buffer.concat(clientFiles.map((file) => readFileSync(join(client, file))))).length;
if (clientSize > 6 * 1024)
  throw new Error(`latchkey/client has grown to ${clientSize} bytes, gzipped: a browser should load less than 6 KB`);
console.log(`ok: latchkey/client is ${clientSize} bytes, gzipped`);

/** A pattern (`./strategies/*`) stands for every file of its folder. */
function filesOf(path: string): string[] {
  if (!path.endsWith("/*")) return [path];
  return readdirSync(join(root, path.slice(2, -2))).map((file) => path.replace("*", file.replace(/\.ts$/, "")));
}

function pack(): string {
  const file = run("npm", ["pack", "--silent", "--pack-destination", project], root).trim().split("\n").at(-1);
  return join(project, String(file));
}

function run(command: string, args: readonly string[], cwd = project): string {
  const { NODE_ENV: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: "utf8", timeout: 180_000 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`);
  return stdout;
}
