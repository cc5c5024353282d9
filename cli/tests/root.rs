//! Judging with the built binary, on whatever engine this machine has. Needs root: as a plain user
//! every case is skipped, and with `CI=true` a skip is a failure.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[allow(dead_code, reason = "shared with the other targets")]
mod scene;

use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use judge::model::{Report, Verdict};
use libtest_mimic::{Arguments, Failed, Trial};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use scene::{Done, Scene};

type Case = (&'static str, fn());

const CASES: [Case; 13] = [
    ("accepted ends with 0 and a table", accepted_ends_with_0_and_a_table),
    ("a wrong answer ends with 1 and says where", a_wrong_answer_ends_with_1_and_says_where),
    ("a compile error shows the compiler's words", a_compile_error_shows_the_compilers_words),
    ("json is the report and nothing else", json_is_the_report_and_nothing_else),
    ("quiet is one line", quiet_is_one_line),
    ("run passes input and output and says how it ended", run_passes_input_and_output),
    ("ctrl-c ends a run at once with 130", ctrl_c_ends_a_run_at_once_with_130),
    ("a SIGTERM to the whole group ends it with 5", a_sigterm_to_the_group_ends_it_with_5),
    ("a machine that stands still puts a time in doubt", standing_still_is_a_doubt),
    ("verify compares and ends with 1 when one differs", verify_compares),
    ("doctor has ten probes and says which engine", doctor_has_ten_probes),
    ("calibrate measures seven programs", calibrate_measures_seven_programs),
    ("doctor says that boxes share inodes with the machine", doctor_names_shared_files),
];

const SUM: &str = "#include <stdio.h>\n\
    int main() { int a, b; scanf(\"%d %d\", &a, &b); printf(\"%d\\n\", a + b); }\n";
const WRONG: &str = "int main() { __builtin_printf(\"4\\n\"); }\n";
const WAITS: &str = "#include <unistd.h>\nint main() { pause(); }\n";

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let root = std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
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

/// A scene with this C program as `a.c` and one test.
fn scene(program: &str) -> Scene {
    let scene = Scene::new();
    scene.file("a.c", program);
    scene.tests();
    scene
}

#[track_caller]
fn ended(done: &Done, code: i32) {
    assert_eq!(done.code, Some(code), "{}{}", done.stdout, done.stderr);
    assert!(done.left.is_empty(), "left behind: {:?}", done.left);
}

fn accepted_ends_with_0_and_a_table() {
    let done = scene(SUM).run(&["judge", "a.c", "--tests", "tests"]);
    ended(&done, 0);
    assert_eq!(done.stderr, "");
    let head = done.stdout.lines().next().unwrap();
    assert_eq!(
        head.split_whitespace().collect::<Vec<_>>(),
        ["#", "test", "verdict", "CPU", "wall", "memory"]
    );
    assert!(done.stdout.contains("\n1  1     AC "), "{}", done.stdout);
    assert!(done.stdout.contains("\nAC  1 of 1 accepted  score 1  compile "), "{}", done.stdout);
    assert!(
        done.stdout.lines().all(|l| l.chars().count() <= 88 && l.trim_end() == l),
        "{}",
        done.stdout
    );
}

fn a_wrong_answer_ends_with_1_and_says_where() {
    let done = scene(WRONG).run(&["judge", "a.c", "--tests", "tests"]);
    ended(&done, 1);
    assert!(done.stdout.contains("WA") && done.stdout.contains("line 1"), "{}", done.stdout);
}

fn a_compile_error_shows_the_compilers_words() {
    let done = scene("int main() { return x; }").run(&["judge", "a.c", "--tests", "tests"]);
    ended(&done, 1);
    assert!(done.stdout.contains("a.c:1:21: error:"), "{}", done.stdout);
    assert!(done.stdout.contains("\nCE  0 of 1 accepted"), "{}", done.stdout);
}

fn json_is_the_report_and_nothing_else() {
    let done = scene(SUM).run(&["judge", "a.c", "--tests", "tests", "-o", "json"]);
    ended(&done, 0);
    let report: Report = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((report.verdict, report.tests.len()), (Verdict::Accepted, 1));
    assert_eq!(done.stderr, "");
}

fn quiet_is_one_line() {
    let done = scene(SUM).run(&["-q", "judge", "a.c", "--tests", "tests"]);
    ended(&done, 0);
    assert_eq!((done.stdout.lines().count(), done.stderr.as_str()), (1, ""));
}

fn run_passes_input_and_output() {
    let scene = scene(
        "#include <stdio.h>\nint main(int c, char **v) { int a; scanf(\"%d\", &a); \
        printf(\"%s %d\", v[1], a); fputs(\"aside\\n\", stderr); return c; }",
    );
    scene.file("input", "42");
    let done = scene.run(&["run", "a.c", "--stdin", "input", "--", "word"]);
    ended(&done, 1);
    assert_eq!(done.stdout, "word 42");
    assert!(done.stderr.starts_with("aside\nevalx: exited with 2 · CPU "), "{}", done.stderr);
}

fn ctrl_c_ends_a_run_at_once_with_130() {
    ended(&withdrawn(|evalx| kill_process(evalx, Signal::INT)), 130);
}

fn a_sigterm_to_the_group_ends_it_with_5() {
    ended(&withdrawn(|evalx| kill_process_group(evalx, Signal::TERM)), 5);
}

/// Starts a program that never ends, sends the signal once it runs, and waits for evalx.
fn withdrawn(signal: fn(Pid) -> Result<(), Errno>) -> Done {
    let scene = scene(WAITS);
    let args = ["judge", "a.c", "--tests", "tests", "--wall", "1h"];
    let child = scene.start(&args);
    wait_for("the guest", || descendant(child.id(), "main"));
    signal(Pid::from_child(&child)).unwrap();
    scene.finish(child)
}

/// As where a virtual machine is moved while a program runs: to evalx, and so to the program's clock.
fn standing_still_is_a_doubt() {
    let scene = scene(WAITS);
    let args = ["judge", "a.c", "--tests", "tests", "--cpu", "1s", "--wall", "2s", "-o", "json"];
    let child = scene.start(&args);
    wait_for("the guest", || descendant(child.id(), "main"));
    let evalx = Pid::from_child(&child);
    kill_process(evalx, Signal::STOP).unwrap();
    let stopped = Instant::now();
    wait_for("some time", || stopped.elapsed() > Duration::from_millis(800));
    kill_process(evalx, Signal::CONT).unwrap();
    let done = scene.finish(child);
    ended(&done, 1);
    let report: Report = serde_json::from_str(&done.stdout).unwrap();
    let again = report.tests[0].again.as_ref().expect("it is in doubt");
    assert!(again.because.starts_with("the machine stood still for 0."), "{again:?}");
    assert_eq!(again.other.map(|other| other.verdict), Some(Verdict::IdlenessLimit));
    assert_eq!(report.verdict, Verdict::IdlenessLimit, "it idles in peace, too");
}

/// Whether a process of this name runs below `ancestor`.
pub(crate) fn descendant(ancestor: u32, name: &str) -> bool {
    let all = scene::all();
    let parent = |pid| all.iter().find(|s| s.pid == pid).map(|s| s.parent);
    let below = |pid| std::iter::successors(Some(pid), |pid| parent(*pid)).any(|p| p == ancestor);
    all.iter().any(|stat| stat.name == name && below(stat.pid))
}

/// Looks again and again until it holds; fails the test after half a minute.
#[track_caller]
pub(crate) fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come in time");
        scene::pause();
    }
}

fn verify_compares() {
    let scene = Scene::new();
    scene.file("p/problem.yaml", "name: Sum\n");
    scene.file("p/.timelimit", "5\n");
    scene.file("p/data/secret/1.in", "1 2\n");
    scene.file("p/data/secret/1.ans", "3\n");
    scene.file("p/submissions/accepted/a.c", SUM);
    scene.file("p/submissions/wrong_answer/w.c", WRONG);
    let done = scene.run(&["verify", "p"]);
    ended(&done, 0);
    assert!(done.stdout.contains("✓ 2 as expected in 1 package\n"), "{}", done.stdout);
    scene.file("p/submissions/wrong_answer/right.c", SUM);
    let done = scene.run(&["verify", "p", "-o", "json"]);
    ended(&done, 1);
    let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let rows = found[0]["submissions"].as_array().unwrap();
    let right = rows.iter().find(|r| r["path"] == "wrong_answer/right.c").unwrap();
    assert_eq!((&right["status"], &right["verdict"]), (&"differs".into(), &"AC".into()));
    scene.file("p/.timelimit", "1\n");
    scene.file("p/submissions/accepted/idle.c", "int main(void) { return pause(); }\n");
    let done = scene.run(&["verify", "p"]);
    ended(&done, 1);
    let why = "got ILE, expected AC; secret/1: took 3.0";
    assert!(done.stdout.contains(why), "the test is named, and why: {}", done.stdout);
}

/// In a mount namespace in which there can be no overlays, since nothing empty is there to lie on.
fn doctor_names_shared_files() {
    const NAME: &str = "files of the machine";
    let finding = |stdout: &[u8]| {
        let found: serde_json::Value = serde_json::from_slice(stdout).unwrap();
        assert!(found["engine"].is_string(), "{found}");
        let mut machine = found["machine"].as_array().unwrap().iter();
        machine.find(|finding| finding["name"] == NAME).unwrap().clone()
    };
    let done = Scene::new().run(&["doctor", "-o", "json"]);
    ended(&done, 0);
    let usual = finding(done.stdout.as_bytes());
    let script = "mount -t tmpfs none /run/evalx/empty && touch /run/evalx/empty/x && \
                  exec \"$0\" doctor -o json";
    #[expect(clippy::disallowed_methods, reason = "the binary under test is started here")]
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]);
    let output = command.arg(env!("CARGO_BIN_EXE_evalx")).output().unwrap();
    let without = finding(&output.stdout);
    let detail = without["detail"].as_str().unwrap();
    assert!(detail.contains("\"/run/evalx/empty\" is to be empty, and is not"), "{without}");
    assert!(without["ok"] == false && without["cure"].is_string(), "{without}");
    // Where overlays are possible the two differ.
    assert!(usual["ok"] == true || usual["cure"].is_string(), "{usual}");
}

fn doctor_has_ten_probes() {
    let done = Scene::new().run(&["doctor", "-o", "json"]);
    ended(&done, 0);
    let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(found["probes"].as_array().unwrap().len(), 10);
    assert!(found["engine"].is_string() && found["why"].is_string(), "{found}");
}

fn calibrate_measures_seven_programs() {
    let done = Scene::new().run(&["calibrate", "--rounds", "2", "--slots", "2", "-o", "json"]);
    // How stable this machine is, is not the test's affair.
    let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    ended(&done, if found["ok"] == true { 0 } else { 1 });
    assert_eq!((found["slots"].as_u64(), done.stderr.as_str()), (Some(2), ""));
    let programs = found["programs"].as_array().unwrap();
    assert_eq!(programs.len(), 7);
    for program in programs {
        let alone = program["alone_ms"].as_f64().unwrap();
        assert!((5.0..5000.0).contains(&alone), "{program}");
        assert!(program["ratio"].as_f64().unwrap() > 0.1, "{program}");
        assert_eq!(program["ok"] == false, program["cure"].is_string(), "{program}");
    }
    assert!(found["machine"].as_array().unwrap().len() >= 6);
}
