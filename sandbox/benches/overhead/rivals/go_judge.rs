//! go-judge as it is, from the Go module that `bench/rivals/go.mod` pins. It is built once into a folder
//! outside of the checkout that is named after that file, as `scripts/controlplane` does with its
//! programs. Nothing is copied into its box for a run: the program's folder is mounted there, which is
//! the fastest that it can do.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Client;
use crate::programs::{Program, command, folder};

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/rivals");
const PACKAGE: &str = "github.com/criyle/go-judge/cmd/go-judge";

/// A server on a port of its own; it and its control groups end with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: String,
    groups: String,
    request: String,
    _folder: TempDir,
}

impl Server {
    pub(crate) fn start(program: &Program) -> Result<Self, String> {
        let built = build()?;
        let folder = folder();
        let mounts = folder.path().join("mount.yaml");
        fs::write(&mounts, box_of(program.folder())).map_err(|e| e.to_string())?;
        // Taken and let go: go-judge does not say which port it got.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let address = port.map_err(|e| e.to_string())?.to_string();
        let groups = format!("rival-{}", std::process::id());
        let child = command(&built)
            .args(["-http-addr", &address, "-cgroup-prefix", &groups, "-release", "-silent"])
            .arg("-mount-conf")
            .arg(&mounts)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|e| format!("{}: {e}", built.display()))?;
        let request = json!({"cmd": [{
            "args": ["/program/program"],
            "env": ["PATH=/usr/bin:/bin"],
            "files": [{"content": ""}, {"name": "stdout", "max": 10240}, {"name": "stderr", "max": 10240}],
            "cpuLimit": 10_000_000_000_u64,
            "clockLimit": 20_000_000_000_u64,
            "memoryLimit": 256 << 20,
            "procLimit": 64,
        }]});
        let server = Self { child, address, groups, request: request.to_string(), _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(10);
        while Client::of(&server.address).is_err() {
            if Instant::now() > deadline {
                return Err("go-judge does not listen within 10 s".to_owned());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    pub(crate) fn client(&self) -> Client {
        Client::of(&self.address).expect("go-judge listens")
    }

    /// One run of the program.
    pub(crate) fn run(&self, client: &mut Client) {
        let answer: Value = client.post("/run", &self.request);
        assert_eq!(answer[0]["status"], "Accepted", "{answer}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.child);
        let _ended_before = kill_process(pid, Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if Instant::now() > deadline {
                drop(self.child.kill());
            }
            thread::sleep(Duration::from_millis(20));
        }
        remove_groups(Path::new("/sys/fs/cgroup"), &self.groups, 3);
    }
}

/// Its own example of a box, with the program's folder instead of what its compilers want.
fn box_of(program: &Path) -> String {
    let shown = ["/bin", "/lib", "/lib64", "/usr"].map(|path| (path.to_owned(), path));
    let program = (program.display().to_string(), "/program");
    let binds = shown.into_iter().chain([program]).map(|(from, to)| {
        format!("  - {{type: bind, source: \"{from}\", target: {to}, readonly: true}}\n")
    });
    let memory = ["/w", "/tmp"].map(|path| {
        format!("  - {{type: tmpfs, target: {path}, data: \"size=128m,nr_inodes=4k\"}}\n")
    });
    let mounts: String = binds.chain(memory).collect();
    format!(
        "mount:\n{mounts}proc: true\nworkDir: /w\nhostName: judge\ndomainName: judge\nuid: 1536\ngid: 1536\n"
    )
}

/// Where it is, once it is built.
fn build() -> Result<PathBuf, String> {
    let module = Path::new(MODULE);
    let read = |name| fs::read(module.join(name)).map_err(|e| format!("{MODULE}/{name}: {e}"));
    let pinned = [read("go.mod")?, read("go.sum")?].concat();
    let folder = cache().join("go").join(format!("rivals-{}", hash(&pinned)));
    let program = folder.join("go-judge");
    if program.exists() {
        return Ok(program);
    }
    let version = command("go").arg("version").output();
    version.map_err(|_| "go is not on PATH, which builds go-judge".to_owned())?;
    println!("building go-judge (once)");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    // Aside and renamed, so that it is whole or not there.
    let making = folder.join(format!("go-judge.{}", std::process::id()));
    let mut go = command("go");
    go.args(["build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o"]).arg(&making);
    go.arg(PACKAGE).current_dir(module).env("CGO_ENABLED", "0").env("GOWORK", "off");
    let output = go.output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        return Err(format!("go-judge is not built: {last}"));
    }
    fs::rename(&making, &program).map_err(|e| format!("{}: {e}", program.display()))?;
    Ok(program)
}

fn cache() -> PathBuf {
    let given = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || given("HOME").map(|home| home.join(".cache"));
    let cache = given("XDG_CACHE_HOME").or_else(home).unwrap_or_else(std::env::temp_dir);
    given("EVALX_CACHE").unwrap_or_else(|| cache.join("evalx"))
}

/// FNV-1a: a name for what is pinned; nothing rests on nobody finding another of that name.
fn hash(bytes: &[u8]) -> String {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

/// Removes the folders of that name below `folder`, with what is in them. Processes of a server that
/// has ended may take a moment.
fn remove_groups(folder: &Path, name: &str, depth: u32) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name() == name {
            let deadline = Instant::now() + Duration::from_secs(2);
            while !remove_group(&path) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(20));
            }
        } else if depth > 0 {
            remove_groups(&path, name, depth - 1);
        }
    }
}

fn remove_group(folder: &Path) -> bool {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&entry.path());
        }
    }
    fs::remove_dir(folder).is_ok()
}
