import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/**
 * Ends a run with one plain line, `N passed, N failed, N skipped`, that a person and a script can both read.
 * A file that does not load and an error outside any test count as failed. With `outputFile`, the counts are written there as JSON.
 */
export function summaryReporter(outputFile?: string): Reporter {
  return {
    onTestRunEnd(modules, unhandledErrors) {
      const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
      for (const module of modules) {
        counts.failed += brokenParts(module);
        for (const test of module.children.allTests()) {
          const { state } = test.result();
          if (state === "passed") counts.passed += 1;
          else if (state === "failed") counts.failed += 1;
          else counts.skipped += 1;
        }
      }
      if (outputFile) writeFileSync(outputFile, JSON.stringify(counts));
      // After the other reporters, so that it is the last line.
      process.once("exit", () => process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`));
    },
  };
}

/** Failures that belong to no test: a file that does not load, a hook around a suite. */
function brokenParts(module: TestModule): number {
  const suites = [...module.children.allSuites()];
  return module.errors().length + suites.reduce((sum, suite) => sum + suite.errors().length, 0);
}
