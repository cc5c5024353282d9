//! The numbers of a queue, each with the reason for its default.

use std::time::Duration;

use crate::job::Lane;
use crate::transition::{Millis, Rules};

/// How a store behaves. All workers and servers of one queue should agree on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Jobs that may wait (queued or delayed) in all. Default 100 000: about 200 MB in Redis with
    /// 1 KiB payloads, and a judge that is further behind should say so. Webhooks are not counted;
    /// when as many of them wait, no job with one is taken.
    pub depth: u64,
    /// Jobs of one tenant that may wait, without webhooks. Default: no limit but `depth`.
    pub tenant_depth: Option<u64>,
    /// Jobs of one tenant that may run at once, without webhooks. Default: no limit.
    pub tenant_running: Option<u64>,
    /// How long a silent worker keeps its jobs. Default 6 s: six heartbeats, and a dead worker's
    /// jobs run elsewhere within 7.2 s.
    pub lease: Duration,
    /// Claims that may end with their worker before the job is taken for the cause. Default 3.
    pub crashes: u32,
    /// Attempts a judged job may have when we fail. Default 5.
    pub attempts: u32,
    /// Attempts of a job of the internal lane (webhooks). Default 18: with the delays below about
    /// five hours, ten at most.
    pub internal_attempts: u32,
    /// Mean of the first delay of a retry; it doubles with each attempt. Default 0.5 s.
    pub retry_first: Duration,
    /// The longest delay of a retry of a judged job. Default 60 s.
    pub retry_most: Duration,
    /// The longest delay of a retry in the internal lane. Default 2 h.
    pub internal_retry_most: Duration,
    /// How long a result can be read. Default 1 h; a result takes 1.6 KB.
    pub result_ttl: Duration,
    /// How long the record of a keyed job, of one with a webhook and of a batch is kept after the
    /// end. Default 24 h.
    pub remembered: Duration,
    /// How long a dead letter is kept for inspection. Default 7 days.
    pub dead_ttl: Duration,
    /// The largest payload. Default 8 MiB.
    pub payload_limit: usize,
    /// The largest result. Default 4 MiB: the two streams of a program that writes as much as it
    /// may by default, and what JSON adds.
    pub result_limit: usize,
    /// The largest result that is written inside a script, which blocks the server. Default 64 KiB;
    /// larger ones lie apart and come with a brief form of at most this size.
    pub brief_limit: usize,
    /// What results above `brief_limit` may take together, by the time they are kept; where there
    /// is no room, the brief form is kept. Default 1 GiB.
    pub large_results: u64,
    /// Entries of the event log that are kept, about. Default 100 000.
    pub events: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            depth: 100_000,
            tenant_depth: None,
            tenant_running: None,
            lease: Duration::from_secs(6),
            crashes: 3,
            attempts: 5,
            internal_attempts: 18,
            retry_first: Duration::from_millis(500),
            retry_most: Duration::from_secs(60),
            internal_retry_most: Duration::from_secs(2 * 3600),
            result_ttl: Duration::from_secs(3600),
            remembered: Duration::from_secs(24 * 3600),
            dead_ttl: Duration::from_secs(7 * 24 * 3600),
            payload_limit: 8 << 20,
            result_limit: 4 << 20,
            brief_limit: 64 << 10,
            large_results: 1 << 30,
            events: 100_000,
        }
    }
}

impl Settings {
    /// How often a worker has to send its heartbeat: a sixth of the lease.
    #[must_use]
    pub fn heartbeat(&self) -> Duration {
        self.lease / 6
    }
}

impl Settings {
    /// How often a job of `lane` may be tried.
    pub(crate) fn rules(&self, lane: Lane) -> Rules {
        let attempts = match lane {
            Lane::Internal => self.internal_attempts,
            Lane::High | Lane::Normal | Lane::Low => self.attempts,
        };
        Rules { crashes: self.crashes, attempts }
    }

    /// When a failed attempt is repeated: `jitter` thousandths of a bound that doubles with each
    /// attempt. Jitter is drawn anew each time, so that what failed together does not come back
    /// together.
    pub(crate) fn retry_delay(&self, lane: Lane, attempts: u32, jitter: u32) -> Duration {
        let most = match lane {
            Lane::Internal => self.internal_retry_most,
            Lane::High | Lane::Normal | Lane::Low => self.retry_most,
        };
        let bound = millis(self.retry_first.saturating_mul(1 << attempts.min(16)).min(most));
        Duration::from_millis(bound * u64::from(jitter) / 1000)
    }
}

/// Whole milliseconds, as the stores count.
pub(crate) fn millis(duration: Duration) -> Millis {
    // Above this, sums of two would not be exact in a script's numbers (2^53).
    const MOST: u128 = 1 << 50;
    u64::try_from(duration.as_millis().min(MOST)).unwrap_or(1 << 50)
}

/// What one tenant may, where it differs from the settings. Kept in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Its share beside tenants of weight 1; at least 1.
    pub weight: u32,
    /// Jobs that may wait.
    pub depth: Limit,
    /// Jobs that may run at once.
    pub running: Limit,
}

/// A limit of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// As the settings say.
    Default,
    /// This many, at least 1.
    At(u64),
}

impl Default for Account {
    fn default() -> Self {
        Self { weight: 1, depth: Limit::Default, running: Limit::Default }
    }
}
