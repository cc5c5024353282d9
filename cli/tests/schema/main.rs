//! What is made up from the service's own description: no request ends in a server error, and every
//! answer is as described. `schemathesis` makes the requests; where it is not on PATH this is
//! skipped, and with `CI=true` a skip is a failure.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../../queue/tests/server/mod.rs"]
#[allow(clippy::disallowed_methods, reason = "starts redis-server")]
mod redis;
#[path = "../scene/mod.rs"]
#[allow(dead_code, reason = "shared with the other targets")]
mod scene;

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use redis::TestServer;
use scene::Scene;

const MISSING: &str = "needs schemathesis: python3 -m venv V && V/bin/pip install -r \
                       scripts/python-tools.txt, and V/bin on PATH";

/// What an answer must be, besides no server error: as the description has it.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

/// Which operations, each with time of their own.
const CASES: [(&str, [&str; 2]); 2] = [
    ("what schemathesis makes up is no server error", ["--exclude-tag", "judge0"]),
    ("nor is it by the routes of judge0", ["--include-tag", "judge0"]),
];

/// A process of the scene; ends with its value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let missing = !args.list && !is_there();
    let skipped = missing && !strict;
    let trials = CASES.map(|(name, which)| {
        let run = move || match missing {
            false => made_up_requests(which),
            true => Err(Failed::from(MISSING)),
        };
        let kind = if skipped { format!("skipped: {MISSING}") } else { String::new() };
        Trial::test(name, run).with_kind(kind).with_ignored_flag(skipped)
    });
    libtest_mimic::run(&args, trials.into()).exit_code()
}

#[expect(clippy::disallowed_methods, reason = "schemathesis is another program")]
fn schemathesis(path: OsString) -> Command {
    let mut command = Command::new("schemathesis");
    command.env_clear().env("PATH", path);
    command
}

fn is_there() -> bool {
    let mut command = schemathesis(std::env::var_os("PATH").unwrap_or_default());
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn made_up_requests(which: [&str; 2]) -> Result<(), Failed> {
    let (redis, scene) = (TestServer::start(&[]), Scene::new());
    let url = redis.url();
    let problems = scene.dir().join("problems");
    std::fs::create_dir(&problems).unwrap();
    let problems = format!("file://{}", problems.display());
    let args = ["server", "--redis", &url, "--listen", "127.0.0.1:0", "--problems", &problems];
    let mut server = Running(scene.start(&[&args[..], &["--log", "error"]].concat()));
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    // It has the submissions that are taken judged, in its way.
    let args = ["worker", "--stub-judge", "--redis", &url, "--listen", "127.0.0.1:0"];
    let _worker = Running(scene.start(&[&args[..], &["--log", "error"]].concat()));
    let document = format!("{}/openapi.json", line.trim());
    let mut command = schemathesis(std::env::var_os("PATH").unwrap());
    command.current_dir(scene.dir()).env("HOME", scene.dir());
    command.args(["run", &document, "--checks", CHECKS, "--max-examples", "10"]).args(which);
    command.args(["--phases", "examples,coverage,fuzzing", "--request-timeout", "20"]);
    // The same requests each time: what fails can be looked into.
    command.arg("--generation-deterministic");
    command.args(["--max-time", "45", "--no-color", "--warnings", "off"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.success() && said.contains(" passed") {
        true => Ok(()),
        false => Err(Failed::from(format!("{said}{}", String::from_utf8_lossy(&output.stderr)))),
    }
}
