//! Asking the checker: compared here, or a program of the jury in a box of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sandbox::{Bytes, Cancel, Captured, Collect, InputFile, Job, Outcome, Stdin, Termination};

use super::build::Ready;
use super::run::{Batch, run_job, twice};
use crate::checker::{self, abi};
use crate::model::{Abi, Blob, Test};
use crate::rules::Opinion;
use crate::status::chain;
use crate::validate::{Check, Jury};

/// Where the jury's program finds its files.
const FILES: abi::Files<'static> = abi::Files {
    input: "/w/input",
    answer: "/w/answer",
    output: "/w/output",
    feedback: "/w/feedback",
};

/// A feedback file that is read; a longer one is the checker's fault.
const FEEDBACK_MAX: Bytes = Bytes::kib(64);

/// What the checker says, and says of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) opinion: Opinion,
    pub(super) score: Option<f64>,
    pub(super) message: Option<String>,
    pub(super) team_message: Option<String>,
}

impl Default for Answer {
    fn default() -> Self {
        Self { opinion: Opinion::None, score: None, message: None, team_message: None }
    }
}

impl Answer {
    fn fault(why: String) -> Self {
        Self { opinion: Opinion::Fails, message: Some(why), ..Self::default() }
    }
}

impl Batch<'_> {
    /// Asks about the output of a run with which nothing else is wrong.
    pub(super) fn ask(&self, test: &Test, output: &Captured, cancel: &Cancel) -> Answer {
        let Some(answer) = &test.answer else { return Answer::default() };
        match (&self.plan.check, &self.jury) {
            (Check::Compare(checker), _) => match answer.read() {
                Err(error) => Answer::fault(chain(&error)),
                Ok(answer) => {
                    let checker = checker::with_args(checker, &test.checker_args).expect(
                        "arguments that the checker does not have are refused when planned",
                    );
                    match checker::compare(&checker, &answer, &output.bytes) {
                        Some(comparison) => Answer {
                            opinion: opinion(comparison.accepted),
                            message: comparison.message,
                            ..Answer::default()
                        },
                        None => Answer::default(),
                    }
                }
            },
            (_, Some((jury, ready))) => {
                let output: Arc<[u8]> = output.bytes.as_slice().into();
                let once = || self.judge.sandbox.run(custom(test, &output, jury, ready), cancel);
                match twice(cancel, once) {
                    Ok(outcome) => decided(jury.abi, &outcome).0,
                    Err(error) => Answer::fault(chain(&error)),
                }
            }
            (_, None) => Answer::default(),
        }
    }
}

/// What the ending of the jury's program means, and whether a limit ended it.
pub(super) fn decided(abi: Abi, outcome: &Outcome) -> (Answer, bool) {
    let limit = !matches!(outcome.termination, Termination::Exited(_) | Termination::Signalled(_));
    let answer = match abi::decide(abi, outcome) {
        Ok(abi::Decision { accepted, score, message, team_message }) => {
            Answer { opinion: opinion(accepted), score, message, team_message }
        }
        Err(fault) => Answer::fault(chain(&fault)),
    };
    (answer, limit)
}

/// The interactor's box, without its streams. It outlasts the submission: when both wait for each
/// other it is the submission that is idle.
pub(super) fn interactor(
    test: &Test,
    jury: &Jury<'_>,
    ready: &Ready,
    submission_wall: Duration,
) -> Job {
    let args = abi::interactor_argv(jury.abi, jury.args, FILES, &test.checker_args)
        .expect("an interface without interactors is refused when planned");
    let mut job = run_job(&jury.program, ready, &args);
    job.aside = true;
    // Not beyond the longest that any box is granted.
    job.limits.wall = (job.limits.wall + submission_wall).min(Duration::from_secs(3600));
    with_files(
        &mut job,
        [Some(("input", &test.input)), test.answer.as_ref().map(|a| ("answer", a))],
    );
    job
}

/// The box of a checker of this output.
fn custom(test: &Test, output: &Arc<[u8]>, jury: &Jury<'_>, ready: &Ready) -> Job {
    let args = abi::argv(jury.abi, jury.args, FILES, &test.checker_args);
    let mut job = run_job(&jury.program, ready, &args);
    job.aside = true;
    let bytes = Blob::Memory(Arc::clone(output));
    let answer = test.answer.as_ref().map(|a| ("answer", a));
    let by_name = match jury.abi {
        Abi::Icpc => {
            job.stdin = Stdin::Contents(bytes.contents());
            None
        }
        Abi::Testlib | Abi::Cms => Some(("output", &bytes)),
    };
    with_files(&mut job, [Some(("input", &test.input)), answer, by_name]);
    job
}

/// Puts files of the test into the box, beside what its limits grant, and takes the feedback out.
fn with_files<const N: usize>(job: &mut Job, files: [Option<(&str, &Blob)>; N]) {
    // A file brings its folder into being; an empty message is as good as none.
    let empty = Blob::from("");
    let folder = ("feedback/judgemessage.txt", &empty);
    for (name, blob) in files.into_iter().flatten().chain([folder]) {
        let len = length(blob);
        job.limits.disk.0 += len;
        job.limits.memory.0 += len;
        let (path, contents) = (PathBuf::from(name), blob.contents());
        job.files.push(InputFile { path, contents, executable: false });
    }
    let wanted =
        |name: &&str| Collect { path: PathBuf::from("feedback").join(name), max: FEEDBACK_MAX };
    job.collect = abi::FEEDBACK.iter().map(wanted).collect();
}

/// Zero for a file that cannot be read: the engine says so.
fn length(blob: &Blob) -> u64 {
    match blob {
        Blob::Memory(bytes) => bytes.len() as u64,
        Blob::File(path) => std::fs::metadata(path).map_or(0, |m| m.len()),
    }
}

fn opinion(accepted: bool) -> Opinion {
    if accepted { Opinion::Accepts } else { Opinion::Rejects }
}
