//! One run of the built binary in folders of its own, and what it left on the machine.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[allow(dead_code, reason = "not all targets need a server")]
pub(crate) mod up;

/// Folders for the input, the temporary files and the cache of one test, and its variables.
pub(crate) struct Scene {
    root: TempDir,
    variables: Vec<(String, String)>,
}

/// What evalx did.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Everything that is still there; empty when evalx cleaned up.
    pub(crate) left: Vec<String>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("evalx-scene-").tempdir().unwrap();
        for dir in ["in", "tmp", "cache"] {
            fs::create_dir(root.path().join(dir)).unwrap();
        }
        Self { root, variables: Vec::new() }
    }

    /// Writes a file below the working folder and gives its path relative to it.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        PathBuf::from(name)
    }

    /// One test that a program passes by printing `3`.
    pub(crate) fn tests(&self) {
        self.file("tests/1.in", "1 2\n");
        self.file("tests/1.ans", "3\n");
    }

    /// Sets a variable for what is started later.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// The working folder.
    pub(crate) fn dir(&self) -> PathBuf {
        self.root.path().join("in")
    }

    /// Runs evalx to its end.
    pub(crate) fn run(&self, args: &[impl AsRef<OsStr>]) -> Done {
        self.finish(self.start(args))
    }

    /// Starts evalx without input, its output captured.
    pub(crate) fn start(&self, args: &[impl AsRef<OsStr>]) -> Child {
        self.start_with(args, Stdio::null(), Stdio::piped())
    }

    /// Starts evalx in a process group of its own.
    #[expect(clippy::disallowed_methods, reason = "the binary under test is started here")]
    pub(crate) fn start_with(
        &self,
        args: &[impl AsRef<OsStr>],
        stdin: Stdio,
        stdout: Stdio,
    ) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evalx"));
        command.args(args).current_dir(self.dir()).env_clear().process_group(0);
        for name in ["PATH", "HOME"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("EVALX_CACHE_DIR", self.root.path().join("cache"))
            // Whoever runs the tests may have settings.
            .env("XDG_CONFIG_HOME", self.root.path().join("config"))
            .env("RUST_BACKTRACE", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Waits for evalx and looks for what it left behind.
    pub(crate) fn finish(&self, child: Child) -> Done {
        let pid = child.id();
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        // What is told to die has a moment for it.
        let deadline = Instant::now() + Duration::from_secs(1);
        let mut left = self.left(pid);
        while !left.is_empty() && Instant::now() < deadline {
            pause();
            left = self.left(pid);
        }
        Done { code: status.code(), stdout: text(stdout), stderr: text(stderr), left }
    }

    fn left(&self, pid: u32) -> Vec<String> {
        let mut left = groups(Path::new("/sys/fs/cgroup"), &format!("evalx-{pid}-"));
        left.extend(processes(pid));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let ours = self.root.path().to_str().unwrap();
        left.extend(mounts.lines().filter(|line| line.contains(ours)).map(str::to_owned));
        let tmp = fs::read_dir(self.root.path().join("tmp")).unwrap();
        left.extend(tmp.map(|entry| entry.unwrap().path().display().to_string()));
        left
    }
}

/// Control groups whose name starts with `prefix`.
fn groups(dir: &Path, prefix: &str) -> Vec<String> {
    // A group may go away while its parent is listed.
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut found = Vec::new();
    for path in
        entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path())
    {
        if path.file_name().unwrap().to_string_lossy().starts_with(prefix) {
            found.push(path.display().to_string());
        }
        found.extend(groups(&path, prefix));
    }
    found
}

/// Leaves the CPU to what is waited for.
pub(crate) fn pause() {
    // Nobody unparks this thread.
    thread::park_timeout(Duration::from_millis(2));
}

/// Processes whose parent, process group or session is `pid`; one that is dead and only not yet
/// reaped by init is none.
fn processes(pid: u32) -> Vec<String> {
    let ours =
        |stat: &&Stat| stat.state != "Z" && [stat.parent, stat.group, stat.session].contains(&pid);
    all().iter().filter(ours).map(|stat| format!("process {} {}", stat.pid, stat.name)).collect()
}

/// What the kernel says of a process (proc_pid_stat(5)).
pub(crate) struct Stat {
    pub(crate) pid: u32,
    pub(crate) name: String,
    state: String,
    pub(crate) parent: u32,
    group: u32,
    session: u32,
}

/// All processes of the machine.
pub(crate) fn all() -> Vec<Stat> {
    // A process may end while it is looked at.
    let text = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("stat")).ok();
    fs::read_dir("/proc").unwrap().flatten().filter_map(text).filter_map(|t| stat(&t)).collect()
}

fn stat(text: &str) -> Option<Stat> {
    let (pid, rest) = text.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let (state, rest) = rest.split_once(' ')?;
    let mut ids = rest.split(' ').map_while(|n| n.parse().ok());
    let (pid, name, state) = (pid.parse().ok()?, name.to_owned(), state.to_owned());
    Some(Stat { pid, name, state, parent: ids.next()?, group: ids.next()?, session: ids.next()? })
}
