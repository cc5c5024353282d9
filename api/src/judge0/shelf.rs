//! What this process remembers of submissions that came by the routes of Judge0: enough to list
//! and count them. The newest only, and only those that came here; the jobs themselves are the
//! queue's.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use queue::{JobId, Tenant};
use serde_json::Value;
use tokio::time::Instant;

use super::Flavor;

/// How many are remembered.
const MOST: usize = 10_000;

/// The submissions, newest first.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    /// Deleted by their owners; the queue forgets them in time.
    deleted: HashSet<JobId>,
    deleted_order: VecDeque<JobId>,
    counts: Counts,
    statistics: Option<(Instant, Value)>,
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: JobId,
    pub(super) tenant: Tenant,
}

/// All that came since the process began.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) total: u64,
    pub(super) languages: BTreeMap<(u32, bool), u64>,
    /// By days since 1970.
    pub(super) days: BTreeMap<u64, u64>,
}

impl Shelf {
    /// Remembers a submission.
    pub(super) fn put(&self, entry: Entry, flavor: Flavor, language: u32, created_ms: u64) {
        let mut inner = self.inner();
        inner.counts.total += 1;
        *inner.counts.languages.entry((language, flavor == Flavor::Extra)).or_default() += 1;
        *inner.counts.days.entry(created_ms / 86_400_000).or_default() += 1;
        while inner.counts.days.len() > 31 {
            inner.counts.days.pop_first();
        }
        inner.entries.push_front(entry);
        inner.entries.truncate(MOST);
    }

    /// Of a tenant's submissions, newest first, `take` after `skip`; and how many there are.
    pub(super) fn page(&self, tenant: &Tenant, skip: usize, take: usize) -> (Vec<JobId>, usize) {
        let inner = self.inner();
        let own = || inner.entries.iter().filter(|entry| entry.tenant == *tenant);
        (own().skip(skip).take(take).map(|entry| entry.id.clone()).collect(), own().count())
    }

    /// The newest of all tenants.
    pub(super) fn newest(&self, most: usize) -> Vec<JobId> {
        self.inner().entries.iter().take(most).map(|entry| entry.id.clone()).collect()
    }

    /// Takes a submission away.
    pub(super) fn delete(&self, id: &JobId) {
        let mut inner = self.inner();
        inner.entries.retain(|entry| entry.id != *id);
        if inner.deleted.insert(id.clone()) {
            inner.deleted_order.push_back(id.clone());
        }
        if inner.deleted_order.len() > MOST
            && let Some(oldest) = inner.deleted_order.pop_front()
        {
            inner.deleted.remove(&oldest);
        }
    }

    /// Whether it was taken away.
    pub(super) fn is_deleted(&self, id: &JobId) -> bool {
        self.inner().deleted.contains(id)
    }

    pub(super) fn counts(&self) -> Counts {
        self.inner().counts.clone()
    }

    /// What was answered to the last question for statistics, and when that was.
    pub(super) fn statistics(&self) -> Option<(Instant, Value)> {
        self.inner().statistics.clone()
    }

    pub(super) fn set_statistics(&self, at: Instant, value: Value) {
        self.inner().statistics = Some((at, value));
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
