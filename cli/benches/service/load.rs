//! More than the machine can judge at once: four workers with a box each on two CPUs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Service, resident};
use crate::fleet::Worker;
use crate::server::TestServer;
use crate::{spread, sums, worker};

const BURST: usize = 1000;
const TESTS: usize = 20;
const CLIENTS: usize = 8;

pub(crate) fn run(redis: &TestServer, service: &Service) {
    let fleet = ["w1", "w2", "w3", "w4"].map(|place| worker(redis, place, "1"));
    // Compiled once before: the burst is about judging.
    Client::of(service).judge(&sums(TESTS, "burst"), TESTS);
    burst(service, &fleet);
    makespan(service);
}

fn burst(service: &Service, fleet: &[Worker]) {
    let peak = |pid| resident(pid, "VmHWM");
    let before = (peak(service.pid()), fleet.iter().map(|w| peak(w.pid())).sum::<f64>());
    let submission = sums(TESTS, "burst").to_string();
    let (mut client, next, over) =
        (Client::of(service), AtomicUsize::new(0), AtomicBool::new(false));
    let (begun, done) = (Instant::now(), client.finished());
    let (accepted, judged, mut waited) = std::thread::scope(|scope| {
        let one = || {
            let mut client = Client::of(service);
            while next.fetch_add(1, Ordering::Relaxed) < BURST {
                client.submit(&submission);
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(one)).collect();
        let waiting = scope.spawn(|| somebody_waits(service, &over));
        clients.into_iter().for_each(|client| client.join().unwrap());
        let accepted = begun.elapsed();
        until_judged(&mut client, done + BURST as u64);
        let judged = begun.elapsed();
        over.store(true, Ordering::Relaxed);
        (accepted, judged, waiting.join().unwrap())
    });
    let rate = (BURST * TESTS) as f64 / judged.as_secs_f64();
    println!(
        "{BURST} submissions × {TESTS} tests, 4 workers: accepted in {accepted:.2?}, judged in {judged:.2?}, {rate:.0} tests a second"
    );
    println!("  somebody who waits meanwhile ({} times): {}", waited.len(), spread(&mut waited));
    let after = (peak(service.pid()), fleet.iter().map(|w| peak(w.pid())).sum::<f64>());
    println!(
        "  most resident, before and after: server {:.1} and {:.1} MiB, four workers {:.1} and {:.1} MiB",
        before.0, after.0, before.1, after.1,
    );
}

/// Small submissions in the lane of those who wait, one after the other.
fn somebody_waits(service: &Service, over: &AtomicBool) -> Vec<Duration> {
    let (mut client, mut times) = (Client::of(service), Vec::new());
    let mut submission = sums(1, "burst");
    submission["lane"] = json!("high");
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        client.judge(&submission, 1);
        times.push(begun.elapsed());
        std::thread::park_timeout(Duration::from_millis(20));
    }
    times
}

/// How close the fleet comes to the CPU time of the programs themselves.
fn makespan(service: &Service) {
    const SUBMISSIONS: usize = 100;
    let submission = busy("makespan");
    let mut client = Client::of(service);
    let report = client.judge(&submission, TESTS);
    let cpu = |test: &Value| test["cpu_ms"].as_f64().unwrap();
    let each: f64 = report["tests"].as_array().unwrap().iter().map(cpu).sum();
    let (text, done) = (submission.to_string(), client.finished());
    let begun = Instant::now();
    (0..SUBMISSIONS).for_each(|_| client.submit(&text));
    until_judged(&mut client, done + SUBMISSIONS as u64);
    let took = begun.elapsed();
    let cpus = std::thread::available_parallelism().unwrap().get().min(4);
    let least = each / 1000.0 * SUBMISSIONS as f64 / cpus as f64;
    println!(
        "{SUBMISSIONS} submissions × {TESTS} tests of {:.1} ms CPU: {took:.2?}, {:.2} times their CPU time on {cpus} CPUs",
        each / TESTS as f64,
        took.as_secs_f64() / least,
    );
}

/// Burns 10 ms of CPU time in each test.
fn busy(salt: &str) -> Value {
    let source = format!(
        "// {salt}\n#include <cstdio>\n#include <ctime>\n\
         int main() {{ long a, b; scanf(\"%ld %ld\", &a, &b);\n\
         while (clock() < CLOCKS_PER_SEC / 100) {{}}\n printf(\"%ld\\n\", a + b); }}\n"
    );
    let mut submission = sums(TESTS, salt);
    submission["source"] = json!(source);
    submission
}

fn until_judged(client: &mut Client, count: u64) {
    let end = Instant::now() + Duration::from_secs(120);
    while client.finished() < count {
        assert!(Instant::now() < end, "not judged within two minutes");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
