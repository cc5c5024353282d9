//! What goes in and comes out: jobs, leases, completions. Payloads and results are bytes to us.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::id::{BatchId, IdempotencyKey, Invalid, JobId, Label, Tenant, Token};

/// Which kind of work comes first. A lane with twice the weight is served twice as often while
/// both have work; none ever starves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Somebody waits for it.
    High,
    /// The default.
    Normal,
    /// Nobody waits for it.
    Low,
    /// Our own errands: webhooks. Workers that judge do not claim it.
    Internal,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Self; 4] = [Self::High, Self::Normal, Self::Low, Self::Internal];
    /// The lanes with users' jobs.
    pub const JUDGED: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The lane's name, as in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
            Self::Internal => "internal",
        }
    }

    /// The lane of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == text)
    }

    /// Its share beside the other lanes.
    #[must_use]
    pub fn weight(self) -> u32 {
        match self {
            Self::High => 16,
            Self::Normal | Self::Internal => 4,
            Self::Low => 1,
        }
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One piece of work. Made by [`Job::new`], refined by the methods after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name for ever.
    pub id: JobId,
    /// What to do; never looked into.
    pub payload: Bytes,
    /// Who pays.
    pub tenant: Tenant,
    /// Which kind of work.
    pub lane: Lane,
    /// How long it will probably hold a slot. Shares between tenants are of this, not of counts.
    pub cost: Duration,
    /// How long one claim may hold it though its worker lives; then it is taken away and counts as
    /// lost, as after a crash. `None`: as long as the worker's heartbeat lists it.
    pub deadline: Option<Duration>,
    /// What it was handed in with.
    pub batch: Option<Batch>,
    /// What the deliverer needs to tell somebody about the end; never looked into. When the job
    /// ends, a job of the internal lane with these bytes appears in the same atomic step.
    pub webhook: Option<Bytes>,
    /// What whoever asks for the job is told with it, for as long as its record is kept; never
    /// looked into. Nothing that workers need: they do not get it.
    pub note: Option<Bytes>,
    /// Whether it is listed under its tenant.
    pub listing: Option<Listing>,
    /// Whether its record is kept for [`Settings::remembered`](crate::Settings::remembered) after
    /// the end, so that the same request sent again adds nothing.
    pub keyed: bool,
}

/// How a job is listed and counted with others of its tenant, see
/// [`Store::listed`](crate::Store::listed) and [`Store::counted`](crate::Store::counted).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// What it is counted under for a month, as a day.
    pub group: Label,
    /// What it is counted under for ever.
    pub label: Label,
}

/// Jobs that were handed in together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its name.
    pub id: BatchId,
    /// How many jobs it has in all, over all enqueue calls.
    pub total: u32,
    /// As [`Job::webhook`], for when the last one has ended.
    pub webhook: Option<Bytes>,
}

impl Job {
    /// A job of the normal lane with a random id, estimated at one second.
    #[must_use]
    pub fn new(tenant: Tenant, payload: impl Into<Bytes>) -> Self {
        Self {
            id: JobId::random(),
            payload: payload.into(),
            tenant,
            lane: Lane::Normal,
            cost: Duration::from_secs(1),
            deadline: None,
            batch: None,
            webhook: None,
            note: None,
            listing: None,
            keyed: false,
        }
    }

    /// Names it after the request it came by, see [`JobId::derived`].
    #[must_use]
    pub fn keyed(mut self, key: &IdempotencyKey, index: u32) -> Self {
        self.id = JobId::derived(&self.tenant, key, index);
        self.keyed = true;
        self
    }

    /// Sets the id.
    ///
    /// # Errors
    /// When `id` is no name.
    pub fn named(mut self, id: impl Into<String>) -> Result<Self, Invalid> {
        self.id = JobId::new(id)?;
        Ok(self)
    }

    /// Sets the lane.
    #[must_use]
    pub fn lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }

    /// Sets the estimate.
    #[must_use]
    pub fn cost(mut self, cost: Duration) -> Self {
        self.cost = cost;
        self
    }

    /// Sets how long one claim may hold it.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Makes it part of a batch.
    #[must_use]
    pub fn batch(mut self, batch: Batch) -> Self {
        self.batch = Some(batch);
        self
    }

    /// Sets what the deliverer gets when it ends.
    #[must_use]
    pub fn webhook(mut self, webhook: impl Into<Bytes>) -> Self {
        self.webhook = Some(webhook.into());
        self
    }

    /// Lists it under its tenant.
    #[must_use]
    pub fn listed(mut self, listing: Listing) -> Self {
        self.listing = Some(listing);
        self
    }

    /// Sets what is told to whoever asks for it.
    #[must_use]
    pub fn note(mut self, note: impl Into<Bytes>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// A claimed job: the holder of the token, and nobody else, may report on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub id: JobId,
    /// What fences this claim.
    pub token: Token,
    /// Which attempt this is, from 1; claims that were handed back do not count.
    pub attempt: u32,
    /// How many attempts there may be: a failure of ours in the last one has to become a result.
    pub attempts: u32,
    /// How many of its claims ended with their worker. Above 0 the job is a suspect.
    pub lost: u32,
    /// What to do.
    pub payload: Bytes,
    /// Who pays.
    pub tenant: Tenant,
    /// Which kind of work.
    pub lane: Lane,
    /// How long it has been waiting since it was enqueued, by the store's clock.
    pub waited: Duration,
    /// After this long the store takes it away.
    pub deadline: Option<Duration>,
    /// Steps that earlier attempts have reported: visible already, never to be reported again.
    pub steps: Vec<(u32, Bytes)>,
    /// For a webhook: what has ended.
    pub about: Option<Subject>,
}

/// What a webhook is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A job has ended.
    Job(JobId),
    /// The last job of a batch has ended.
    Batch(BatchId),
}

/// What a worker really runs, as its heartbeat tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The job.
    pub id: JobId,
    /// The token of its lease.
    pub token: Token,
}

impl From<&Lease> for Held {
    fn from(lease: &Lease) -> Self {
        Self { id: lease.id.clone(), token: lease.token.clone() }
    }
}

/// A partial result: what happened to step `index` (a test, to a judge). Visible exactly once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Of which lease.
    pub held: Held,
    /// Which step.
    pub index: u32,
    /// What happened; never looked into.
    pub report: Bytes,
}

/// How a lease ends on its worker's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Which lease.
    pub held: Held,
    /// How.
    pub outcome: Outcome,
}

/// How a claim went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is a result. What the user's program did wrong is a result too. Made by
    /// [`Outcome::finished`].
    Finished {
        /// Never looked into; at most [`Settings::result_limit`](crate::Settings::result_limit).
        result: Bytes,
        /// What is kept in its place where there is no room for a large one; must be there when
        /// the result is larger than [`Settings::brief_limit`](crate::Settings::brief_limit).
        brief: Option<Bytes>,
        /// How long it really held its slot, to put the tenant's account right.
        took: Option<Duration>,
        /// What it is counted under, see [`Store::tallies`](crate::Store::tallies).
        label: Option<Label>,
    },
    /// Our own failing: elsewhere and later, unless this was the last attempt; then dead.
    Retry,
    /// Not run to its end through nobody's fault (shutdown): back to the front, nothing charged.
    HandedBack,
    /// Nothing can ever come of it (a payload that does not parse): dead at once.
    Buried,
}

impl Outcome {
    /// There is this result, and nothing else is said of it.
    #[must_use]
    pub fn finished(result: impl Into<Bytes>) -> Self {
        Self::Finished { result: result.into(), brief: None, took: None, label: None }
    }
}
