//! evalx itself beside the others: `evalx up`, a process of its own with queue, judge and HTTP.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Client;
use crate::programs::command;
use crate::table::built;

/// Ends with its value.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    address: String,
    _cache: TempDir,
}

impl Service {
    /// Of this build, or the program that `EVALX_PROGRAM` names.
    pub(crate) fn start() -> Result<Self, String> {
        let named = std::env::var_os("EVALX_PROGRAM").filter(|path| !path.is_empty());
        let program = named.map_or_else(|| built().join("evalx"), PathBuf::from);
        if !program.exists() {
            return Err(format!(
                "there is no {} (cargo build --release -p evalx)",
                program.display()
            ));
        }
        let cache = tempfile::tempdir().map_err(|e| e.to_string())?;
        let mut child = command(&program)
            .args(["up", "--listen", "127.0.0.1:0", "--engine", "native", "--log", "warn"])
            .env("EVALX_CACHE_DIR", cache.path())
            .env("XDG_CONFIG_HOME", cache.path().join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        let mut line = String::new();
        let said = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        let address = line.trim().strip_prefix("http://").map(str::to_owned);
        let service = |address| Self { child, address, _cache: cache };
        match (said, address) {
            (Some(Ok(_)), Some(address)) => Ok(service(address)),
            _ => {
                drop(service(String::new()));
                Err("evalx up did not say where it listens".to_owned())
            }
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::of(&self.address).expect("evalx up listens")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.child);
        let _ended_before = kill_process(pid, Signal::TERM);
        drop(self.child.wait());
    }
}

/// The program that does nothing, with so many tests. C++ is linked statically.
pub(crate) fn submission(tests: usize) -> String {
    let test = |_| json!({"input": "", "answer": ""});
    json!({
        "language": "cpp17",
        "source": "int main() { return 0; }\n",
        "tests": (0..tests).map(test).collect::<Vec<_>>(),
    })
    .to_string()
}

/// Hands it in and waits for its report.
pub(crate) fn judge(client: &mut Client, submission: &str) {
    let answer: Value = client.post("/v1/submissions?wait=60", submission);
    assert_eq!(answer["report"]["verdict"], "AC", "{answer}");
}
