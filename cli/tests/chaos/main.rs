//! Workers and Redis are killed, stopped and cut off while jobs go through; nothing may be lost, seen
//! twice, or mixed up. Short by default; `EVALX_CHAOS=100000` is the long form (`make chaos`).
#![expect(clippy::unwrap_used, reason = "what is unexpected fails the test")]
#![expect(clippy::print_stderr, reason = "what happened, and the worker's log when a test fails")]

mod check;
#[path = "../../../queue/tests/server/disk.rs"]
mod disk;
#[path = "../worker/fleet.rs"]
#[allow(dead_code, reason = "shared with other targets")]
mod fleet;
mod proxy;
#[path = "../../../queue/tests/server/mod.rs"]
mod server;
mod starve;

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use queue::view::{Cursor, Event, Stage};
use queue::{Enqueued, Job, Lane, Store, Tenant};
use rustix::process::Signal;

use check::{Evidence, Faults};
use fleet::{Api, Worker, pause, until};
use proxy::Proxy;
use server::TestServer;
use starve::Patient;

/// Shorter than in earnest, so that more of it passes in a minute.
const LEASE: &str = "1s";
/// Longer than the lease, so that a stopped worker comes back to jobs of others.
const STOP: Duration = Duration::from_millis(1800);
const WORKERS: usize = 6;

/// How much chaos there is.
struct Plan {
    jobs: usize,
    limit: Duration,
    worker_kill: Duration,
    stop: Duration,
    redis_kill: Duration,
    cut: Duration,
    /// Memory or disk runs out.
    starve: Duration,
}

/// Between two lines on how far it is: the long form takes minutes.
const SAY: Duration = Duration::from_secs(10);

/// What was done.
#[derive(Debug, Default)]
struct Done {
    worker_kills: usize,
    redis_kills: usize,
    stops: usize,
    cuts: usize,
    full_memories: usize,
    full_disks: usize,
}

fn plan() -> Plan {
    let jobs = std::env::var("EVALX_CHAOS").ok().map(|jobs| jobs.parse().unwrap());
    Plan {
        jobs: jobs.unwrap_or(4000),
        limit: Duration::from_secs(if jobs.is_some() { 1800 } else { 120 }),
        worker_kill: Duration::from_millis(500),
        stop: Duration::from_millis(2000),
        // Loading and the audit take longer with more jobs, and in between there has to be work.
        redis_kill: Duration::from_secs(if jobs.is_some() { 12 } else { 6 }),
        cut: Duration::from_millis(400),
        starve: Duration::from_secs(if jobs.is_some() { 7 } else { 2 }),
    }
}

#[test]
fn nothing_is_lost_seen_twice_or_mixed_up() {
    let plan = plan();
    let mut patient = Patient::new();
    let api = Api::of(&patient.server);
    let proxy = Proxy::before(&patient.server.folder().join("s"));
    let (start, mut evidence) = (Instant::now(), Evidence::default());
    let (over, ended) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (done, logs) = std::thread::scope(|scope| {
        let client = scope.spawn(|| enqueue(&api, plan.jobs, &over));
        let follower = scope.spawn(|| follow(&api, &over, &ended));
        // However it ends: the others would wait for ever.
        let rampage = || rampage(&plan, &mut patient, &proxy, &ended);
        let rampaged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(rampage));
        over.store(true, Ordering::Relaxed);
        let (done, logs) = rampaged.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        evidence.acknowledged = client.join().unwrap();
        (evidence.ends, evidence.steps) = follower.join().unwrap();
        (done, logs)
    });
    for log in logs {
        evidence.read(&log);
    }
    evidence.results = results(&api, evidence.acknowledged.keys());
    let (faults, unfenced) = (evidence.faults(), evidence.faults_unfenced());
    let stale: u32 = evidence.stale.values().sum();
    eprintln!(
        "chaos: {} jobs in {:?}, {done:?}: {faults:?}; {} results taken from the workers' point of \
         view, {stale} dropped as too late, without tokens it would be {unfenced:?}",
        evidence.acknowledged.len(),
        start.elapsed(),
        evidence.accepted.len(),
    );
    assert_eq!(evidence.acknowledged.len(), plan.jobs);
    assert_eq!(faults, Faults::default());
    let audit = api.wait(api.store.audit()).unwrap();
    assert_eq!(audit.repairs, 0, "{audit:?}");
    // The control: this judgement does see what the tokens prevent.
    assert!(unfenced.twice > 0, "the chaos was too mild: no worker came back too late");
    assert!(done.full_memories > 0, "{done:?}");
    assert!(done.full_disks > 0 || !patient.has_disk(), "{done:?}");
    if plan.jobs >= 100_000 {
        assert!(done.worker_kills >= 100 && done.redis_kills >= 10, "{done:?}");
    }
}

/// Puts in all jobs, again and again until each chunk is acknowledged.
fn enqueue(api: &Api, jobs: usize, over: &AtomicBool) -> HashMap<String, String> {
    let mut acknowledged = HashMap::new();
    let mut next = 0;
    while next < jobs && !over.load(Ordering::Relaxed) {
        let end = (next + 100).min(jobs);
        let chunk: Vec<_> = (next..end).map(job).collect();
        loop {
            match api.wait(api.store.enqueue(&chunk)) {
                Ok(Enqueued::Accepted { .. }) => break,
                Ok(Enqueued::Full(full)) => std::thread::park_timeout(full.retry_after),
                Err(_) if over.load(Ordering::Relaxed) => return acknowledged,
                Err(_) => pause(),
            }
        }
        let ids = chunk.iter().map(|job| job.id.as_str().to_owned());
        acknowledged.extend(ids.zip((next..end).map(|n| format!("r{n}"))));
        next = end;
        // Ahead of the workers, but not by everything: enqueueing is part of the chaos.
        std::thread::park_timeout(Duration::from_millis(30));
    }
    acknowledged
}

/// Most are short, some have steps, a few run for longer than a lease.
fn job(n: usize) -> Job {
    let (ms, steps) = match n % 500 {
        0..5 if n < 5000 => (1500, 3),
        0 => (1500, 3),
        5..100 => (10, 2),
        _ => (n % 7, 0),
    };
    let payload = format!("ms={ms} steps={steps} echo=r{n}");
    let tenant = Tenant::new(format!("t{}", n % 5)).unwrap();
    Job::new(tenant, payload).named(format!("job-{n}")).unwrap().lane(Lane::JUDGED[n % 3])
}

type Seen = (HashMap<String, u32>, HashMap<(String, u32), u32>);

/// Writes down what the event log tells.
fn follow(api: &Api, over: &AtomicBool, ended: &AtomicUsize) -> Seen {
    let (mut ends, mut steps) = Seen::default();
    let mut cursor = Cursor::start();
    loop {
        let last = over.load(Ordering::Relaxed);
        let Ok(entries) = api.wait(api.store.events(&cursor, 1000)) else {
            if last {
                return (ends, steps);
            }
            pause();
            continue;
        };
        if entries.is_empty() {
            if last {
                return (ends, steps);
            }
            pause();
        }
        for entry in entries {
            cursor = entry.cursor;
            for event in entry.events {
                match event {
                    Event::Finished(id) | Event::Dead(id) | Event::Cancelled(id) => {
                        *ends.entry(id.as_str().to_owned()).or_default() += 1;
                    }
                    Event::Step { id, index, .. } => {
                        *steps.entry((id.as_str().to_owned(), index)).or_default() += 1;
                    }
                    Event::Started(_) | Event::Returned(_) | Event::BatchDone(_) => {}
                }
            }
        }
        ended.store(ends.len(), Ordering::Relaxed);
    }
}

fn worker(proxy: &Proxy, place: usize) -> Worker {
    // Here nearly every crash is the test's doing; no job is to be taken for the cause.
    let queue = ["--lease", LEASE, "--crashes", "1000000"];
    let rest = ["--memory-per-slot", "0B", "--log", "info,worker=debug"];
    Worker::start(&proxy.url(), &format!("place-{place}"), &[&queue[..], &rest[..]].concat())
}

/// Kills, stops and cuts until all jobs have ended; gives what was done, and the workers' logs.
fn rampage(
    plan: &Plan,
    patient: &mut Patient,
    proxy: &Proxy,
    ended: &AtomicUsize,
) -> (Done, Vec<String>) {
    let mut fleet: Vec<_> = (0..WORKERS).map(|place| worker(proxy, place)).collect();
    let (mut done, mut logs, begin) = (Done::default(), Vec::new(), Instant::now());
    let mut born = [begin; WORKERS];
    let now = Instant::now();
    let first = [plan.worker_kill, plan.stop, plan.redis_kill, plan.cut, plan.starve];
    let mut due = first.map(|after| now + after);
    let mut stopped: Option<(usize, Instant)> = None;
    let mut say = now + SAY;
    while ended.load(Ordering::Relaxed) < plan.jobs {
        assert!(begin.elapsed() < plan.limit, "{done:?}, {ended:?} ended");
        pause();
        let now = Instant::now();
        if let Some((place, _)) = stopped.take_if(|(_, until)| *until <= now) {
            fleet[place].signal(Signal::CONT);
        }
        if due[0] <= now {
            // A stopped one is left to come back too late.
            let place = fastrand::usize(..WORKERS);
            if stopped.is_none_or(|(other, _)| other != place) {
                fleet[place].kill();
                logs.push(fleet[place].log());
                fleet[place] = worker(proxy, place);
                born[place] = now;
                done.worker_kills += 1;
            }
            due[0] = now + plan.worker_kill;
        }
        if due[1] <= now && stopped.is_none() {
            // The oldest: one that starts holds nothing yet that could come back too late.
            let place = (0..WORKERS).min_by_key(|place| born[*place]).unwrap_or(0);
            fleet[place].signal(Signal::STOP);
            stopped = Some((place, now + STOP));
            done.stops += 1;
            due[1] = now + plan.stop;
        }
        if due[2] <= now {
            patient.kill();
            done.redis_kills += 1;
            due[2] = Instant::now() + plan.redis_kill;
        }
        if due[3] <= now {
            done.cuts += usize::from(proxy.lose_a_reply());
            due[3] = now + plan.cut;
        }
        if due[4] <= now {
            patient.starve(&mut done);
            due[4] = Instant::now() + plan.starve;
        }
        if say <= now {
            eprintln!("{:?}: {ended:?} of {} ended, {done:?}", begin.elapsed(), plan.jobs);
            say = now + SAY;
        }
    }
    if let Some((place, _)) = stopped {
        fleet[place].signal(Signal::CONT);
    }
    for worker in &mut fleet {
        // One that was started just now does not listen to signals yet.
        worker.until_ready();
        worker.term();
        assert_eq!(worker.code(), Some(0), "{}", worker.log());
        logs.push(worker.log());
    }
    (done, logs)
}

/// What anybody would read as the result of each job.
fn results<'a>(api: &Api, ids: impl Iterator<Item = &'a String>) -> HashMap<String, String> {
    let mut results = HashMap::new();
    for id in ids {
        let name = queue::JobId::new(id.clone()).unwrap();
        let view = api.wait(api.store.job(&name)).unwrap();
        if let Some(Stage::Finished(bytes)) = view.map(|view| view.stage) {
            results.insert(id.clone(), String::from_utf8(bytes.to_vec()).unwrap());
        }
    }
    results
}

/// The other control: a server that syncs once a second, and a power cut. The judgement has to see
/// what is gone then, or its zeros would mean nothing.
#[test]
fn the_judgement_sees_what_a_power_cut_takes_from_a_server_that_is_not_strict() {
    let mut server = TestServer::start(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    let api = Api::of(&server);
    let acknowledged = enqueue(&api, 1000, &AtomicBool::new(false));
    server.kill();
    cut_tail(&server, 64 << 10);
    server.restart();
    let worker = Worker::start(&server.url(), "one", &["--memory-per-slot", "0B"]);
    until("nothing waits", || {
        let snapshot = api.wait(api.store.snapshot());
        snapshot.is_ok_and(|s| s.lanes.iter().all(|lane| lane.depth == 0) && s.running == 0)
    });
    drop(worker);
    let results = results(&api, acknowledged.keys());
    let faults = Evidence { acknowledged, results, ..Evidence::default() }.faults();
    eprintln!("a cut of 64 KiB, everysec: {faults:?}");
    assert!(faults.lost > 0, "{faults:?}");
}

/// What a power cut does to a file that was not synced: its end is gone.
fn cut_tail(server: &TestServer, bytes: u64) {
    let folder = server.folder().join("appendonlydir");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let tail = files.filter(|path| path.to_string_lossy().ends_with(".incr.aof")).max().unwrap();
    let file = fs::File::options().write(true).open(tail).unwrap();
    file.set_len(file.metadata().unwrap().len().saturating_sub(bytes)).unwrap();
}
