//! The routes of Judge0 on `evalx up` with its real judge, and the official Python SDK as a client
//! of it. Needs root; the SDK needs a Python that has it, which `EVALX_TEST_PYTHON` names (default:
//! `python3`). What cannot be run is skipped, and with `CI=true` a skip is a failure.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../scene/mod.rs"]
#[allow(dead_code, reason = "shared with the other targets")]
mod scene;

use std::ffi::OsString;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::Signal;
use scene::up::Up;
use serde_json::{Value, json};

type Case = (&'static str, fn());

const CASES: [Case; 3] = [
    ("each ending is told as judge0 tells it", each_ending),
    ("options, arguments, files and streams reach the program", what_reaches_the_program),
    ("a batch of equal programs is compiled once", a_batch_compiles_once),
];

const SUM: &str = "#include <cstdio>\n\
    int main() { int a, b; scanf(\"%d %d\", &a, &b); printf(\"%d\\n\", a + b); }\n";

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let root = rustix::process::geteuid().is_root();
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let trial = |name: &'static str, case: fn(), missing: Option<&'static str>| {
        let run = move || match missing {
            None => {
                case();
                Ok(())
            }
            Some(missing) => Err(Failed::from(missing)),
        };
        let skipped = missing.is_some() && !strict;
        let kind = missing.filter(|_| skipped).map(|missing| format!("skipped: {missing}"));
        Trial::test(name, run).with_kind(kind.unwrap_or_default()).with_ignored_flag(skipped)
    };
    let no_root = (!root).then_some("needs root");
    let mut trials: Vec<Trial> =
        CASES.map(|(name, case)| trial(name, case, no_root)).into_iter().collect();
    let no_sdk = no_root.or_else(|| {
        let missing = "needs Judge0's SDK: python3 -m venv V && V/bin/pip install -r \
                       scripts/python-tools.txt, EVALX_TEST_PYTHON=V/bin/python";
        (!args.list && !has_sdk()).then_some(missing)
    });
    trials.push(trial("the official python sdk works as it is", the_sdk, no_sdk));
    libtest_mimic::run(&args, trials).exit_code()
}

fn python() -> OsString {
    std::env::var_os("EVALX_TEST_PYTHON").unwrap_or_else(|| "python3".into())
}

#[expect(clippy::disallowed_methods, reason = "the SDK is another program")]
fn has_sdk() -> bool {
    let mut command = Command::new(python());
    command.args(["-c", "import judge0"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[expect(clippy::disallowed_methods, reason = "the SDK is another program")]
fn the_sdk() {
    let up = Up::start();
    let endpoint = format!("http://{}", up.address);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judge0_root/sdk.py");
    let mut command = Command::new(python());
    command
        .arg(script)
        .env_clear()
        .env("JUDGE0_CE_ENDPOINT", &endpoint)
        .env("JUDGE0_CE_AUTH_HEADERS", "{}")
        .env("JUDGE0_EXTRA_CE_ENDPOINT", format!("{endpoint}/extra-ce"))
        .env("JUDGE0_EXTRA_CE_AUTH_HEADERS", "{}");
    let output = command.output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(out.matches(": ok\n").count(), 9, "{out}");
    assert_eq!(up.stop(Signal::TERM).code, Some(0));
}

/// The whole object of a submission, which is waited for.
fn judged(up: &Up, body: &Value) -> Value {
    let path = "POST /submissions?wait=true&fields=*";
    let (status, text) = up.ask(path, &body.to_string());
    assert_eq!(status, 201, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn each_ending() {
    let up = Up::start();
    let c = |source: &str| json!({"language_id": 50, "source_code": source});
    let python = |source: &str| json!({"language_id": 71, "source_code": source});
    let hog = "#include <stdlib.h>\n#include <string.h>\n\
        int main() { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }";
    let cases = [
        (c("int main() { return 0; }"), 3, json!(0), json!(null)),
        (c("int main() { return 7; }"), 11, json!(7), json!("Exited with error status 7")),
        (
            c("int main() { __builtin_trap(); }"),
            11,
            json!(132),
            json!("Exited with error status 132"),
        ),
        (
            c("#include <stdlib.h>\nint main() { abort(); }"),
            11,
            json!(134),
            json!("Exited with error status 134"),
        ),
        (c(hog), 11, json!(137), json!("Exited with error status 137")),
        (c("int main( {"), 6, json!(null), json!(null)),
        (python("print("), 11, json!(1), json!("Exited with error status 1")),
        (python("raise ValueError"), 11, json!(1), json!("Exited with error status 1")),
    ];
    for (body, status, exit_code, message) in cases {
        let json = judged(&up, &body);
        assert_eq!(json["status_id"], status, "{json}");
        assert_eq!((&json["exit_code"], &json["message"]), (&exit_code, &message), "{json}");
        assert!(json["finished_at"].as_str() >= json["created_at"].as_str(), "{json}");
    }
    let mut slow = python("while True: pass");
    slow["cpu_time_limit"] = json!(0.2);
    let json = judged(&up, &slow);
    assert_eq!((&json["status_id"], &json["message"]), (&json!(5), &json!("Time limit exceeded")));
    let mut asleep = python("import time; time.sleep(60)");
    asleep["wall_time_limit"] = json!(1);
    let json = judged(&up, &asleep);
    assert_eq!(json["message"], "Time limit exceeded (wall clock)", "{json}");
    let mut wrong = python("print(1)");
    wrong["expected_output"] = json!("2");
    assert_eq!(judged(&up, &wrong)["status"], json!({"id": 4, "description": "Wrong Answer"}));
    let mut flood = c("#include <stdio.h>\nint main() { for (;;) puts(\"flood\"); }");
    flood["max_file_size"] = json!(64);
    assert_eq!(judged(&up, &flood)["exit_code"], 153);
    assert_eq!(up.stop(Signal::TERM).code, Some(0));
}

fn what_reaches_the_program() {
    let up = Up::start();
    let out = |body: &Value| judged(&up, body)["stdout"].clone();
    let options = json!({"language_id": 54, "compiler_options": "-DTEXT='\"a b\"' -O1",
        "source_code": "#include <cstdio>\nint main() { puts(TEXT); }"});
    assert_eq!(out(&options), "a b\n");
    let arguments = json!({"language_id": 71, "command_line_arguments": "x 'y z'; $w",
        "source_code": "import sys; print(sys.argv[1:])"});
    assert_eq!(out(&arguments), "['x', 'y z', 'w']\n");
    let mut both = json!({"language_id": 71, "redirect_stderr_to_stdout": true,
        "source_code": "import os\nos.write(1, b'1')\nos.write(2, b'2')\nos.write(1, b'3')"});
    assert_eq!(out(&both), "123");
    both["redirect_stderr_to_stdout"] = json!(false);
    let json = judged(&up, &both);
    assert_eq!((&json["stdout"], &json["stderr"]), (&json!("13"), &json!("2")));
    assert_eq!(out(&json!({"language_id": 43, "source_code": "as it is\n"})), "as it is\n");
    let executable = std::fs::read("/bin/echo").unwrap();
    let elf = json!({"language_id": 44, "source_code": STANDARD.encode(executable),
        "command_line_arguments": "from an ELF file"});
    let path = "POST /submissions?wait=true&base64_encoded=true&fields=stdout,status_id,message";
    let (_, text) = up.ask(path, &elf.to_string());
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["stdout"], STANDARD.encode("from an ELF file\n") + "\n", "{json}");
    let long = json!({"language_id": 71, "source_code": "print('x' * 500000)"});
    assert_eq!(out(&long).as_str().unwrap().len(), 500_001, "nothing is cut off");
    let several = json!({"language_id": 71, "number_of_runs": 3, "source_code": "print(1)"});
    assert_eq!(judged(&up, &several)["status_id"], 3);
    assert_eq!(up.stop(Signal::TERM).code, Some(0));
}

#[expect(clippy::print_stdout, reason = "a figure for SPEC.md")]
fn a_batch_compiles_once() {
    let up = Up::start();
    let item = |n: u32| {
        json!({"language_id": 54, "source_code": SUM, "compiler_options": "-O1",
            "stdin": format!("{n} 1\n"), "expected_output": format!("{}\n", n + 1)})
    };
    let batch = json!({"submissions": (0..20).map(item).collect::<Vec<_>>()});
    let (tokens, first) = round(&up, &batch);
    let cached: Vec<bool> = tokens
        .iter()
        .map(|token| {
            let (_, text) = up.ask(&format!("GET /v1/submissions/{token}"), "");
            let view: Value = serde_json::from_str(&text).unwrap();
            view["report"]["compile"]["cached"].as_bool().unwrap()
        })
        .collect();
    assert_eq!(cached.iter().filter(|cached| !**cached).count(), 1, "{cached:?}");
    // The program is known: no time for compiling.
    let again = (0..5).map(|_| round(&up, &batch).1).min().unwrap();
    println!("20 tests by the batch route: first {first:?}, then {again:?} at best");
    assert!(again < Duration::from_secs(1), "{again:?}");
    assert_eq!(up.stop(Signal::TERM).code, Some(0));
}

/// Hands a batch in and asks until all of it is accepted.
fn round(up: &Up, batch: &Value) -> (Vec<String>, Duration) {
    let begun = Instant::now();
    let (status, text) = up.ask("POST /submissions/batch", &batch.to_string());
    assert_eq!(status, 201, "{text}");
    let answers: Vec<Value> = serde_json::from_str(&text).unwrap();
    let tokens: Vec<String> =
        answers.iter().map(|answer| answer["token"].as_str().unwrap().to_owned()).collect();
    let path = format!("GET /submissions/batch?fields=status_id&tokens={}", tokens.join(","));
    loop {
        let (_, text) = up.ask(&path, "");
        let json: Value = serde_json::from_str(&text).unwrap();
        let statuses = json["submissions"].as_array().unwrap();
        let over = statuses.iter().all(|one| one["status_id"].as_u64().unwrap() > 2);
        if over {
            assert!(statuses.iter().all(|one| one["status_id"] == 3), "{json}");
            return (tokens, begun.elapsed());
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{json}");
        scene::pause();
    }
}
