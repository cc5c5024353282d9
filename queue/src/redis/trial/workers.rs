//! Workers that die, and workers that sleep beyond their lease and believe to hold it still.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Damage, Ledger, Make, connect, jobs, join, ours, until};
use crate::job::{Held, Lease};
use crate::redis::RedisStore;
use crate::redis::scripts::Scripts;
use crate::redis::test_server::TestServer;
use crate::settings::Settings;
use crate::store::Store;
use crate::view::Stage;

const JOBS: usize = 3000;
const NODES: u32 = 6;

/// One life of a worker: claims, works, and ends as `fate` says.
async fn live(store: &Arc<RedisStore>, place: &str, fate: u32, ledger: &Ledger) {
    let consumer = join(store, place).await;
    for round in 0..=20 {
        let leases = consumer.claim(4).await.unwrap();
        if round == 20 {
            match fate {
                // Dies with what it holds.
                0 => return,
                // Sleeps until others have done its jobs.
                1 => until(|| async { all_done(store, &leases).await.then_some(()) }).await,
                _ => drop(consumer.heartbeat(&held(&leases)).await),
            }
        }
        for lease in &leases {
            ledger.complete(&consumer, lease).await;
        }
        consumer.heartbeat(&[]).await.unwrap();
        if ledger.done() == JOBS {
            return;
        }
    }
}

async fn all_done(store: &RedisStore, leases: &[Lease]) -> bool {
    for lease in leases {
        let view = store.job(&lease.id).await.unwrap();
        if !view.is_some_and(|view| matches!(view.stage, Stage::Finished(_))) {
            return false;
        }
    }
    true
}

fn held(leases: &[Lease]) -> Vec<Held> {
    leases.iter().map(Held::from).collect()
}

/// How it ended.
#[derive(Debug)]
struct End {
    damage: Damage,
    /// Leases that ran out, and results that came too late: was anything tried?
    expired: u64,
    stale: u64,
    repairs: u64,
}

async fn trial(make: Make) -> End {
    let server = TestServer::start(&[]);
    // Every crash may hit any job here: none is to be taken for the cause.
    let settings =
        Settings { lease: Duration::from_millis(400), crashes: 1000, ..Settings::default() };
    let store = connect(&server.url(), settings, make).await;
    let ledger = Arc::new(Ledger::default());
    ledger.enqueue(&store, &jobs(0..JOBS)).await;
    let mut nodes = JoinSet::new();
    for node in 0..NODES {
        let (store, ledger) = (Arc::clone(&store), Arc::clone(&ledger));
        nodes.spawn(async move {
            let mut life = 0;
            while ledger.done() < JOBS {
                // Each life at a place of its own: leases have to run out.
                let place = format!("node-{node}-{life}");
                // Two of them live well, or nobody would be left to do the others' jobs.
                let fate = if node < 2 { 2 } else { (node + life) % 2 };
                live(&store, &place, fate, &ledger).await;
                life += 1;
            }
        });
    }
    let end = tokio::time::timeout(Duration::from_secs(60), nodes.join_all()).await;
    assert!(end.is_ok(), "{:?}", store.snapshot().await);
    End {
        damage: ledger.damage(&store).await,
        expired: store.snapshot().await.unwrap().totals.expired,
        stale: ledger.stale.load(Ordering::Relaxed),
        repairs: store.audit().await.unwrap().repairs,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_and_sleeping_workers_lose_nothing_and_show_nothing_twice() {
    let end = trial(ours).await;
    assert_eq!((&end.damage, end.repairs), (&Damage::default(), 0));
    assert!(end.expired > 0 && end.stale > 0, "nothing was tried: {end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn control_without_the_token_check_results_are_seen_twice() {
    let end = trial(Scripts::unfenced).await;
    assert!(end.damage.twice > 0, "the check does not see it: {end:?}");
}
