//! The command lines of isolate: `--init`, `--run`, `--cleanup`; no I/O.
//!
//! Options as in isolate(1). isolate counts memory, files and stack in KiB, so these limits are
//! rounded up to the next KiB.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::probe::{Features, Holding};
use crate::{Bytes, Job, Stdin};

/// Where isolate finds the descriptor it writes its meta file to. It is the first one behind the
/// standard streams, and isolate closes what it inherits before the guest exists.
const META: &str = "/proc/self/fd/3";

/// What isolate's own clocks grant beyond ours. They are the second guard, for the case that this
/// process dies; ours are finer.
const SLACK: Duration = Duration::from_secs(1);

/// Closes standard input for a guest and becomes the guest. A shell that isolate starts without
/// `PWD` and its like exports its own, which are not in the guest's environment.
const CLOSE_STDIN: &str = "exec \"$0\" \"$@\" <&-";

/// A folder of this machine that the box sees (`--dir`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// Inside the box.
    inside: PathBuf,
    /// On this machine, or the name of a file system.
    outside: PathBuf,
    /// What isolate is to do beyond a read-only bind mount.
    access: Access,
}

/// How a box sees a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Read-only.
    Read,
    /// Read-only, if the folder exists at all.
    Maybe,
    /// Read-only, with devices that work.
    Devices,
    /// Writable.
    Write,
    /// A kernel file system mounted anew.
    FileSystem,
}

/// A path that isolate's options cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("isolate cannot be given the path {path:?}: it holds ':' or '='; move or rename it")]
pub struct Unspeakable {
    /// The path.
    pub path: PathBuf,
}

impl Rule {
    /// Shows `outside` at `inside`.
    pub(super) fn new(inside: &Path, outside: &Path, access: Access) -> Result<Self, Unspeakable> {
        for path in [inside, outside] {
            if path.as_os_str().as_encoded_bytes().iter().any(|b| matches!(b, b':' | b'=')) {
                return Err(Unspeakable { path: path.to_owned() });
            }
        }
        Ok(Self { inside: inside.to_owned(), outside: outside.to_owned(), access })
    }

    fn option(&self) -> OsString {
        let mut option = OsString::from("--dir=");
        option.push(&self.inside);
        option.push("=");
        option.push(&self.outside);
        option.push(match self.access {
            Access::Read => "",
            Access::Maybe => ":maybe",
            Access::Devices => ":dev",
            Access::Write => ":rw",
            Access::FileSystem => ":fs",
        });
        option
    }
}

/// A command line and the environment isolate itself is started with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// Without the program.
    pub(super) args: Vec<OsString>,
    /// Nearly always empty.
    pub(super) env: Vec<OsString>,
}

/// Makes a box (`--init`) or removes it (`--cleanup`).
pub(super) fn simple(features: &Features, id: u32, command: &str) -> Command {
    Command { args: start(features, id, command), env: Vec::new() }
}

/// Runs `job` in a box that sees the folders of `rules`, in their order.
pub(super) fn run(features: &Features, id: u32, job: &Job, rules: &[Rule]) -> Command {
    let limits = &job.limits;
    let mut args = start(features, id, "--silent");
    // Without the built-in rules: /dev with the machine's devices and an always mounted /proc.
    args.extend([format!("--meta={META}").into(), "--no-default-dirs".into()]);
    args.extend(rules.iter().map(Rule::option));
    args.push("--chdir=/w".into());
    args.extend(holding(features, job));
    args.extend([
        format!("--wall-time={}", seconds(limits.wall + SLACK)).into(),
        format!("--stack={}", kib(limits.stack.unwrap_or(limits.memory))).into(),
        format!("--fsize={}", kib(limits.file_size)).into(),
        format!("--open-files={}", limits.open_files.min(features.open_files)).into(),
        "--core=0".into(),
    ]);
    if features.syscalls_option {
        // Every restriction isolate knows, whatever its configuration says.
        args.push("--syscalls=65535".into());
    }
    let mut env = Vec::new();
    // isolate sets this variable by itself; an empty value removes it.
    args.push("--env=LIBC_FATAL_STDERR_=".into());
    for (name, value) in &job.env {
        if value.is_empty() {
            // `--env=NAME=` would remove it, so it is inherited. Only empty values go this way:
            // isolate runs as root and must not meet a full LD_PRELOAD.
            args.push(format!("--env={name}").into());
            env.push(format!("{name}=").into());
        } else {
            args.push(format!("--env={name}={value}").into());
        }
    }
    args.extend(["--run".into(), "--".into()]);
    if matches!(job.stdin, Stdin::Closed) {
        args.extend(["/bin/sh".into(), "-c".into(), without_stdin(job).into()]);
    }
    args.extend(job.argv.iter().map(OsString::from));
    Command { args, env }
}

/// The options that hold CPU, memory and processes, by who keeps the account.
fn holding(features: &Features, job: &Job) -> Vec<OsString> {
    let limits = &job.limits;
    let cpu = |granted| OsString::from(format!("--time={}", seconds(granted)));
    match &features.holding {
        // RLIMIT_NPROC counts a uid's processes on the whole node, so that another pod's can fail
        // an execve here; the group counts the box alone.
        Holding::Group { .. } => vec![cpu(limits.cpu + SLACK), "--processes".into()],
        Holding::Isolate { .. } => vec![
            cpu(limits.cpu),
            format!("--processes={}", limits.processes).into(),
            format!("--cg-mem={}", kib(limits.memory)).into(),
        ],
        Holding::AddressSpace { .. } => vec![
            cpu(limits.cpu),
            format!("--processes={}", limits.processes).into(),
            format!("--mem={}", kib(limits.memory)).into(),
        ],
    }
}

/// isolate cannot start a program without standard input: the next file it opened would take
/// descriptor 0. A shell in the box closes it.
fn without_stdin(job: &Job) -> String {
    let theirs = |name: &&&str| !job.env.iter().any(|(n, _)| n == **name);
    let own: Vec<_> = ["PWD", "OLDPWD", "SHLVL", "_"].iter().filter(theirs).copied().collect();
    match own.is_empty() {
        true => CLOSE_STDIN.to_owned(),
        false => format!("unset {}; {CLOSE_STDIN}", own.join(" ")),
    }
}

fn start(features: &Features, id: u32, command: &str) -> Vec<OsString> {
    let mut args = vec![format!("--box-id={id}").into()];
    if matches!(features.holding, Holding::Isolate { .. }) {
        args.push("--cg".into());
    }
    args.push(command.into());
    args
}

fn kib(size: Bytes) -> u64 {
    size.0.div_ceil(1024)
}

/// isolate counts milliseconds.
fn seconds(time: Duration) -> String {
    let millis = time.as_micros().div_ceil(1000);
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, cgroup};

    fn features(holding: Holding, syscalls_option: bool) -> Features {
        Features {
            program: "/usr/local/bin/isolate".into(),
            version: "2.6".to_owned(),
            syscalls_option,
            box_root: "/var/local/lib/isolate".into(),
            first_uid: 60_000,
            first_gid: 60_000,
            boxes: 1000,
            open_files: 20_000,
            holding,
        }
    }

    fn group() -> Holding {
        Holding::Group { version: cgroup::Version::V1 }
    }

    fn job(argv: &[&str]) -> Job {
        Job::new(argv.iter().map(|a| (*a).to_owned()).collect())
    }

    fn words(command: &Command) -> Vec<&str> {
        command.args.iter().map(|a| a.to_str().unwrap()).collect()
    }

    #[test]
    fn init_and_cleanup_name_the_box() {
        let features = features(group(), true);
        assert_eq!(words(&simple(&features, 7, "--init")), ["--box-id=7", "--init"]);
        assert_eq!(words(&simple(&features, 7, "--cleanup")), ["--box-id=7", "--cleanup"]);
    }

    #[test]
    fn a_run_in_a_group_of_ours() {
        let rules = [
            Rule::new(Path::new("/usr"), Path::new("/usr"), Access::Read).unwrap(),
            Rule::new(Path::new("/w"), Path::new("/run/x/w"), Access::Write).unwrap(),
        ];
        let mut job = job(&["/box/main", "a b", "--run"]);
        job.env = vec![("LANG".into(), "C.UTF-8".into()), ("EMPTY".into(), String::new())];
        let command = run(&features(group(), true), 12, &job, &rules);
        assert_eq!(
            words(&command),
            [
                "--box-id=12",
                "--silent",
                "--meta=/proc/self/fd/3",
                "--no-default-dirs",
                "--dir=/usr=/usr",
                "--dir=/w=/run/x/w:rw",
                "--chdir=/w",
                "--time=11.000",
                "--processes",
                "--wall-time=21.000",
                "--stack=262144",
                "--fsize=65536",
                "--open-files=256",
                "--core=0",
                "--syscalls=65535",
                "--env=LIBC_FATAL_STDERR_=",
                "--env=LANG=C.UTF-8",
                "--env=EMPTY",
                "--run",
                "--",
                "/box/main",
                "a b",
                "--run",
            ]
        );
        assert_eq!(command.env, ["EMPTY="]);
    }

    #[test]
    fn a_run_in_the_group_of_isolate() {
        let mut job = job(&["/bin/true"]);
        job.limits = Limits {
            cpu: Duration::from_micros(1_234_500),
            memory: Bytes(1_000_000),
            processes: 5,
            ..Limits::default()
        };
        let features = features(Holding::Isolate { root: "/sys/fs/cgroup/x".into() }, false);
        let command = run(&features, 0, &job, &[]);
        let words = words(&command);
        assert_eq!(words[..3], ["--box-id=0", "--cg", "--silent"]);
        for option in ["--time=1.235", "--processes=5", "--cg-mem=977", "--stack=977"] {
            assert!(words.contains(&option), "{option} in {words:?}");
        }
        assert!(!words.iter().any(|w| w.starts_with("--syscalls")));
    }

    #[test]
    fn a_run_that_only_resource_limits_hold() {
        let why = "no control groups".to_owned();
        let command =
            run(&features(Holding::AddressSpace { why }, true), 0, &job(&["/bin/true"]), &[]);
        for option in ["--time=10.000", "--processes=64", "--mem=262144"] {
            assert!(words(&command).contains(&option), "{option}");
        }
    }

    #[test]
    fn nobody_gets_more_open_files_than_this_process_may_grant() {
        let mut job = job(&["/bin/true"]);
        job.limits.open_files = 65_536;
        let command = run(&features(group(), true), 0, &job, &[]);
        assert!(words(&command).contains(&"--open-files=20000"));
    }

    #[test]
    fn closed_standard_input_takes_a_shell_in_the_box() {
        let mut job = job(&["/box/main", "x"]);
        job.stdin = Stdin::Closed;
        job.env = vec![("PWD".into(), "/w".into())];
        let command = run(&features(group(), true), 0, &job, &[]);
        let words = words(&command);
        assert_eq!(
            words[words.len() - 5..],
            ["/bin/sh", "-c", "unset OLDPWD SHLVL _; exec \"$0\" \"$@\" <&-", "/box/main", "x"]
        );
    }

    #[test]
    fn a_path_that_would_be_taken_for_options_is_refused() {
        for bad in ["/a:rw", "/a=b"] {
            assert!(Rule::new(Path::new("/x"), Path::new(bad), Access::Read).is_err(), "{bad}");
        }
    }
}
