//! The figures of SPEC.md that a queue on Redis has to reach, from one run on a server of its own.
#![expect(clippy::print_stdout, reason = "a bench prints what it measures")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use queue::{
    Completion, Consumer, Enqueued, Job, Lane, Outcome, Place, RedisStore, Settings, Store, Tenant,
};
use tokio::task::JoinSet;

#[path = "../tests/server/mod.rs"]
mod server;

mod rivals;

use rivals::Rival;
use server::TestServer;

const PAYLOAD: usize = 1024;
const RESULT: usize = 512;
const BATCH: usize = 16;
const JOBS: usize = 30_000;

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        for strict in [false, true] {
            compare(strict, JOBS).await;
        }
        burst().await;
        latency().await;
        fairness().await;
    });
}

/// One service of a fleet: a connection of its own.
async fn connect(server: &TestServer) -> Arc<RedisStore> {
    let settings = Settings { depth: 1_000_000, ..Settings::default() };
    Arc::new(RedisStore::connect(&server.url(), "bench", settings).await.expect("connects"))
}

fn jobs(count: usize, tenants: usize) -> Vec<Job> {
    let payload = bytes::Bytes::from(vec![b'x'; PAYLOAD]);
    let job = |n: usize| {
        let tenant = Tenant::new(format!("tenant-{}", n % tenants)).expect("a name");
        Job::new(tenant, payload.clone()).lane(Lane::JUDGED[n % 3])
    };
    (0..count).map(job).collect()
}

async fn add(store: &RedisStore, jobs: &[Job]) {
    let answer = store.enqueue(jobs).await.expect("enqueues");
    assert!(matches!(answer, Enqueued::Accepted { added, .. } if added == jobs.len()));
}

fn server(strict: bool) -> TestServer {
    if strict { TestServer::strict() } else { TestServer::start(&[]) }
}

/// Seconds of CPU that the server has used.
async fn cpu(server: &TestServer) -> f64 {
    let client = redis::Client::open(server.url()).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("connects");
    let info: String =
        redis::cmd("INFO").arg("cpu").query_async(&mut connection).await.expect("INFO");
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse::<f64>().ok()).expect("a number")
    };
    field("used_cpu_sys:") + field("used_cpu_user:")
}

/// What a job costs the server, and how fast they go.
struct Figures {
    micros: f64,
    added: f64,
    done: f64,
}

/// Ours and the others, one after the other on the same server.
async fn compare(strict: bool, count: usize) {
    let server = server(strict);
    let profile = if strict { "appendfsync always" } else { "no append-only file" };
    println!("full life of {count} jobs of 1 KiB with results of 512 bytes, {profile}");
    println!(
        "{:>10} {:>16} {:>6} {:>12} {:>12}",
        "", "Redis CPU a job", "ratio", "enqueued/s", "done/s"
    );
    let ours = full_life(&server, count).await;
    let print = |name: &str, Figures { micros, added, done }: &Figures| {
        let ratio = micros / ours.micros;
        println!("{name:>10} {micros:>13.0} µs {ratio:>6.1} {added:>12.0} {done:>12.0}");
    };
    print("evalX", &ours);
    for rival in Rival::ALL {
        match measure(rival, &server, count).await {
            Ok(figures) => print(rival.name(), &figures),
            Err(why) => println!("{:>10} skipped: {why}", rival.name()),
        }
    }
}

async fn measure(rival: Rival, server: &TestServer, count: usize) -> Result<Figures, String> {
    let program = rival.install()?;
    let client = redis::Client::open(server.url()).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("connects");
    let () =
        redis::cmd("FLUSHALL").arg("SYNC").query_async(&mut connection).await.expect("empties");
    let before = cpu(server).await;
    let took = Rival::run(&program, &server.folder().join("s"), [count, PAYLOAD, RESULT])?;
    let count = count as f64;
    Ok(Figures {
        micros: (cpu(server).await - before) * 1e6 / count,
        added: count / took.adding,
        done: count / took.doing,
    })
}

/// Enqueue by 100, claim and complete by 16, four of each at once.
async fn full_life(server: &TestServer, count: usize) -> Figures {
    let (start, before) = (Instant::now(), cpu(server).await);
    let mut adding = JoinSet::new();
    for part in jobs(count, 40).chunks(count / 4) {
        let (store, part) = (connect(server).await, part.to_vec());
        adding.spawn(async move {
            for chunk in part.chunks(100) {
                add(&store, chunk).await;
            }
        });
    }
    adding.join_all().await;
    let added = start.elapsed();
    let mut working = JoinSet::new();
    for n in 0..4 {
        let store = connect(server).await;
        working.spawn(async move { work(store, n).await });
    }
    let done: usize = working.join_all().await.into_iter().sum();
    assert_eq!(done, count);
    let (all, after) = (start.elapsed(), cpu(server).await);
    let count = count as f64;
    Figures {
        micros: (after - before) * 1e6 / count,
        added: count / added.as_secs_f64(),
        done: count / (all - added).as_secs_f64(),
    }
}

async fn work(store: Arc<RedisStore>, n: usize) -> usize {
    let place = Place::new(format!("node-{n}")).expect("a name");
    let (consumer, _) = Consumer::join(store, &place, &Lane::JUDGED).await.expect("joins");
    let result = bytes::Bytes::from(vec![b'r'; RESULT]);
    let mut done = 0;
    loop {
        let leases = consumer.claim(BATCH).await.expect("claims");
        if leases.is_empty() {
            return done;
        }
        let outcome = Outcome::finished(result.clone());
        let ends = leases
            .iter()
            .map(|lease| Completion { held: lease.into(), outcome: outcome.clone() })
            .collect::<Vec<_>>();
        done += consumer.complete_all(&ends).await.expect("completes").len();
    }
}

/// 1,000 jobs at once, over four connections, answered after the sync to disk.
async fn burst() {
    let server = TestServer::strict();
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(connect(&server).await);
    }
    let mut times = Vec::new();
    for _ in 0..20 {
        let jobs = jobs(1000, 10);
        let start = Instant::now();
        let mut adding = JoinSet::new();
        for (store, part) in stores.iter().zip(jobs.chunks(250)) {
            let (store, part) = (Arc::clone(store), part.to_vec());
            adding.spawn(async move { add(&store, &part).await });
        }
        adding.join_all().await;
        times.push(start.elapsed());
    }
    print("burst of 1,000 jobs of 1 KiB acknowledged with fsync", times);
}

/// From before enqueue to after claim, while nothing else happens.
async fn latency() {
    let server = TestServer::strict();
    let (adder, worker) = (connect(&server).await, connect(&server).await);
    let place = Place::new("idle").expect("a name");
    let (consumer, _) = Consumer::join(worker, &place, &Lane::JUDGED).await.expect("joins");
    let mut times = Vec::new();
    for job in jobs(300, 1) {
        let waiting = async {
            loop {
                if !consumer.claim(1).await.expect("claims").is_empty() {
                    return Instant::now();
                }
                consumer.wait_for_work().await;
            }
        };
        let adding = async {
            // Idle for a while, so that the worker waits.
            tokio::time::sleep(Duration::from_millis(fastrand::u64(5..25))).await;
            let start = Instant::now();
            add(&adder, &[job]).await;
            start
        };
        let (claimed, start) = tokio::join!(waiting, adding);
        times.push(claimed - start);
    }
    print("idle, enqueue to claimed, appendfsync always", times);
    print("  two writes of the same server bare, one after the other", bare(&server).await);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("  load average {}", load.split(' ').take(3).collect::<Vec<_>>().join(" "));
}

/// What cannot be saved: a write answered after its sync, and another one that follows from it.
async fn bare(server: &TestServer) -> Vec<Duration> {
    let client = redis::Client::open(server.url()).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("connects");
    let mut times = Vec::new();
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(5..25))).await;
        let start = Instant::now();
        for key in ["first", "second"] {
            let mut set = redis::cmd("SET");
            set.arg(key).arg(&[b'x'; PAYLOAD][..]);
            let () = set.query_async(&mut connection).await.expect("writes");
        }
        times.push(start.elapsed());
    }
    times
}

/// One tenant floods the queue, then ten come with 20 jobs each.
async fn fairness() {
    let server = TestServer::start(&[]);
    let store = connect(&server).await;
    for chunk in jobs(100_000, 1).chunks(1000) {
        let flood: Vec<Job> = chunk.iter().cloned().map(|job| job.lane(Lane::Normal)).collect();
        add(&store, &flood).await;
    }
    let small: Vec<Job> = (0..200)
        .map(|n| Job::new(Tenant::new(format!("small-{}", n % 10)).expect("a name"), "x"))
        .collect();
    add(&store, &small).await;
    let place = Place::new("fair").expect("a name");
    let (consumer, _) = Consumer::join(store, &place, &Lane::JUDGED).await.expect("joins");
    let (mut position, mut left, mut last) = (0, small.len(), 0);
    while left > 0 {
        for lease in consumer.claim(BATCH).await.expect("claims") {
            position += 1;
            if lease.tenant.as_str().starts_with("small-") {
                left -= 1;
                last = position;
            }
        }
    }
    println!(
        "fairness: beside 100,000 jobs of one tenant the last of 10 x 20 small jobs was claimed as number {last} (fair share 220)"
    );
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("{what}: p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms", at(50), at(99), at(100));
}
