//! Last step of a batch: from what happened to the report.

use std::time::{Duration, Instant};

use sandbox::Limits;

use super::Judge;
use crate::model::{Blob, Granted, Report, StageTimes, Submission, TestReport, TestTimes, Verdict};
use crate::rules;
use crate::validate::Plan;

/// What a report keeps of all captured streams together. Each gets its share, within the bounds
/// below: enough to see what went wrong, while a report of many tests stays some megabytes.
const KEPT: usize = 16 << 20;
const KEPT_OF_ONE: (usize, usize) = (1 << 10, 1 << 20);

impl Judge {
    /// The report of a submission of which nothing is known yet.
    pub(super) fn blank(&self, plan: &Plan<'_>) -> Report {
        Report {
            verdict: Verdict::Skipped,
            score: None,
            first_failure: None,
            language: plan.program.language.id.clone(),
            limits: Some(granted(&plan.program.limits)),
            toolchain: String::new(),
            engine: self.sandbox.engine().to_string(),
            compile: None,
            tests: plan.submission.tests.iter().map(|t| skipped(&t.name)).collect(),
            error: None,
            times: StageTimes::default(),
        }
    }
}

/// The limits as reports tell them.
fn granted(limits: &Limits) -> Granted {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let Limits { cpu, wall, memory, .. } = limits;
    Granted { cpu_ms: ms(*cpu), wall_ms: ms(*wall), memory_bytes: memory.0 }
}

impl Report {
    pub(super) fn cancelled(self, start: Instant) -> Self {
        self.ended(Verdict::Skipped, start)
    }

    pub(super) fn refused(self, start: Instant) -> Self {
        self.ended(Verdict::CompileError, start)
    }

    pub(super) fn failed(mut self, error: String, start: Instant) -> Self {
        self.error = Some(error);
        self.ended(Verdict::InternalError, start)
    }

    pub(super) fn finished(
        mut self,
        submission: &Submission,
        mut tests: Vec<TestReport>,
        start: Instant,
    ) -> Self {
        let verdicts: Vec<Verdict> = tests.iter().map(|t| t.verdict).collect();
        let decisive = rules::decisive(&verdicts, submission.stop);
        // What ran after the first failure depends on what was fastest; the report does not.
        for test in &mut tests[decisive..] {
            *test = skipped(&test.name);
        }
        let verdict = rules::overall(&verdicts[..decisive]);
        self.first_failure = verdicts[..decisive].iter().position(|v| *v != Verdict::Accepted);
        if verdict == Verdict::InternalError {
            let failed = tests.iter().find(|t| t.verdict == Verdict::InternalError);
            self.error = failed.map(|t| {
                format!("test {:?}: {}", t.name, t.message.as_deref().unwrap_or("no reason"))
            });
        } else {
            self.score = share(submission, &tests);
        }
        for TestTimes { set_up_ms, run_ms, check_ms } in tests.iter().map(|t| t.times) {
            self.times.set_up_ms += set_up_ms;
            self.times.run_ms += run_ms;
            self.times.check_ms += check_ms;
        }
        self.tests = tests;
        self.ended(verdict, start)
    }

    fn ended(mut self, verdict: Verdict, start: Instant) -> Self {
        self.verdict = verdict;
        self.times.total_ms = ms(start.elapsed());
        self
    }
}

/// The share of the weights that was reached; none when nothing has weight.
fn share(submission: &Submission, tests: &[TestReport]) -> Option<f64> {
    let total: f64 = submission.tests.iter().map(|t| t.weight).sum();
    let weighed = submission.tests.iter().zip(tests);
    let plain = |r: &TestReport| if r.verdict == Verdict::Accepted { 1.0 } else { 0.0 };
    let reached: f64 = weighed.map(|(t, r)| t.weight * r.score.unwrap_or_else(|| plain(r))).sum();
    (total > 0.0).then_some(reached / total)
}

/// A test that did not run.
pub(super) fn skipped(name: &str) -> TestReport {
    TestReport {
        name: name.to_owned(),
        verdict: Verdict::Skipped,
        score: None,
        cpu_ms: 0.0,
        wall_ms: 0.0,
        memory_bytes: 0,
        exit_code: None,
        signal: None,
        status: None,
        message: None,
        team_message: None,
        stdout: Blob::from(""),
        stdout_truncated: false,
        stderr: Blob::from(""),
        stderr_truncated: false,
        times: TestTimes::default(),
        pressure: None,
        again: None,
    }
}

/// A test on which the judge failed.
pub(super) fn failed(name: &str, why: String) -> TestReport {
    TestReport { verdict: Verdict::InternalError, message: Some(why), ..skipped(name) }
}

/// What is kept of one captured stream in a report of so many tests.
pub(super) fn kept(tests: usize) -> usize {
    (KEPT / tests.max(1)).clamp(KEPT_OF_ONE.0, KEPT_OF_ONE.1)
}

pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
