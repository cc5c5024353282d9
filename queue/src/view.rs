//! What can be seen of a queue: jobs, batches, the event log, dead letters, numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::id::{BatchId, Incarnation, JobId, Label, Tenant};
use crate::job::Lane;
use crate::transition::Why;

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    /// Who pays.
    pub tenant: Tenant,
    /// Which kind of work.
    pub lane: Lane,
    /// Where it is.
    pub stage: Stage,
    /// Claims so far.
    pub attempts: u32,
    /// Claims that ended with their worker.
    pub lost: u32,
    /// Partial results, by index.
    pub steps: Vec<(u32, Bytes)>,
    /// What was handed in with it for whoever asks, see [`Job::note`](crate::Job::note).
    pub note: Option<Bytes>,
}

/// Where a job is, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Waits for its next attempt.
    Delayed,
    /// Ended with this result.
    Finished(Bytes),
    /// Given up.
    Dead(Why),
    /// Called off.
    Cancelled,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchView {
    /// Jobs in all.
    pub total: u32,
    /// Jobs that have a result.
    pub finished: u32,
    /// Jobs that are dead or cancelled.
    pub failed: u32,
}

/// A place in the event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub(crate) String);

impl Cursor {
    /// Before everything that is kept.
    #[must_use]
    pub fn start() -> Self {
        Self("0".to_owned())
    }

    /// The cursor of that text; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits =
            |t: &str| !t.is_empty() && t.len() <= 20 && t.bytes().all(|b| b.is_ascii_digit());
        let (ms, seq) = text.split_once('-').unwrap_or((text, "0"));
        (digits(ms) && digits(seq)).then(|| Self(text.to_owned()))
    }
}

impl Cursor {
    /// Its first number: in memory, that of the entry.
    pub(crate) fn number(&self) -> u64 {
        self.0.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one operation made visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is in the log.
    pub cursor: Cursor,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// One visible change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A worker has it.
    Started(JobId),
    /// A partial result.
    Step {
        /// Of which job.
        id: JobId,
        /// Which step.
        index: u32,
        /// What happened.
        report: Bytes,
    },
    /// Waits again: its worker failed, died, or handed it back.
    Returned(JobId),
    /// Ended with a result. Of this and the next two there is one a job, ever.
    Finished(JobId),
    /// Given up.
    Dead(JobId),
    /// Called off.
    Cancelled(JobId),
    /// The last job of a batch has ended.
    BatchDone(BatchId),
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// The job.
    pub id: JobId,
    /// How long ago, by the store's clock.
    pub age: Duration,
}

/// Jobs of one tenant that are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// A part of them, the newest first.
    pub ids: Vec<JobId>,
    /// How many there are.
    pub total: u64,
}

/// How many jobs of one tenant were listed, ever.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counted {
    /// By label.
    pub labels: BTreeMap<Label, u64>,
    /// In each of the groups that were asked for.
    pub groups: Vec<u64>,
}

/// A living worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Which.
    pub who: Incarnation,
    /// Jobs that it holds.
    pub held: u64,
    /// How long ago it was heard.
    pub silent: Duration,
    /// What it said of itself last, see [`Store::announce`](crate::Store::announce); empty when nothing.
    pub about: Bytes,
}

/// Numbers of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Each lane, in the order of [`Lane::ALL`].
    pub lanes: [LaneSnapshot; 4],
    /// Jobs that run.
    pub running: u64,
    /// Jobs that wait for their next attempt.
    pub delayed: u64,
    /// Dead letters that are kept.
    pub dead: u64,
    /// Incarnations that hold a lease of life, without those that only run errands.
    pub workers: u64,
    /// Counted since the queue was made.
    pub totals: Totals,
}

/// Numbers of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneSnapshot {
    /// Jobs that could be claimed.
    pub depth: u64,
    /// What they will cost together, by the estimates.
    pub backlog: Duration,
    /// How long the oldest of them has waited since it was enqueued. With more than 256 waiting
    /// tenants, the oldest of the 256 whose turn is next.
    pub oldest: Option<Duration>,
}

/// Counters that only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Jobs added.
    pub enqueued: u64,
    /// Leases given.
    pub claimed: u64,
    /// Jobs ended with a result.
    pub finished: u64,
    /// Jobs given up.
    pub dead: u64,
    /// Jobs called off.
    pub cancelled: u64,
    /// Leases ended for a retry.
    pub retried: u64,
    /// Leases handed back.
    pub returned: u64,
    /// Leases taken from dead or hanging workers.
    pub expired: u64,
    /// Leases that their living worker did not know.
    pub forgotten: u64,
    /// Completions that came too late.
    pub stale: u64,
    /// Repairs by audits.
    pub repairs: u64,
}

/// How an audit went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Audit {
    /// Jobs looked at.
    pub jobs: u64,
    /// What had to be mended.
    pub repairs: u64,
    /// Whether the counters could be compared, too: they can only while nothing else happens.
    pub counted: bool,
}
