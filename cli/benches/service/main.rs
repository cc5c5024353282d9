//! The figures of SPEC.md that the service has to reach, from one run: `evalx server`, workers with
//! real sandboxes, a real Redis that syncs each write, and clients over loopback. Needs root.
#![expect(clippy::print_stdout, reason = "a bench prints what it measures")]
#![expect(clippy::print_stderr, reason = "the worker's log, should it fail")]
#![expect(clippy::unwrap_used, reason = "what is unexpected ends the bench")]

mod client;
#[path = "../../tests/worker/fleet.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod fleet;
mod load;
#[path = "../../../queue/tests/server/mod.rs"]
mod server;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use client::{Client, Service};
use fleet::Worker;
use server::TestServer;

const SUM: &str = "#include <cstdio>\n\
    int main() { long a, b; scanf(\"%ld %ld\", &a, &b); printf(\"%ld\\n\", a + b); }\n";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|arg| arg == "--test") {
        return;
    }
    // `-- makespan`: that part alone.
    let wanted = |part: &str| {
        arguments.iter().all(|arg| arg.starts_with('-')) || arguments.iter().any(|arg| arg == part)
    };
    if !rustix::process::geteuid().is_root() {
        println!("the service's figures need root: its workers run real sandboxes");
        return;
    }
    println!("load average {}", std::fs::read_to_string("/proc/loadavg").unwrap().trim());
    let redis = TestServer::strict();
    let service = Service::start(&redis.url());
    if wanted("alone") {
        alone(&redis, &service);
    }
    load::run(&redis, &service, &wanted);
}

/// `count` sums in C++. `salt` makes it another program for the cache of compiled ones.
pub(crate) fn sums(count: usize, salt: &str) -> Value {
    let test = |n: usize| json!({"input": format!("{n} 2\n"), "answer": format!("{}\n", n + 2)});
    json!({
        "language": "cpp17",
        "source": format!("// {salt}\n{SUM}"),
        "tests": (0..count).map(test).collect::<Vec<_>>(),
    })
}

/// A worker that takes at most `slots` boxes.
pub(crate) fn worker(redis: &TestServer, place: &str, slots: &str) -> Worker {
    let arguments = [
        "--place",
        place,
        "--slots",
        slots,
        "--engine",
        "native",
        "--log",
        "warn,worker::run=info",
    ];
    let worker = Worker::run(&redis.url(), &arguments);
    worker.until_ready();
    worker
}

/// One client, one worker with both CPUs, nothing else.
fn alone(redis: &TestServer, service: &Service) {
    let worker = worker(redis, "alone", "2");
    let mut client = Client::of(service);
    println!(
        "idle: server {:.1} MiB, worker {:.1} MiB resident",
        client::resident(service.pid(), "VmRSS"),
        client::resident(worker.pid(), "VmRSS"),
    );
    for (name, count, rounds) in [("one test", 1, 300), ("20 tests", 20, 60)] {
        let submission = sums(count, name);
        client.judge(&submission, count);
        let mut times: Vec<Duration> = (0..rounds)
            .map(|_| {
                let begun = Instant::now();
                client.judge(&submission, count);
                begun.elapsed()
            })
            .collect();
        println!("{name}, C++, compiled before, request to verdict: {}", spread(&mut times));
    }
    let mut times: Vec<Duration> = (0..20).map(|_| judge0_batch(&mut client)).collect();
    println!(
        "the same 20 tests by Judge0's batch route, until all are read: {}",
        spread(&mut times)
    );
    let mut beyond: Vec<Duration> = (0..9)
        .map(|round| {
            let begun = Instant::now();
            let report = client.judge(&sums(20, &format!("cold {round}")), 20);
            let compile = report["times"]["compile_ms"].as_f64().unwrap();
            begun.elapsed().saturating_sub(Duration::from_secs_f64(compile / 1000.0))
        })
        .collect();
    println!("20 tests, C++, not compiled before, less compile time: {}", spread(&mut beyond));
}

/// As Judge0's clients do it: twenty submissions of one test each, then asking until all are over.
fn judge0_batch(client: &mut Client) -> Duration {
    let one = |n: usize| {
        json!({"language_id": 54, "source_code": format!("// 20 tests\n{SUM}"),
            "stdin": format!("{n} 2\n"), "expected_output": format!("{}\n", n + 2)})
    };
    let batch = json!({"submissions": (0..20).map(one).collect::<Vec<_>>()}).to_string();
    let begun = Instant::now();
    let (status, tokens) = client.ask("POST /submissions/batch", &batch);
    assert_eq!(status, 201, "{tokens}");
    let tokens = tokens.as_array().unwrap().iter().map(|token| token["token"].as_str().unwrap());
    let tokens = tokens.collect::<Vec<_>>().join(",");
    let path = format!("GET /submissions/batch?tokens={tokens}&fields=status_id");
    loop {
        let (_, answer) = client.ask(&path, "");
        let submissions = answer["submissions"].as_array().unwrap();
        let ids = || submissions.iter().map(|one| one["status_id"].as_u64().unwrap());
        if ids().all(|id| id > 2) {
            assert!(ids().all(|id| id == 3), "{answer}");
            return begun.elapsed();
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Median, 99th percentile, maximum.
pub(crate) fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    format!("p50 {:.1?}, p99 {:.1?}, most {:.1?}", at(50), at(99), at(100))
}
