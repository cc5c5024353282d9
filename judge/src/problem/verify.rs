//! Runs the example submissions of a package and compares what they get with what they should.
//!
//! First those that the time limit must leave time, then the limit, then the rest; so each is
//! judged under the limit that the package as a whole has.

use std::time::Duration;

use sandbox::BoxedError;

use super::expected::{Bound, Got};
use super::time_limit::{Error, TimeLimit};
use super::{Example, Problem, Version};
use crate::model::{LimitsSpec, Report, StopRule, Submission, Verdict};

/// CPU time of a test while the limit is still to be derived: beyond what any accepted submission
/// of a sane package takes, and short enough to wait for one that never ends.
const GENEROUS: Duration = Duration::from_secs(60);

/// Who judges the examples: the judge of this crate, or a script of a test.
pub trait Judging {
    /// Judges a submission of `example`.
    ///
    /// # Errors
    /// When it cannot be judged as written, for example for want of its compiler.
    fn judge(&self, example: &Example, submission: &Submission) -> Result<Report, BoxedError>;
}

/// What came of a package.
#[derive(Debug)]
pub struct Verification {
    /// The limit the examples were judged under, and where it is from.
    pub time_limit: Result<TimeLimit, Error>,
    /// One a submission, in the order in which they were run.
    pub rows: Vec<Row>,
    /// What is odd, yet no difference.
    pub warnings: Vec<String>,
}

/// One example submission.
#[derive(Debug)]
pub struct Row {
    /// The submission, with what it should get.
    pub example: Example,
    /// What it got, graded; absent when it could not be judged.
    pub got: Option<Report>,
    /// How the two compare.
    pub status: Status,
}

/// How an example did.
#[derive(Debug)]
pub enum Status {
    /// As expected.
    Ok,
    /// Not as expected, and why.
    Differs(String),
    /// It could not be judged.
    Unjudged(BoxedError),
}

impl Verification {
    /// Whether every example did as expected.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.time_limit.is_ok() && self.rows.iter().all(|r| matches!(r.status, Status::Ok))
    }
}

/// Verifies a package. `done` sees each row as soon as it is known.
pub fn verify(
    problem: &Problem,
    judging: &dyn Judging,
    done: &mut dyn FnMut(&Row),
) -> Verification {
    let mut run = Run { problem, judging, done, rows: Vec::new(), warnings: Vec::new() };
    let (first, rest): (Vec<_>, Vec<_>) =
        problem.examples.iter().partition(|e| e.expected.bounds(Bound::Lower));
    let time_limit = run.lower(&first);
    if let Ok(TimeLimit { limit, .. }) = &time_limit {
        // Those that must be too slow come last: they take the longest.
        let (slow, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|e| e.expected.bounds(Bound::Upper));
        for example in others {
            let row = run.judge(example, *limit);
            run.push(row);
        }
        for example in slow {
            run.upper(example, *limit);
        }
    }
    let Run { rows, warnings, .. } = run;
    Verification { time_limit, rows, warnings }
}

struct Run<'a> {
    problem: &'a Problem,
    judging: &'a dyn Judging,
    done: &'a mut dyn FnMut(&Row),
    rows: Vec<Row>,
    warnings: Vec<String>,
}

impl Run<'_> {
    /// Judges those that the limit must leave time, and finds the limit.
    fn lower(&mut self, examples: &[&Example]) -> Result<TimeLimit, Error> {
        let rule = &self.problem.time;
        let first = rule.given.map_or(GENEROUS, |(limit, _)| limit);
        let mut slowest: Option<(String, Duration)> = None;
        let mut again = Vec::new();
        for example in examples {
            let row = self.judge(example, first);
            // One that is stopped by the clock does not say how long it takes.
            let tests = row.got.as_ref().filter(|r| r.verdict != Verdict::TimeLimit);
            let took = tests.and_then(|r| example.expected.slowest(&r.tests));
            if let Some(took) = took
                && slowest.as_ref().is_none_or(|(_, most)| took > *most)
            {
                slowest = Some((example.path.display().to_string(), took));
            }
            // Other tests than those that bound the limit may take longer than it.
            if rule.given.is_none() && example.expected.is_scoped() {
                again.push(*example);
            } else {
                self.push(row);
            }
        }
        let slowest = slowest.as_ref().map(|(name, took)| (name.as_str(), *took));
        let found = rule.limit(slowest)?;
        if let Some(slowest) = slowest {
            self.warnings.extend(rule.too_short(found.limit, slowest));
        }
        for example in again {
            let row = self.judge(example, found.limit);
            self.push(row);
        }
        Ok(found)
    }

    /// Judges one that must be too slow. Too slow with the margin is too slow without.
    fn upper(&mut self, example: &Example, limit: Duration) {
        let longer = self.problem.time.with_margin(limit);
        let with_margin = self.judge(example, longer);
        let settled = !matches!(with_margin.status, Status::Differs(_));
        if settled && !example.expected.is_scoped() {
            self.push(with_margin);
            return;
        }
        let mut row = self.judge(example, limit);
        if !settled && matches!(row.status, Status::Ok) {
            let (name, seconds) = (example.path.display(), longer.as_secs_f64());
            let margin = self.problem.time.margin;
            let text = format!(
                "{name} is too slow for the time limit, but not for {margin} times it ({seconds} s)"
            );
            // "It is an error if no such multiple exists": 2025-09. Legacy asks for a margin only.
            match self.problem.version {
                Version::Legacy => self.warnings.push(text),
                Version::V2025_09 => row.status = Status::Differs(text),
            }
        }
        self.push(row);
    }

    fn judge(&self, example: &Example, limit: Duration) -> Row {
        let (got, status) = match self.report(example, limit) {
            Ok(report) => {
                let status = self.compare(example, &report);
                (Some(self.problem.grade(&report)), status)
            }
            Err(error) => (None, Status::Unjudged(error)),
        };
        Row { example: example.clone(), got, status }
    }

    fn report(&self, example: &Example, limit: Duration) -> Result<Report, BoxedError> {
        let Example { files, entry, language, .. } = example;
        let language = language.as_deref().ok_or(
            "its files do not say its language; name it in submissions.yaml or by their endings",
        )?;
        let mut submission = self.problem.submission(language, files.clone(), entry.clone())?;
        let ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        submission.limits = LimitsSpec { cpu_ms: Some(ms), ..submission.limits };
        if !example.expected.rules.is_empty() {
            // What is said of all tests wants all of them run.
            submission.stop = StopRule::RunAll;
        }
        self.judging.judge(example, &submission)
    }

    fn compare(&self, example: &Example, report: &Report) -> Status {
        let graded = self.problem.grade(report);
        if graded.verdict == Verdict::InternalError {
            let why = graded.error.unwrap_or_else(|| "no reason is known".to_owned());
            return Status::Differs(format!("the judge failed: {why}"));
        }
        let grades = self.problem.grades(report).and_then(Result::ok);
        let best = self.problem.best_score();
        let got = Got { report, graded: &graded, grades: grades.as_ref(), best };
        example.expected.differs(got).map_or(Status::Ok, Status::Differs)
    }

    fn push(&mut self, row: Row) {
        (self.done)(&row);
        self.rows.push(row);
    }
}
