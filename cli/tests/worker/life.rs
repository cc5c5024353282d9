//! What a worker does with jobs, with signals, and when it or the queue dies.

use std::time::{Duration, Instant};

use queue::view::Stage;
use queue::{Store, Target};
use rustix::process::Signal;

use crate::fleet::{Api, Worker, until};
use crate::server::TestServer;

#[test]
fn a_job_is_judged_and_its_steps_and_result_are_visible() {
    let server = TestServer::strict();
    let (api, worker) = (Api::of(&server), Worker::start(&server.url(), "one", &[]));
    let id = api.enqueue("ms=300 steps=3 echo=x");
    assert_eq!(api.until_finished(&id), "x");
    let view = api.job(&id);
    assert_eq!((view.attempts, view.lost), (1, 0));
    let steps: Vec<_> = view.steps.iter().map(|(n, s)| format!("{n} {s:?}")).collect();
    assert_eq!(steps, ["0 b\"x/0\"", "1 b\"x/1\"", "2 b\"x/2\""]);
    assert_eq!(worker.get("/healthz"), (200, "ok\n".to_owned()));
}

#[test]
fn it_judges_no_more_jobs_at_once_than_it_has_slots() {
    // Each job lasts that long from its start, which its result tells: no word of the worker's.
    const LASTS: Duration = Duration::from_millis(150);
    let shortest_gap = |slots: &str| {
        let server = TestServer::start(&[]);
        let worker = Worker::start(&server.url(), "one", &["--slots", slots]);
        let api = Api::of(&server);
        let ids: Vec<_> = (0..6).map(|_| api.enqueue("ms=150 when=start")).collect();
        let mut held = 0;
        until("all are done", || {
            let snapshot = api.wait(api.store.snapshot()).unwrap();
            held = held.max(snapshot.running);
            snapshot.totals.finished == 6
        });
        let started =
            |id| -> u64 { std::str::from_utf8(&api.until_finished(id)).unwrap().parse().unwrap() };
        let mut starts: Vec<u64> = ids.iter().map(started).collect();
        starts.sort_unstable();
        let effective = worker.metric("evalx_worker_slots_effective").unwrap();
        assert_eq!(effective.to_string(), slots);
        let gaps = starts.windows(2).map(|pair| Duration::from_nanos(pair[1] - pair[0]));
        (gaps.min().unwrap(), held)
    };
    let (gap, held) = shortest_gap("1");
    assert!(gap >= LASTS, "one began {gap:?} after another");
    // The next one is fetched while the result of the one before is on its way.
    assert!(held <= 2, "{held} jobs were held at once");
    // The control: this does see two that run at once.
    assert!(shortest_gap("2").0 < LASTS);
}

#[test]
fn told_to_stop_it_finishes_what_runs_and_claims_no_more() {
    let server = TestServer::start(&[]);
    let (api, mut worker) =
        (Api::of(&server), Worker::start(&server.url(), "one", &["--slots", "1"]));
    let (runs, waits) = (api.enqueue("ms=800 echo=x"), api.enqueue("ms=1 echo=y"));
    api.until_running(&runs);
    worker.until_judging(1);
    worker.term();
    until("it says that it drains", || worker.ready()["phase"] == "draining");
    assert_eq!(worker.get("/readyz").0, 503);
    assert_eq!(worker.code(), Some(0));
    assert_eq!(api.stage(&runs), Stage::Finished("x".into()));
    assert_eq!(api.stage(&waits), Stage::Queued);
}

#[test]
fn what_does_not_end_within_the_grace_period_is_handed_back_uncharged() {
    let server = TestServer::start(&[]);
    let (api, mut worker) =
        (Api::of(&server), Worker::start(&server.url(), "one", &["--grace", "300ms"]));
    let id = api.enqueue("ms=600000");
    api.until_running(&id);
    let start = Instant::now();
    worker.term();
    assert_eq!(worker.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let view = api.job(&id);
    assert_eq!((view.stage, view.attempts, view.lost), (Stage::Queued, 0, 0));
}

#[test]
fn the_second_signal_ends_it_at_once_and_its_jobs_return() {
    let server = TestServer::start(&[]);
    let (api, mut worker) = (Api::of(&server), Worker::start(&server.url(), "one", &[]));
    let id = api.enqueue("ms=600000");
    api.until_running(&id);
    worker.until_judging(1);
    worker.signal(Signal::INT);
    until("it drains", || worker.ready()["phase"] == "draining");
    let start = Instant::now();
    worker.term();
    assert_eq!(worker.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(api.stage(&id), Stage::Queued);
}

#[test]
fn a_killed_workers_job_runs_elsewhere_within_7_2_seconds() {
    let server = TestServer::strict();
    let api = Api::of(&server);
    let mut dies = Worker::start(&server.url(), "one", &[]);
    let id = api.enqueue("ms=1500 echo=x");
    api.until_running(&id);
    let lives = Worker::start(&server.url(), "two", &[]);
    lives.until_ready();
    let start = Instant::now();
    dies.kill();
    until("the other has it", || lives.ready()["jobs"]["judging"] == 1);
    let took = start.elapsed();
    assert!(took <= Duration::from_millis(7200), "{took:?}");
    eprintln!("running elsewhere after {took:?}");
    assert_eq!(api.until_finished(&id), "x");
    assert_eq!(api.job(&id).lost, 1);
}

#[test]
fn a_worker_started_again_at_its_place_has_its_job_back_within_2_seconds() {
    let server = TestServer::strict();
    let api = Api::of(&server);
    let mut dies = Worker::start(&server.url(), "one", &[]);
    let id = api.enqueue("ms=1500 echo=x");
    api.until_running(&id);
    dies.kill();
    let start = Instant::now();
    let lives = Worker::start(&server.url(), "one", &[]);
    until("it runs again", || lives.ready()["jobs"]["judging"] == 1);
    let took = start.elapsed();
    assert!(took <= Duration::from_secs(2), "{took:?}");
    eprintln!("running again after {took:?}");
    assert_eq!(api.until_finished(&id), "x");
}

#[test]
fn who_comes_later_to_a_place_has_it_and_the_earlier_one_leaves_with_3() {
    let server = TestServer::start(&[]);
    let api = Api::of(&server);
    let mut earlier = Worker::start(&server.url(), "one", &[]);
    let id = api.enqueue("ms=2500 echo=x");
    api.until_running(&id);
    let later = Worker::start(&server.url(), "one", &[]);
    assert_eq!(earlier.code(), Some(3));
    assert!(earlier.log().contains("a newer worker has the place"), "{}", earlier.log());
    assert_eq!(api.until_finished(&id), "x");
    assert!(later.log().contains("\"outcome\":\"finished\""));
}

#[test]
fn without_its_queue_it_goes_on_judging_and_delivers_later_under_the_same_token() {
    let mut server = TestServer::strict();
    let api = Api::of(&server);
    let worker = Worker::start(&server.url(), "one", &[]);
    let id = api.enqueue("ms=700 echo=x");
    api.until_running(&id);
    server.kill();
    until("it has judged", || worker.ready()["jobs"]["undelivered"] == 1);
    let (status, body) = worker.get("/readyz");
    assert_eq!(status, 503);
    assert!(body.contains("the queue does not answer"), "{body}");
    server.restart();
    assert_eq!(api.until_finished(&id), "x");
    let view = api.job(&id);
    assert_eq!((view.attempts, view.lost), (1, 0), "judged once");
    worker.until_ready();
}

#[test]
fn a_cancelled_job_is_stopped_within_100_ms() {
    let server = TestServer::start(&[]);
    let api = Api::of(&server);
    let worker = Worker::start(&server.url(), "one", &[]);
    worker.until_ready();
    let mut times = Vec::new();
    for _ in 0..10 {
        let id = api.enqueue("ms=600000");
        until("it is judged", || worker.ready()["jobs"]["judging"] == 1);
        let start = Instant::now();
        api.wait(api.store.cancel(&Target::Job(id.clone()))).unwrap();
        until("it is stopped", || worker.ready()["jobs"]["judging"] == 0);
        times.push(start.elapsed());
        assert_eq!(api.stage(&id), Stage::Cancelled);
    }
    times.sort();
    eprintln!("cancel to stopped: {times:?}");
    // The best of ten: the machine may be busy, the way must not be long.
    assert!(times[0] < Duration::from_millis(100), "{times:?}");
}

#[test]
fn what_we_fail_at_is_tried_again_and_ends_with_the_reason() {
    let server = TestServer::start(&[]);
    let api = Api::of(&server);
    let worker = Worker::start(&server.url(), "one", &[]);
    let (later, never) = (api.enqueue("fail=2 echo=x"), api.enqueue("fail=9 echo=y"));
    assert_eq!(api.until_finished(&later), "x");
    assert_eq!(api.job(&later).attempts, 3);
    assert_eq!(api.until_finished(&never), "IE");
    assert_eq!(api.job(&never).attempts, 5);
    assert_eq!(worker.metric("evalx_sandbox_errors_total{phase=\"run\"}"), Some(7.0));
}
