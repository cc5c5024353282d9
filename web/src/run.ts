// What is known of one submission while it is judged: a value and the step from one event to the
// next. No I/O, no clock; the views only show it.

import { type Report, type Stage, type SubmissionEvent, type SubmissionView, type TestReport, isFinal } from "./api";

export interface Run {
  view: SubmissionView;
  /** Tests that are over, by index; gaps are those that are not. */
  tests: (TestReport | undefined)[];
  total: number;
}

export function begin(view: SubmissionView, total: number): Run {
  return withView({ view, tests: [], total }, view);
}

export function step(run: Run, event: SubmissionEvent): Run {
  switch (event.kind) {
    case "view":
      return withView(run, event.view);
    case "started": {
      const view: SubmissionView = { ...run.view, stage: "running" };
      if (event.worker !== undefined) view.worker = event.worker;
      // A new attempt: what an earlier one reported is not taken back, the queue shows it once.
      return { ...run, view };
    }
    case "test": {
      const tests = [...run.tests];
      tests[event.index] = event.report;
      return { ...run, tests, total: Math.max(run.total, tests.length) };
    }
    case "returned":
      return { ...run, view: { ...run.view, stage: "delayed" } };
    case "ended":
      return event.view
        ? withView(run, event.view)
        : { ...run, view: { ...run.view, stage: event.stage } };
  }
}

/** Whether there is nothing more to come. A finished one needs its report, or why there is none. */
export function complete({ view }: Run): boolean {
  return isFinal(view.stage) && (view.stage !== "finished" || !!view.report || !!view.refusal);
}

export function done(run: Run): number {
  return run.tests.reduce((n, test) => n + (test ? 1 : 0), 0);
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
  const { view, total } = run;
  const words: Record<Stage, string> = {
    queued: "Queued.",
    running: `Running, ${done(run)} of ${total} tests are over.`,
    delayed: "Waits for another attempt.",
    finished: "Finished.",
    dead: "Given up.",
    cancelled: "Cancelled.",
  };
  if (!view.report) return words[view.stage];
  const accepted = view.report.tests.filter((t) => t.verdict === "AC").length;
  const tests = view.report.tests.length;
  return `${name(view.report)}. ${accepted} of ${tests} tests passed.`;
}

function withView(run: Run, view: SubmissionView): Run {
  const tests = [...run.tests];
  for (const { index, report } of view.steps ?? []) tests[index] = report;
  view.report?.tests.forEach((report, index) => {
    tests[index] = report;
  });
  const total = Math.max(run.total, view.tests_total ?? 0, tests.length);
  return { view: { ...run.view, ...view }, tests, total };
}
