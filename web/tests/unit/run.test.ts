import { describe, expect, test } from "vitest";
import { type SubmissionView, decode } from "../../src/api";
import { begin, complete, done, peak, progress, spoken, step } from "../../src/run";
import { timeline } from "../../src/timeline";
import { report, testReport } from "../mock/shapes";

const QUEUED: SubmissionView = { id: "a", status: "queued", attempts: 0 };

describe("a run", () => {
  test("goes from queued over tests in any order to its report", () => {
    let run = begin(QUEUED, 3);
    run = step(run, { kind: "status", status: "running" });
    run = step(run, { kind: "test", test: { index: 2, ...testReport("3", "WA", { cpu_ms: 7 }) } });
    expect([done(run), run.total, run.tests[0]]).toEqual([1, 3, undefined]);
    expect(spoken(run, () => "")).toBe("Running, 1 of 3 tests over.");
    expect(peak(run.tests).cpu_ms).toBe(7);
    const whole = report([testReport("1", "AC"), testReport("2", "AC"), testReport("3", "WA")]);
    run = step(run, { kind: "view", view: { ...QUEUED, status: "finished", report: whole } });
    expect([done(run), complete(run)]).toEqual([3, true]);
    expect(spoken(run, (r) => r.verdict)).toBe("WA. 2 of 3 tests passed.");
  });

  test("of somebody else does not say how many tests there are before its report", () => {
    const tests = [{ index: 1, ...testReport("2", "AC") }];
    const run = begin({ ...QUEUED, status: "running", tests }, null);
    expect([progress(run), run.total]).toEqual(["1 test", null]);
    expect(step(run, { kind: "view", view: { ...QUEUED, status: "finished", report: report([testReport("1", "AC")]) } }).total).toBe(2);
  });

  test("is over when it was refused, given up or called off, and finished only with its report", () => {
    const over = (status: SubmissionView["status"]) => complete(begin({ ...QUEUED, status }, 1));
    expect((["queued", "running", "retrying", "finished"] as const).some(over)).toBe(false);
    expect((["refused", "failed", "cancelled"] as const).every(over)).toBe(true);
  });

  test("has a timeline at each of its stages", () => {
    const states = (status: SubmissionView["status"], attempts = 0) => timeline(begin({ id: "a", status, attempts }, 1)).map((s) => s.state).join(" ");
    expect(states("queued")).toBe("done now ahead ahead ahead ahead ahead ahead");
    expect(states("running")).toBe("done done done now ahead ahead ahead ahead");
    expect(states("retrying", 1)).toMatch(/^done done done now/);
    expect(states("cancelled")).toMatch(/^done failed .* failed$/);
    const over = timeline(begin({ ...QUEUED, status: "finished", report: report([testReport("1", "AC")]) }, 1), { submission: { language: "c", tests: [] }, at: 1000, started: 1250 });
    expect(over.every((s) => s.state === "done")).toBe(true);
    expect(Math.max(...over.map((s) => s.share))).toBe(1);
    expect(over[1]).toMatchObject({ name: "Queued", ms: 250 });
  });
});

describe("frames", () => {
  const frame = (event: string, data: string) => decode({ event, data, id: null });

  test("become events, and what is unknown or broken is passed over", () => {
    expect(frame("status", '{"status":"running"}')).toEqual({ kind: "status", status: "running" });
    expect(frame("test", '{"index":1,"verdict":"AC"}')).toEqual({ kind: "test", test: { index: 1, verdict: "AC" } });
    expect(frame("end", '{"id":"a"}')).toEqual({ kind: "view", view: { id: "a" } });
    for (const [event, data] of [["news", "{}"], ["test", "{"], ["test", "{}"], ["status", ""]] as const) expect(frame(event, data)).toBeNull();
  });
});
