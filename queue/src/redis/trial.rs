//! Trials on a real server: processes die and sleep, answers and disks are lost. Clients and
//! workers write down what they were answered, and that is compared with what the queue shows.
//! Each kind of trial has its control, a queue that is broken on purpose: there the same
//! comparison has to find the damage.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::RedisStore;
use super::address::Address;
use super::audit;
use super::scripts::{SERVER_CLOCK, Scripts};
use super::test_server::TestServer;
use crate::consumer::Consumer;
use crate::id::{JobId, Place, Tenant};
use crate::job::{Held, Job, Lane, Lease, Outcome};
use crate::settings::Settings;
use crate::store::{Enqueued, Settled, Store};
use crate::view::Stage;

mod outages;
mod proxy;
mod replies;
mod workers;

/// Makes the scripts of a queue: ours, or broken ones.
type Make = fn(&Settings) -> Scripts;

fn ours(settings: &Settings) -> Scripts {
    Scripts::new(settings, SERVER_CLOCK)
}

/// As [`RedisStore::connect`], with scripts made by `make`.
async fn connect(url: &str, settings: Settings, make: Make) -> Arc<RedisStore> {
    let scripts = make(&settings);
    let address = Address::parse(url, None).unwrap();
    let mut store = RedisStore::new(address, "q", settings, SERVER_CLOCK).unwrap();
    store.scripts = scripts;
    // As a service that waits for its server.
    until(async || store.live().await.ok()).await;
    audit::run_if_due(&store).await.unwrap();
    Arc::new(store)
}

async fn join(store: &Arc<RedisStore>, place: &str) -> Consumer {
    let place = Place::new(place).unwrap();
    let joined = || async {
        Consumer::join(Arc::clone(store) as Arc<dyn Store>, &place, &Lane::JUDGED).await.ok()
    };
    until(joined).await.0
}

/// Jobs with short names of their own.
fn jobs(range: std::ops::Range<usize>) -> Vec<Job> {
    let job = |n| Job::new(Tenant::anonymous(), "x").named(format!("job-{n}")).unwrap();
    range.map(job).collect()
}

/// Asks again and again until there is an answer; fails after half a minute.
async fn until<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "not within half a minute");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One command, over a connection of its own.
async fn command<T: redis::FromRedisValue>(server: &TestServer, words: &[&str]) -> T {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
}

/// What clients and workers were answered, in their own words.
#[derive(Debug, Default)]
struct Ledger {
    accepted: Mutex<Vec<JobId>>,
    /// Results that the queue took, by job.
    taken: Mutex<HashMap<JobId, Vec<Bytes>>>,
    /// Results that came too late, as they were told.
    stale: AtomicU64,
}

/// What must be none.
#[derive(Debug, Default, PartialEq, Eq)]
struct Damage {
    /// Accepted, and without a result in the end.
    lost: usize,
    /// More than one result was taken.
    twice: usize,
    /// The result that is shown is not the one that was taken.
    other: usize,
}

impl Ledger {
    /// Adds the same jobs until there is an answer, as a client should.
    async fn enqueue(&self, store: &RedisStore, jobs: &[Job]) {
        let answer = until(async || store.enqueue(jobs).await.ok()).await;
        assert!(matches!(answer, Enqueued::Accepted { .. }), "{answer:?}");
        self.accepted.lock().unwrap().extend(jobs.iter().map(|job| job.id.clone()));
    }

    /// Ends a lease with its token as the result, again until there is an answer.
    async fn complete(&self, consumer: &Consumer, lease: &Lease) {
        let result = Bytes::from(lease.token.as_str().to_owned());
        let finished = || Outcome::finished(result.clone());
        let complete = async || consumer.complete(Held::from(lease), finished()).await.ok();
        match until(complete).await {
            Settled::Stale => _ = self.stale.fetch_add(1, Ordering::Relaxed),
            Settled::Ok | Settled::Dup => {
                self.taken.lock().unwrap().entry(lease.id.clone()).or_default().push(result);
            }
        }
    }

    fn accepted(&self) -> usize {
        self.accepted.lock().unwrap().len()
    }

    /// Jobs that have a result.
    fn done(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    async fn damage(&self, store: &RedisStore) -> Damage {
        let (accepted, taken) =
            (self.accepted.lock().unwrap().clone(), self.taken.lock().unwrap().clone());
        let mut damage = Damage::default();
        for id in &accepted {
            let shown = store.job(id).await.unwrap().map(|view| view.stage);
            let results = taken.get(id).map_or(&[][..], Vec::as_slice);
            match shown {
                Some(Stage::Finished(result)) => {
                    damage.other += usize::from(!results.contains(&result))
                }
                _ => damage.lost += 1,
            }
            damage.twice += usize::from(results.len() > 1);
        }
        damage
    }
}
