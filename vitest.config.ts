import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^latchkey$/, replacement: root("lib/index.ts") },
      { find: /^latchkey\/testing$/, replacement: root("lib/testing/index.ts") },
      { find: /^latchkey\/adapters\/(.*)$/, replacement: root("lib/adapters/$1/index.ts") },
      { find: /^latchkey\/email\/(.*)$/, replacement: root("lib/email/$1.ts") },
      { find: /^latchkey\/strategies\/(.*)$/, replacement: root("strategies/$1.ts") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    maxWorkers: 2,
    testTimeout: 15_000,
    hookTimeout: 60_000,
  },
});
