//! Servers that will not do, and payloads that are none.

use std::time::{Duration, Instant};

use queue::transition::Why;
use queue::view::Stage;

use crate::fleet::{Api, Worker, until};
use crate::server::TestServer;

#[track_caller]
fn refused(url: &str, arguments: &[&str], message: &str) -> Duration {
    let start = Instant::now();
    let mut worker = Worker::start(url, "one", arguments);
    assert_eq!(worker.code(), Some(3), "{}", worker.log());
    let log = worker.log();
    let last = log.lines().last().unwrap();
    assert!(last.contains(message) && last.starts_with("evalx: "), "{log}");
    assert!(!log.contains("se/cret"), "{log}");
    start.elapsed()
}

fn command(server: &TestServer, words: &[&str]) {
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd(words[0]).arg(&words[1..]).exec(&mut connection).unwrap();
}

#[test]
fn a_server_that_is_not_there_is_waited_for_and_then_named() {
    let message =
        "cannot use the queue at redis://***@127.0.0.1:1: the queue in Redis: cannot connect to ";
    let url = "redis://me:se%2Fcret@127.0.0.1:1";
    let took = refused(url, &["--patience", "400ms"], message);
    assert!(took >= Duration::from_millis(400), "{took:?}");
}

#[test]
fn a_server_that_comes_later_is_found() {
    let mut server = TestServer::start(&["--appendonly", "yes"]);
    server.kill();
    let worker = Worker::start(&server.url(), "one", &[]);
    until("it waits", || worker.log().contains("waiting for the queue"));
    assert_eq!(worker.get("/healthz").0, 200);
    let (status, body) = worker.get("/readyz");
    assert_eq!(status, 503);
    assert!(body.contains("cannot connect to Redis"), "{body}");
    server.restart();
    worker.until_ready();
}

#[test]
fn told_to_stop_while_it_waits_for_its_queue_it_ends_with_0() {
    let mut worker = Worker::start("redis://127.0.0.1:1", "one", &[]);
    until("it waits", || worker.log().contains("waiting for the queue"));
    worker.term();
    assert_eq!(worker.code(), Some(0));
}

#[test]
fn a_wrong_password_is_said_at_once_and_never_shown() {
    let server = TestServer::start(&["--requirepass", "right"]);
    let path = server.url().replace("unix://", "");
    let url = format!("unix://{path}?pass=se/cret");
    let took = refused(&url, &[], "Redis refuses the user or password");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_server_that_evicts_jobs_is_refused() {
    let server = TestServer::start(&["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]);
    let message = "would lose jobs: the server throws jobs away when memory is short \
                   (maxmemory-policy allkeys-lru, should be noeviction)";
    refused(&server.url(), &[], message);
}

#[test]
fn a_replica_is_no_queue() {
    let server = TestServer::start(&[]);
    command(&server, &["REPLICAOF", "127.0.0.1", "1"]);
    refused(&server.url(), &["--patience", "100ms"], "this Redis is a read-only replica");
}

#[test]
fn a_queue_of_a_newer_version_is_left_alone() {
    let server = TestServer::start(&[]);
    command(&server, &["HSET", "jq:{default}:m", "v", "99"]);
    refused(&server.url(), &[], "the queue has layout 99, this version knows 2: update");
}

#[test]
fn a_payload_that_is_none_becomes_a_dead_letter_and_the_worker_goes_on() {
    let server = TestServer::start(&[]);
    let api = Api::of(&server);
    let mut worker = Worker::start(&server.url(), "one", &[]);
    let (odd, good) = (api.enqueue("\u{0}se/cret"), api.enqueue("echo=x"));
    assert_eq!(api.until_finished(&good), "x");
    until("it is dead", || api.stage(&odd) == Stage::Dead(Why::Buried));
    let log = worker.log();
    assert!(log.contains("the payload cannot be read") && !log.contains("se/cret"), "{log}");
    worker.term();
    assert_eq!(worker.code(), Some(0));
}

#[test]
fn a_port_that_is_taken_is_the_callers_fault() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let mut worker =
        Worker::run("redis://127.0.0.1:1", &["--stub-judge", "--place", "p", "--listen", &addr]);
    assert_eq!(worker.code(), Some(2));
    assert!(worker.log().contains("name another address with --listen"), "{}", worker.log());
}
