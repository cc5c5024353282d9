//! An entry of a table of languages, as a worker reads it (`judge::language`). It is written twice:
//! the operator links nothing that runs programs. A test holds both together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "of some fields only the type is looked at")]
pub(super) struct Entry {
    pub(super) id: String,
    name: String,
    tier: Tier,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    #[serde(default)]
    extensions: Vec<String>,
    source: String,
    #[serde(default)]
    path: Vec<String>,
    #[serde(default)]
    pub(super) mounts: Vec<Mount>,
    needs: Vec<String>,
    version: Vec<String>,
    #[serde(default)]
    compile: Option<Compile>,
    run: Run,
    #[serde(default)]
    limits: Factors,
    #[serde(default)]
    proc: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tier {
    Core,
    Full,
}

/// A folder of the host.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mount {
    pub(super) from: Vec<String>,
    pub(super) to: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "of some fields only the type is looked at")]
struct Compile {
    argv: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    proc: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    cpu_ms: Option<u64>,
    wall_ms: Option<u64>,
    memory_bytes: Option<u64>,
    processes: Option<u32>,
    stack_bytes: Option<u64>,
    file_size_bytes: Option<u64>,
    output_bytes: Option<u64>,
    open_files: Option<u32>,
    inodes: Option<u32>,
    disk_bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "of some fields only the type is looked at")]
struct Run {
    argv: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    out_of_memory: Option<OutOfMemory>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutOfMemory {
    #[serde(default)]
    exit_code: Option<i32>,
    #[serde(default)]
    signal: Option<i32>,
    #[serde(default)]
    stderr: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Factors {
    cpu_factor: f64,
    cpu_extra_ms: u64,
    memory_extra_bytes: u64,
    processes: u32,
}

impl Default for Factors {
    fn default() -> Self {
        Self { cpu_factor: 1.0, cpu_extra_ms: 0, memory_extra_bytes: 0, processes: 1 }
    }
}

/// A field that breaks a rule, and how.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::validate) struct Fault {
    pub(in crate::validate) field: &'static str,
    pub(in crate::validate) problem: String,
}

/// Stand for a list, so they must be an element of their own.
const LISTS: [&str; 3] = ["files", "options", "args"];
const WORDS: [&str; 4] = ["entry", "stem", "memory_mib", "box"];

impl Entry {
    /// The rules beyond the types.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let fault = |field, problem: String| Err(Fault { field, problem });
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-._".contains(c);
        if self.id.is_empty() || !self.id.chars().all(plain) {
            return fault("id", "may hold a-z, 0-9 and + - . _ only".to_owned());
        }
        let extension = Path::new(&self.source).extension().and_then(|e| e.to_str());
        let owned = extension.is_some_and(|e| self.extensions.iter().any(|own| own == e));
        if !owned || self.source.contains('/') {
            let problem = format!("must be a file name with one of {:?}", self.extensions);
            return fault("source", problem);
        }
        if self.needs.is_empty() {
            return fault("needs", "must name at least the compiler or interpreter".to_owned());
        }
        if let Some(dir) = self.path.iter().find(|dir| !dir.starts_with('/')) {
            return fault("path", format!("has {dir:?}, which is not absolute"));
        }
        if let Some(mount) = self.mounts.iter().find(|m| !m.to.is_absolute() || m.from.is_empty()) {
            return fault("mounts", format!("has {:?}: needs from, and an absolute to", mount.to));
        }
        if self.run.out_of_memory.as_ref().is_some_and(OutOfMemory::is_blank) {
            let problem = "needs an exit_code other than 0, a signal, or a text on stderr";
            return fault("run.out_of_memory", problem.to_owned());
        }
        let commands = [
            ("version", Some(&self.version)),
            ("compile.argv", self.compile.as_ref().map(|compile| &compile.argv)),
            ("run.argv", Some(&self.run.argv)),
        ];
        for (field, argv) in commands {
            if let Some(problem) = argv.and_then(|argv| wrong(argv)) {
                return fault(field, problem);
            }
        }
        if !(0.1..=100.0).contains(&self.limits.cpu_factor) {
            return fault("limits.cpu_factor", "must be between 0.1 and 100".to_owned());
        }
        Ok(())
    }

    /// Whether it wants another folder than this one at the same place: all boxes have the same.
    pub(super) fn clashes(&self, other: &Self) -> Option<&Path> {
        let clash = |mine: &&Mount| {
            other.mounts.iter().any(|theirs| mine.to == theirs.to && mine.from != theirs.from)
        };
        self.mounts.iter().find(clash).map(|mount| &*mount.to)
    }
}

impl OutOfMemory {
    fn is_blank(&self) -> bool {
        let Self { exit_code, signal, stderr } = self;
        let says = stderr.as_ref().is_some_and(|text| !text.is_empty());
        (exit_code.is_none() && signal.is_none() && !says) || *exit_code == Some(0)
    }
}

/// What is wrong with a command.
fn wrong(argv: &[String]) -> Option<String> {
    if argv.first().is_none_or(String::is_empty) {
        return Some("is empty; it needs the program to run".to_owned());
    }
    for element in argv {
        for name in placeholders(element).filter(|name| !WORDS.contains(name)) {
            if !LISTS.contains(&name) {
                let known: Vec<_> = LISTS.iter().chain(&WORDS).collect();
                return Some(format!("has an unknown placeholder {{{name}}}; there are {known:?}"));
            }
            if element.len() != name.len() + 2 {
                return Some(format!(
                    "has {{{name}}} inside {element:?}; it must be an element of its own"
                ));
            }
        }
        if element.contains('\0') {
            return Some("has a NUL".to_owned());
        }
    }
    None
}

/// What stands in braces and is a word; other braces are text.
fn placeholders(element: &str) -> impl Iterator<Item = &str> {
    let word =
        |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let names = element.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    names.map(|(name, _)| name).filter(word)
}
