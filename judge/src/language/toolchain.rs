//! Where a language's programs are on this host, and which version they have.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use sandbox::{Bytes, Cancel, Job, Limits, Mount, Sandbox, Termination};
use sha2::{Digest, Sha256};

use super::Language;

/// Searched in every box, after the folders of the language.
const PATH: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// What every box sees of the host, beside the mounts of the engine (see [`Mount`]).
const BASE: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];

/// The machine on which toolchains are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// What `~` stands for in mounts of the table; without one such mounts are absent.
    pub home: Option<PathBuf>,
    /// Where the file system begins: `/`, or a folder that plays it in tests.
    pub root: PathBuf,
}

/// A language that was found on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// Folders its boxes need; the engine must have been made with them.
    pub mounts: Vec<Mount>,
    /// Changes when the programs change: where they are, their sizes and their dates.
    pub fingerprint: String,
    programs: BTreeMap<String, String>,
    /// The host's file of the program that tests are run by; none where that is in the artefact.
    pub(super) runs: Option<PathBuf>,
    path: String,
    probe: Vec<String>,
    language: String,
    proc: bool,
}

/// A language that cannot be used on this host, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// A program is nowhere.
    #[error("language {language} is unavailable: {program} is not in {searched}; install it")]
    Missing {
        /// Which language.
        language: String,
        /// The program.
        program: String,
        /// Where it was looked for.
        searched: String,
    },
    /// A program is there, but a link leads out of what boxes see.
    #[error(
        "language {language} is unavailable: {program} leads to {target:?}, which boxes do not \
         see; install it below /usr or add its folder to the mounts of the language"
    )]
    Outside {
        /// Which language.
        language: String,
        /// The program.
        program: String,
        /// Where the link leads.
        target: PathBuf,
    },
}

/// The version could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The sandbox failed: no fault of the language.
    #[error("the version of {language} could not be asked for")]
    Sandbox {
        /// Which language.
        language: String,
        /// Why.
        #[source]
        source: sandbox::Error,
    },
    /// The command failed or printed no version: the installation is broken.
    #[error("language {language} is unavailable: {command:?} {how}; mend its installation")]
    Broken {
        /// Which language.
        language: String,
        /// What was run.
        command: String,
        /// How it ended.
        how: String,
    },
    /// No way to wait for a slot: no fault of the language.
    #[error("the version of {language} could not be waited for")]
    Wait {
        /// Which language.
        language: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The caller withdrew it.
    #[error("asking for the version of {language} was withdrawn")]
    Cancelled {
        /// Which language.
        language: String,
    },
}

impl Host {
    /// This machine.
    #[must_use]
    pub fn new(home: Option<PathBuf>) -> Self {
        Self { home, root: PathBuf::from("/") }
    }

    pub(super) fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

impl Language {
    /// Looks for its programs, as a box will see them. Looks at files only, starts nothing.
    ///
    /// # Errors
    /// The program that is missing, and the cure.
    pub fn locate(&self, host: &Host) -> Result<Toolchain, Unavailable> {
        let mounts: Vec<Mount> = self
            .mounts
            .iter()
            .filter_map(|rule| {
                let from = rule.from.iter().find_map(|pattern| newest(host, pattern))?;
                Some(Mount { from, to: rule.to.clone() })
            })
            .collect();
        let path: Vec<&str> = self.path.iter().map(String::as_str).chain(PATH).collect();
        let mut toolchain = Toolchain {
            mounts,
            fingerprint: String::new(),
            programs: BTreeMap::new(),
            runs: None,
            path: path.join(":"),
            probe: self.version.clone(),
            language: self.id.clone(),
            proc: self.proc || self.compile.as_ref().is_some_and(|c| c.proc),
        };
        let mut hash = Sha256::new();
        let starters =
            [Some(&self.version), self.compile.as_ref().map(|c| &c.argv), Some(&self.run.argv)];
        let starters = starters.into_iter().flatten().filter_map(|argv| argv.first());
        for name in self.needs.iter().chain(starters) {
            // Absolute ones, and those in the artefact, are not looked for.
            if name.contains(['/', '{']) || toolchain.programs.contains_key(name) {
                continue;
            }
            let (inside, outside) = toolchain.find(host, &path, name)?;
            let found = fs::metadata(&outside).map(|m| (m.size(), m.mtime(), m.mtime_nsec()));
            hash.update(format!("{name}\0{inside}\0{}\0{found:?}\0", outside.display()));
            toolchain.programs.insert(name.clone(), inside);
            if self.run.argv.first() == Some(name) {
                toolchain.runs = Some(outside);
            }
        }
        hash.update(format!("{:?}\0{}", toolchain.mounts, self.version.join("\0")));
        toolchain.fingerprint = hex(&hash.finalize());
        Ok(toolchain)
    }
}

impl Toolchain {
    /// Id of its language.
    #[must_use]
    pub fn language(&self) -> &str {
        &self.language
    }

    /// Makes the program of a command absolute: looked up in the box's path, or in `/w`.
    #[must_use]
    pub fn resolve(&self, mut argv: Vec<String>) -> Vec<String> {
        if let Some(program) = argv.first_mut() {
            if let Some(found) = self.programs.get(program) {
                program.clone_from(found);
            } else if !program.starts_with('/') {
                *program = format!("/w/{program}");
            }
        }
        argv
    }

    /// The environment that every box of the language has: `PATH`, a `HOME` that is writable and
    /// never part of an artefact, and UTF-8.
    #[must_use]
    pub fn env(&self, more: &BTreeMap<String, String>) -> sandbox::Env {
        let usual = [("PATH", self.path.as_str()), ("HOME", "/tmp"), ("LANG", "C.UTF-8")];
        let mut env: BTreeMap<String, String> =
            usual.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        env.extend(more.iter().map(|(k, v)| (k.clone(), v.clone())));
        env.into_iter().collect()
    }

    /// Runs the version probe in a box.
    pub(crate) fn probe(
        &self,
        sandbox: &dyn Sandbox,
        cancel: &Cancel,
    ) -> Result<String, ProbeError> {
        let language = self.language.clone();
        let mut job = Job::new(self.resolve(self.probe.clone()));
        job.env = self.env(&BTreeMap::new());
        job.proc = self.proc;
        job.aside = true;
        job.limits = Limits {
            memory: Bytes::mib(1024),
            wall: Duration::from_secs(30),
            processes: 256,
            ..Limits::default()
        };
        let outcome = sandbox
            .run(job, cancel)
            .map_err(|source| ProbeError::Sandbox { language: language.clone(), source })?;
        let broken = |how: String| ProbeError::Broken {
            language: language.clone(),
            command: self.probe.join(" "),
            how,
        };
        match outcome.termination {
            Termination::Exited(0) => {}
            Termination::Cancelled => return Err(ProbeError::Cancelled { language }),
            other => return Err(broken(crate::status::words(other))),
        }
        let text = [outcome.stdout.bytes, outcome.stderr.bytes].concat();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().find(|l| l.bytes().any(|b| b.is_ascii_digit()));
        let Some(line) = line else {
            return Err(broken("printed no version".to_owned()));
        };
        Ok(line.trim().chars().filter(|c| !c.is_control()).take(200).collect())
    }

    /// Finds a program: its path in the box, and the file on the host.
    fn find(
        &self,
        host: &Host,
        path: &[&str],
        name: &str,
    ) -> Result<(String, PathBuf), Unavailable> {
        for dir in path {
            let inside = Path::new(dir).join(name);
            let Some(outside) = self.outside(host, &inside) else { continue };
            let Ok(target) = fs::canonicalize(&outside) else { continue };
            let runs = fs::metadata(&target)
                .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
            if !runs {
                continue;
            }
            if !self.visible(host, &target) {
                return Err(Unavailable::Outside {
                    language: self.language.clone(),
                    program: inside.display().to_string(),
                    target,
                });
            }
            return Ok((inside.display().to_string(), target));
        }
        Err(Unavailable::Missing {
            language: self.language.clone(),
            program: name.to_owned(),
            searched: self.path.clone(),
        })
    }

    /// The host's path of a path in the box.
    fn outside(&self, host: &Host, inside: &Path) -> Option<PathBuf> {
        let mounted = self.mounts.iter().find_map(|m| {
            let rest = inside.strip_prefix(&m.to).ok()?;
            Some(m.from.join(rest))
        });
        mounted.or_else(|| BASE.iter().any(|b| inside.starts_with(b)).then(|| host.at(inside)))
    }

    fn visible(&self, host: &Host, target: &Path) -> bool {
        let beneath = |dir: &Path| fs::canonicalize(dir).is_ok_and(|dir| target.starts_with(dir));
        BASE.iter().any(|b| beneath(&host.at(Path::new(b))))
            || self.mounts.iter().any(|m| beneath(&m.from))
    }
}

/// Versions found out before, on disk by fingerprint: a version costs the start of a program,
/// which for a virtual machine is longer than many a judged run.
#[derive(Debug)]
pub(crate) struct Versions(PathBuf);

impl Versions {
    /// Kept in `dir`, which is made when it is not there.
    pub(crate) fn at(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self(dir.to_owned()))
    }

    pub(crate) fn get(&self, fingerprint: &str) -> Option<String> {
        fs::read_to_string(self.0.join(fingerprint)).ok().filter(|v| !v.is_empty())
    }

    /// Written to `scratch` first, so that it is there whole or not at all. What cannot be
    /// remembered is asked for again.
    pub(crate) fn put(&self, fingerprint: &str, version: &str, scratch: &Path) {
        let written = fs::write(scratch, version)
            .and_then(|()| fs::rename(scratch, self.0.join(fingerprint)));
        if written.is_err() {
            let _gone = fs::remove_file(scratch);
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        write!(out, "{b:02x}").expect("a String takes everything");
        out
    })
}

/// The path that matches the pattern and comes last when digits are read as numbers.
fn newest(host: &Host, pattern: &str) -> Option<PathBuf> {
    let start = match pattern.strip_prefix('~') {
        Some(rest) => host.home.as_ref()?.join(rest.trim_start_matches('/')),
        None => host.at(Path::new(pattern)),
    };
    let mut found = vec![PathBuf::new()];
    for component in start.components() {
        let Component::Normal(name) = component else {
            found.iter_mut().for_each(|p| p.push(component));
            continue;
        };
        let name = name.to_string_lossy();
        if let Some((head, tail)) = name.split_once('*') {
            found = found.iter().flat_map(|dir| matches(dir, head, tail)).collect();
        } else {
            found.iter_mut().for_each(|p| p.push(name.as_ref()));
        }
    }
    found.retain(|p| p.exists());
    found.into_iter().max_by_key(|p| natural(&p.to_string_lossy()))
}

fn matches(dir: &Path, head: &str, tail: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let fits = |name: &OsString| {
        let name = name.to_string_lossy();
        name.strip_prefix(head).is_some_and(|rest| rest.ends_with(tail)) && !name.starts_with('.')
    };
    entries.flatten().filter(|e| fits(&e.file_name())).map(|e| e.path()).collect()
}

/// Orders 1.9 before 1.10.
fn natural(text: &str) -> Vec<(u64, String)> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number = rest[..digits].parse().unwrap_or(0);
        rest = &rest[digits..];
        let words = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        out.push((number, rest[..words].to_owned()));
        rest = &rest[words..];
    }
    out
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::language::Table;

    /// A host in a folder, with these executables.
    fn host(programs: &[&str]) -> (tempfile::TempDir, Host) {
        let dir = tempfile::tempdir().unwrap();
        for program in programs {
            let path = dir.path().join(program.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, *program).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let host = Host { home: Some(dir.path().join("home")), root: dir.path().to_owned() };
        (dir, host)
    }

    fn language(more: &str) -> Language {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "- {{id: toy, name: Toy, tier: full, extensions: [toy], source: a.toy, needs: [toyc], \
             version: [toyc, -v], compile: {{argv: [toyc, '{{files}}']}}, run: {{argv: ['{{box}}/a']}}{more}}}"
        );
        fs::write(dir.path().join("toy.yaml"), text).unwrap();
        Table::extended(dir.path()).unwrap().get("toy").unwrap().clone()
    }

    #[test]
    fn programs_are_found_in_the_order_of_the_path() {
        let (_dir, host) = host(&["/usr/bin/toyc", "/usr/local/bin/toyc"]);
        let toolchain = language("").locate(&host).unwrap();
        let argv = toolchain.resolve(vec!["toyc".into(), "-x".into()]);
        assert_eq!(argv, ["/usr/local/bin/toyc", "-x"]);
        assert_eq!(toolchain.resolve(vec!["./a".into()]), ["/w/./a"]);
        assert!(toolchain.env(&BTreeMap::new()).contains(&("HOME".into(), "/tmp".into())));
    }

    #[test]
    fn what_is_missing_is_named_with_where_it_was_looked_for() {
        let (dir, host) = host(&["/usr/bin/other"]);
        let err = language("").locate(&host).unwrap_err().to_string();
        assert_eq!(
            err,
            "language toy is unavailable: toyc is not in /usr/local/bin:/usr/bin:/bin; install it"
        );
        fs::write(dir.path().join("usr/bin/toyc"), "not executable").unwrap();
        assert!(language("").locate(&host).is_err());
    }

    #[test]
    fn a_mount_is_the_newest_that_matches_and_is_searched() {
        let (dir, host) = host(&["/home/.toy/1.9-x/bin/toyc", "/home/.toy/1.10-x/bin/toyc"]);
        let more =
            ", path: [/opt/toy/bin], mounts: [{from: ['/nowhere/*', '~/.toy/*-x'], to: /opt/toy}]";
        let toolchain = language(more).locate(&host).unwrap();
        let from = dir.path().join("home/.toy/1.10-x");
        assert_eq!(toolchain.mounts, [Mount { from, to: "/opt/toy".into() }]);
        assert_eq!(toolchain.resolve(vec!["toyc".into()]), ["/opt/toy/bin/toyc"]);
        let homeless = Host { home: None, ..host };
        assert!(matches!(language(more).locate(&homeless), Err(Unavailable::Missing { .. })));
    }

    #[test]
    fn a_link_out_of_the_box_is_no_program() {
        let (dir, host) = host(&["/srv/toyc", "/usr/lib/toy/toyc"]);
        let link = dir.path().join("usr/bin/toyc");
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(dir.path().join("srv/toyc"), &link).unwrap();
        assert!(matches!(language("").locate(&host), Err(Unavailable::Outside { .. })));
        fs::remove_file(&link).unwrap();
        symlink("../lib/toy/toyc", &link).unwrap();
        assert!(language("").locate(&host).is_ok());
    }

    #[test]
    fn the_fingerprint_follows_the_program() {
        let (dir, host) = host(&["/usr/bin/toyc"]);
        let before = language("").locate(&host).unwrap().fingerprint;
        assert_eq!(language("").locate(&host).unwrap().fingerprint, before);
        fs::write(dir.path().join("usr/bin/toyc"), "a newer one").unwrap();
        assert_ne!(language("").locate(&host).unwrap().fingerprint, before);
    }
}
