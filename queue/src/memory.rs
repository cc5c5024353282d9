//! The store in memory: for one process (`evalx up`, tests). What it holds ends with it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use crate::id::{BatchId, Incarnation, JobId, Label, Tenant};
use crate::job::{Completion, Held, Job, Step};
use crate::settings::{Account, Settings};
use crate::store::{
    Beat, Cancelled, Claim, Claimed, Enqueued, Error, Registered, Settled, Store, Target,
    check_payloads, check_results,
};
use crate::transition::Millis;
use crate::view::{
    Audit, BatchView, Counted, Cursor, Dead, Entry, JobView, Listed, Snapshot, Worker,
};

mod lease;
mod list;
pub(crate) mod model;
#[cfg(test)]
mod properties;
mod serve;

pub(crate) use model::{DEAD_LETTERS, Model};
pub(crate) use serve::RETRY_AFTER;

/// How often a waiting worker looks by itself, for what no wake-up tells: a lease that ran out.
const POLL: Duration = Duration::from_millis(250);
/// Nudges that a slow listener may lag behind; then it is nudged for nothing.
const NUDGES: usize = 64;

/// A queue in this process's memory. Time is tokio's, so tests can pause it.
#[derive(Debug)]
pub struct MemoryStore {
    settings: Settings,
    /// A blocking lock: never held across an await, and each operation is short.
    model: Mutex<Model>,
    begin: Instant,
    /// Counts what became claimable, and what it was when somebody claimed last.
    work: watch::Sender<u64>,
    seen: AtomicU64,
    /// The number of the log's last entry.
    logged: watch::Sender<u64>,
    nudges: broadcast::Sender<Arc<str>>,
}

impl MemoryStore {
    /// An empty queue.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let model = Mutex::new(Model::new(settings.clone()));
        let (nudges, _) = broadcast::channel(NUDGES);
        let (begin, seen) = (Instant::now(), AtomicU64::new(0));
        let (work, logged) = (watch::Sender::new(0), watch::Sender::new(0));
        Self { settings, model, begin, work, seen, logged, nudges }
    }

    fn now(&self) -> Millis {
        // From one on: zero is "never" in some places of the Redis layout that this mirrors.
        crate::settings::millis(self.begin.elapsed()) + 1
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one operation and wakes who waits when something became claimable.
    fn run<T>(&self, operation: impl FnOnce(&mut Model, Millis) -> T) -> T {
        let now = self.now();
        let mut model = self.model();
        let answer = operation(&mut model, now);
        let (queued, logged) = (model.queued, model.logged);
        self.work.send_if_modified(|known| std::mem::replace(known, queued) != queued);
        self.logged.send_if_modified(|known| std::mem::replace(known, logged) != logged);
        answer
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    async fn enqueue(&self, jobs: &[Job]) -> Result<Enqueued, Error> {
        check_payloads(&self.settings, jobs)?;
        Ok(self.run(|model, now| model.enqueue(jobs, now)))
    }

    async fn register(&self, who: &Incarnation, again: bool) -> Result<Registered, Error> {
        let registered = self.run(|model, now| model.register(who, again, now));
        registered.ok_or_else(|| Error::Superseded { who: who.clone() })
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, Error> {
        self.seen.store(*self.work.borrow(), Ordering::Relaxed);
        Ok(self.run(|model, now| model.claim(claim, now)))
    }

    async fn progress(&self, steps: &[Step]) -> Result<Vec<Settled>, Error> {
        Ok(self.run(|model, now| model.progress(steps, now)))
    }

    async fn complete(&self, completions: &[Completion]) -> Result<Vec<Settled>, Error> {
        check_results(&self.settings, completions)?;
        let jitter = fastrand::u32(0..=1000);
        Ok(self.run(|model, now| model.complete(completions, jitter, now)))
    }

    async fn heartbeat(&self, who: &Incarnation, held: &[Held]) -> Result<Beat, Error> {
        Ok(self.run(|model, now| model.heartbeat(who, held, now)))
    }

    async fn reap(&self, gone: Option<&Incarnation>) -> Result<u64, Error> {
        Ok(self.run(|model, now| model.reap(gone, now)))
    }

    async fn cancel(&self, target: &Target) -> Result<Cancelled, Error> {
        let (cancelled, nudged) = self.run(|model, now| model.cancel(target, now));
        for who in nudged {
            // Nobody listens: nobody has to be nudged.
            drop(self.nudges.send(who.into()));
        }
        Ok(cancelled)
    }

    async fn release(&self, who: &Incarnation) -> Result<u64, Error> {
        Ok(self.run(|model, now| model.release(who, now)))
    }

    async fn audit(&self) -> Result<Audit, Error> {
        Ok(self.run(|model, now| model.audit(now)))
    }

    async fn set_account(&self, tenant: &Tenant, account: Account) -> Result<(), Error> {
        self.run(|model, _| model.set_account(tenant, account));
        Ok(())
    }

    async fn job(&self, id: &JobId) -> Result<Option<JobView>, Error> {
        Ok(self.run(|model, now| model.job(id, now)))
    }

    async fn batch(&self, id: &BatchId) -> Result<Option<BatchView>, Error> {
        Ok(self.run(|model, now| model.batch(id, now)))
    }

    async fn events(&self, after: &Cursor, most: usize) -> Result<Vec<Entry>, Error> {
        Ok(self.run(|model, _| model.events(after, most)))
    }

    async fn dead_letters(&self, most: usize) -> Result<Vec<Dead>, Error> {
        Ok(self.run(|model, now| model.dead_letters(most, now)))
    }

    async fn revive(&self, id: &JobId) -> Result<bool, Error> {
        Ok(self.run(|model, now| model.revive(id, now)))
    }

    async fn announce(&self, who: &Incarnation, about: &Bytes) -> Result<(), Error> {
        self.run(|model, _| model.announce(who, about));
        Ok(())
    }

    async fn workers(&self, most: usize) -> Result<Vec<Worker>, Error> {
        Ok(self.run(|model, now| model.workers(most, now)))
    }

    async fn listed(&self, tenant: &Tenant, skip: usize, most: usize) -> Result<Listed, Error> {
        Ok(self.run(|model, now| model.listed(tenant, skip, most, now)))
    }

    async fn counted(&self, tenant: &Tenant, groups: &[Label]) -> Result<Counted, Error> {
        Ok(self.run(|model, now| model.counted(tenant, groups, now)))
    }

    async fn forget(&self, id: &JobId) -> Result<bool, Error> {
        Ok(self.run(|model, now| model.forget(id, now)))
    }

    async fn tallies(&self) -> Result<BTreeMap<Label, u64>, Error> {
        Ok(self.run(|model, now| model.tallies(now)))
    }

    async fn snapshot(&self) -> Result<Snapshot, Error> {
        Ok(self.run(|model, now| model.snapshot(now)))
    }

    async fn wait_for_work(&self) {
        let mut work = self.work.subscribe();
        let due = self.model().next_due().map(Duration::from_millis);
        let due = due.map(|due| due.saturating_sub(Duration::from_millis(self.now())));
        let wait = due.map_or(POLL, |due| due.min(POLL)).max(Duration::from_millis(1));
        let seen = self.seen.load(Ordering::Relaxed);
        tokio::select! {
            // Since the last claim, not since now: nothing enqueued in between is missed.
            _ = work.wait_for(|queued| *queued != seen) => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    async fn wait_for_events(&self, after: &Cursor) {
        let mut logged = self.logged.subscribe();
        let after = after.number();
        // The store outlives who waits: the channel never closes.
        drop(logged.wait_for(|number| *number > after).await);
    }

    async fn wait_for_nudge(&self, who: &Incarnation) {
        let mut nudges = self.nudges.subscribe();
        loop {
            match nudges.recv().await {
                Ok(nudged) if *nudged == *who.as_str() => return,
                Ok(_) => {}
                // Too many at once: one of them may have been ours.
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Consumer, Enqueued, Lane, Outcome, Place, Reached};

    async fn consumer(store: &Arc<MemoryStore>) -> Consumer {
        let store: Arc<dyn Store> = Arc::clone(store) as _;
        Consumer::join(store, &Place::new("here").unwrap(), &Lane::JUDGED).await.unwrap().0
    }

    fn job() -> Job {
        Job::new(Tenant::anonymous(), "x")
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_woken_by_what_came_since_the_last_claim() {
        let store = Arc::new(MemoryStore::new(Settings::default()));
        let consumer = consumer(&store).await;
        assert!(consumer.claim(1).await.unwrap().is_empty());
        store.enqueue(&[job()]).await.unwrap();
        let start = Instant::now();
        consumer.wait_for_work().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(consumer.claim(1).await.unwrap().len(), 1);
        // Nothing since then: the next look is after a while.
        consumer.wait_for_work().await;
        assert_eq!(start.elapsed(), POLL);
    }

    #[tokio::test(start_paused = true)]
    async fn who_follows_the_log_is_woken_by_what_it_has_not_read() {
        let store = Arc::new(MemoryStore::new(Settings::default()));
        let consumer = consumer(&store).await;
        store.enqueue(&[job().note("for whoever asks")]).await.unwrap();
        let lease = consumer.claim(1).await.unwrap().remove(0);
        let start = Instant::now();
        store.wait_for_events(&Cursor::start()).await;
        let entries = store.events(&Cursor::start(), 10).await.unwrap();
        let after = &entries.last().unwrap().cursor;
        let wait = store.wait_for_events(after);
        let end = async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            consumer.complete((&lease).into(), Outcome::HandedBack).await.unwrap();
        };
        tokio::join!(wait, end);
        assert_eq!(start.elapsed(), Duration::from_secs(9));
        assert_eq!(store.events(after, 10).await.unwrap().len(), 1);
        let view = store.job(&lease.id).await.unwrap().unwrap();
        assert_eq!(view.note.unwrap(), "for whoever asks");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_attempt_is_repeated_after_a_random_delay_and_ends_dead() {
        let store = Arc::new(MemoryStore::new(Settings::default()));
        let consumer = consumer(&store).await;
        let job = job();
        store.enqueue(std::slice::from_ref(&job)).await.unwrap();
        let mut attempts = 0;
        let start = Instant::now();
        while store.snapshot().await.unwrap().dead == 0 {
            for lease in consumer.claim(1).await.unwrap() {
                attempts += 1;
                assert_eq!((lease.attempt, lease.attempts), (attempts, 5));
                consumer.complete((&lease).into(), Outcome::Retry).await.unwrap();
            }
            assert_eq!(consumer.heartbeat(&[]).await.unwrap(), []);
            consumer.wait_for_work().await;
        }
        assert_eq!(attempts, 5);
        // 1 + 2 + 4 + 8 s at most, and what the polls add.
        assert!(start.elapsed() < Duration::from_secs(16), "{:?}", start.elapsed());
        assert!(store.revive(&job.id).await.unwrap());
        assert_eq!(consumer.claim(1).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn webhooks_that_wait_take_nothing_of_what_jobs_may() {
        let settings = Settings {
            depth: 2,
            tenant_depth: Some(2),
            tenant_running: Some(1),
            ..Settings::default()
        };
        let store = Arc::new(MemoryStore::new(settings));
        let consumer = consumer(&store).await;
        let errands: Arc<dyn Store> = Arc::clone(&store) as _;
        let errands = Consumer::join(errands, &Place::errands(), &[Lane::Internal]).await;
        let errands = errands.unwrap().0;
        let add = async |job: Job| match store.enqueue(&[job]).await.unwrap() {
            Enqueued::Accepted { .. } => None,
            Enqueued::Full(full) => Some(full.limit),
        };
        let judge = async || {
            let lease = consumer.claim(1).await.unwrap().remove(0);
            let finished = Outcome::finished("r");
            consumer.complete((&lease).into(), finished).await.unwrap();
        };
        for _ in 0..2 {
            assert_eq!(add(job().webhook("tell")).await, None);
            judge().await;
        }
        // One of them waits for another attempt, one is on its way.
        let tried = errands.claim(1).await.unwrap().remove(0);
        errands.complete((&tried).into(), Outcome::Retry).await.unwrap();
        assert_eq!(errands.claim(1).await.unwrap().len(), 1);
        assert_eq!(add(job()).await, None);
        judge().await;
        assert_eq!((add(job()).await, add(job()).await), (None, None));
        assert_eq!(add(job()).await, Some(Reached::Queue), "jobs have their own bound");
        judge().await;
        judge().await;
        // As many webhooks wait as jobs may: what would add more is refused, the rest is not.
        assert_eq!(add(job().webhook("tell")).await, None);
        judge().await;
        assert_eq!(add(job().webhook("tell")).await, Some(Reached::Webhooks));
        assert_eq!(add(job()).await, None);
        assert_eq!(store.audit().await.unwrap().repairs, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn records_are_forgotten_in_time() {
        let store = Arc::new(MemoryStore::new(Settings::default()));
        let consumer = consumer(&store).await;
        let job = job();
        store.enqueue(std::slice::from_ref(&job)).await.unwrap();
        let lease = consumer.claim(1).await.unwrap().remove(0);
        let outcome = Outcome::finished("r");
        consumer.complete((&lease).into(), outcome).await.unwrap();
        tokio::time::advance(Duration::from_secs(3599)).await;
        assert!(store.job(&job.id).await.unwrap().is_some());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(store.job(&job.id).await.unwrap().is_none());
        let again = store.enqueue(&[job]).await.unwrap();
        assert_eq!(again, Enqueued::Accepted { added: 1, duplicates: vec![] });
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_is_listed_with_what_it_says_until_it_is_gone() {
        let store = Arc::new(MemoryStore::new(Settings::default()));
        let consumer = consumer(&store).await;
        consumer.announce(&bytes::Bytes::from_static(b"2 slots")).await.unwrap();
        store.enqueue(&[job()]).await.unwrap();
        assert_eq!(consumer.claim(1).await.unwrap().len(), 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let listed = store.workers(9).await.unwrap();
        let [worker] = listed.as_slice() else { panic!("{listed:?}") };
        assert_eq!((&worker.who, worker.held), (consumer.who(), 1));
        assert_eq!((&worker.about[..], worker.silent), (&b"2 slots"[..], Duration::from_secs(2)));
        assert_eq!(consumer.release().await.unwrap(), 1);
        assert_eq!(store.workers(9).await.unwrap(), []);
    }
}
