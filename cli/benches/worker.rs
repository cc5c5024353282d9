//! The figures of SPEC.md that workers have to reach beyond the judge's, from one run: processes, a
//! real Redis that syncs each write, the stub in the place of the judge.
#![expect(clippy::print_stdout, reason = "a bench prints what it measures")]
#![expect(clippy::print_stderr, reason = "the worker's log, should it fail")]
#![expect(clippy::unwrap_used, reason = "what is unexpected ends the bench")]

#[path = "../tests/worker/fleet.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod fleet;
#[path = "../../queue/tests/server/mod.rs"]
mod server;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use queue::view::{Cursor, Event};
use queue::{Job, Lane, Store, Tenant};

use fleet::{Api, Worker, until};
use server::TestServer;

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    idle();
    throughput();
    fairness();
}

fn nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// From before the enqueue call of a lone job to the first thing its judge does.
fn idle() {
    let server = TestServer::strict();
    let (api, worker) = (Api::of(&server), Worker::start(&server.url(), "one", &[]));
    worker.until_ready();
    let mut times: Vec<Duration> = (0..500)
        .map(|_| {
            std::thread::park_timeout(Duration::from_millis(fastrand::u64(..20)));
            let before = nanos();
            let id = api.enqueue("when=start");
            let start: u128 =
                std::str::from_utf8(&api.until_finished(&id)).unwrap().parse().unwrap();
            Duration::from_nanos(u64::try_from(start - before).unwrap())
        })
        .collect();
    times.sort();
    println!(
        "idle, enqueue to start: p50 {:.1?}, p99 {:.1?}, most {:.1?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1],
    );
}

fn jobs(tenant: &str, count: usize) -> Vec<Job> {
    let tenant = Tenant::new(tenant).unwrap();
    (0..count).map(|_| Job::new(tenant.clone(), "echo=x").lane(Lane::Normal)).collect()
}

/// Jobs that take no time, two workers.
fn throughput() {
    const JOBS: usize = 10_000;
    let server = TestServer::strict();
    let api = Api::of(&server);
    api.wait(api.store.enqueue(&jobs("t", JOBS))).unwrap();
    let start = Instant::now();
    let workers = ["one", "two"].map(|place| Worker::start(&server.url(), place, &[]));
    until("all are done", || {
        api.wait(api.store.snapshot()).unwrap().totals.finished == JOBS as u64
    });
    println!(
        "two workers of {} slots, jobs that take no time: {:.0} jobs/s, start of the workers \
         included",
        workers[0].ready()["slots"]["effective"],
        JOBS as f64 / start.elapsed().as_secs_f64(),
    );
}

/// One tenant floods, ten others have 20 jobs each: where in the order of starts the last of those is.
fn fairness() {
    const FLOOD: usize = 5000;
    let server = TestServer::strict();
    let api = Api::of(&server);
    let flood = jobs("flood", FLOOD);
    api.wait(api.store.enqueue(&flood)).unwrap();
    let mut small = Vec::new();
    for n in 0..10 {
        small.extend(jobs(&format!("small-{n}"), 20));
    }
    api.wait(api.store.enqueue(&small)).unwrap();
    let ids: std::collections::HashSet<_> = small.iter().map(|job| job.id.clone()).collect();
    let _workers = ["one", "two"].map(|place| Worker::start(&server.url(), place, &[]));
    let (mut cursor, mut started, mut seen) = (Cursor::start(), 0, 0);
    while seen < ids.len() {
        for entry in api.wait(api.store.events(&cursor, 1000)).unwrap() {
            cursor = entry.cursor;
            for event in entry.events {
                if let Event::Started(id) = event
                    && seen < ids.len()
                {
                    started += 1;
                    seen += usize::from(ids.contains(&id));
                }
            }
        }
    }
    println!(
        "a tenant with {FLOOD} jobs beside ten with 20 each: the last small job is the {started}th \
         to start (fair: the 220th)"
    );
}
