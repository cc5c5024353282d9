// What is known of one submission while it is judged: a value and the step from one event to the
// next. No I/O, no clock; the views only show it.

import { type Report, type Status, type SubmissionEvent, type SubmissionView, type TestReport, isOver } from "./api";

export interface Run {
  view: SubmissionView;
  /** Tests that are over, by index; gaps are those that are not. */
  tests: (TestReport | undefined)[];
  /** How many there are; null until its report when somebody else sent it. */
  total: number | null;
}

export function begin(view: SubmissionView, total: number | null): Run {
  return step({ view, tests: [], total }, { kind: "view", view });
}

export function step(run: Run, event: SubmissionEvent): Run {
  switch (event.kind) {
    case "status":
      return { ...run, view: { ...run.view, status: event.status } };
    case "test": {
      const tests = [...run.tests];
      tests[event.test.index] = event.test;
      return { ...run, tests };
    }
    case "view": {
      const { view } = event;
      const tests = [...run.tests];
      for (const test of view.tests ?? []) tests[test.index] = test;
      view.report?.tests.forEach((test, index) => {
        tests[index] = test;
      });
      return { view, tests, total: view.report ? tests.length : run.total };
    }
  }
}

/** Whether there is nothing more to come. */
export function complete({ view }: Run): boolean {
  return isOver(view.status) && (view.status !== "finished" || !!view.report);
}

export function done(run: Run): number {
  return run.tests.reduce((n, test) => n + (test ? 1 : 0), 0);
}

/** `2 of 3 tests`, or `2 tests` where nobody knows how many there are. */
export function progress(run: Run): string {
  const { total } = run;
  const over = done(run);
  if (total === null) return `${over} ${over === 1 ? "test" : "tests"}`;
  return `${over} of ${total} ${total === 1 ? "test" : "tests"}`;
}

export interface Use {
  cpu_ms: number;
  wall_ms: number;
  memory_bytes: number;
}

/** The most that any test used so far. */
export function peak(tests: readonly (TestReport | undefined)[]): Use {
  const use: Use = { cpu_ms: 0, wall_ms: 0, memory_bytes: 0 };
  for (const test of tests) {
    if (!test) continue;
    use.cpu_ms = Math.max(use.cpu_ms, test.cpu_ms);
    use.wall_ms = Math.max(use.wall_ms, test.wall_ms);
    use.memory_bytes = Math.max(use.memory_bytes, test.memory_bytes);
  }
  return use;
}

/** One sentence for those who listen to the page. */
export function spoken(run: Run, name: (report: Report) => string): string {
  const { report, status } = run.view;
  const words: Record<Status, string> = {
    queued: "Queued.",
    running: `Running, ${progress(run)} over.`,
    retrying: "Waits for another attempt.",
    finished: "Finished.",
    refused: "Refused.",
    failed: "Given up.",
    cancelled: "Cancelled.",
  };
  if (!report) return words[status];
  const passed = report.tests.filter((t) => t.verdict === "AC").length;
  return `${name(report)}. ${passed} of ${report.tests.length} tests passed.`;
}
