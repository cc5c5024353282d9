// The stages a submission goes through, with what is known of each.

import { isOver } from "./api";
import type { Sent } from "./recent";
import { type Run, done, progress } from "./run";
import * as verdict from "./verdict";

export interface TimelineStage {
  name: string;
  note: string;
  ms: number | null;
  /** Of the longest stage, from 0 to 1. */
  share: number;
  state: "done" | "now" | "ahead" | "failed";
}

export function timeline(run: Run, sent?: Sent): TimelineStage[] {
  const { view } = run;
  const { report, status, attempts, lane } = view;
  const over = isOver(status);
  const began = status === "running" || attempts > 0 || done(run) > 0 || !!report;
  const compile = report?.compile;
  const stages: Omit<TimelineStage, "share">[] = [
    { name: "Received", note: sent ? new Date(sent.at).toLocaleTimeString() : "", ms: null, state: "done" },
    {
      name: "Queued",
      note: status === "retrying" ? "waits for another attempt" : lane ? `lane ${lane}` : "",
      ms: sent?.started === undefined ? null : sent.started - sent.at,
      state: began ? "done" : over ? "failed" : "now",
    },
    {
      name: "Taken by a worker",
      note: attempts > 1 ? `attempt ${attempts}` : "",
      ms: null,
      state: began ? "done" : "ahead",
    },
  ];
  if (!report || compile) {
    const note = compile ? (compile.ok ? (compile.cached ? "found in the cache" : compile.status) : `refused: ${compile.status}`) : "";
    const state = report ? (compile?.ok ? "done" : "failed") : done(run) > 0 ? "done" : began ? "now" : "ahead";
    stages.push({ name: "Compiled", note, ms: report?.times.compile_ms ?? null, state });
  }
  if (compile?.ok !== false) {
    const running = report ? "done" : done(run) > 0 ? "now" : "ahead";
    stages.push({ name: "Boxes set up", note: "sum over tests, side by side", ms: report?.times.set_up_ms ?? null, state: running });
    stages.push({ name: "Run", note: `${progress(run)}, sum`, ms: report?.times.run_ms ?? null, state: running });
    stages.push({ name: "Checked", note: "sum over tests", ms: report?.times.check_ms ?? null, state: report ? "done" : "ahead" });
  }
  stages.push({ ...last(run), ms: report?.times.total_ms ?? null, state: over ? (report ? "done" : "failed") : "ahead" });
  const longest = Math.max(...stages.map((s) => s.ms ?? 0), 0.001);
  return stages.map((s) => ({ ...s, share: (s.ms ?? 0) / longest }));
}

function last({ view }: Run): { name: string; note: string } {
  switch (view.status) {
    case "refused":
      return { name: "Refused", note: view.refusal?.reason ?? "" };
    case "failed":
      return { name: "Given up", note: view.error ?? "" };
    case "cancelled":
      return { name: "Cancelled", note: "" };
    default:
      return { name: "Judged", note: view.report ? `${verdict.words(view.report.verdict).name}; from taken to report` : "" };
  }
}
