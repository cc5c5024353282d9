//! The one trait of both stores, and what its operations answer.
//!
//! What every store guarantees:
//! - A job whose enqueueing was answered is never lost: it ends as finished, dead or cancelled.
//! - A result is visible once, and it is the one of whoever held the valid token.
//! - Every operation may be repeated after an error: nothing is added or counted twice.
//! - Operations are atomic (per chunk of jobs, see [`Store::enqueue`]), also when the caller's
//!   future is dropped midway: then they were applied or were not, as after a lost reply.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::id::{BatchId, Incarnation, Invalid, JobId, Label, Tenant, Token};
use crate::job::{Completion, Held, Job, Lane, Lease, Outcome, Step};
use crate::settings::{Account, Settings};
use crate::view::{
    Audit, BatchView, Counted, Cursor, Dead, Entry, JobView, Listed, Snapshot, Worker,
};

/// Why an operation gave no answer. The jobs are safe; try again later unless it says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's fault: will never fit.
    #[error("the payload of job {id} has {size} bytes, {limit} are allowed")]
    PayloadTooLarge {
        /// Which job.
        id: JobId,
        /// Its payload.
        size: usize,
        /// [`Settings::payload_limit`].
        limit: usize,
    },
    /// The caller's fault: will never fit, or is large and has no brief form. The lease is still held.
    #[error("the result of job {id} has {size} bytes, {limit} are allowed")]
    ResultTooLarge {
        /// Which job.
        id: JobId,
        /// Its result.
        size: usize,
        /// [`Settings::result_limit`] or [`Settings::brief_limit`].
        limit: usize,
    },
    /// Another worker has registered at this place since: this one must not go on.
    #[error("a newer worker has taken the place of {who}")]
    Superseded {
        /// Who was replaced.
        who: Incarnation,
    },
    /// The store holds something that is no name.
    #[error("unexpected text in the queue's data")]
    Name(#[source] Invalid),
    /// Redis or the way to it failed.
    #[error("the queue in Redis")]
    Redis(#[source] crate::redis::Error),
}

/// A queue.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The numbers it works by.
    fn settings(&self) -> &Settings;

    /// Adds jobs, all or none under the depth limits, which are checked for the whole call; webhooks
    /// that wait count towards none of them and have a bound of their own, near enough. A job
    /// whose id is known already is not added but counted as duplicate.
    ///
    /// Calls above 100 jobs or 1 MiB are applied in chunks, each atomic: when the caller, the
    /// server or its memory fails between two chunks, the call gives an error or nothing, and is
    /// to be repeated with the same ids.
    async fn enqueue(&self, jobs: &[Job]) -> Result<Enqueued, Error>;

    /// Enters an incarnation. One that was at the same place before is taken for dead at once. With
    /// `again` set (after a heartbeat was answered with [`Beat::Unknown`]) it takes over from nobody, and
    /// fails with [`Error::Superseded`] if there is a newer one.
    async fn register(&self, who: &Incarnation, again: bool) -> Result<Registered, Error>;

    /// Takes at most `claim.free` jobs: lanes by weight, within a lane the tenant that was served
    /// least (cost over weight), within a tenant the oldest; of suspects at most one.
    async fn claim(&self, claim: &Claim) -> Result<Claimed, Error>;

    /// Reports partial results. One answer a step: `Ok` visible now, `Dup` visible already, `Stale` not
    /// the holder any more.
    async fn progress(&self, steps: &[Step]) -> Result<Vec<Settled>, Error>;

    /// Ends leases. One answer each, in order.
    async fn complete(&self, completions: &[Completion]) -> Result<Vec<Settled>, Error>;

    /// Keeps the incarnation alive and compares what it really runs with what it holds: one
    /// verdict for each in `held`. What it holds but does not run is given to others after half a
    /// lease. Takes leases of dead workers back, too.
    async fn heartbeat(&self, who: &Incarnation, held: &[Held]) -> Result<Beat, Error>;

    /// Takes back what dead workers held. With `gone` that one is taken for dead whatever its lease
    /// says. Returns how many jobs. Heartbeats do the same; a server calls it each second so that it
    /// happens without any worker.
    async fn reap(&self, gone: Option<&Incarnation>) -> Result<u64, Error>;

    /// Calls off a job, or all jobs of a batch that have not ended. Whoever runs one is told by
    /// [`Store::wait_for_nudge`] and by its next heartbeat.
    async fn cancel(&self, target: &Target) -> Result<Cancelled, Error>;

    /// Ends an incarnation: what it holds goes back to the front, nothing charged. Returns how many.
    async fn release(&self, who: &Incarnation) -> Result<u64, Error>;

    /// Compares everything with everything and mends what does not agree. A sound queue needs no
    /// repair ever; each one is worth an alarm.
    async fn audit(&self) -> Result<Audit, Error>;

    /// Sets what one tenant may.
    async fn set_account(&self, tenant: &Tenant, account: Account) -> Result<(), Error>;

    /// What became of a job; `None` when it never was or its record is no longer kept.
    async fn job(&self, id: &JobId) -> Result<Option<JobView>, Error>;

    /// How far a batch is.
    async fn batch(&self, id: &BatchId) -> Result<Option<BatchView>, Error>;

    /// The event log after a cursor, at most `most` entries; does not wait.
    async fn events(&self, after: &Cursor, most: usize) -> Result<Vec<Entry>, Error>;

    /// The latest dead letters, at most `most`.
    async fn dead_letters(&self, most: usize) -> Result<Vec<Dead>, Error>;

    /// Gives a dead letter a new life. Returns false when it is none (any more).
    async fn revive(&self, id: &JobId) -> Result<bool, Error>;

    /// Keeps what a worker says of itself, for whoever lists workers; forgotten with the worker. One
    /// that is not registered is not kept.
    async fn announce(&self, who: &Incarnation, about: &Bytes) -> Result<(), Error>;

    /// The living workers by name, at most `most`.
    async fn workers(&self, most: usize) -> Result<Vec<Worker>, Error>;

    /// The jobs of a tenant that were added with a listing and are still known, the newest first:
    /// `most` of them after the first `skip`. Of more than 10 000 the oldest are not listed, and
    /// after a day without a new one the list is forgotten.
    async fn listed(&self, tenant: &Tenant, skip: usize, most: usize) -> Result<Listed, Error>;

    /// How many jobs of a tenant were added with a listing, by label and in these groups. Groups
    /// are kept for a month after their last job, labels for ever, at most 1024 of them.
    async fn counted(&self, tenant: &Tenant, groups: &[Label]) -> Result<Counted, Error>;

    /// Forgets a job that has ended, with its result. Returns false when it has not, or is unknown.
    async fn forget(&self, id: &JobId) -> Result<bool, Error>;

    /// How many jobs ended with a result in the last hour (up to five minutes less), by label: each
    /// once, whoever asks. Of more than
    /// 1024 labels within five minutes, the rest is not counted.
    async fn tallies(&self) -> Result<BTreeMap<Label, u64>, Error>;

    /// Numbers for metrics and for whoever decides how many workers there should be.
    async fn snapshot(&self) -> Result<Snapshot, Error>;

    /// Returns when there is probably work. A hint: may be late by a poll interval (at most half a
    /// second) and may be wrong. Cancel safe.
    async fn wait_for_work(&self);

    /// Returns when there is probably something in the event log after `after`, up to which the
    /// caller has read it. A hint: may be late by a poll interval and may be wrong. Meant for one
    /// reader a store. Cancel safe.
    async fn wait_for_events(&self, after: &Cursor);

    /// Returns when `who` should send a heartbeat now, because a job it holds was cancelled. A
    /// hint that may get lost; the next heartbeat tells anyway. Cancel safe.
    async fn wait_for_nudge(&self, who: &Incarnation);
}

/// How [`Store::enqueue`] went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// All jobs of the call are in the queue.
    Accepted {
        /// How many are new.
        added: usize,
        /// Those that were known before.
        duplicates: Vec<JobId>,
    },
    /// None is.
    Full(Full),
}

/// Nothing more is taken for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    /// What is full.
    pub limit: Reached,
    /// How many jobs wait; 0 when that is not the point.
    pub depth: u64,
    /// When it may be worth another try.
    pub retry_after: Duration,
}

/// Which limit is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// That of the whole queue.
    Queue,
    /// That of one tenant.
    Tenant(Tenant),
    /// The server's memory.
    Memory,
    /// Webhooks that wait: as many as jobs may. Jobs with one are not taken.
    Webhooks,
}

/// How [`Store::register`] went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// Jobs that came back from an earlier incarnation at this place.
    pub recovered: u64,
}

/// What is wanted by [`Store::claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// By whom.
    pub who: Incarnation,
    /// The number of this claim; never used twice by one incarnation.
    pub number: u64,
    /// How many slots are free. More than 256 count as 256.
    pub free: usize,
    /// From which lanes.
    pub lanes: Vec<Lane>,
}

/// How [`Store::claim`] went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// These are held now.
    Leases(Vec<Lease>),
    /// The incarnation is not registered (any more).
    Unknown,
}

/// How one completion or step was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Applied.
    Ok,
    /// Was applied before; as good as `Ok`.
    Dup,
    /// The token is not valid (any more); nothing changed, drop the result.
    Stale,
}

/// How [`Store::heartbeat`] went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beat {
    /// One verdict for each job that was listed, in order.
    Known(Vec<Verdict>),
    /// The incarnation is not registered (any more): stop everything it runs, register again.
    Unknown,
}

/// What to do with a running job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Keep,
    /// Stop it: somebody else has it or will.
    Revoked,
    /// Stop it: nobody wants it any more.
    Cancelled,
}

/// What to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One job.
    Job(JobId),
    /// All jobs of a batch.
    Batch(BatchId),
}

/// How [`Store::cancel`] went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled {
    /// Jobs that were waiting or running and are cancelled now.
    pub cancelled: u64,
    /// Jobs that had ended before, or are unknown.
    pub ended: u64,
}

impl Claim {
    /// The token of the `index`-th job it gets.
    pub(crate) fn token(&self, index: usize) -> Token {
        Token::new(&self.who, self.number, index)
    }

    /// The most jobs one claim takes: a script that runs longer would hold up everybody.
    pub(crate) const MOST: usize = 256;
}

/// What tallies are counted by: the last [`TALLY_STEPS`] steps are told.
pub(crate) const TALLY_STEP: Duration = Duration::from_secs(300);
pub(crate) const TALLY_STEPS: u64 = 12;
/// Labels of one step; languages times verdicts are some hundred.
pub(crate) const TALLY_LABELS: usize = 1024;

/// Jobs of one tenant that are listed.
pub(crate) const LISTED: usize = 10_000;
/// How long a group is counted after its last job.
pub(crate) const GROUP_TTL: Duration = Duration::from_secs(32 * 24 * 3600);

/// Refuses payloads that will never fit.
pub(crate) fn check_payloads(settings: &Settings, jobs: &[Job]) -> Result<(), Error> {
    let limit = settings.payload_limit;
    let large = jobs.iter().find(|job| job.payload.len() > limit);
    large.map_or(Ok(()), |job| {
        Err(Error::PayloadTooLarge { id: job.id.clone(), size: job.payload.len(), limit })
    })
}

/// Refuses results that will never fit.
pub(crate) fn check_results(settings: &Settings, done: &[Completion]) -> Result<(), Error> {
    let Settings { result_limit, brief_limit, .. } = settings;
    for Completion { held, outcome } in done {
        let Outcome::Finished { result, brief, .. } = outcome else { continue };
        let (size, limit) = match brief {
            _ if result.len() > *result_limit => (result.len(), *result_limit),
            _ if result.len() <= *brief_limit => continue,
            Some(brief) if brief.len() <= *brief_limit => continue,
            brief => (brief.as_ref().unwrap_or(result).len(), *brief_limit),
        };
        return Err(Error::ResultTooLarge { id: held.id.clone(), size, limit });
    }
    Ok(())
}
