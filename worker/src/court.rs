//! A judge that knows problems by their hash: fetches each once, keeps it, grades by its rules.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use judge::Judge;
use judge::model::{Answer, Refusal, Submission, Task};
use judge::problem::{Stored, StoredError};
use problems::{Cache, CacheError, Hash, Shape};
use sandbox::Cancel;
use tokio::runtime::Handle;

use crate::judging::{Judged, Judging, Phase, Watch, Work, blank, chain, failed, judge, read};

/// How often it is looked whether a job is still wanted while its problem is fetched.
const LOOK: Duration = Duration::from_millis(20);

/// A judge with problems.
#[derive(Debug)]
pub struct Court {
    judge: Judge,
    problems: Option<Cache<Unpacked>>,
}

/// Problems as the judge reads them.
#[derive(Debug, Clone, Copy)]
pub struct Unpacked;

impl Shape for Unpacked {
    type Value = Stored;
    type Error = StoredError;

    fn unpack(&self, fetched: &Path, into: &Path) -> Result<(), StoredError> {
        Stored::unpack(fetched, into)
    }

    fn load(&self, folder: &Path) -> Result<Stored, StoredError> {
        Stored::open(folder)
    }
}

impl Court {
    /// Without problems, submissions that name one are left to other workers.
    #[must_use]
    pub fn new(judge: Judge, problems: Option<Cache<Unpacked>>) -> Self {
        Self { judge, problems }
    }

    /// The problem that a job names; or how the job ends without one. Blocks; called on a thread of
    /// the runtime's for that.
    fn problem(&self, name: &str, cancel: &Cancel) -> Result<Arc<Stored>, Missing> {
        let elsewhere = |reason| Missing::Reason { phase: Phase::Problem, reason };
        let cache = self.problems.as_ref().ok_or_else(|| {
            elsewhere("this worker knows no problems: start it with --problems".to_owned())
        })?;
        let hash = Hash::parse(name).map_err(|error| elsewhere(error.to_string()))?;
        let got = Handle::current().block_on(async {
            tokio::select! {
                got = cache.get(&hash) => Some(got),
                () = cancelled(cancel) => None,
            }
        });
        got.ok_or(Missing::Withdrawn)?.map_err(|error| {
            // A store that is out of reach is out of reach for the next job, too.
            let phase = match error {
                CacheError::Fetch { .. } | CacheError::Folder { .. } => Phase::Prepare,
                _ => Phase::Problem,
            };
            Missing::Reason { phase, reason: chain(&error) }
        })
    }

    fn judge_problem(
        &self,
        own: Submission,
        name: &str,
        work: Work<'_>,
        watch: &dyn Watch,
        cancel: &Cancel,
    ) -> Judged {
        let stored = match self.problem(name, cancel) {
            Ok(stored) => stored,
            Err(Missing::Withdrawn) => return Judged::Withdrawn,
            Err(Missing::Reason { phase, reason }) => {
                let report = blank(&own, Judging::engine(self), reason.clone());
                return failed(phase, reason, Answer::judged(report), work.limits);
            }
        };
        match stored.submission(own) {
            Ok(submission) => {
                let grade = |report| stored.grade(report);
                judge(&self.judge, &submission, &grade, work, watch, cancel)
            }
            Err(error) => {
                let refusal = Answer::Refused(Refusal { field: None, reason: error.to_string() });
                match refusal.encode(work.limits.brief) {
                    Ok(result) => Judged::Done { result: result.into(), brief: None, report: None },
                    Err(error) => {
                        let reason = chain(&error);
                        Judged::Failed { phase: Phase::Problem, reason, last: bytes::Bytes::new() }
                    }
                }
            }
        }
    }
}

/// Why there is no problem.
enum Missing {
    Withdrawn,
    Reason { phase: Phase, reason: String },
}

impl Judging for Court {
    fn engine(&self) -> &'static str {
        Judging::engine(&self.judge)
    }

    fn busy(&self) -> usize {
        Judging::busy(&self.judge)
    }

    fn resize(&self, slots: NonZeroUsize) {
        Judging::resize(&self.judge, slots);
    }

    fn judge(&self, work: Work<'_>, watch: &dyn Watch, cancel: &Cancel) -> Judged {
        match read(work) {
            Ok(Task { submission, problem: None }) => {
                judge(&self.judge, &submission, &|report| report, work, watch, cancel)
            }
            Ok(Task { submission, problem: Some(name) }) => {
                self.judge_problem(submission, &name, work, watch, cancel)
            }
            Err(unread) => unread,
        }
    }
}

async fn cancelled(cancel: &Cancel) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(LOOK).await;
    }
}
