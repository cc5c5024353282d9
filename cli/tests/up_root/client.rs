//! The verbs that talk to a server, before a real one.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::scene::{self, Done, Scene};
use crate::{SUM, Up};

const WRONG: &str = "int main() { __builtin_printf(\"4\\n\"); }\n";
const WAITS: &str = "#include <unistd.h>\nint main() { pause(); }\n";

/// Somebody at another desk.
fn client(up: &Up, program: &str) -> Scene {
    let mut scene = Scene::new();
    scene.set("EVALX_SERVER", &format!("http://{}", up.address));
    scene.file("a.c", program);
    scene.tests();
    scene
}

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr))
}

pub(crate) fn submit_and_watch() {
    let up = Up::start();
    let good = client(&up, SUM);
    let done = good.run(&["submit", "a.c", "--tests", "tests", "--wait"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{}", done.stdout);
    assert!(done.stdout.contains("AC  1 of 1 accepted"), "{}", done.stdout);
    let wrong = client(&up, WRONG);
    let done = wrong.run(&["submit", "a.c", "--tests", "tests", "--wait", "-o", "json"]);
    let told = json(&done);
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    assert_eq!((&told["status"], &told["report"]["verdict"]), (&"finished".into(), &"WA".into()));
    // The same as the judge of this machine says.
    let local = wrong.run(&["judge", "a.c", "--tests", "tests", "-o", "json"]);
    assert_eq!((local.code, &json(&local)["verdict"]), (Some(1), &"WA".into()));

    let done = good.run(&["submit", "a.c", "--tests", "tests", "-q"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    let id = done.stdout.trim();
    for _again in 0..2 {
        let done = good.run(&["watch", id, "-q"]);
        assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
        assert!(done.stdout.starts_with("AC  1 of 1 accepted"), "{}", done.stdout);
    }
    let unknown = "00000000-0000-4000-8000-000000000000";
    let done = good.run(&["watch", unknown]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{}", done.stderr);
    assert!(done.stderr.contains(unknown) && done.stderr.lines().count() == 1, "{}", done.stderr);
    let done = good.run(&["submit", "a.c", "--tests", "tests", "--lang", "klingon"]);
    assert_eq!(done.code, Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("klingon") && done.stderr.lines().count() == 1, "{}", done.stderr);

    let done = good.run(&["queue"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{}", done.stdout);
    assert!(
        done.stdout.contains("\nnormal") && done.stdout.contains("1 worker\n"),
        "{}",
        done.stdout
    );
    assert_eq!(json(&good.run(&["queue", "-o", "json"]))["totals"]["finished"], 3);
    assert_eq!(json(&good.run(&["workers", "-o", "json"]))["workers"], 1);
    let done = good.run(&["workers"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let row: Vec<_> = done.stdout.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((row[0], row[1], row[2]), ("here", "2", "0"), "{}", done.stdout);
    assert!(done.stdout.ends_with("1 worker · 0 of 2 slots busy\n"), "{}", done.stdout);
    assert_eq!(up.stop(Signal::TERM).code, Some(0));
}

pub(crate) fn a_package_is_handed_in_once() {
    let up = Up::start();
    for (program, code, verdict) in [(SUM, 0, "AC"), (WRONG, 1, "WA"), (SUM, 0, "AC")] {
        let client = client(&up, program);
        for (name, text) in [
            ("problem.yaml", "name: Sum\nlimits: {memory: 64}\n"),
            (".timelimit", "2"),
            ("data/secret/1.in", "1 2\n"),
            ("data/secret/1.ans", "3\n"),
            ("data/secret/2.in", "5 6\n"),
            ("data/secret/2.ans", "11\n"),
            ("submissions/accepted/a.py", "print(3)\n"),
        ] {
            client.file(&format!("sum/{name}"), text);
        }
        let done = client.run(&["submit", "a.c", "--problem", "sum", "--wait", "-o", "json"]);
        let told = json(&done);
        assert_eq!(done.code, Some(code), "{}", done.stderr);
        assert_eq!(told["report"]["verdict"], verdict, "{told}");
        assert_eq!(told["report"]["tests"].as_array().unwrap().len(), 2, "{told}");
        assert_eq!(told["report"]["limits"]["memory_bytes"], 64 << 20, "{told}");
    }
    let (_, metrics) = up.ask("GET /metrics", "");
    let handed_in = r#"{method="POST",route="/v1/problems",status="2xx"} 1"#;
    assert!(metrics.contains(handed_in), "{metrics}");
    assert_eq!(up.stop(Signal::TERM).code, Some(0));
}

pub(crate) fn tokens() {
    let scene = Scene::new();
    // printf %s secret | sha256sum
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    scene.file("tokens.yaml", format!("tokens:\n- name: me\n  hash: sha256:{hash}\n"));
    let up = Up::start_in(scene, &["--tokens", "tokens.yaml"]);
    let mut client = client(&up, SUM);
    for token in ["", "wrong"] {
        client.set("EVALX_TOKEN", token);
        for line in [&["queue"][..], &["submit", "a.c", "--tests", "tests"], &["watch", "x"]] {
            let done = client.run(line);
            assert_eq!((done.code, done.stdout.as_str()), (Some(3), ""), "{}", done.stderr);
            assert!(done.stderr.contains("give a token with EVALX_TOKEN"), "{}", done.stderr);
            assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
            assert!(!done.stderr.contains("wrong"), "{}", done.stderr);
        }
    }
    client.file("../config/evalx/config.toml", "token = \"secret\"\n");
    client.set("EVALX_TOKEN", "");
    let done = client.run(&["submit", "a.c", "--tests", "tests", "--wait", "-q"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(up.stop(Signal::TERM).code, Some(0));
}

pub(crate) fn ctrl_c_leaves_it_to_the_server() {
    let up = Up::start();
    let client = client(&up, WAITS);
    let line = ["submit", "a.c", "--tests", "tests", "--wait", "--wall", "60s", "--verbose"];
    let mut child = client.start(&line);
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    let id = said.trim().rsplit(' ').next().unwrap().to_owned();
    let deadline = Instant::now() + Duration::from_secs(30);
    while json(&client.run(&["queue", "-o", "json"]))["running"] != 1 {
        assert!(Instant::now() < deadline, "{said}");
        scene::pause();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = String::new();
    stderr.read_line(&mut rest).unwrap();
    assert_eq!(client.finish(child).code, Some(130));
    assert_eq!(rest, format!("evalx: interrupted; the server goes on: `evalx watch {id}`\n"));
    assert_eq!(json(&client.run(&["queue", "-o", "json"]))["running"], 1);
    assert_eq!(up.stop(Signal::TERM).code, Some(0));
}
