// Reports as evalX writes them, with figures that are easy to change.

import type { Report, TestReport, VerdictCode } from "../../src/api";

export function testReport(name: string, verdict: VerdictCode, more: Partial<TestReport> = {}): TestReport {
  return {
    name,
    verdict,
    score: null,
    cpu_ms: 1.6,
    wall_ms: 1.9,
    memory_bytes: 262_144,
    exit_code: 0,
    signal: null,
    status: null,
    message: null,
    team_message: null,
    stdout: "",
    stdout_truncated: false,
    stderr: "",
    stderr_truncated: false,
    times: { set_up_ms: 9.3, run_ms: 1.9, check_ms: 0.03 },
    ...more,
  };
}

export function report(tests: TestReport[], more: Partial<Report> = {}): Report {
  const first = tests.findIndex((t) => t.verdict !== "AC");
  const sum = (pick: (t: TestReport) => number) => tests.reduce((n, t) => n + pick(t), 0);
  return {
    verdict: tests[first]?.verdict ?? "AC",
    score: tests.length > 0 ? tests.filter((t) => t.verdict === "AC").length / tests.length : null,
    first_failure: first < 0 ? null : first,
    language: "cpp17",
    limits: { cpu_ms: 10_000, wall_ms: 21_000, memory_bytes: 256 * 1024 * 1024 },
    toolchain: "g++ (Debian 12.2.0-14+deb12u1) 12.2.0",
    engine: "native",
    compile: { ok: true, cached: false, output: "", output_truncated: false, status: "exited with 0", cpu_ms: 731.6, memory_bytes: 101_068_800 },
    tests,
    error: null,
    times: {
      compile_ms: 748.2,
      set_up_ms: sum((t) => t.times.set_up_ms),
      run_ms: sum((t) => t.times.run_ms),
      check_ms: sum((t) => t.times.check_ms),
      total_ms: 748.2 + sum((t) => t.wall_ms) / 2 + 6,
    },
    ...more,
  };
}
