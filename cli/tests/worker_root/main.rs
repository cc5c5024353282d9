//! `evalx worker` with its real judge, on whatever engine this machine has. Needs root: as a plain
//! user every case is skipped, and with `CI=true` a skip is a failure.
#![expect(clippy::unwrap_used, reason = "what is unexpected fails the test")]
#![expect(clippy::print_stderr, reason = "the worker's log, when a test fails")]

#[path = "../worker/fleet.rs"]
#[allow(dead_code, reason = "shared with the target that needs no root")]
mod fleet;
#[path = "../../../operator/tests/monitoring/reference.rs"]
mod reference;
#[path = "../../../queue/tests/server/mod.rs"]
mod server;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use judge::model::{Answer, Judged, Report, Task, Verdict};
use libtest_mimic::{Arguments, Failed, Trial};
use problems::{Address, Hash, Shelf};
use queue::view::Stage;
use queue::{JobId, Store, Target};

use fleet::{Api, Worker, until};
use server::TestServer;

const CASES: [(&str, fn()); 7] = [
    ("a submission goes through the queue and comes back judged", judged),
    ("what cannot be judged as written is refused with the field", refused),
    ("a problem is fetched by its hash from where it is kept", fetched),
    ("told to stop it finishes the test that runs", told_to_stop),
    ("a cancelled job's box is dead within 100 ms", cancelled),
    ("a killed worker's box dies with it and its job is judged elsewhere", killed),
    ("what a worker leaves behind is nothing", leaves_nothing),
];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let root = rustix::process::geteuid().is_root();
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let trials = CASES.map(|(name, case)| {
        let run = move || match root {
            true => {
                case();
                Ok(())
            }
            false => Err(Failed::from("needs root, and with CI=true nothing is skipped")),
        };
        let skipped = !root && !strict;
        Trial::test(name, run)
            .with_kind(if skipped { "skipped: needs root" } else { "" })
            .with_ignored_flag(skipped)
    });
    libtest_mimic::run(&args, trials.into()).exit_code()
}

fn start(server: &TestServer, place: &str) -> Worker {
    Worker::run(&server.url(), &["--place", place])
}

/// A task with as many equal tests as `count`, which a program passes by printing `3`.
fn task(language: &str, source: &str, count: usize) -> Vec<u8> {
    let test = r#"{"name":"t","input":"1 2\n","answer":"3\n"}"#;
    let tests = vec![test; count].join(",");
    let source = serde_json::to_string(source).unwrap();
    let json = format!(
        r#"{{"language":"{language}","files":[{{"name":"a","contents":{source}}}],
            "tests":[{tests}],"limits":{{"cpu_ms":10000,"wall_ms":60000}}}}"#
    );
    let submission = serde_json::from_str(&json).unwrap();
    Task { submission, problem: None }.encode().unwrap()
}

const SUM: &str = "#include <stdio.h>\n\
    int main() { int a, b; scanf(\"%d %d\", &a, &b); printf(\"%d\\n\", a + b); }\n";
const WAITS: &str = "#include <unistd.h>\nint main() { pause(); }\n";
const SLOW: &str = "import time\ntime.sleep(1)\nprint(3)\n";

fn report(api: &Api, id: &JobId) -> Report {
    match Answer::decode(&api.until_finished(id)).unwrap() {
        Answer::Judged(judged) => {
            let Judged { report, tests_in_steps, .. } = *judged;
            assert!(!tests_in_steps);
            report
        }
        Answer::Refused(refusal) => panic!("{refusal:?}"),
    }
}

fn judged() {
    let server = TestServer::strict();
    let (api, worker) = (Api::of(&server), start(&server, "one"));
    let good = api.enqueue(task("c", SUM, 5));
    let wrong = api.enqueue(task("python3", "print(4)\n", 2));
    let broken = api.enqueue(task("c", "int main() { return x; }", 1));
    let again = api.enqueue(task("c", SUM, 5));
    let good = (report(&api, &good), api.job(&good).steps);
    assert_eq!(
        (good.0.verdict, good.0.score, good.0.tests.len()),
        (Verdict::Accepted, Some(1.0), 5)
    );
    assert_eq!(good.1.len(), 5, "each test is a step");
    assert_eq!(report(&api, &wrong).verdict, Verdict::WrongAnswer);
    assert_eq!(report(&api, &broken).verdict, Verdict::CompileError);
    assert_eq!(report(&api, &again).verdict, Verdict::Accepted);
    let metric = |name: &str| worker.metric(name).unwrap_or_default();
    let finished = "evalx_submissions_finished_total";
    assert_eq!(metric(&format!("{finished}{{language=\"c\",verdict=\"AC\"}}")), 2.0);
    assert!(metric("evalx_compile_cache_requests_total{result=\"hit\"}") >= 1.0);
    assert!(metric("evalx_overhead_seconds_count") >= 10.0);
    assert!(!worker.log().contains("scanf") && !worker.log().contains("print(4)"));
    reference::compare("Worker", &worker.get("/metrics").1);
    let ready = worker.ready();
    let check = ready["self_check"].as_str().unwrap();
    assert!(check.starts_with("its self-check passes"), "{ready}");
    // Or why it does not work here.
    assert!(check.contains("; isolate: "), "{ready}");
}

fn refused() {
    let server = TestServer::start(&[]);
    let (api, worker) = (Api::of(&server), start(&server, "one"));
    let id = api.enqueue(task("klingon", "Qapla'", 1));
    let Answer::Refused(refusal) = Answer::decode(&api.until_finished(&id)).unwrap() else {
        panic!("{}", worker.log())
    };
    assert_eq!(refusal.field.as_deref(), Some("language"));
    assert!(refusal.reason.contains("unknown language"), "{refusal:?}");
    assert_eq!(api.job(&id).attempts, 1, "trying again would not help");
    let newer = api.enqueue(&br#"{"version":3}"#[..]);
    until("it is left to others", || api.stage(&newer) == Stage::Delayed);
}

fn fetched() {
    let server = TestServer::start(&[]);
    let set = br#"{"tests":[{"input":"","answer":"7"}],"checker":{"kind":"exact"}}"#;
    let (hash, nobodys) = (Hash::of(set), Hash::of(b"nobody's"));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), set).unwrap();
    let shelf = Shelf::open(&Address::parse(&server.url()).unwrap(), []).unwrap();
    let put = shelf.put(&hash, file.path(), b"");
    tokio::runtime::Runtime::new().unwrap().block_on(put).unwrap();
    let more = ["--place", "one", "--problems", "redis"];
    let (api, worker) = (Api::of(&server), Worker::run(&server.url(), &more));
    let to = |problem: &Hash, source: &str| {
        let Task { submission, .. } = Task::decode(&task("python3", source, 0)).unwrap();
        Task { submission, problem: Some(problem.to_string()) }.encode().unwrap()
    };
    let jobs = [0; 4].map(|_| api.enqueue(to(&hash, "print(7, end='')")));
    let wrong = api.enqueue(to(&hash, "print(7)"));
    for id in &jobs {
        assert_eq!(report(&api, id).verdict, Verdict::Accepted);
    }
    assert_eq!(report(&api, &wrong).verdict, Verdict::WrongAnswer);
    assert_eq!(worker.log().matches("fetched a problem").count(), 1, "{}", worker.log());
    // Others may know it.
    let id = api.enqueue(to(&nobodys, "print(7)"));
    until("it is left to others", || api.stage(&id) == Stage::Delayed);
    let said = format!("there is no problem {nobodys}; was it deleted?");
    assert!(worker.log().contains(&said), "{}", worker.log());
}

fn told_to_stop() {
    let server = TestServer::start(&[]);
    let (api, mut worker) = (Api::of(&server), start(&server, "one"));
    let id = api.enqueue(task("python3", SLOW, 1));
    until("it is judged", || worker.ready()["slots"]["busy"] == 1);
    worker.term();
    assert_eq!(worker.code(), Some(0), "{}", worker.log());
    assert_eq!(report(&api, &id).verdict, Verdict::Accepted);
}

fn cancelled() {
    let server = TestServer::start(&[]);
    let (api, worker) = (Api::of(&server), start(&server, "one"));
    let mut times = Vec::new();
    for _ in 0..5 {
        let id = api.enqueue(task("c", WAITS, 1));
        until("its guest runs", || guests(worker.pid()) == 1);
        let start = Instant::now();
        api.wait(api.store.cancel(&Target::Job(id.clone()))).unwrap();
        until("its guest is dead", || guests(worker.pid()) == 0);
        times.push(start.elapsed());
        until("the worker is idle", || worker.ready()["jobs"]["judging"] == 0);
        assert_eq!(api.stage(&id), Stage::Cancelled);
    }
    times.sort();
    eprintln!("cancel to the guest's death: {times:?}");
    // The best of five: the machine may be busy, the way must not be long.
    assert!(times[0] < Duration::from_millis(100), "{times:?}");
}

fn killed() {
    let server = TestServer::strict();
    let api = Api::of(&server);
    let mut dies = start(&server, "one");
    let id = api.enqueue(task("python3", SLOW, 2));
    api.until_running(&id);
    let pid = dies.pid();
    until("its guest runs", || guests(pid) > 0);
    dies.kill();
    let killed = Instant::now();
    // Agents are orphans by now: their parent is another.
    until("its processes are dead", || children(pid) == 0);
    let lives = start(&server, "two");
    until("the other has it", || lives.ready()["jobs"]["judging"] == 1);
    assert!(killed.elapsed() <= Duration::from_millis(7200), "{:?}", killed.elapsed());
    assert_eq!(report(&api, &id).verdict, Verdict::Accepted);
    let view = api.job(&id);
    assert_eq!((view.lost, view.steps.len()), (1, 2), "each step once");
}

fn leaves_nothing() {
    let server = TestServer::start(&[]);
    let (api, mut worker) = (Api::of(&server), start(&server, "one"));
    let pid = worker.pid();
    report(&api, &api.enqueue(task("c", SUM, 3)));
    worker.term();
    assert_eq!(worker.code(), Some(0));
    let ours = format!("evalx-{pid}-");
    until("its control groups are gone", || !mentions("/proc/self/mountinfo", &ours));
    until("its processes are gone", || children(pid) == 0);
}

fn mentions(path: &str, text: &str) -> bool {
    fs::read_to_string(path).unwrap().contains(text)
}

/// Guests of a worker: what runs below it as another user.
fn guests(worker: u32) -> usize {
    let field = |pid: &str, name: &str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next().map(str::to_owned)
    };
    let below = |pid: &String| {
        let mut at = pid.clone();
        while let Some(parent) = field(&at, "PPid:") {
            if parent == worker.to_string() {
                return true;
            }
            at = parent;
        }
        false
    };
    // A box that waits for its next run has a process of that user, too: still this program.
    let armed = |pid: &String| {
        let file = |path: &str| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        file(&format!("/proc/{pid}/exe")) == file(env!("CARGO_BIN_EXE_evalx"))
    };
    let user = |pid: &String| field(pid, "Uid:").is_some_and(|uid| uid != "0");
    let guest = |pid: &&String| user(pid) && !armed(pid) && below(pid);
    pids().iter().filter(guest).count()
}

fn children(parent: u32) -> usize {
    let ours = |pid: &&String| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line == format!("PPid:\t{parent}"))
    };
    pids().iter().filter(ours).count()
}

fn pids() -> Vec<String> {
    let names = fs::read_dir("/proc").unwrap().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|b| b.is_ascii_digit())).collect()
}
