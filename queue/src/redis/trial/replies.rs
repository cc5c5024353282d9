//! Answers that are lost though what was asked for has happened.

use std::sync::Arc;
use std::time::Duration;

use super::proxy::Proxy;
use super::{Damage, Ledger, connect, jobs, join, ours};
use crate::consumer::Consumer;
use crate::job::{Held, Lease};
use crate::redis::test_server::TestServer;
use crate::settings::Settings;
use crate::store::Store;

const JOBS: usize = 600;

/// Claims, tells what it runs, completes; whatever is not answered is done again or given up.
async fn work(consumer: &Consumer, ledger: &Ledger) {
    while ledger.done() < JOBS {
        let leases: Vec<Lease> = consumer.claim(8).await.unwrap_or_default();
        let held: Vec<Held> = leases.iter().map(Held::from).collect();
        drop(consumer.heartbeat(&held).await);
        for lease in &leases {
            ledger.complete(consumer, lease).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_lose_no_job_and_show_none_twice() {
    let server = TestServer::start(&[]);
    let proxy = Proxy::start(&server, 7);
    let settings =
        Settings { lease: Duration::from_millis(600), crashes: 1000, ..Settings::default() };
    let ledger = Arc::new(Ledger::default());
    let mut all = tokio::task::JoinSet::new();
    for node in ["a", "b"] {
        let store = connect(&proxy.url(), settings.clone(), ours).await;
        let ledger = Arc::clone(&ledger);
        all.spawn(async move { work(&join(&store, node).await, &ledger).await });
    }
    let adder = connect(&proxy.url(), settings.clone(), ours).await;
    for first in (0..JOBS).step_by(5) {
        ledger.enqueue(&adder, &jobs(first..first + 5)).await;
    }
    let end = tokio::time::timeout(Duration::from_secs(40), all.join_all()).await;
    let store = connect(&server.url(), settings, ours).await;
    let totals = store.snapshot().await.unwrap().totals;
    assert!(end.is_ok(), "{totals:?}");
    assert_eq!(ledger.damage(&store).await, Damage::default());
    assert_eq!(store.audit().await.unwrap().repairs, 0);
    let scripts = &store.scripts;
    for script in [&scripts.enqueue, &scripts.claim, &scripts.complete, &scripts.heartbeat] {
        assert!(proxy.lost(script) >= 10, "nothing was tried: {totals:?}");
    }
    assert!(totals.forgotten > 0, "no claim was lost: {totals:?}");
}
