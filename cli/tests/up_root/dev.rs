//! `start-dev.sh` with real processes: the topology comes up, judges, and is gone.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::scene;

#[expect(clippy::disallowed_methods, reason = "no guest: the script under test")]
pub(crate) fn start_dev() {
    let root = tempfile::Builder::new().prefix("evalx-dev-").tempdir().unwrap();
    let begun = Instant::now();
    // A shell cannot trap what was ignored when it began, as it is below what runs in the background.
    let mut child = Command::new("env")
        .arg("--default-signal=INT")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../start-dev.sh"))
        .arg("--direct")
        .env("EVALX_DEV_BINARY", env!("CARGO_BIN_EXE_evalx"))
        .env("EVALX_DEV_DIR", root.path())
        .env("EVALX_DEV_PORT", "0")
        .env("EVALX_DEV_WORKER_PORT", "0")
        // What a shell may have set is not for it.
        .env("EVALX_ENGINE", "none")
        .env("REDIS_URL", "redis://127.0.0.1:1")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut said, mut line) = (String::new(), String::new());
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    while !said.contains("Ctrl-C stops everything.") {
        line.clear();
        if stdout.read_line(&mut line).unwrap() == 0 {
            let mut error = String::new();
            child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
            panic!("{said}{error}");
        }
        said.push_str(&line);
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}\n{said}");
    assert!(said.contains("AC  20 of 20 accepted"), "{said}");
    assert!(said.contains("submitted, judged and fetched in "), "{said}");
    let address = |line: &str| {
        let (_, rest) = line.split_once("http://")?;
        rest.split('/').next().map(str::to_owned)
    };
    let of = |name: &str| said.lines().filter(|line| line.starts_with(name)).find_map(address);
    let workers = ["worker-1", "worker-2", "worker-3", "worker-4"];
    let mut addresses: HashSet<_> = workers.map(|name| of(name).unwrap()).into();
    addresses.insert(of("page").unwrap());
    assert_eq!(addresses.len(), 5, "{said}");
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_ok()), "{said}");

    // As a terminal does it.
    kill_process_group(Pid::from_child(&child), Signal::INT).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it does not end by Ctrl-C");
        scene::pause();
    };
    assert_eq!(status.code(), Some(130));
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!(error, "");
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()), "{said}");
    let deadline = Instant::now() + Duration::from_secs(1);
    while let left = ours(root.path())
        && !left.is_empty()
    {
        assert!(Instant::now() < deadline, "left behind: {left:?}");
        scene::pause();
    }
    assert!(!root.path().join("redis").exists() && !root.path().join("cache").exists());
    for log in fs::read_dir(root.path().join("log")).unwrap() {
        let text = fs::read_to_string(log.unwrap().path()).unwrap();
        let bad = |line: &&str| {
            line.contains("ERROR") || line.contains("WARN ") || line.contains("panicked")
        };
        assert_eq!(text.lines().find(bad), None, "{text}");
    }
}

/// Processes that were started with this folder.
fn ours(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().unwrap().as_bytes();
    let started = |pid: u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(dir.len()).any(|window| window == dir)
    };
    let all = scene::all().into_iter().filter(|stat| started(stat.pid));
    all.map(|stat| format!("{} {}", stat.pid, stat.name)).collect()
}
