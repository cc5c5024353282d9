//! The slots file of a running worker.

use std::fs;
use std::time::{Duration, Instant};

use queue::view::Stage;

use crate::fleet::{Api, Worker, until};
use crate::server::TestServer;

#[test]
fn the_slots_follow_the_file_and_nothing_that_runs_is_stopped() {
    let server = TestServer::start(&[]);
    let api = Api::of(&server);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slots");
    fs::write(&path, "1\n").unwrap();
    let worker = Worker::start(
        &server.url(),
        "one",
        &["--slots-file", path.to_str().unwrap(), "--memory-per-slot", "0B"],
    );
    until("it is ready", || worker.ready()["ready"] == true);
    assert_eq!(worker.ready()["slots"]["source"], "file");
    let first = api.enqueue("ms=1200 echo=a");
    api.until_running(&first);

    // Zero drains: what runs goes on, nothing new begins.
    fs::write(&path, "slots=0 generation=7").unwrap();
    until("it is drained", || worker.ready()["slots"]["effective"] == 0);
    assert_eq!(worker.ready()["slots"]["generation"], 7);
    assert_eq!(worker.get("/readyz").0, 200, "drained on purpose is no fault");
    let second = api.enqueue("ms=1 echo=b");
    assert_eq!(api.until_finished(&first), "a");
    assert_eq!(api.job(&first).attempts, 1);
    assert_eq!(api.stage(&second), Stage::Queued);

    // Rubbish keeps the value and is counted and said once.
    fs::write(&path, "many").unwrap();
    let errors = "evalx_worker_slots_file_errors_total";
    until("it was counted", || worker.metric(errors) >= Some(1.0));
    assert_eq!(worker.ready()["slots"]["effective"], 0);
    assert!(worker.log().contains("is no number of slots"), "{}", worker.log());
    // A file without anything in it takes nothing back.
    fs::write(&path, "").unwrap();
    assert_eq!(worker.ready()["slots"]["effective"], 0);
    assert_eq!(api.stage(&second), Stage::Queued);

    // Growing is at once, also when the file is replaced.
    let next = folder.path().join("next");
    fs::write(&next, "slots=1 generation=8").unwrap();
    let start = Instant::now();
    fs::rename(&next, &path).unwrap();
    assert_eq!(api.until_finished(&second), "b");
    assert!(start.elapsed() < Duration::from_millis(700), "{:?}", start.elapsed());
}

#[test]
fn more_is_asked_for_than_the_machine_bears() {
    let server = TestServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slots");
    fs::write(&path, "5000").unwrap();
    let file = ["--slots-file", path.to_str().unwrap()];
    let worker = Worker::start(&server.url(), "one", &file);
    worker.until_ready();
    let slots = &worker.ready()["slots"];
    let cpus = std::thread::available_parallelism().unwrap().get() as u64;
    assert_eq!(slots["desired"], 5000);
    assert!(slots["effective"].as_u64().unwrap() <= cpus, "{slots}");
}
