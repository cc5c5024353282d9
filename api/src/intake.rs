//! From a submission to a job, and from a job back to what is answered. Every route that submits
//! or reads goes through here, whatever its wire looks like.

use std::sync::Arc;
use std::time::Duration;

use judge::Invalid;
use judge::model::{Answer, LimitsSpec, Refusal, Report, Submission, Task, TaskError, TestReport};
use problems::Hash;
use queue::transition::Why;
use queue::view::{JobView, Stage};
use queue::{Enqueued, Full, IdempotencyKey, Job, JobId, Lane, Reached, Target};
use tokio::time::Instant;

use crate::access::Caller;
use crate::app::App;
use crate::callback::Callback;
use crate::library::Card;
use crate::problem::{Kind, Problem};

/// What is to be judged, for whom and how soon.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) submission: Submission,
    /// What the client calls the only file, where it has sent no files: its faults are told by that.
    pub(crate) sole_file: Option<&'static str>,
    /// What it is submitted to; then it has no tests of its own.
    pub(crate) problem: Option<(Hash, Arc<Card>)>,
    pub(crate) lane: Lane,
    /// The client's name for the request, and which of its submissions this is.
    pub(crate) key: Option<(IdempotencyKey, u32)>,
    /// Kept with the job for whoever reads it.
    pub(crate) note: Option<Vec<u8>>,
    /// Who is told when it is over.
    pub(crate) callback: Option<Callback>,
}

/// What is known of a submission.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) lane: Lane,
    pub(crate) attempts: u32,
    pub(crate) state: State,
    pub(crate) note: Option<bytes::Bytes>,
    /// Bytes of its result.
    pub(crate) size: usize,
    /// When it was judged, by the worker's clock: milliseconds since 1970.
    pub(crate) ended_ms: Option<u64>,
}

/// Where a submission is.
#[derive(Debug)]
pub(crate) enum State {
    Queued,
    Running {
        /// Tests that are over, by index.
        tests: Vec<(u32, TestReport)>,
    },
    /// We failed, or a worker died; it will be tried again.
    Retrying {
        /// Tests that are over, by index.
        tests: Vec<(u32, TestReport)>,
    },
    Judged(Box<Report>),
    /// It cannot be judged as written.
    Refused(Refusal),
    /// We gave up.
    Failed(Why),
    Cancelled,
}

/// Why a submission is not taken, or not found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Invalid(Invalid),
    #[error("a number in it is none")]
    Number(#[source] TaskError),
    #[error("it takes {size} bytes on the queue, {limit} are allowed: send fewer or smaller tests")]
    TooLarge { size: usize, limit: usize },
    #[error("{}", full(limit, *depth))]
    Full { limit: Reached, depth: u64, after: Duration },
    #[error("there is no submission {id}; results are kept for {} s", kept.as_secs())]
    Unknown { id: String, kept: Duration },
    #[error("the queue")]
    Queue(#[source] queue::Error),
    #[error("the result of {id} cannot be read")]
    Result {
        id: JobId,
        #[source]
        source: TaskError,
    },
}

fn full(limit: &Reached, depth: u64) -> String {
    let wait = format!("{depth} submissions wait already");
    match limit {
        Reached::Queue => wait,
        Reached::Tenant(tenant) => format!("{wait}, as many as tenant {tenant} may have"),
        Reached::Memory => format!("{wait}, and the queue's memory is full"),
        Reached::Webhooks => format!("{depth} callbacks wait already: submit without one"),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = crate::problem::chain(&error);
        match error {
            Error::Invalid(Invalid { field, reason }) => {
                Self::new(Kind::Invalid, detail).fault(field, reason.to_string())
            }
            Error::Number(_) => Self::new(Kind::Invalid, detail),
            Error::TooLarge { .. } => Self::new(Kind::TooLarge, detail),
            Error::Full { after, .. } => Self::new(Kind::QueueFull, detail).retry_after(after),
            Error::Unknown { .. } => Self::new(Kind::NotFound, detail),
            Error::Queue(_) => {
                tracing::warn!(error = detail, "the queue gave no answer");
                let detail = "the queue gives no answer; nothing is lost, try again";
                Self::new(Kind::Unavailable, detail).retry_after(Duration::from_secs(1))
            }
            Error::Result { .. } => {
                tracing::error!(error = detail, "unreadable result");
                Self::new(Kind::Internal, detail)
            }
        }
    }
}

impl App {
    /// Makes a job of an order, or says what is wrong with it.
    pub(crate) fn job(&self, order: Order, caller: &Caller) -> Result<Job, Error> {
        let Order { submission, sole_file, problem, lane, key, note, callback } = order;
        let source_limit = sandbox::Bytes(self.config().source_limit);
        let checked = judge::check_form(&submission, self.table(), source_limit);
        checked.map_err(|invalid| Error::Invalid(as_sent(invalid, sole_file)))?;
        let (cost, deadline) = match &problem {
            None => estimate(submission.tests.len(), &submission.limits),
            Some((_, card)) => estimate(card.tests, &submission.limits.or(&card.limits)),
        };
        let problem = problem.map(|(hash, _)| hash.to_string());
        let payload = Task { submission, problem }.encode().map_err(Error::Number)?;
        let limit = self.store().settings().payload_limit;
        let size = payload.len().max(note.as_ref().map_or(0, Vec::len));
        if size > limit {
            return Err(Error::TooLarge { size, limit });
        }
        let mut job = Job::new(caller.tenant.clone(), payload).lane(lane).cost(cost);
        job = job.deadline(deadline);
        if let Some((key, index)) = key {
            job = job.keyed(&key, index);
        }
        if let Some(note) = note {
            job = job.note(note);
        }
        if let Some(callback) = callback {
            job = job.webhook(callback.encode());
        }
        Ok(job)
    }

    /// Puts jobs on the queue, all or none. Returns those that were there before.
    pub(crate) async fn enqueue(&self, jobs: &[Job]) -> Result<Vec<JobId>, Error> {
        match self.store().enqueue(jobs).await.map_err(Error::Queue)? {
            Enqueued::Accepted { added: _, duplicates } => Ok(duplicates),
            Enqueued::Full(Full { limit, depth, retry_after }) => {
                Err(Error::Full { limit, depth, after: retry_after })
            }
        }
    }

    /// What is known of a submission of this caller. One of another tenant is none.
    pub(crate) async fn known(&self, id: &JobId, caller: &Caller) -> Result<Known, Error> {
        let view = self.store().job(id).await.map_err(Error::Queue)?;
        let view = view.filter(|view| view.tenant == caller.tenant && view.lane != Lane::Internal);
        let view = view.ok_or_else(|| self.unknown(id.as_str()))?;
        known(id, view)
    }

    /// The same, but not before it has ended, unless that takes too long.
    pub(crate) async fn known_when_over(
        &self,
        id: &JobId,
        caller: &Caller,
        wait: Duration,
    ) -> Result<Known, Error> {
        let end = Instant::now() + wait.min(self.config().longest_wait);
        self.known_by(id, caller, end).await
    }

    /// The same, but not before it has ended or that time has come.
    pub(crate) async fn known_by(
        &self,
        id: &JobId,
        caller: &Caller,
        end: Instant,
    ) -> Result<Known, Error> {
        let mut ends = self.hub().ends();
        // First listen, then look: what ends in between is heard.
        ends.listen(std::slice::from_ref(id));
        loop {
            let known = self.known(id, caller).await?;
            if known.state.is_over() || Instant::now() >= end {
                return Ok(known);
            }
            // Whether it was heard of or not, the next look tells.
            let _heard = tokio::time::timeout_at(end, ends.next()).await;
        }
    }

    /// Calls a submission off. False when it had ended.
    pub(crate) async fn cancel(&self, id: &JobId, caller: &Caller) -> Result<bool, Error> {
        self.known(id, caller).await?;
        let done = self.store().cancel(&Target::Job(id.clone())).await.map_err(Error::Queue)?;
        Ok(done.cancelled > 0)
    }

    /// The id in a path; what can be none is simply not there.
    pub(crate) fn job_id(&self, text: &str) -> Result<JobId, Error> {
        JobId::new(text).map_err(|_| self.unknown(&crate::body::cut(text)))
    }

    fn unknown(&self, id: &str) -> Error {
        Error::Unknown { id: id.to_owned(), kept: self.store().settings().result_ttl }
    }
}

impl State {
    /// Whether nothing will change any more.
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self, Self::Queued | Self::Running { .. } | Self::Retrying { .. })
    }
}

/// What a job of the queue says of a submission.
pub(crate) fn known(id: &JobId, view: JobView) -> Result<Known, Error> {
    let JobView { tenant: _, lane, stage, attempts, lost: _, steps, note } = view;
    let broken = |source| Error::Result { id: id.clone(), source };
    let tests = || {
        let test = |(index, step): &(u32, bytes::Bytes)| {
            let report = serde_json::from_slice(step);
            report.map(|report| (*index, report)).map_err(|e| broken(TaskError::Unreadable(e)))
        };
        steps.iter().map(test).collect::<Result<Vec<(u32, TestReport)>, Error>>()
    };
    let (mut ended_ms, mut size) = (None, 0);
    let state = match stage {
        Stage::Queued if steps.is_empty() => State::Queued,
        Stage::Queued | Stage::Delayed => State::Retrying { tests: tests()? },
        Stage::Running => State::Running { tests: tests()? },
        Stage::Finished(result) => match Answer::decode(&result).map_err(broken)? {
            Answer::Refused(refusal) => State::Refused(refusal),
            Answer::Judged(judged) => {
                size = result.len();
                ended_ms = judged.ended_ms;
                let mut report = judged.report;
                if judged.tests_in_steps {
                    report.tests = tests()?.into_iter().map(|(_, test)| test).collect();
                }
                State::Judged(Box::new(report))
            }
        },
        Stage::Dead(why) => State::Failed(why),
        Stage::Cancelled => State::Cancelled,
    };
    Ok(Known { lane, attempts, state, note, size, ended_ms })
}

/// A fault by the name that the client knows its field by.
fn as_sent(invalid: Invalid, sole_file: Option<&str>) -> Invalid {
    let Invalid { field, reason } = invalid;
    let field = match sole_file {
        Some(name) if field.starts_with("files[0].") => name.to_owned(),
        _ => field,
    };
    Invalid { field, reason }
}

/// How long it will probably hold a slot, and how long it may. The first only has to be right
/// between submissions: the worker tells how long it really took.
fn estimate(tests: usize, limits: &LimitsSpec) -> (Duration, Duration) {
    const COMPILE: Duration = Duration::from_millis(500);
    const TEST: Duration = Duration::from_millis(50);
    /// Building program and checker, and waiting for slots.
    const GRACE: Duration = Duration::from_secs(600);
    let tests = u32::try_from(tests).unwrap_or(u32::MAX);
    let limits = limits.over(sandbox::Limits::default());
    // The checker may take a minute of its own.
    let longest = limits.wall.saturating_add(Duration::from_secs(60)).saturating_mul(4);
    (COMPILE + TEST.saturating_mul(tests), GRACE.saturating_add(longest.saturating_mul(tests)))
}
