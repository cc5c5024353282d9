//! Judges nothing: sleeps and answers as the payload says, so that the queue and the daemon can be
//! driven hard without boxes. The payload is words: `ms=20 steps=3 fail=1 echo=x`, or
//! `when=start` to be answered with the time of the start in nanoseconds. Behind a service the
//! payload is a submission: its program is such words, and the answer is a report.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use judge::model::{Answer, Report, Submission, Task, Verdict};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sandbox::Cancel;

use crate::judging::{Judged, Judging, Phase, Watch, Work, blank};

/// How long it sleeps in one go.
const SLICE: Duration = Duration::from_millis(50);

/// The stub.
#[derive(Debug, Default)]
pub struct Stub {
    busy: AtomicUsize,
}

/// What a payload asks for.
#[derive(Debug, Default)]
struct Script {
    sleep: Duration,
    steps: u32,
    /// Attempts that fail.
    fail: u32,
    echo: String,
}

impl Judging for Stub {
    fn engine(&self) -> &'static str {
        "stub"
    }

    fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    fn resize(&self, _: NonZeroUsize) {}

    fn judge(&self, work: Work<'_>, watch: &dyn Watch, cancel: &Cancel) -> Judged {
        let submission = Task::decode(work.payload).ok().map(|task| task.submission);
        let script = match &submission {
            Some(submission) => program(submission),
            None => parse(work.payload),
        };
        let Some(script) = script else {
            return Judged::Unreadable { reason: "not a script of the stub".to_owned() };
        };
        self.busy.fetch_add(1, Ordering::Relaxed);
        let judged = play(&script, work, watch, cancel);
        self.busy.fetch_sub(1, Ordering::Relaxed);
        match (judged, submission) {
            (Judged::Done { .. }, Some(submission)) => done(&submission, &script.echo, work.limit),
            (judged, _) => judged,
        }
    }
}

fn play(script: &Script, work: Work<'_>, watch: &dyn Watch, cancel: &Cancel) -> Judged {
    let Script { sleep, steps, fail, echo } = script;
    for step in 0..=*steps {
        if !rest(*sleep / (steps + 1), cancel) {
            return Judged::Withdrawn;
        }
        if step < *steps {
            watch.step(step, format!("{echo}/{step}").into());
        }
    }
    let result = Bytes::from(echo.clone());
    if work.attempt <= *fail {
        let reason = "the script says so".to_owned();
        return Judged::Failed { phase: Phase::Run, reason, last: "IE".into() };
    }
    Judged::Done { result, report: None }
}

/// Sleeps; false when withdrawn.
fn rest(time: Duration, cancel: &Cancel) -> bool {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        // In slices: ppoll(2) that was stopped goes on with the time it had left.
        let Ok(left) = Timespec::try_from(left.min(SLICE)) else { return true };
        // Interrupted or timed out, the flag and the clock decide.
        let _woken = poll(&mut [PollFd::new(cancel, PollFlags::IN)], Some(&left));
        if cancel.is_cancelled() {
            return false;
        }
        if Instant::now() >= end {
            return true;
        }
    }
}

fn program(submission: &Submission) -> Option<Script> {
    parse(&submission.files.first()?.contents.read().ok()?)
}

/// A report without tests, all well, with what was to be said.
fn done(submission: &Submission, echo: &str, limit: usize) -> Judged {
    let toolchain = echo.to_owned();
    let blank = blank(submission, "stub", String::new());
    let report = Report { verdict: Verdict::Accepted, toolchain, error: None, ..blank };
    match Answer::judged(report.clone()).encode(limit) {
        Ok(result) => Judged::Done { result: result.into(), report: Some(Box::new(report)) },
        Err(error) => Judged::Unreadable { reason: error.to_string() },
    }
}

fn parse(payload: &[u8]) -> Option<Script> {
    let mut script = Script::default();
    for word in std::str::from_utf8(payload).ok()?.split_whitespace() {
        match word.split_once('=')? {
            ("ms", n) => script.sleep = Duration::from_millis(n.parse().ok()?),
            ("steps", n) => script.steps = n.parse().ok()?,
            ("fail", n) => script.fail = n.parse().ok()?,
            ("when", "start") => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                script.echo = now.as_nanos().to_string();
            }
            ("echo", text) => text.clone_into(&mut script.echo),
            _ => return None,
        }
    }
    Some(script)
}
