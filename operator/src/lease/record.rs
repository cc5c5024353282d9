//! The rules of the lease: from what was seen to what is to be written. No I/O and no clock.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

use super::Settings;

/// A lease, and since when it has looked like this.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    pub(super) lease: Lease,
    since: Instant,
}

/// How an attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Held,
    Other(String),
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Intent {
    Create(Box<Lease>),
    Write(Box<Lease>),
    Wait(String),
}

impl Sighting {
    pub(super) fn new(lease: Lease, since: Instant) -> Self {
        Self { lease, since }
    }

    /// What is there now: as old as it has looked like this.
    pub(super) fn of(found: Option<Lease>, before: Option<&Self>, now: Instant) -> Option<Self> {
        let lease = found?;
        let since = before.filter(|before| before.lease.spec == lease.spec).map(|b| b.since);
        Some(Self { lease, since: since.unwrap_or(now) })
    }

    pub(super) fn holder(&self) -> &str {
        let spec = self.lease.spec.as_ref();
        spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
    }

    pub(super) fn is_of(&self, identity: &str) -> bool {
        self.holder() == identity
    }

    fn is_over(&self, now: Instant) -> bool {
        // By the holder's own word, as client-go has it.
        let seconds = self.lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
        let seconds = u64::try_from(seconds.unwrap_or(0)).unwrap_or(0);
        now.saturating_duration_since(self.since) >= Duration::from_secs(seconds)
    }
}

/// Whether this process holds it.
pub(super) fn is_of(lease: &Lease, identity: &str) -> bool {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) == Some(identity)
}

pub(super) fn decide(seen: Option<&Sighting>, settings: &Settings, now: Instant) -> Intent {
    let Some(seen) = seen else {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(settings.name.clone()),
                namespace: Some(settings.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(ours(settings, None)),
        };
        return Intent::Create(Box::new(lease));
    };
    let holder = seen.holder();
    if !holder.is_empty() && !seen.is_of(&settings.identity) && !seen.is_over(now) {
        return Intent::Wait(holder.to_owned());
    }
    let mut lease = seen.lease.clone();
    lease.spec = Some(ours(settings, lease.spec.as_ref()));
    Intent::Write(Box::new(lease))
}

/// The record with us as its holder.
fn ours(settings: &Settings, before: Option<&LeaseSpec>) -> LeaseSpec {
    let now = MicroTime(Timestamp::now());
    let renewal = before.filter(|b| b.holder_identity.as_ref() == Some(&settings.identity));
    let transitions = before.and_then(|before| before.lease_transitions).unwrap_or(0);
    LeaseSpec {
        holder_identity: Some(settings.identity.clone()),
        lease_duration_seconds: i32::try_from(whole_seconds(settings.duration)).ok(),
        acquire_time: renewal.map_or_else(|| Some(now.clone()), |b| b.acquire_time.clone()),
        renew_time: Some(now),
        lease_transitions: Some(match (before, renewal) {
            (None, _) => 0,
            (Some(_), Some(_)) => transitions,
            (Some(_), None) => transitions.saturating_add(1),
        }),
        ..LeaseSpec::default()
    }
}

/// The record knows whole seconds only. Rounded up: others may be kept waiting, but must never take
/// the lease from one who still thinks to have it; and 0 is no duration to the API server.
fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

/// The record without a holder.
pub(super) fn released(lease: &Lease, settings: &Settings) -> Lease {
    let mut lease = lease.clone();
    let spec = LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(1),
        renew_time: Some(MicroTime(Timestamp::now())),
        ..ours(settings, lease.spec.as_ref())
    };
    lease.spec = Some(spec);
    lease
}
