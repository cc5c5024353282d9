//! What a worker tells of itself: metrics, readiness, log lines.

use std::io::Write;
use std::process::{Command, Stdio};

use queue::Store;

use crate::fleet::{Api, Worker, until};
use crate::server::TestServer;

#[test]
fn the_metrics_are_as_promtool_wants_them() {
    let server = TestServer::strict();
    let api = Api::of(&server);
    let worker = Worker::start(&server.url(), "one", &[]);
    api.until_finished(&api.enqueue("ms=1 echo=x"));
    let (status, text) = worker.get("/metrics");
    assert_eq!(status, 200);
    for name in [
        "evalx_queue_depth{lane=\"normal\"} 0",
        "evalx_queue_oldest_age_seconds{lane=\"normal\"} 0",
        "evalx_queue_finished_total 1",
        "evalx_queue_stale_results_total 0",
        "evalx_queue_dead_total 0",
        "evalx_queue_audit_repairs_total 0",
        "evalx_lease_expirations_total 0",
        "evalx_queue_wait_seconds_count{lane=\"normal\"} 1",
        "evalx_worker_slots{state=\"idle\"}",
        "evalx_redis_power_loss_info{loss=\"nothing\"} 1",
        "evalx_redis_danger{kind=\"evicts\"} 0",
        "evalx_queue_up 1",
        "evalx_build_info{",
    ] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name}\n{text}");
    }
    assert!(!text.contains("anonymous") && !text.contains("one/"), "{text}");
    let Some(mut promtool) = promtool() else { return };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = promtool.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(done.stdout.is_empty() && done.stderr.is_empty(), "{done:?}");
}

/// `None` where it is not installed; with `CI=true` that is a failure.
#[expect(clippy::disallowed_methods, reason = "no guest: the tool that checks our metrics")]
fn promtool() -> Option<std::process::Child> {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped());
    let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(started.is_ok() || !strict, "promtool is needed: apt-get install prometheus");
    started.ok()
}

#[test]
fn each_log_line_is_json_with_the_jobs_id_and_without_a_secret() {
    let server = TestServer::start(&["--requirepass", "topsecret"]);
    let url = format!("{}?pass=topsecret", server.url());
    let api = Api::at(&url);
    let mut worker = Worker::start(&url, "one", &["--log", "trace"]);
    let id = api.enqueue("ms=50 steps=2 echo=sourcecode");
    api.until_finished(&id);
    let held = api.wait(api.store.snapshot()).unwrap();
    assert_eq!(held.totals.finished, 1);
    until("it is said", || worker.log().contains("\"outcome\":\"finished\""));
    worker.term();
    assert_eq!(worker.code(), Some(0));
    let log = worker.log();
    assert!(!log.contains("topsecret") && !log.contains("sourcecode"), "{log}");
    // A token is incarnation#claim.index.
    assert!(!log.contains("#0."), "{log}");
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = lines.iter().find(|line| line["outcome"] == "finished").unwrap();
    assert_eq!(ended["spans"][0]["id"], id.as_str());
    assert_eq!(ended["level"], "INFO");
}

#[test]
fn a_server_that_could_lose_something_is_told_of() {
    let server = TestServer::start(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    let worker = Worker::start(&server.url(), "one", &[]);
    worker.until_ready();
    assert!(worker.log().contains("a power cut loses about a second of answers"));
    assert_eq!(worker.ready()["queue"]["power_cut"], "second");
    assert_eq!(worker.metric("evalx_redis_power_loss_info{loss=\"second\"}"), Some(1.0));
}
