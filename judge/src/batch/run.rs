//! One test: run the program, ask the checker, apply the rules.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use sandbox::{Cancel, Captured, Job, Limits, Outcome, Stall, Stdin, Termination, Usage};

use super::Judge;
use super::build::Ready;
use super::check::{Answer, decided, interactor};
use super::report::{failed, kept, ms, skipped};
use crate::doubt::{self, Doubt};
use crate::interactive::{self, TalkError};
use crate::language::{Context, expand};
use crate::model::{Blob, Pressure, StallOf, Test, TestReport, TestTimes, Verdict};
use crate::rules::{self, Facts, Opinion};
use crate::status::{self, chain};
use crate::validate::{Check, Jury, Plan, ProgramPlan};

/// A submission that is built, and its tests.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub(super) judge: &'a Judge,
    pub(super) plan: &'a Plan<'a>,
    pub(super) program: &'a Ready,
    pub(super) jury: Option<(&'a Jury<'a>, Ready)>,
    /// Tests that asked for a second run.
    pub(super) again: AtomicUsize,
}

/// A test that was judged.
pub(super) struct Tested {
    pub(super) report: TestReport,
    /// Whether its time is in doubt.
    pub(super) doubt: Option<Doubt>,
}

impl Batch<'_> {
    /// How many boxes a test needs at once.
    pub(super) fn boxes(&self) -> usize {
        match self.plan.check {
            Check::Interactive(_) => 2,
            Check::Compare(_) | Check::Custom(_) => 1,
        }
    }

    /// Judges one test. `queued` is when it began to wait for its slots.
    pub(super) fn test(&self, index: usize, queued: Instant, cancel: &Cancel) -> Tested {
        let test = &self.plan.submission.tests[index];
        let ran = match (&self.plan.check, &self.jury) {
            (Check::Interactive(_), Some((jury, ready))) => {
                self.converse(test, jury, ready, cancel)
            }
            _ => self.plain(test, cancel),
        };
        let (report, doubt) = match ran {
            Ok(ran) => {
                let doubt = self.doubt(&ran);
                (self.report(test, ran, queued), doubt)
            }
            Err(_) if cancel.is_cancelled() => (skipped(&test.name), None),
            Err(error) => (failed(&test.name, chain(&error)), None),
        };
        Tested { report, doubt }
    }

    /// Of a wrong answer and of a crash time decides nothing.
    fn doubt(&self, ran: &Ran) -> Option<Doubt> {
        use Verdict::{Accepted, IdlenessLimit, TimeLimit};
        let timed = matches!(ran.verdict, Accepted | TimeLimit | IdlenessLimit);
        if timed { doubt::doubt(&ran.outcome.usage, self.limits()) } else { None }
    }

    /// The program alone, then the checker on what it wrote.
    fn plain(&self, test: &Test, cancel: &Cancel) -> Result<Ran, RunError> {
        let job = || {
            let mut job = self.job(test);
            job.stdin = Stdin::Contents(test.input.contents());
            job
        };
        let start = Instant::now();
        let outcome =
            twice(cancel, || self.judge.sandbox.run(job(), cancel)).map_err(RunError::Plain)?;
        let ended = Instant::now();
        let so_far = self.rule(&outcome, Opinion::None);
        let (verdict, answer) = if so_far == Verdict::Accepted {
            let answer = self.ask(test, &outcome.stdout, cancel);
            if cancel.is_cancelled() && answer.opinion == Opinion::Fails {
                (Verdict::Skipped, Answer::default())
            } else {
                (self.rule(&outcome, answer.opinion), answer)
            }
        } else {
            (so_far, Answer::default())
        };
        Ok(Ran { verdict, answer, outcome, start, ended, checked: Instant::now() })
    }

    /// The program and the interactor, each in its box.
    fn converse(
        &self,
        test: &Test,
        jury: &Jury<'_>,
        ready: &Ready,
        cancel: &Cancel,
    ) -> Result<Ran, RunError> {
        let start = Instant::now();
        let accepts = |o: &Outcome| decided(jury.abi, o).0.opinion == Opinion::Accepts;
        let once = || {
            let interactor = interactor(test, jury, ready, self.limits().wall);
            interactive::talk(&*self.judge.sandbox, self.job(test), interactor, &accepts, cancel)
        };
        let talk = match once() {
            Err(error) if error.passing() && !cancel.is_cancelled() => once(),
            other => other,
        };
        let talk = talk.map_err(RunError::Talk)?;
        let ended = Instant::now();
        let (answer, limit) = decided(jury.abi, &talk.interactor);
        let submission = self.rule(&talk.submission, Opinion::None);
        let withdrawn =
            submission == Verdict::Skipped || talk.interactor.termination == Termination::Cancelled;
        let verdict = if cancel.is_cancelled() && withdrawn {
            Verdict::Skipped
        } else {
            interactive::blame(talk.first, submission, answer.opinion, limit)
        };
        let outcome = talk.submission;
        Ok(Ran { verdict, answer, outcome, start, ended, checked: ended })
    }

    fn limits(&self) -> &Limits {
        &self.plan.program.limits
    }

    fn rule(&self, outcome: &Outcome, opinion: Opinion) -> Verdict {
        let (termination, usage) = (outcome.termination, &outcome.usage);
        let says_out_of_memory = self.plan.program.language.says_out_of_memory(outcome);
        let limits = self.limits();
        rules::verdict(&Facts { termination, usage, limits, says_out_of_memory, opinion })
    }

    fn job(&self, test: &Test) -> Job {
        let common = &self.plan.submission.args;
        let args: Vec<String> = common.iter().chain(&test.args).cloned().collect();
        let mut job = run_job(&self.plan.program, self.program, &args);
        // Not the jury's programs: those read what a stranger's program wrote.
        job.fixed_addresses = true;
        if self.plan.submission.extras.merge_stderr {
            // The shell becomes the program: there is one process, and it is the first.
            let shell = ["/bin/sh", "-c", "exec \"$@\" 2>&1", "sh"].map(str::to_owned);
            job.argv.splice(0..0, shell);
        }
        job
    }

    fn report(&self, test: &Test, ran: Ran, queued: Instant) -> TestReport {
        let Ran { verdict, answer, outcome, start, ended, checked } = ran;
        let Outcome { termination, usage, stdout, stderr, files: _ } = outcome;
        if verdict == Verdict::Skipped {
            return skipped(&test.name);
        }
        let keep = kept(self.plan.submission.tests.len());
        let (stdout, stdout_truncated) = cut(stdout, keep);
        let (stderr, stderr_truncated) = cut(stderr, keep);
        let box_time = (ended - start).saturating_sub(usage.wall);
        TestReport {
            name: test.name.clone(),
            verdict,
            score: score(verdict, &answer),
            cpu_ms: ms(usage.cpu),
            wall_ms: ms(usage.wall),
            memory_bytes: usage.memory,
            exit_code: match termination {
                Termination::Exited(code) => Some(code),
                _ => None,
            },
            signal: match termination {
                Termination::Signalled(signal) => Some(signal),
                _ => None,
            },
            status: status::judged(verdict, termination, &usage, self.limits()),
            message: answer.message,
            team_message: answer.team_message,
            stdout,
            stdout_truncated,
            stderr,
            stderr_truncated,
            times: TestTimes {
                set_up_ms: ms(start.saturating_duration_since(queued) + box_time),
                run_ms: ms(usage.wall),
                check_ms: ms(checked - ended),
            },
            pressure: Some(pressure(&usage)),
            again: None,
        }
    }
}

/// A test that ran.
struct Ran {
    verdict: Verdict,
    answer: Answer,
    outcome: Outcome,
    start: Instant,
    ended: Instant,
    checked: Instant,
}

/// A run of a built program with these arguments; streams and files are the caller's.
pub(super) fn run_job(program: &ProgramPlan<'_>, ready: &Ready, args: &[String]) -> Job {
    let ProgramPlan { language, toolchain, sources, limits } = program;
    let context = Context {
        files: &sources.names,
        entry: &sources.entry,
        options: &[],
        args,
        // What is granted beside the heap is not for the heap.
        memory_mib: limits.memory.0.saturating_sub(language.limits.memory_extra_bytes) >> 20,
    };
    let mut job = Job::new(toolchain.resolve(expand(&language.run.argv, &context)));
    job.env = toolchain.env(&language.run.env);
    job.limits = limits.clone();
    job.artefact = Some(Arc::clone(&ready.entry.artefact));
    job.files.clone_from(&sources.beside);
    job.proc = language.proc;
    job
}

/// Tries once more when the engine fails: it takes another slot.
pub(super) fn twice<T>(
    cancel: &Cancel,
    mut once: impl FnMut() -> Result<T, sandbox::Error>,
) -> Result<T, sandbox::Error> {
    match once() {
        Err(sandbox::Error::Engine { .. }) if !cancel.is_cancelled() => once(),
        other => other,
    }
}

/// A test that could not be run.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("cannot run the program")]
    Plain(#[source] sandbox::Error),
    #[error(transparent)]
    Talk(TalkError),
}

/// As reports tell it.
fn pressure(usage: &Usage) -> Pressure {
    let Usage { cpu: _, wall: _, memory: _, switches_voluntary, switches_forced, pressure } =
        *usage;
    let sandbox::Pressure { steal, stall, disk, late } = pressure;
    let (stall_ms, stall_of) = stalled(stall);
    let (disk_ms, disk_of) = stalled(disk);
    let steal_ms = steal.map(|steal| ms(steal.taken));
    Pressure {
        switches_voluntary,
        switches_forced,
        steal_ms,
        stall_ms,
        stall_of,
        disk_ms,
        disk_of,
        late_ms: Some(ms(late)),
    }
}

fn stalled(stall: Option<Stall>) -> (Option<f64>, Option<StallOf>) {
    match stall {
        None => (None, None),
        Some(Stall::Box(stall)) => (Some(ms(stall)), Some(StallOf::Box)),
        Some(Stall::Machine(stall)) => (Some(ms(stall)), Some(StallOf::Machine)),
    }
}

/// What the checker gave; a program that did not get to it has none.
fn score(verdict: Verdict, answer: &Answer) -> Option<f64> {
    matches!(verdict, Verdict::Accepted | Verdict::WrongAnswer).then_some(answer.score).flatten()
}

fn cut(stream: Captured, keep: usize) -> (Blob, bool) {
    let Captured { mut bytes, truncated } = stream;
    let cut = bytes.len() > keep;
    bytes.truncate(keep);
    (Blob::from(bytes), truncated || cut)
}
