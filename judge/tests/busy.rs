//! A machine that has too much to do, by itself: it would be in the way of every other test.
//! Needs root; counted as ignored otherwise.
#![expect(clippy::unwrap_used, reason = "what is unexpected fails the test")]

use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use judge::language::{Host, Table};
use judge::model::{Report, Submission, Verdict};
use judge::{Config, Judge};
use libtest_mimic::{Arguments, Trial};
use sandbox::{Cancel, NativeSandbox, native};

/// By its own clock, so that it needs 0.4 s everywhere.
const PROGRAM: &str = "#include <stdio.h>\\n#include <time.h>\\n\
                       int main() { while (clock() < CLOCKS_PER_SEC * 2 / 5) {} puts(\\\"ok\\\"); }";

fn main() {
    sandbox::agent::enter_if_asked();
    let args = Arguments::from_args();
    let root = rustix::process::geteuid().is_root();
    let run = || {
        run_again();
        Ok(())
    };
    let case = "a_time_limit_on_a_busy_machine_is_run_again_when_it_is_quiet";
    let trial = Trial::test(case, run).with_ignored_flag(!root);
    libtest_mimic::run(&args, vec![trial]).exit();
}

/// Four processes a CPU keep the program from running for most of its time, so that its clock runs
/// out; they end when the judge gives all its slots to one run.
fn run_again() {
    let dir = tempfile::tempdir().unwrap();
    let judge = open(dir.path());
    // Compiled before the clock matters.
    assert_eq!(judged(&judge, 10_000).verdict, Verdict::Accepted);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let report = beside_hogs(&judge);
        let test = &report.tests[0];
        let other = test.again.as_ref().and_then(|again| again.other);
        let late = [Verdict::TimeLimit, Verdict::IdlenessLimit];
        if test.verdict == Verdict::Accepted && other.is_some_and(|o| late.contains(&o.verdict)) {
            let because = &test.again.as_ref().unwrap().because;
            assert!(because.contains(" CPU "), "{because}");
            return;
        }
        // Others on this machine may be busy, too, or all the quiet time there is be spent.
        assert!(Instant::now() < deadline, "{test:?}");
    }
}

fn open(cache: &Path) -> Judge {
    let (table, host) = (Table::builtin(), Host::new(None));
    let config = native::Config { mounts: table.mounts(&host), ..native::Config::default() };
    let engine = NativeSandbox::new(config).expect("the native engine works here");
    let config = Config { slots: 2, ..Config::new(cache.to_owned(), host) };
    Judge::new(Arc::new(engine), Arc::new(table), config).expect("a fresh cache folder")
}

fn judged(judge: &Judge, wall_ms: u64) -> Report {
    let json = format!(
        r#"{{"language":"c","files":[{{"name":"main.c","contents":"{PROGRAM}"}}],
            "tests":[{{"input":"","answer":"ok"}}],
            "limits":{{"cpu_ms":900,"wall_ms":{wall_ms}}}}}"#
    );
    let submission: Submission = serde_json::from_str(&json).unwrap();
    judge.execute_batch(&submission, &(), &Cancel::new().unwrap()).unwrap()
}

fn beside_hogs(judge: &Judge) -> Report {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let mut hogs: Vec<Child> = (0..cpus * 4).map(|_| hog()).collect();
    let over = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while judge.slots().busy() < 2 && !over.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            for hog in &mut hogs {
                hog.kill().unwrap();
                hog.wait().unwrap();
            }
        });
        let report = judged(judge, 1000);
        over.store(true, Ordering::Relaxed);
        report
    })
}

/// In a session of its own, since the kernel may share CPUs out by session (sched(7), autogroup).
/// It ends by itself should this test be killed.
fn hog() -> Child {
    #[expect(clippy::disallowed_methods, reason = "the test is about other processes")]
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", "ulimit -t 30; while :; do :; done"]).spawn().unwrap()
}
