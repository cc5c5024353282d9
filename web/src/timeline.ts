// The stages a submission goes through, with what is known of each.

import { isFinal } from "./api";
import { type Run, done } from "./run";
import * as verdict from "./verdict";

export interface TimelineStage {
  name: string;
  note: string;
  ms: number | null;
  /** Of the longest stage, from 0 to 1. */
  share: number;
  state: "done" | "now" | "ahead" | "failed";
}

export function timeline(run: Run): TimelineStage[] {
  const { view, total } = run;
  const { report, stage, attempts } = view;
  const over = isFinal(stage);
  const began = stage === "running" || (over && stage !== "cancelled") || !!view.started_at;
  const wait = between(view.created_at, view.started_at);
  const tests = done(run);
  const compile = report?.compile;
  const stages: Omit<TimelineStage, "share">[] = [
    { name: "Received", note: clock(view.created_at), ms: null, state: "done" },
    {
      name: "Queued",
      note: stage === "delayed" ? "waits for another attempt" : [view.lane && `lane ${view.lane}`].filter(Boolean).join(""),
      ms: wait,
      state: began ? "done" : over ? "failed" : "now",
    },
    {
      name: "Taken",
      note: [view.worker && `by ${view.worker}`, attempts !== undefined && attempts > 1 && `attempt ${attempts}`].filter(Boolean).join(", "),
      ms: null,
      state: began ? "done" : "ahead",
    },
  ];
  if (!report || compile) {
    stages.push({
      name: "Compiled",
      note: compile ? (compile.ok ? (compile.cached ? "found in the cache" : compile.status) : `refused: ${compile.status}`) : "",
      ms: report ? report.times.compile_ms : null,
      state: report ? (compile?.ok ? "done" : "failed") : tests > 0 ? "done" : began ? "now" : "ahead",
    });
  }
  if (compile?.ok !== false) {
    stages.push({ name: "Boxes set up", note: "summed over tests side by side", ms: report?.times.set_up_ms ?? null, state: report || tests > 0 ? "done" : "ahead" });
    stages.push({ name: "Run", note: `${tests} of ${total} tests, summed`, ms: report?.times.run_ms ?? null, state: report ? "done" : tests > 0 ? "now" : "ahead" });
    stages.push({ name: "Checked", note: "summed over tests", ms: report?.times.check_ms ?? null, state: report ? "done" : "ahead" });
  }
  stages.push({
    name: stage === "dead" ? "Given up" : stage === "cancelled" ? "Cancelled" : "Judged",
    note: report ? `${verdict.words(report.verdict).name}, start to report` : (view.refusal?.reason ?? view.reason ?? ""),
    ms: report?.times.total_ms ?? null,
    state: over ? (stage === "finished" && !view.refusal ? "done" : "failed") : "ahead",
  });
  const longest = Math.max(...stages.map((s) => s.ms ?? 0), 0.001);
  return stages.map((s) => ({ ...s, share: (s.ms ?? 0) / longest }));
}

function between(from: string | undefined, to: string | undefined): number | null {
  if (!from || !to) return null;
  const ms = Date.parse(to) - Date.parse(from);
  return Number.isFinite(ms) ? Math.max(ms, 0) : null;
}

function clock(at: string | undefined): string {
  const time = at ? new Date(at) : null;
  return time && Number.isFinite(time.getTime()) ? time.toLocaleTimeString() : "";
}
