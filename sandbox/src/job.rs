//! What to run: command, files, streams and limits of one run.

use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Artefact, Bytes, Limits};

/// Arguments and environment together, at most.
const STRINGS_MAX: usize = 4096;

/// Bytes of arguments and environment together, at most.
const COMMAND_MAX: usize = 96 << 10;

/// The environment of the guest. Nothing is inherited from this process.
pub type Env = Vec<(String, String)>;

/// One run. Paths inside the box: `/box` holds the artefact, read-only; `/w` is the work
/// directory, writable, empty but for `files`, and the current directory of the guest; `/tmp` and
/// `/dev/shm` are writable and empty. The three writable ones share one tmpfs, limited by
/// `limits.disk` and `limits.inodes`. There is no network.
#[derive(Debug)]
pub struct Job {
    /// Program and arguments; the program is an absolute path inside the box.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Env,
    /// What the run may use.
    pub limits: Limits,
    /// Standard input.
    pub stdin: Stdin,
    /// Standard output.
    pub stdout: Stdout,
    /// What is mounted read-only at `/box`.
    pub artefact: Option<Arc<Artefact>>,
    /// Files written below `/w` before the run.
    pub files: Vec<InputFile>,
    /// Files read from below `/w` after the run.
    pub collect: Vec<Collect>,
    /// Whether `/proc` is there (the guest's own processes only). Virtual machines need it.
    pub proc: bool,
    /// Whether its addresses are the same in every run: layout moves times by some per cent. It
    /// takes a guard from whoever runs a program on input of strangers, so it is for programs that
    /// are strangers themselves. The isolate engine leaves addresses as the machine has them.
    pub fixed_addresses: bool,
    /// Whether its time decides nothing, as that of a compiler or checker: where an engine is pinned
    /// it runs on CPUs that no slot owns, if there are any.
    pub aside: bool,
}

impl Job {
    /// A run of `argv` with default limits, no input, and output captured.
    #[must_use]
    pub fn new(argv: Vec<String>) -> Self {
        Self {
            argv,
            env: Vec::new(),
            limits: Limits::default(),
            stdin: Stdin::Empty,
            stdout: Stdout::Capture,
            artefact: None,
            files: Vec::new(),
            collect: Vec::new(),
            proc: false,
            fixed_addresses: false,
            aside: false,
        }
    }

    /// Checks what no engine could run: an empty or relative program, NULs, paths that leave
    /// `/w`, limits out of bounds. Engines call it first.
    ///
    /// # Errors
    /// The field at fault and what is wrong with it.
    pub fn check(&self) -> Result<(), JobError> {
        match self.argv.first() {
            None => return Err(JobError::NoProgram),
            Some(program) if !program.starts_with('/') => {
                return Err(JobError::RelativeProgram { program: program.clone() });
            }
            Some(_) => {}
        }
        let strings = self.argv.len() + self.env.len();
        let bytes: usize = self.argv.iter().map(String::len).sum::<usize>()
            + self.env.iter().map(|(name, value)| name.len() + value.len() + 1).sum::<usize>()
            + strings;
        if strings > STRINGS_MAX || bytes > COMMAND_MAX {
            return Err(JobError::TooLong { strings, bytes });
        }
        if let Some(arg) = self.argv.iter().find(|a| a.contains('\0')) {
            return Err(JobError::Nul { field: "argv", value: arg.clone() });
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(JobError::Nul { field: "env", value: format!("{name}={value}") });
            }
        }
        for path in self.files.iter().map(|f| &f.path).chain(self.collect.iter().map(|c| &c.path)) {
            beneath(path)?;
        }
        Ok(self.limits.check()?)
    }
}

/// Accepts relative paths made of plain names only, so that no engine has to resolve one.
fn beneath(path: &Path) -> Result<(), JobError> {
    let plain = path.components().all(|c| matches!(c, Component::Normal(_)));
    let nul = path.as_os_str().as_encoded_bytes().contains(&0);
    if plain && !nul && !path.as_os_str().is_empty() {
        return Ok(());
    }
    Err(JobError::Path { path: path.to_owned() })
}

/// A job that no engine could run: the caller's mistake.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// `argv` is empty.
    #[error("argv is empty; it needs the program to run")]
    NoProgram,
    /// The program is not an absolute path.
    #[error("program {program:?} is not an absolute path inside the box")]
    RelativeProgram {
        /// What was given.
        program: String,
    },
    /// More than fits one message to a slot.
    #[error(
        "argv and env hold {strings} strings of {bytes} bytes; at most {STRINGS_MAX} of {COMMAND_MAX} \
         bytes in all can be passed"
    )]
    TooLong {
        /// How many strings.
        strings: usize,
        /// Their bytes, with what separates them.
        bytes: usize,
    },
    /// A NUL byte, or an environment name with `=`.
    #[error("{field} has an entry that cannot be passed to a program: {value:?}")]
    Nul {
        /// `argv` or `env`.
        field: &'static str,
        /// The entry.
        value: String,
    },
    /// A file name that is absolute, empty or leaves the work directory.
    #[error("file name {path:?} is not a plain relative path")]
    Path {
        /// The name.
        path: PathBuf,
    },
    /// A limit out of bounds.
    #[error(transparent)]
    Limit(#[from] crate::LimitError),
}

/// A file to be written below `/w` before the run, owned by the guest.
#[derive(Debug, Clone)]
pub struct InputFile {
    /// Relative to `/w`; folders are made as needed.
    pub path: PathBuf,
    /// What it holds.
    pub contents: Contents,
    /// Whether it may be executed.
    pub executable: bool,
}

/// Bytes at hand, or a file of this machine that is copied.
#[derive(Debug, Clone)]
pub enum Contents {
    /// In memory.
    Memory(Arc<[u8]>),
    /// On disk; read when the job starts.
    File(PathBuf),
}

/// A file to be read from below `/w` once the run is over and every process is gone. Only regular
/// files are read, no link is followed.
#[derive(Debug, Clone)]
pub struct Collect {
    /// Relative to `/w`.
    pub path: PathBuf,
    /// The most that is read; a larger file is refused.
    pub max: Bytes,
}

/// A folder or file of this machine that every box of an engine sees read-only, beside the base
/// system (`/usr`, `/bin`, `/lib*`, parts of `/etc`). Given when an engine is made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mount {
    /// On this machine.
    pub from: PathBuf,
    /// Inside the box, absolute.
    pub to: PathBuf,
}

/// Where standard input comes from.
#[derive(Debug)]
pub enum Stdin {
    /// End of file at once.
    Empty,
    /// The descriptor is not open at all.
    Closed,
    /// A private read-only copy, seekable, as if redirected from a file.
    Contents(Contents),
    /// The read end of a pipe, handed to the guest.
    Pipe(OwnedFd),
}

/// Where standard output goes.
#[derive(Debug)]
pub enum Stdout {
    /// Captured up to `limits.output`.
    Capture,
    /// The write end of a pipe, handed to the guest; nothing is captured or counted.
    Pipe(OwnedFd),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(argv: &[&str]) -> Job {
        Job::new(argv.iter().map(|s| (*s).to_owned()).collect())
    }

    #[test]
    fn a_plain_job_passes() {
        assert!(job(&["/bin/true"]).check().is_ok());
    }

    #[test]
    fn what_no_engine_could_run_is_refused() {
        assert!(matches!(job(&[]).check(), Err(JobError::NoProgram)));
        assert!(matches!(job(&["true"]).check(), Err(JobError::RelativeProgram { .. })));
        assert!(matches!(job(&["/bin/a", "b\0"]).check(), Err(JobError::Nul { .. })));
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "a\0"] {
            let mut job = job(&["/bin/true"]);
            job.collect.push(Collect { path: bad.into(), max: Bytes(1) });
            assert!(matches!(job.check(), Err(JobError::Path { .. })), "{bad:?}");
        }
    }

    proptest::proptest! {
        /// Whoever passes names a place below the folder and nothing else; whoever does not is told so
        /// on one line.
        #[test]
        fn a_path_that_passes_stays_below_its_folder(
            path in "(/|\\.|\\.\\.|a|\\x00|\n|\x1b|é|//){0,6}",
            argument in "(a|\\x00|\n|=){0,3}",
        ) {
            let mut job = job(&["/bin/true", &argument]);
            job.collect.push(Collect { path: path.clone().into(), max: Bytes(1) });
            job.env.push((argument.clone(), String::new()));
            match job.check() {
                Ok(()) => {
                    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
                    proptest::prop_assert!(!path.starts_with('/') && !parts.is_empty());
                    proptest::prop_assert!(!parts.contains(&"..") && !path.contains('\0'));
                }
                Err(error) => {
                    let said = error.to_string();
                    proptest::prop_assert!(!said.contains(char::is_control), "{said:?}");
                }
            }
        }
    }
}
