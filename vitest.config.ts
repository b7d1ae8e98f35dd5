import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { backendsReporter } from "./scripts/backends-reporter.ts";
import { summaryReporter } from "./scripts/summary-reporter.ts";
import { backends, parseBackend, type Backend } from "./test/support/stores/backends.ts";

const root = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Tests that start Redis, a browser or further processes. All others need nothing but Node. */
const needServices = [
  "test/adapters/mysql*.test.ts",
  "test/adapters/postgres*.test.ts",
  "test/adapters/redis/**/*.test.ts",
  "test/adapters/redis*.test.ts",
  "test/browser/**/*.test.ts",
  "test/faults/**/*.test.ts",
  "test/migrations/upgrade.test.ts",
  "test/races/**/*.test.ts",
  "test/support/**/*.test.ts",
  "test/**/*.redis.test.ts",
  "test/**/*.postgres.test.ts",
];

/** Of those, what is timed: servers and processes that are stopped, killed or cut off, and how soon they are missed and found again. */
const timed = ["test/adapters/**/*faults.test.ts", "test/faults/!(crashes|refused-writes).test.ts", "test/races/fresh-tokens.test.ts"];

/** Tests that need nothing either, but take their time: every wrong input to every route, every way of a provider, and stores in files. */
const thorough = [
  "test/adapters/*sqlite*.test.ts",
  "test/core/*.sqlite.test.ts",
  "test/http/bad-input.test.ts",
  "test/oauth/hostile-*.test.ts",
  "test/passport/*.test.ts",
];

/** Tests that run on every backend: over HTTP, and what an application keeps in the store. */
const onEveryBackend = ["test/http/**/*.test.ts", "test/core/auth-storage.test.ts"];

/** Through the cache, unless it is chosen: those with what it keeps. */
const throughCache = ["test/http/own-session.test.ts", "test/http/routes.test.ts", "test/core/auth-storage.test.ts"];

/** Those, on one backend: `openTestStore` opens their stores there. One file after another finds the same process. */
function httpOn(backend: Backend, name = `http:${backend}`) {
  return {
    extends: true as const,
    test: {
      name,
      include: name === "http:cached" ? throughCache : onEveryBackend,
      exclude: [...needServices, ...thorough],
      isolate: false,
      provide: { testStore: backend },
      globalSetup: "test/support/stores/servers.ts",
      setupFiles: "test/support/stores/choose.ts",
      sequence: { groupOrder: 0 },
    },
  };
}

/** `TEST_STORE=postgres npx vitest run --project http` runs them there alone. */
const chosen = parseBackend(process.env.TEST_STORE || "memory");
const others = Object.keys(backends)
  .map(parseBackend)
  .filter((backend) => backend !== "memory");

export default defineConfig({
  resolve: {
    alias: [
      { find: /^latchkey$/, replacement: root("lib/index.ts") },
      { find: /^latchkey\/better-auth$/, replacement: root("lib/better-auth/index.ts") },
      { find: /^latchkey\/express-session$/, replacement: root("lib/express-session/index.ts") },
      { find: /^latchkey\/client$/, replacement: root("lib/client/index.ts") },
      { find: /^latchkey\/opentelemetry$/, replacement: root("lib/opentelemetry/index.ts") },
      { find: /^latchkey\/pipeline$/, replacement: root("lib/pipeline/index.ts") },
      { find: /^latchkey\/testing$/, replacement: root("lib/testing/index.ts") },
      { find: /^latchkey\/adapters\/(.*)$/, replacement: root("lib/adapters/$1/index.ts") },
      { find: /^latchkey\/email\/(.*)$/, replacement: root("lib/email/$1.ts") },
      { find: /^latchkey\/strategies\/(.*)$/, replacement: root("strategies/$1.ts") },
    ],
  },
  test: {
    maxWorkers: 2,
    testTimeout: 15_000,
    hookTimeout: 60_000,
    reporters: ["default", backendsReporter(process.env.TEST_BACKENDS_FILE), summaryReporter(process.env.TEST_SUMMARY_FILE)],
    projects: [
      {
        // In one process a worker: loading everything anew for each file would take as long as the tests.
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: [...needServices, ...thorough, ...onEveryBackend],
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      httpOn(chosen, "http"),
      ...others.map((backend) => httpOn(backend)),
      {
        extends: true,
        test: { name: "thorough", include: thorough, exclude: needServices, isolate: false, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: { name: "services", include: needServices, exclude: timed, isolate: false, sequence: { groupOrder: 1 } },
      },
      {
        // One file at a time, after the others: a failover must not be timed while something else takes the processor.
        extends: true,
        test: { name: "timed", include: timed, fileParallelism: false, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
