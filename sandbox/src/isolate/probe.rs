//! What the installed isolate can do, found by asking it. isolate has no machine-readable answer
//! for most of it: version 2.6 and the builds after it both say "2.6".

use std::fmt;
use std::path::{Path, PathBuf};

use super::argv::Command;
use super::command;
use super::verdict::Exit;
use crate::cgroup;

/// The installed isolate, for `evalx doctor` and for the command lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Features {
    /// The program.
    pub program: PathBuf,
    /// As it names itself.
    pub version: String,
    /// Whether `--syscalls` exists (builds after 2.6). Since 2.4 isolate restricts system calls as
    /// its configuration says (`syscall_flags`); before, not at all.
    pub syscalls_option: bool,
    /// Where it makes the folders of boxes.
    pub box_root: PathBuf,
    /// The user of box 0; box N runs as this plus N.
    pub first_uid: u32,
    /// The group of box 0.
    pub first_gid: u32,
    /// Box ids go from 0 to this, exclusive.
    pub boxes: u32,
    /// The most open files that a guest can be granted: the hard limit of this process.
    pub open_files: u32,
    /// Who holds the boxes to their limits.
    pub holding: Holding,
}

/// Who holds memory, processes and CPU time of a whole box to their limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holding {
    /// A control group of ours around isolate.
    Group {
        /// Of this generation.
        version: cgroup::Version,
    },
    /// isolate's own control groups (`--cg`; cgroup v2 only).
    Isolate {
        /// Below which folder.
        root: PathBuf,
    },
    /// Nobody. Address space and processes are limited one process at a time, memory of files and
    /// CPU time of processes that nobody waits for are not counted. Not fit for untrusted programs
    /// that start others.
    AddressSpace {
        /// Why there is nothing better.
        why: String,
    },
}

/// Why isolate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none.
    #[error("isolate is not installed: no such program in {path:?}")]
    NotInstalled {
        /// What was searched.
        path: PathBuf,
    },
    /// Mounts, control groups and box users are root's.
    #[error("the isolate engine needs root")]
    NotRoot,
    /// It does not run.
    #[error("cannot ask isolate for {what}")]
    Ask {
        /// Its `--version`, …
        what: &'static str,
        /// Why.
        #[source]
        source: command::Error,
    },
    /// It answers in a way we do not understand.
    #[error("isolate's answer to {what} makes no sense ({exit}): {said:?}")]
    Answer {
        /// Its `--version`, …
        what: &'static str,
        /// How it ended.
        exit: String,
        /// What it said.
        said: String,
    },
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "isolate {} held by ", self.version)?;
        match &self.holding {
            Holding::Group { version } => write!(f, "cgroup {version}"),
            Holding::Isolate { .. } => f.write_str("its own control groups"),
            Holding::AddressSpace { why } => {
                write!(f, "nothing but resource limits, unfit for untrusted programs ({why})")
            }
        }
    }
}

impl Features {
    /// Asks `program`. `group` is the generation of the control groups we can make, or why we can
    /// make none.
    pub(super) fn ask(
        program: PathBuf,
        group: Result<cgroup::Version, String>,
    ) -> Result<Self, Error> {
        let version = version(&say(&program, "--version", &["--version"])?)?;
        // Not an option of isolate: it answers with the list of those it has, and exit code 2.
        let help = say(&program, "--help", &["--help"])?;
        let config = config(&say(&program, "--check-config", &["--check-config", "-vv"])?)?;
        let holding = match group {
            Ok(version) => Holding::Group { version },
            Err(why) => {
                let root = say(&program, "--print-cg-root", &["--cg", "--print-cg-root"])?;
                isolate_groups(&root, why)
            }
        };
        let Config { box_root, first_uid, first_gid, boxes } = config;
        Ok(Self {
            program,
            version,
            syscalls_option: help.text.contains("--syscalls="),
            box_root,
            first_uid,
            first_gid,
            boxes,
            open_files: open_files(),
            holding,
        })
    }
}

/// The first `isolate` in the folders of `path`, as `PATH` has them.
pub(super) fn find(path: &Path) -> Result<PathBuf, Error> {
    std::env::split_paths(path)
        .map(|folder| folder.join("isolate"))
        .find(|program| program.is_file())
        .ok_or_else(|| Error::NotInstalled { path: path.to_owned() })
}

fn say(program: &Path, what: &'static str, args: &[&str]) -> Result<command::Said, Error> {
    let args = args.iter().map(Into::into).collect();
    command::run(program, &Command { args, env: Vec::new() })
        .map_err(|source| Error::Ask { what, source })
}

fn answer(what: &'static str, said: &command::Said) -> Error {
    Error::Answer { what, exit: said.exit.to_string(), said: said.text.clone() }
}

fn version(said: &command::Said) -> Result<String, Error> {
    let mut lines = said.text.lines().filter_map(|l| l.strip_prefix("The process isolator "));
    lines.next().map(str::to_owned).ok_or_else(|| answer("--version", said))
}

struct Config {
    box_root: PathBuf,
    first_uid: u32,
    first_gid: u32,
    boxes: u32,
}

/// Reads the lines of `Config: key=value key=value` that `--check-config -vv` prints.
fn config(said: &command::Said) -> Result<Config, Error> {
    let value = |keys: &[&str]| {
        let mut pairs = said
            .text
            .lines()
            .filter_map(|l| l.strip_prefix("Config: "))
            .flat_map(str::split_whitespace)
            .filter_map(|w| w.split_once('='));
        pairs.find(|(k, _)| keys.contains(k)).map(|(_, v)| v)
    };
    let number = |keys: &[&str]| value(keys).and_then(|v| v.parse().ok());
    let all = || {
        Some(Config {
            box_root: value(&["box_root"])?.into(),
            // Misspelt up to 2.6 at least.
            first_uid: number(&["first_uids", "first_uid"])?,
            first_gid: number(&["first_gid", "first_gids"])?,
            boxes: number(&["num_boxes"])?,
        })
    };
    match said.exit {
        Exit::Code(0) => all().ok_or_else(|| answer("--check-config", said)),
        _ => Err(answer("--check-config", said)),
    }
}

fn open_files() -> u32 {
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    hard.and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX)
}

/// Whether isolate's own groups work. They are cgroup v2 only since isolate 2.0, and need
/// `isolate-cg-keeper` to have made their root.
fn isolate_groups(said: &command::Said, ours: String) -> Holding {
    let root = PathBuf::from(said.text.lines().next_back().unwrap_or_default());
    let offers = std::fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    if said.exit == Exit::Code(0) && offers.split_whitespace().any(|c| c == "memory") {
        return Holding::Isolate { root };
    }
    Holding::AddressSpace { why: format!("{ours}; isolate --cg: {}", said.text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i32, text: &str) -> command::Said {
        command::Said { exit: Exit::Code(code), text: text.to_owned() }
    }

    #[test]
    fn the_version_is_what_isolate_calls_itself() {
        let text = "The process isolator 2.6\n(c) 2012--2026 Martin Mares and Bernard Blackham";
        assert_eq!(version(&said(0, text)).unwrap(), "2.6");
        assert!(matches!(version(&said(0, "isolate 9")), Err(Error::Answer { .. })));
    }

    #[test]
    fn the_configuration_is_read_with_its_misspelt_key() {
        let text = "Config: box_root=/var/local/lib/isolate lock_root=/run/isolate/locks \
                    cg_root=auto:/run/isolate/cgroup\n\
                    Config: first_uids=60000 first_gid=61000 num_boxes=1000\n\
                    Config: restricted_init=0 syscall_flags=65535";
        let config = config(&said(0, text)).unwrap();
        assert_eq!(config.box_root, Path::new("/var/local/lib/isolate"));
        assert_eq!((config.first_uid, config.first_gid, config.boxes), (60_000, 61_000, 1000));
    }

    #[test]
    fn a_configuration_that_isolate_refuses_is_reported_in_its_words() {
        let refused = config(&said(2, "User isolate not found in /etc/subuid")).err().unwrap();
        assert!(refused.to_string().contains("User isolate not found in /etc/subuid"));
    }

    #[test]
    fn without_any_control_group_the_reasons_are_kept() {
        let text = "Cannot open /run/isolate/cgroup: No such file or directory";
        let holding = isolate_groups(&said(2, text), "ours failed".to_owned());
        let Holding::AddressSpace { why } = holding else { panic!("{holding:?}") };
        assert!(why.contains("ours failed") && why.contains(text));
    }

    #[test]
    fn a_path_without_isolate_says_so() {
        let missing = find(Path::new("/nowhere:/nowhere/else")).unwrap_err();
        assert!(missing.to_string().starts_with("isolate is not installed"));
    }
}
