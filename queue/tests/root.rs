//! The queue on a server whose disk is full. A small disk of its own needs root: as a plain user
//! every case is skipped, and with `CI=true` a skip is a failure.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use queue::redis::Error as RedisError;
use queue::view::Stage;
use queue::{Consumer, Error, Job, JobId, Lane, Outcome, Place, RedisStore, Settings, Store};

#[path = "server/disk.rs"]
mod disk;
mod server;

use disk::Disk;
use server::TestServer;

type Case = (&'static str, fn());

const CASES: [Case; 2] = [
    ("a full disk with appendfsync always loses nothing that was answered", always),
    ("a full disk with appendfsync everysec refuses jobs until there is space", everysec),
];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let root = rustix::process::geteuid().is_root();
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let trials = CASES.map(|(name, case)| {
        let run = move || match root {
            true => {
                case();
                Ok(())
            }
            false => Err(Failed::from("needs root, and with CI=true nothing is skipped")),
        };
        let skipped = !root && !strict;
        Trial::test(name, run)
            .with_kind(if skipped { "skipped: needs root" } else { "" })
            .with_ignored_flag(skipped)
    });
    libtest_mimic::run(&args, trials.into()).exit_code()
}

/// A server on a small disk.
fn start(fsync: &str) -> (Disk, TestServer) {
    Disk::with_server(4 << 20, fsync)
}

fn on_runtime(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(future);
}

async fn connect(server: &TestServer) -> Arc<RedisStore> {
    Arc::new(RedisStore::connect(&server.url(), "q", Settings::default()).await.unwrap())
}

fn job() -> Job {
    Job::new(queue::Tenant::anonymous(), vec![b'x'; 3000])
}

/// Adds jobs one by one and notes those that were taken, until one is refused.
async fn add_until_refused(store: &RedisStore, accepted: &mut Vec<JobId>) -> Error {
    loop {
        let job = job();
        match store.enqueue(std::slice::from_ref(&job)).await {
            Ok(_) => accepted.push(job.id),
            Err(error) => return error,
        }
        assert!(accepted.len() < 2000, "the disk does not fill");
    }
}

/// The next job, until one is taken; fails after half a minute.
async fn add(store: &RedisStore, accepted: &mut Vec<JobId>) {
    let (end, job) = (Instant::now() + Duration::from_secs(30), job());
    while let Err(error) = store.enqueue(std::slice::from_ref(&job)).await {
        assert!(Instant::now() < end, "{error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    accepted.push(job.id);
}

/// Each job that was accepted can be done.
async fn all_are_there(store: Arc<RedisStore>, accepted: &[JobId]) {
    let place = Place::new("node").unwrap();
    let (consumer, _) =
        Consumer::join(Arc::clone(&store) as Arc<dyn Store>, &place, &Lane::JUDGED).await.unwrap();
    loop {
        let leases = consumer.claim(50).await.unwrap();
        for lease in &leases {
            let outcome = Outcome::finished("r");
            consumer.complete(lease.into(), outcome).await.unwrap();
        }
        if leases.is_empty() {
            break;
        }
    }
    for id in accepted {
        let view = store.job(id).await.unwrap().unwrap_or_else(|| panic!("{id} is lost"));
        assert_eq!(view.stage, Stage::Finished("r".into()));
    }
    assert_eq!(store.audit().await.unwrap().repairs, 0);
}

/// Redis ends when it cannot write what it has to sync; whoever watches it starts it again.
fn always() {
    on_runtime(async {
        let (disk, mut server) = start("always");
        let store = connect(&server).await;
        let mut accepted = Vec::new();
        for _ in 0..20 {
            add(&store, &mut accepted).await;
        }
        disk.fill();
        for _ in 0..3 {
            let error = add_until_refused(&store, &mut accepted).await;
            assert!(matches!(error, Error::Redis(_)), "{error:?}");
            let end = Instant::now() + Duration::from_secs(30);
            while !server.has_ended() {
                assert!(Instant::now() < end, "the server goes on: {error:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            server.restart();
        }
        disk.free();
        if server.has_ended() {
            server.restart();
        }
        for _ in 0..20 {
            add(&store, &mut accepted).await;
        }
        all_are_there(store, &accepted).await;
    });
}

/// Redis goes on and refuses whatever would write.
fn everysec() {
    on_runtime(async {
        let (disk, mut server) = start("everysec");
        let store = connect(&server).await;
        let mut accepted = Vec::new();
        for _ in 0..20 {
            add(&store, &mut accepted).await;
        }
        disk.fill();
        let error = add_until_refused(&store, &mut accepted).await;
        let Error::Redis(RedisError::Command { source, .. }) = &error else { panic!("{error:?}") };
        assert_eq!(source.code(), Some("MISCONF"), "{error:?}");
        assert!(source.to_string().contains("No space left on device"), "{source}");
        disk.free();
        for _ in 0..20 {
            add(&store, &mut accepted).await;
        }
        assert!(!server.has_ended());
        all_are_there(store, &accepted).await;
    });
}
