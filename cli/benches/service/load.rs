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

pub(crate) fn run(redis: &TestServer, service: &Service, wanted: &dyn Fn(&str) -> bool) {
    if !wanted("burst") && !wanted("makespan") {
        return;
    }
    let fleet = ["w1", "w2", "w3", "w4"].map(|place| worker(redis, place, "1"));
    if wanted("burst") {
        // Compiled once before: the burst is about judging.
        Client::of(service).judge(&sums(TESTS, "burst"), TESTS);
        burst(service, &fleet);
    }
    if wanted("makespan") {
        makespan(service);
    }
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
    // Compiled once before.
    client.judge(&submission, TESTS);
    let text = submission.to_string();
    let begun = Instant::now();
    let ids: Vec<String> = (0..SUBMISSIONS).map(|_| client.submit(&text)).collect();
    let reports: Vec<Value> = ids.iter().map(|id| client.report(id)).collect();
    let took = begun.elapsed();
    let tests = reports.iter().flat_map(|report| report["tests"].as_array().unwrap());
    let cpu: f64 = tests.map(|test| test["cpu_ms"].as_f64().unwrap()).sum();
    let cpus = std::thread::available_parallelism().unwrap().get().min(4);
    println!(
        "{SUBMISSIONS} submissions × {TESTS} tests of {:.1} ms CPU: {took:.2?}, {:.2} times their CPU time on {cpus} CPUs",
        cpu / (SUBMISSIONS * TESTS) as f64,
        took.as_secs_f64() / (cpu / 1000.0 / cpus as f64),
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
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
