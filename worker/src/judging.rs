//! The seam between the daemon and what it runs: the judge, or a stub that only sleeps.

use std::error::Error as StdError;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use judge::model::{Answer, Refusal, Report, StageTimes, Submission, Task, TaskError, Verdict};
use judge::{Event, Invalid, Judge, Observer, Reason};
use sandbox::{Cancel, Engine};

/// Judges one job. Calls block; each has a thread of its own.
pub trait Judging: Send + Sync + fmt::Debug {
    /// Which engine, in a word.
    fn engine(&self) -> &'static str;

    /// Boxes in use. A job with many tests takes several, so this may exceed the number of jobs.
    fn busy(&self) -> usize;

    /// Sets how many boxes may be in use. Those in use stay.
    fn resize(&self, slots: NonZeroUsize);

    /// Judges. When `cancel` is set, ends within 100 ms.
    fn judge(&self, work: Work<'_>, watch: &dyn Watch, cancel: &Cancel) -> Judged;
}

/// What is to be judged.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// The job's payload.
    pub payload: &'a [u8],
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How large a result may be.
    pub limits: Limits,
}

/// How large a result may be, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The whole one.
    pub whole: usize,
    /// The form that is kept where there is no room for a larger one.
    pub brief: usize,
}

/// Is told how it goes, from the judge's threads.
pub trait Watch: Sync {
    /// A test is over: a partial result.
    fn step(&self, index: u32, report: Bytes);

    /// A box has come free, or is about to.
    fn freed(&self);
}

/// How judging a job ended.
#[derive(Debug)]
pub enum Judged {
    /// There is a result.
    Done {
        /// For the queue.
        result: Bytes,
        /// For the queue, when there is no room for a large one.
        brief: Option<Bytes>,
        /// What was measured; absent when nothing ran.
        report: Option<Box<Report>>,
    },
    /// We failed: says nothing of the submission. Another worker may succeed.
    Failed {
        /// At what.
        phase: Phase,
        /// Why, in one line.
        reason: String,
        /// The result if there is no attempt after this one.
        last: Bytes,
    },
    /// The payload is of a newer version: a newer worker may know it.
    Newer {
        /// In one line.
        reason: String,
    },
    /// The payload is none: nothing can ever come of it.
    Unreadable {
        /// In one line, without the payload.
        reason: String,
    },
    /// Withdrawn: there is no result.
    Withdrawn,
}

/// At what we failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A toolchain is missing here, or broken.
    Toolchain,
    /// Before the first box.
    Prepare,
    /// The problem is unknown, or cannot be used here.
    Problem,
    /// Compiling.
    Compile,
    /// Running or checking a test.
    Run,
}

impl Phase {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Toolchain, Self::Prepare, Self::Problem, Self::Compile, Self::Run];

    /// As in the metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Toolchain => "toolchain",
            Self::Prepare => "prepare",
            Self::Problem => "problem",
            Self::Compile => "compile",
            Self::Run => "run",
        }
    }
}

impl fmt::Debug for Work<'_> {
    // Not the payload: it holds source code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { payload, attempt, limits: _ } = self;
        write!(f, "Work({} bytes, attempt {attempt})", payload.len())
    }
}

impl Judging for Judge {
    fn engine(&self) -> &'static str {
        match Self::engine(self) {
            Engine::Native => "native",
            Engine::Isolate => "isolate",
        }
    }

    fn busy(&self) -> usize {
        self.slots().busy()
    }

    fn resize(&self, slots: NonZeroUsize) {
        self.slots().resize(slots);
    }

    fn judge(&self, work: Work<'_>, watch: &dyn Watch, cancel: &Cancel) -> Judged {
        match read(work) {
            Ok(Task { submission, problem: None }) => {
                judge(self, &submission, &|report| report, work, watch, cancel)
            }
            Ok(Task { submission, problem: Some(_) }) => {
                let reason = "this worker knows no problems".to_owned();
                let report = blank(&submission, Judging::engine(self), reason.clone());
                failed(Phase::Problem, reason, Answer::judged(report), work.limits)
            }
            Err(unread) => unread,
        }
    }
}

/// What a job is about; or how it ends when that cannot be told.
pub(crate) fn read(work: Work<'_>) -> Result<Task, Judged> {
    Task::decode(work.payload).map_err(|error| match error {
        TaskError::Newer { .. } => Judged::Newer { reason: chain(&error) },
        error => Judged::Unreadable { reason: position(&error) },
    })
}

/// Judges a submission and grades its report.
pub(crate) fn judge(
    judge: &Judge,
    submission: &Submission,
    grade: &dyn Fn(Report) -> Report,
    work: Work<'_>,
    watch: &dyn Watch,
    cancel: &Cancel,
) -> Judged {
    let progress = Progress { watch, phase: AtomicU8::new(0) };
    let judged = judge.execute_batch(submission, &progress, cancel);
    if cancel.is_cancelled() {
        return Judged::Withdrawn;
    }
    match judged.map(grade) {
        Ok(report) if report.verdict == Verdict::InternalError => {
            let reason = report.error.clone();
            let reason = reason.unwrap_or_else(|| "the judge gave no reason".to_owned());
            failed(progress.phase(), reason, Answer::judged(report), work.limits)
        }
        Ok(report) => done(report, work.limits),
        Err(error) => refused(submission, error, Judging::engine(judge), work.limits),
    }
}

pub(crate) fn done(report: Report, limits: Limits) -> Judged {
    let answer = Answer::judged(report.clone()).ended(SystemTime::now());
    match written(&answer, limits) {
        Ok((result, brief)) => Judged::Done { result, brief, report: Some(Box::new(report)) },
        Err(error) => {
            let reason = chain(&error);
            Judged::Failed { phase: Phase::Run, reason, last: Bytes::new() }
        }
    }
}

/// An answer as a result, and its brief form when it is large.
fn written(answer: &Answer, limits: Limits) -> Result<(Bytes, Option<Bytes>), TaskError> {
    let Limits { whole, brief } = limits;
    let result = answer.encode(whole)?;
    let short = if result.len() > brief { Some(answer.encode(brief)?.into()) } else { None };
    Ok((result.into(), short))
}

/// A submission that the judge does not take, or a machine that cannot judge it.
fn refused(submission: &Submission, error: judge::Error, engine: &str, limits: Limits) -> Judged {
    let reason = chain(&error);
    let refusal = |field, reason| {
        let refusal = Answer::Refused(Refusal { field, reason });
        match refusal.encode(limits.brief) {
            Ok(result) => Judged::Done { result: result.into(), brief: None, report: None },
            Err(error) => {
                let reason = chain(&error);
                Judged::Failed { phase: Phase::Prepare, reason, last: Bytes::new() }
            }
        }
    };
    let ours = |phase| {
        let answer = Answer::judged(blank(submission, engine, reason.clone()));
        failed(phase, reason.clone(), answer, limits)
    };
    match error {
        judge::Error::Invalid(Invalid { field, reason }) => match *reason {
            Reason::Unavailable(_) => ours(Phase::Toolchain),
            reason => refusal(Some(field), chain(&reason)),
        },
        judge::Error::Checker { .. } => refusal(Some("checker.program".to_owned()), reason),
        judge::Error::Toolchain(_) => ours(Phase::Toolchain),
        judge::Error::Cache(_) | judge::Error::Versions { .. } => ours(Phase::Prepare),
    }
}

pub(crate) fn failed(phase: Phase, reason: String, last: Answer, limits: Limits) -> Judged {
    // A report of ours has no number that is none; without bytes the job ends as a dead letter.
    // What is said of our failing is never large.
    let last = last.ended(SystemTime::now()).encode(limits.brief);
    let last = last.map(Bytes::from).unwrap_or_default();
    Judged::Failed { phase, reason, last }
}

/// The report of a submission that was never run.
pub(crate) fn blank(submission: &Submission, engine: &str, error: String) -> Report {
    Report {
        verdict: Verdict::InternalError,
        score: None,
        first_failure: None,
        language: submission.language.clone(),
        limits: None,
        toolchain: String::new(),
        engine: engine.to_owned(),
        compile: None,
        tests: Vec::new(),
        error: Some(error),
        times: StageTimes::default(),
    }
}

/// Turns events of a batch into steps.
struct Progress<'w> {
    watch: &'w dyn Watch,
    /// 0 before the first box, 1 compiling, 2 running.
    phase: AtomicU8,
}

impl Progress<'_> {
    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Prepare,
            1 => Phase::Compile,
            _ => Phase::Run,
        }
    }
}

impl Observer for Progress<'_> {
    fn on(&self, event: Event<'_>) {
        match event {
            Event::Compiling => self.phase.store(1, Ordering::Relaxed),
            Event::Compiled(_) => self.watch.freed(),
            Event::Started { .. } => self.phase.store(2, Ordering::Relaxed),
            Event::Finished { index, report } => {
                let ours = matches!(report.verdict, Verdict::InternalError | Verdict::Skipped);
                // What we failed at is no result; another attempt will have one.
                if !ours
                    && let Ok(index) = u32::try_from(index)
                    && let Ok(step) = judge::model::encode_step(report)
                {
                    self.watch.step(index, step.into());
                }
                self.watch.freed();
            }
        }
    }
}

/// Where JSON is wrong, without what it says there: that may be source code.
fn position(error: &TaskError) -> String {
    match error {
        TaskError::Unreadable(source) => {
            let (line, column) = (source.line(), source.column());
            format!("{error}: {:?} error at line {line} column {column}", source.classify())
        }
        TaskError::Newer { .. } | TaskError::Unwritable(_) => error.to_string(),
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut causes = vec![error.to_string()];
    let mut error = error;
    while let Some(source) = error.source() {
        causes.push(source.to_string());
        error = source;
    }
    // A transparent error says what its source says.
    causes.dedup();
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_payload_does_not_quote_it() {
        let secret = br#"{"version":1,"submission":{"secret-source":1}}"#;
        let error = Task::decode(secret).unwrap_err();
        let said = position(&error);
        assert!(!said.contains("secret") && said.contains("line 1 column"), "{said}");
    }
}
