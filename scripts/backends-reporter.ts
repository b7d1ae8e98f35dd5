import { writeFileSync } from "node:fs";
import type { Reporter, TestCase } from "vitest/node";

/** What a run showed of the backends. */
export interface BackendResults {
  /** Of `recordStoreConformance`: backend, section, rule, and whether it passed. In the order of the suite. */
  readonly conformance: Record<string, Record<string, Record<string, boolean>>>;
}

/** Writes {@link BackendResults} to `outputFile` at the end of a run; nothing when it is not given. */
export function backendsReporter(outputFile?: string): Reporter {
  return {
    onTestRunEnd(modules) {
      if (!outputFile) return;
      const results: BackendResults = { conformance: {} };
      for (const module of modules) for (const test of module.children.allTests()) noteRule(results, test);
      writeFileSync(outputFile, JSON.stringify(results, null, 2));
    },
  };
}

/** The suite names its tests `<backend> store > <section> > <rule>`. */
function noteRule({ conformance }: BackendResults, test: TestCase): void {
  const section = test.parent;
  const suite = section.type === "suite" ? section.parent : null;
  if (section.type !== "suite" || suite?.type !== "suite" || suite.parent.type !== "module") return;
  const backend = /^(?:rule 11: )?(.+) store$/.exec(suite.name)?.[1];
  if (backend === undefined) return;
  const rules = ((conformance[backend] ??= {})[section.name] ??= {});
  rules[test.name] = test.result().state === "passed";
}
