//! What a user waits for: a C++ submission with 20 trivial tests through the whole command, first
//! with an empty cache, then again. Beside it the same program run bare 20 times, in the same run.
//! `cargo bench -p evalx`.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TESTS: u32 = 20;
const ROUNDS: usize = 9;

/// Two programs of different weight: what a compiler reads, and leaves behind, differs.
const PROGRAMS: [(&str, &str); 2] = [
    (
        "the sum of two numbers, <cstdio>",
        "#include <cstdio>\n\
         int main() { long a, b; scanf(\"%ld %ld\", &a, &b); printf(\"%ld\\n\", a + b); }\n",
    ),
    (
        "the sum by a map of words, <bits/stdc++.h>",
        "#include <bits/stdc++.h>\nusing namespace std;\n\
         int main() {\n\
             map<string, vector<long>> words;\n\
             for (string word; cin >> word;) words[word].push_back(stol(word));\n\
             long sum = 0;\n\
             for (const auto &[_, numbers] : words)\n\
                 sum = accumulate(numbers.begin(), numbers.end(), sum);\n\
             cout << sum << endl;\n\
         }\n",
    ),
];

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    for (name, source) in PROGRAMS {
        measure(name, source);
    }
}

fn measure(name: &str, source: &str) {
    let dir = tempfile::tempdir().expect("a temporary folder is to be had");
    let dir = dir.path();
    write_submission(dir, source);
    let (mut added, mut again, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // Absent in the first round.
        let _absent = fs::remove_dir_all(dir.join("cache"));
        let (wall, compile) = judge(dir);
        added.push(wall.saturating_sub(compile));
        again.push(judge(dir).0);
        bare.push(run_bare(dir));
    }
    println!("evalx judge, C++, {TESTS} tests, {name}; medians of {ROUNDS} rounds in turns");
    for (name, samples) in [
        ("first time: whole command less compile time", &mut added),
        ("second time (cached): whole command", &mut again),
        ("the same program run bare, one after the other", &mut bare),
    ] {
        samples.sort_unstable();
        let (p50, max) = (samples[ROUNDS / 2], samples[ROUNDS - 1]);
        println!("{name:<50} {:>6.1} ms   max {:>6.1} ms", ms(p50), ms(max));
    }
}

fn write_submission(dir: &Path, source: &str) {
    let write = |name: String, text: &str| {
        fs::write(dir.join(name), text).expect("the temporary folder is writable");
    };
    fs::create_dir(dir.join("tests")).expect("the temporary folder is writable");
    for i in 1..=TESTS {
        write(format!("tests/{i}.in"), &format!("{i} {}\n", 3 * i));
        write(format!("tests/{i}.ans"), &format!("{}\n", 4 * i));
    }
    write("sum.cpp".to_owned(), source);
}

/// Clock time of the command, and of the compilation within.
fn judge(dir: &Path) -> (Duration, Duration) {
    let start = Instant::now();
    let output = command(env!("CARGO_BIN_EXE_evalx"))
        .current_dir(dir)
        .args(["judge", "sum.cpp", "--tests", "tests", "--cache-dir", "cache", "-o", "json"])
        .stderr(Stdio::inherit())
        .output()
        .expect("evalx starts");
    let wall = start.elapsed();
    assert!(output.status.success(), "the submission is accepted");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let compile = report["times"]["compile_ms"].as_f64().expect("a time");
    (wall, Duration::from_secs_f64(compile / 1000.0))
}

fn run_bare(dir: &Path) -> Duration {
    let program = dir.join("sum");
    if !program.exists() {
        let status = command("g++")
            .current_dir(dir)
            .args(["-O2", "-static", "-o", "sum", "sum.cpp"])
            .status();
        assert!(status.is_ok_and(|s| s.success()), "g++ compiles");
    }
    let start = Instant::now();
    for i in 1..=TESTS {
        let input = fs::File::open(dir.join(format!("tests/{i}.in"))).expect("the test is there");
        let output = command(&program).stdin(input).output();
        assert!(output.is_ok_and(|o| o.status.success()), "the program runs");
    }
    start.elapsed()
}

#[expect(clippy::disallowed_methods, reason = "a bench starts the command as a user does")]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
