//! Judges nothing: sleeps and answers as the payload says, so that the queue and the daemon can be
//! driven hard without boxes. The payload is words: `ms=20 steps=3 fail=1 echo=x`, or
//! `when=start` to be answered with the time of the start in nanoseconds. Behind a service the
//! payload is a submission: its program is such words, and the answer is a report.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use judge::model::{Blob, Report, Submission, Task, TestReport, TestTimes, Verdict};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sandbox::Cancel;

use crate::judging::{self, Judged, Judging, Limits, Phase, Watch, Work, blank};

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
    /// Bytes that its only test prints.
    print: usize,
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
            (Judged::Done { .. }, Some(submission)) => done(&submission, &script, work.limits),
            (judged, _) => judged,
        }
    }
}

fn play(script: &Script, work: Work<'_>, watch: &dyn Watch, cancel: &Cancel) -> Judged {
    let Script { sleep, steps, fail, echo, print: _ } = script;
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
    Judged::Done { result, brief: None, report: None }
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

/// A report without tests, all well, with what was to be said; or with one test that printed much.
fn done(submission: &Submission, script: &Script, limits: Limits) -> Judged {
    let Script { echo: toolchain, print, .. } = script;
    let blank = blank(submission, "stub", String::new());
    let toolchain = toolchain.clone();
    let mut report = Report { verdict: Verdict::Accepted, toolchain, error: None, ..blank };
    report.tests.extend((*print > 0).then(|| printed(*print)));
    judging::done(report, limits)
}

fn printed(bytes: usize) -> TestReport {
    TestReport {
        name: "1".to_owned(),
        verdict: Verdict::Accepted,
        score: None,
        cpu_ms: 0.0,
        wall_ms: 0.0,
        memory_bytes: 0,
        exit_code: Some(0),
        signal: None,
        status: None,
        message: None,
        team_message: None,
        stdout: Blob::from("x".repeat(bytes).as_str()),
        stdout_truncated: false,
        stderr: Blob::from(""),
        stderr_truncated: false,
        times: TestTimes::default(),
        pressure: None,
        again: None,
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
            ("print", n) => script.print = n.parse().ok()?,
            ("echo", text) => text.clone_into(&mut script.echo),
            _ => return None,
        }
    }
    Some(script)
}
