import { describe, expect, test } from "vitest";
import { type SubmissionView, decode } from "../../src/api";
import { begin, complete, done, peak, spoken, step } from "../../src/run";
import { timeline } from "../../src/timeline";
import { report, testReport } from "../mock/shapes";

const QUEUED: SubmissionView = { id: "a", stage: "queued" };

describe("a run", () => {
  test("goes from queued over tests in any order to its report", () => {
    let run = begin(QUEUED, 3);
    run = step(run, { kind: "started", worker: "w1" });
    run = step(run, { kind: "test", index: 2, report: testReport("3", "WA", { cpu_ms: 7 }) });
    expect(run.view).toMatchObject({ stage: "running", worker: "w1" });
    expect([done(run), run.total, run.tests[0]]).toEqual([1, 3, undefined]);
    expect(spoken(run, () => "")).toBe("Running, 1 of 3 tests are over.");
    expect(peak(run.tests).cpu_ms).toBe(7);
    const whole = report([testReport("1", "AC"), testReport("2", "AC"), testReport("3", "WA")]);
    run = step(run, { kind: "ended", stage: "finished", view: { id: "a", stage: "finished", report: whole } });
    expect([done(run), complete(run)]).toEqual([3, true]);
    expect(spoken(run, (r) => r.verdict)).toBe("WA. 2 of 3 tests passed.");
  });

  test("is not complete while its report is only announced", () => {
    const run = step(begin(QUEUED, 1), { kind: "ended", stage: "finished" });
    expect(complete(run)).toBe(false);
    expect(complete(step(run, { kind: "ended", stage: "cancelled" }))).toBe(true);
  });

  test("keeps what is known when it goes back to the queue", () => {
    let run = begin({ ...QUEUED, lane: "high" }, 2);
    run = step(run, { kind: "test", index: 0, report: testReport("1", "AC") });
    run = step(run, { kind: "returned" });
    expect([run.view.stage, run.view.lane, done(run)]).toEqual(["delayed", "high", 1]);
  });

  test("has a timeline at each of its stages", () => {
    const states = (stage: SubmissionView["stage"]) => timeline(begin({ id: "a", stage }, 1)).map((s) => s.state).join(" ");
    expect(states("queued")).toBe("done now ahead ahead ahead ahead ahead ahead");
    expect(states("running")).toBe("done done done now ahead ahead ahead ahead");
    expect(states("cancelled")).toMatch(/^done failed .* failed$/);
    const over = timeline(begin({ id: "a", stage: "finished", report: report([testReport("1", "AC")]) }, 1));
    expect(over.every((s) => s.state === "done")).toBe(true);
    expect(Math.max(...over.map((s) => s.share))).toBe(1);
  });
});

describe("frames", () => {
  const frame = (event: string, data: string) => decode({ event, data, id: null });

  test("become events, and what is unknown or broken is passed over", () => {
    expect(frame("started", "{}")).toEqual({ kind: "started" });
    expect(frame("test", '{"index":1,"report":{}}')).toEqual({ kind: "test", index: 1, report: {} });
    expect(frame("finished", "")).toEqual({ kind: "ended", stage: "finished" });
    expect(frame("message", '{"id":"a","stage":"queued"}')).toEqual({ kind: "view", view: { id: "a", stage: "queued" } });
    expect(frame("news", "{}")).toBeNull();
    expect(frame("test", "{")).toBeNull();
  });
});
