//! A server that is killed in mid-traffic, and append-only files that a power cut has shortened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Damage, Ledger, Make, command, connect, jobs, join, ours, until};
use crate::id::JobId;
use crate::redis::RedisStore;
use crate::redis::scripts::Scripts;
use crate::redis::test_server::TestServer;
use crate::settings::Settings;
use crate::store::Store;

const JOBS: usize = 1500;
const KILLS: usize = 5;

fn settings() -> Settings {
    Settings { lease: Duration::from_millis(600), crashes: 1000, ..Settings::default() }
}

/// Works until all that was accepted has a result, or nothing more comes.
async fn work(store: Arc<RedisStore>, ledger: &Ledger, added: &AtomicBool) {
    let consumer = join(&store, "node").await;
    let (mut beat, mut busy) = (Instant::now(), Instant::now());
    loop {
        if beat.elapsed() > Duration::from_millis(100) {
            // Holds nothing between two claims.
            drop(consumer.heartbeat(&[]).await);
            beat = Instant::now();
        }
        for lease in consumer.claim(16).await.unwrap_or_default() {
            ledger.complete(&consumer, &lease).await;
            busy = Instant::now();
        }
        if !added.load(Ordering::Relaxed) {
            busy = Instant::now();
        } else if ledger.done() == JOBS || busy.elapsed() > Duration::from_secs(3) {
            return;
        }
    }
}

/// Kills the server again and again; each time the last `cut` bytes of its file are lost.
async fn trial(fsync: &str, cut: u64) -> Damage {
    let mut server = TestServer::start(&["--appendonly", "yes", "--appendfsync", fsync]);
    let (ledger, added) = (Arc::new(Ledger::default()), Arc::new(AtomicBool::new(false)));
    let (adder, store) = (
        connect(&server.url(), settings(), ours).await,
        connect(&server.url(), settings(), ours).await,
    );
    let adding = {
        let (ledger, added) = (Arc::clone(&ledger), Arc::clone(&added));
        tokio::spawn(async move {
            for first in (0..JOBS).step_by(5) {
                ledger.enqueue(&adder, &jobs(first..first + 5)).await;
            }
            added.store(true, Ordering::Relaxed);
        })
    };
    let working = {
        let (ledger, added) = (Arc::clone(&ledger), Arc::clone(&added));
        tokio::spawn(async move { work(store, &ledger, &added).await })
    };
    for kill in 1..=KILLS {
        let enough = JOBS * kill / (KILLS + 1);
        until(async || (ledger.accepted() >= enough).then_some(())).await;
        server.kill();
        tear(&server, cut);
        server.restart();
        if cut > 0 {
            // Torn again before the file is rewritten, and Redis 7.0 does not start any more
            // ("the truncated file is not the last file") until redis-check-aof --fix has run.
            connect(&server.url(), settings(), ours).await;
            rewritten(&server, 1).await;
        }
    }
    adding.await.unwrap();
    working.await.unwrap();
    let store = connect(&server.url(), settings(), ours).await;
    let damage = ledger.damage(&store).await;
    assert_eq!(store.audit().await.unwrap().repairs, 0);
    damage
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_redis_in_mid_traffic_loses_nothing_that_was_answered() {
    assert_eq!(trial("always", 0).await, Damage::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn control_a_power_cut_with_everysec_loses_what_was_answered() {
    let damage = trial("everysec", 16 << 10).await;
    assert!(damage.lost > 0, "the check does not see it: {damage:?}");
}

/// Cuts the tail of the append-only file, as a power cut would.
fn tear(server: &TestServer, bytes: u64) {
    let folder = server.folder().join("appendonlydir");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let tail = files.filter(|path| path.to_string_lossy().ends_with(".incr.aof"));
    let file = std::fs::File::options().write(true).open(tail.max().unwrap()).unwrap();
    file.set_len(file.metadata().unwrap().len().saturating_sub(bytes)).unwrap();
}

/// Until at least so many rewrites of the file are over, and none is under way.
async fn rewritten(server: &TestServer, times: u64) {
    until(|| async {
        let info: String = command(server, &["INFO", "persistence"]).await;

        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
        let over = field("aof_rewrite_in_progress:") == Some("0")
            && field("aof_rewrite_scheduled:") == Some("0")
            && field("aof_last_bgrewrite_status:") == Some("ok");
        let count: u64 = field("aof_rewrites:")?.parse().ok()?;
        (over && count >= times).then_some(())
    })
    .await;
}

/// What is left after a file was torn in the middle of a script and the server restarted twice.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// Half of the script that was torn.
    half: bool,
    /// The job that was answered before it.
    kept: bool,
}

async fn torn_twice(make: Make) -> Left {
    let mut server = TestServer::strict();
    let store = connect(&server.url(), settings(), make).await;
    let (kept, torn) = (JobId::new("job-0").unwrap(), JobId::new("job-1").unwrap());
    store.enqueue(&jobs(0..1)).await.unwrap();
    store.enqueue(&jobs(1..2)).await.unwrap();
    server.kill();
    tear(&server, 120);
    server.restart();
    let store = connect(&server.url(), settings(), make).await;
    rewritten(&server, 0).await;
    assert_eq!(store.job(&torn).await.unwrap(), None);
    // The file goes on with a command and a script.
    let () = command(&server, &["SET", "a", "0"]).await;
    let text = "redis.call('SET', 'a', 1) redis.call('SET', 'b', 2)";
    let _: redis::Value = command(&server, &["EVAL", text, "0"]).await;
    server.kill();
    server.restart();
    let half = command(&server, &["EXISTS", &format!("jq:{{q}}:j:{torn}")]).await;
    let store = connect(&server.url(), settings(), make).await;
    Left { half, kept: store.job(&kept).await.unwrap().is_some() }
}

#[tokio::test]
async fn a_torn_append_only_file_is_cured_by_who_meets_it_first() {
    assert_eq!(torn_twice(ours).await, Left { half: false, kept: true });
}

#[tokio::test]
async fn control_without_the_cure_half_a_script_comes_back() {
    let name =
        connect(&TestServer::start(&[]).url(), settings(), ours).await.server().unwrap().name;
    // Later servers may have mended it themselves.
    if name.starts_with("redis 7.0.") {
        assert_eq!(torn_twice(Scripts::uncured).await, Left { half: true, kept: true });
    }
}
