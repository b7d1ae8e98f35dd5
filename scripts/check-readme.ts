/**
 * Checks that what the README and the pages of docs/ show is true: a block that names an example equals that file, every other TypeScript block compiles
 * against the built package, every example and every block that stands alone runs, and every link within the repository leads to a file and a heading. Run `npm run build`
 * before.
 *
 *     npx tsx scripts/check-readme.ts [--write]      --write copies the examples into the pages first
 */
import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brokenLinks } from "./reference/links.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const quickstart = "examples/quickstart.ts";
const tutorial = "examples/own-provider.ts";
const quoted = /^(<!-- (examples\/\S+\.ts) -->\n+```ts\n)[\s\S]*?^```$/gm;
const inDocs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).map((name) => `docs/${name}`);
const pages = ["README.md", ...inDocs.sort().filter((name) => name.endsWith(".md"))];
if (process.argv.includes("--write")) {
  for (const page of pages) {
    const copied = readFileSync(join(root, page), "utf8").replaceAll(
      quoted,
      (_, head: string, file: string) => `${head}${readFileSync(join(root, file), "utf8")}\`\`\``,
    );
    writeFileSync(join(root, page), copied);
  }
}
const text = pages.map((page) => readFileSync(join(root, page), "utf8")).join("\n");

// A project of its own, in which `latchkey` is the built package.
const project = mkdtempSync(join(tmpdir(), "latchkey-readme-"));
process.on("exit", () => rmSync(project, { recursive: true, force: true }));
mkdirSync(join(project, "node_modules"));
for (const name of readdirSync(join(root, "node_modules")))
  symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
symlinkSync(root, join(project, "node_modules/latchkey"));
writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
const compilerOptions = {
  module: "nodenext",
  target: "es2023",
  lib: ["es2023"],
  types: ["node"],
  strict: true,
  skipLibCheck: true,
  noEmit: true,
};
writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));

/** What a block may use without saying where it comes from: the application and the auth that the first block made. */
const known = {
  app: `declare const app: import("express").Express;`,
  auth: `declare const auth: import("latchkey").Auth;`,
};

/** Takes a free port where a program asks for 3000, and tells which. */
const anyPort = `
  import net from "node:net";
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (port, ...rest) {
    if (port !== 3000) return listen.call(this, port, ...rest);
    this.once("listening", () => console.log("port " + this.address().port));
    return listen.call(this, 0, ...rest);
  };`;
const preload = `data:text/javascript,${encodeURIComponent(anyPort)}`;

let problems = 0;
const blocks = [...text.matchAll(/^(?:<!-- (examples\/\S+\.ts) -->\n+)?```ts\n([\s\S]*?)^```$/gm)];
for (const [, example, source = ""] of blocks) {
  const index = blocks.findIndex((block) => block[2] === source);
  if (example) {
    if (source !== readFileSync(join(root, example), "utf8")) complain(`the block under "${example}" differs from that file`);
    writeFileSync(join(project, `example-${index}.ts`), source);
    continue;
  }
  const prelude = Object.entries(known).filter(([name]) => !new RegExp(`\\b(?:const|let) ${name}\\b`).test(source));
  writeFileSync(join(project, `block-${index}.ts`), `${prelude.map(([, code]) => code).join(" ")} export {};\n${source}`);
}
if (blocks[0]?.[1] !== quickstart) complain(`the first block must be ${quickstart}`);

const types = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", project, "--pretty", "false"], { encoding: "utf8" });
if (types.status !== 0) complain(`the blocks do not compile:\n${types.stdout.replaceAll(`${project}/`, "")}`);
console.log(`${blocks.length} blocks compared and compiled`);

for (const broken of brokenLinks(root, [...pages, "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md"])) complain(broken);
let ran = 0;
for (const [, example, source = ""] of new Map(blocks.map((block) => [block[2], block] as const)).values())
  if (!example && standsAlone(source)) await runBlock(source);
console.log(`${ran} blocks that stand alone run`);
for (const example of new Set(blocks.map(([, name]) => name))) if (example) await runExample(example);
process.exitCode = problems > 0 ? 1 : 0;

/** Whether a block needs neither another one, nor a server, nor an account elsewhere. */
function standsAlone(source: string): boolean {
  const imports = [...source.matchAll(/ from "([^"]+)"/g)].map(([, name = ""]) => name);
  const elsewhere = /^(?:ioredis|pg|mysql2|resend|nodemailer|@opentelemetry\/api|latchkey\/(?:client|better-auth)|\.|vitest)/;
  const needs = /\b(?:await fetch|freshToken)\b/;
  const own = Object.keys(known).every(
    (name) => !new RegExp(`\\b${name}\\b`).test(source) || new RegExp(`\\bconst ${name}\\b`).test(source),
  );
  return imports.includes("latchkey") && own && !imports.some((name) => elsewhere.test(name)) && !needs.test(source);
}

/** Runs a block with secrets in place of what its environment would hold: it has to end well, or to serve; it is stopped then. */
async function runBlock(source: string): Promise<void> {
  const index = blocks.findIndex((block) => block[2] === source);
  const secret = "a secret of the checks, of 32 bytes and more";
  const names = [...source.matchAll(/process\.env\.([A-Z_]+)/g)].map(([, name = ""]) => name);
  const { NODE_ENV: _, ...env } = process.env;
  const own = Object.fromEntries(names.map((name) => [name, name === "BASE_URL" ? "http://localhost:3000" : secret + name]));
  const block = spawn(process.execPath, ["--import", "tsx", "--import", preload, `block-${index}.ts`], {
    cwd: project,
    env: { ...env, ...own },
  });
  let output = "";
  for (const stream of [block.stdout, block.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const timer = setTimeout(() => block.kill("SIGKILL"), 20_000);
  block.stdout.on("data", () => /^port \d+$/m.test(output) && block.kill());
  const [code, signal] = await new Promise<[number | null, string | null]>((done) => block.once("exit", (...end) => done(end)));
  clearTimeout(timer);
  if (code === 0 || signal === "SIGTERM") ran += 1;
  else complain(`a block that stands alone fails:\n${source}\n${output}`);
}

/** A Gitea server of three endpoints, which knows Ada. */
async function fakeGitea() {
  const answers: Readonly<Record<string, object>> = {
    "POST /login/oauth/access_token": { access_token: "ada-token", token_type: "bearer", expires_in: 3600, refresh_token: "another" },
    "GET /api/v1/user": { id: 7, login: "ada", avatar_url: "https://gitea.example/ada.png" },
    "GET /api/v1/user/emails": [{ email: "ada@example.com", verified: true, primary: true }],
  };
  const server = createServer((req, res) => {
    const answer = answers[`${req.method} ${req.url}`];
    const known = req.method === "POST" || req.headers.authorization === "Bearer ada-token";
    res.writeHead(answer && known ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

/** Follows the tutorial's own link, comes back as Gitea would lead back, and asks who is signed in. */
async function signInByGitea(app: string): Promise<void> {
  const cookies = new Map<string, string>();
  const go = async (path: string) => {
    const cookie = [...cookies].map((pair) => pair.join("=")).join("; ");
    const answer = await fetch(new URL(path, app), { redirect: "manual", headers: { cookie } });
    for (const [name = "", value = ""] of answer.headers.getSetCookie().map((each) => (each.split(";")[0] ?? "").split("=")))
      cookies.set(name, value);
    return answer;
  };
  const [, link = ""] = /href="([^"]+)"/.exec(await (await go("/")).text()) ?? [];
  // A script is told where to go, and what came of it, instead of being led there.
  const { url = "" } = (await (await go(link)).json()) as { url?: string };
  const asked = new URLSearchParams(url.split("?")[1]);
  const back = await go(`${asked.get("redirect_uri") ?? "/"}?${new URLSearchParams({ code: "code", state: asked.get("state") ?? "" })}`);
  const me = await go("/me");
  const said = await me.text();
  if (back.status !== 200 || me.status !== 200 || !said.includes("ada@example.com"))
    complain(`${tutorial}: a sign-in and /me should both be 200, not ${back.status} and ${me.status}: ${said}`);
  else console.log(`${tutorial} signs in; GET /me answers ${me.status} ${said}`);
}

/** Starts an example as it stands, but for a free port in place of 3000, and asks it who we are. */
async function runExample(example: string): Promise<void> {
  const file = `run-${basename(example)}`;
  writeFileSync(join(project, file), readFileSync(join(root, example), "utf8"));
  const { NODE_ENV: _, ...env } = process.env;
  const gitea = example === tutorial ? await fakeGitea() : null;
  const own = gitea ? { GITEA_URL: gitea.url } : {};
  const server = spawn(process.execPath, ["--import", "tsx", "--import", preload, file], { cwd: project, env: { ...env, ...own } });
  const timer = setTimeout(() => server.kill("SIGKILL"), 30_000);
  try {
    let output = "";
    server.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const port = await new Promise<string | undefined>((done) => {
      server.stdout.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        const match = /^port (\d+)$/m.exec(output);
        if (match) done(match[1]);
      });
      server.once("exit", () => done(undefined));
    });
    if (!port) return complain(`${example} does not start:\n${output}`);
    const answer = await fetch(`http://localhost:${port}/me`);
    const type = answer.headers.get("content-type") ?? "";
    if (answer.status !== 401 || !type.startsWith("application/problem+json")) {
      return complain(`${example}: GET /me should be 401 application/problem+json, not ${answer.status} ${type}: ${await answer.text()}`);
    }
    console.log(`${example} runs; GET /me answers ${answer.status} ${await answer.text()}`);
    if (gitea) await signInByGitea(`http://localhost:${port}`);
  } finally {
    clearTimeout(timer);
    gitea?.close();
    if (server.exitCode === null) {
      server.kill();
      await new Promise((done) => server.once("exit", done));
    }
  }
}

function complain(problem: string): void {
  console.error(problem);
  problems += 1;
}
