// What is in the playground's form, and how it becomes a submission and back.

import type { Blob, Checker, Limits, Submission } from "./api";

export interface Draft {
  language: string;
  code: string;
  mode: "stdin" | "tests";
  stdin: string;
  tests: { input: string; answer: string }[];
  /** Null: what the server grants by default. */
  cpuSeconds: number | null;
  wallSeconds: number | null;
  memoryMiB: number | null;
  checker: Checker["kind"];
  stopAtFirst: boolean;
}

const MIB = 1 << 20;

export function empty(language: string, code: string): Draft {
  return {
    language,
    code,
    mode: "tests",
    stdin: "",
    tests: [
      { input: "1 2\n", answer: "3\n" },
      { input: "40 2\n", answer: "42\n" },
      { input: "-5 5\n", answer: "0\n" },
    ],
    cpuSeconds: null,
    wallSeconds: null,
    memoryMiB: null,
    checker: "lines",
    stopAtFirst: false,
  };
}

/** What is wrong with it, in words; null when it can be sent. */
export function fault(draft: Draft): string | null {
  if (draft.code.trim() === "") return "The program is empty.";
  if (draft.mode === "tests" && draft.tests.length === 0) return "There is no test: add one, or run with an input.";
  for (const [name, value] of [["CPU time", draft.cpuSeconds], ["Wall time", draft.wallSeconds], ["Memory", draft.memoryMiB]] as const) {
    if (value !== null && !(value > 0)) return `${name} has to be more than 0.`;
  }
  return null;
}

export function compose(draft: Draft): Submission {
  const limits: Limits = {};
  if (draft.cpuSeconds !== null) limits.cpu_ms = Math.max(1, Math.round(draft.cpuSeconds * 1000));
  if (draft.wallSeconds !== null) limits.wall_ms = Math.max(1, Math.round(draft.wallSeconds * 1000));
  if (draft.memoryMiB !== null) limits.memory_bytes = Math.round(draft.memoryMiB * MIB);
  const tests = draft.mode === "stdin"
    ? [{ input: draft.stdin }]
    : draft.tests.map(({ input, answer }) => ({ input, answer }));
  const submission: Submission = {
    language: draft.language,
    source: draft.code,
    tests,
    lane: "high",
  };
  if (Object.keys(limits).length > 0) submission.limits = limits;
  if (draft.mode === "tests" && draft.checker !== "lines") submission.checker = { kind: draft.checker };
  if (draft.mode === "tests" && draft.stopAtFirst) submission.stop = "first_failure";
  return submission;
}

/** As far as the form can show it: the first file, texts only. */
export function restore(submission: Submission): Draft {
  const { language, source, files, tests, limits, checker, stop } = submission;
  const draft = empty(language, plain(source ?? files?.[0]?.contents));
  const [first] = tests;
  if (tests.length === 1 && first && first.answer === undefined) {
    draft.mode = "stdin";
    draft.stdin = plain(first.input);
  } else {
    draft.tests = tests.map((t) => ({ input: plain(t.input), answer: plain(t.answer) }));
  }
  draft.cpuSeconds = scaled(limits?.cpu_ms, 1000);
  draft.wallSeconds = scaled(limits?.wall_ms, 1000);
  draft.memoryMiB = scaled(limits?.memory_bytes, MIB);
  if (checker?.kind === "exact" || checker?.kind === "tokens") draft.checker = checker.kind;
  draft.stopAtFirst = stop === "first_failure";
  return draft;
}

/** What each test is granted: judge/src/model/submission.rs `LimitsSpec::over`, sandbox's defaults. */
export function granted(limits: Limits = {}): Required<Limits> {
  const cpu_ms = limits.cpu_ms ?? 10_000;
  return {
    cpu_ms,
    wall_ms: limits.wall_ms ?? cpu_ms * 2 + 1000,
    memory_bytes: limits.memory_bytes ?? 256 * MIB,
  };
}

function plain(blob: Blob | undefined): string {
  return typeof blob === "string" ? blob : "";
}

function scaled(value: number | undefined, unit: number): number | null {
  return typeof value === "number" ? value / unit : null;
}
