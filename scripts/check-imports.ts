/**
 * Checks that importing the package loads no driver, provider or mail SDK: an application pays for what it asks for.
 * Reads the built package; run `npm run build` before.
 *
 *     npx tsx scripts/check-imports.ts
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const forbidden = [
  "ioredis",
  "kysely",
  "pg",
  "mysql2",
  "libsql",
  "better-sqlite3",
  "resend",
  "nodemailer",
  "@node-rs/argon2",
  "openid-client",
  "oauth4webapi",
  "passport",
  "passport-strategy",
];

// Prints every module loaded by an import, whichever loader took it.
const program = `
  import { createRequire, register } from "node:module";
  const hooks = "export const resolve = async (name, context, next) => { const found = await next(name, context); console.log(found.url); return found; };";
  register("data:text/javascript," + encodeURIComponent(hooks));
  await import("latchkey");
  for (const path of Object.keys(createRequire(import.meta.url).cache)) console.log(path);
`;

const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  encoding: "utf8",
});
if (status !== 0) {
  console.error(stderr);
  process.exit(1);
}

const loaded = [...new Set(stdout.split("\n").map((line) => line.replace("file://", "")))];
const packages = [...new Set(loaded.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []))].sort();
const own = loaded.filter((path) => path.includes("/dist/"));
console.log(`import "latchkey" loads ${own.length} files of its own and files of ${packages.length} packages`);

const wrong = packages.filter((name) => forbidden.includes(name) || name.startsWith("passport-"));
if (own.length === 0) wrong.push("nothing of latchkey itself, so this check saw nothing");
if (wrong.length > 0) {
  console.error(`import "latchkey" must not load: ${wrong.join(", ")}`);
  process.exit(1);
}
