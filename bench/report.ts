/** One line of the report. */
export interface Line {
  readonly what: string;
  readonly measured: string;
  /** What it must be. Left out: for information. */
  readonly target?: string;
  readonly passed?: boolean;
}

/** Collects lines and prints each as soon as it is there. */
export interface Report {
  section(title: string): void;
  add(line: Line): void;
  /** Targets missed so far. */
  readonly missed: number;
}

export function createReport(print: (text: string) => void): Report {
  let missed = 0;
  return {
    get missed() {
      return missed;
    },
    section: (title) => print(`\n${title}`),
    add({ what, measured, target, passed }) {
      if (passed === false) missed += 1;
      const verdict = passed === undefined ? "" : passed ? "PASS" : "FAIL";
      print(`  ${what.padEnd(44)} ${measured.padEnd(52)} ${(target ?? "").padEnd(14)} ${verdict}`.trimEnd());
    },
  };
}
