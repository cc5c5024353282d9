//! A worker's side of a queue: one incarnation, its claims, and its retries' delays.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::id::{Incarnation, Place};
use crate::job::{Completion, Held, Lane, Lease, Outcome, Step};
use crate::store::{Beat, Claim, Claimed, Error, Registered, Settled, Store, Verdict};

/// One worker process in a queue. Its owner claims as many jobs as it has free slots, sends a
/// heartbeat with what really runs each [`Settings::heartbeat`](crate::Settings::heartbeat), completes each lease, and calls
/// [`Consumer::release`] before it leaves. All methods can be called at the same time.
#[derive(Debug)]
pub struct Consumer {
    store: Arc<dyn Store>,
    who: Incarnation,
    lanes: Vec<Lane>,
    claims: AtomicU64,
}

impl Consumer {
    /// Enters a new incarnation at `place`, for jobs of `lanes`.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn join(
        store: Arc<dyn Store>,
        place: &Place,
        lanes: &[Lane],
    ) -> Result<(Self, Registered), Error> {
        let who = Incarnation::begin(place);
        let registered = store.register(&who, false).await?;
        let lanes = lanes.to_vec();
        Ok((Self { store, who, lanes, claims: AtomicU64::new(0) }, registered))
    }

    /// The incarnation.
    #[must_use]
    pub fn who(&self) -> &Incarnation {
        &self.who
    }

    /// The queue it works for.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Takes at most `free` jobs, and none when `free` is 0.
    ///
    /// When the future is dropped or fails midway, jobs may be leased without anybody knowing; the
    /// heartbeat's list, on which they are not, gives them back after half a lease.
    ///
    /// # Errors
    /// When the store cannot be reached, or a newer worker has this place.
    pub async fn claim(&self, free: usize) -> Result<Vec<Lease>, Error> {
        for _ in 0..2 {
            if free == 0 {
                break;
            }
            let number = self.claims.fetch_add(1, Ordering::Relaxed);
            let (who, lanes) = (self.who.clone(), self.lanes.clone());
            match self.store.claim(&Claim { who, number, free, lanes }).await? {
                Claimed::Leases(leases) => return Ok(leases),
                // Whatever it held is gone; the heartbeat will say so for each.
                Claimed::Unknown => drop(self.store.register(&self.who, true).await?),
            }
        }
        Ok(Vec::new())
    }

    /// Tells what really runs; one verdict each, in order.
    ///
    /// # Errors
    /// When the store cannot be reached (go on running, keep the results, complete them later), or
    /// a newer worker has this place (stop everything).
    pub async fn heartbeat(&self, held: &[Held]) -> Result<Vec<Verdict>, Error> {
        match self.store.heartbeat(&self.who, held).await? {
            Beat::Known(verdicts) => Ok(verdicts),
            Beat::Unknown => {
                self.store.register(&self.who, true).await?;
                Ok(vec![Verdict::Revoked; held.len()])
            }
        }
    }

    /// Reports partial results.
    ///
    /// # Errors
    /// When the store cannot be reached; may be repeated.
    pub async fn progress(&self, steps: &[Step]) -> Result<Vec<Settled>, Error> {
        self.store.progress(steps).await
    }

    /// Ends one lease.
    ///
    /// # Errors
    /// When the store cannot be reached: to be repeated until there is an answer. When the result
    /// is too large: the lease is still held.
    pub async fn complete(&self, held: Held, outcome: Outcome) -> Result<Settled, Error> {
        let settled = self.complete_all(&[Completion { held, outcome }]).await?;
        Ok(settled.first().copied().unwrap_or(Settled::Stale))
    }

    /// Ends several leases at once, which costs the server much less than one by one.
    ///
    /// # Errors
    /// As [`Consumer::complete`]; when one result is too large nothing was done.
    pub async fn complete_all(&self, completions: &[Completion]) -> Result<Vec<Settled>, Error> {
        self.store.complete(completions).await
    }

    /// Says what this worker is, for whoever lists workers. The queue forgets it when it takes the
    /// worker for dead, so it is to be said again from time to time.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn announce(&self, about: &Bytes) -> Result<(), Error> {
        self.store.announce(&self.who, about).await
    }

    /// Hands back all that is held and leaves. Returns how many jobs that were.
    ///
    /// # Errors
    /// When the store cannot be reached; the jobs return by themselves when the lease is over.
    pub async fn release(&self) -> Result<u64, Error> {
        self.store.release(&self.who).await
    }

    /// Returns when there is probably work, see [`Store::wait_for_work`].
    pub async fn wait_for_work(&self) {
        self.store.wait_for_work().await;
    }

    /// Returns when a heartbeat is due at once, see [`Store::wait_for_nudge`].
    pub async fn wait_for_nudge(&self) {
        self.store.wait_for_nudge(&self.who).await;
    }
}
