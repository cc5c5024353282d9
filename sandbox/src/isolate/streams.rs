//! The standard streams of a run: what the guest finds open, and what we keep of its output.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, memfd_create, open};

use super::command::{self, null, pipe, step};
use super::workdir;
use crate::{Contents, Job, Stdin, Stdout};

/// A stream that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The contents of standard input cannot be copied.
    #[error("cannot copy standard input from {path:?}")]
    Input {
        /// The file, if it is one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A call on our own descriptors failed.
    #[error("cannot make the standard streams")]
    Make(#[source] command::Error),
}

impl Error {
    /// No descriptor to be had.
    pub(super) fn of(source: std::io::Error) -> Self {
        Self::Input { path: PathBuf::from("memory"), source }
    }
}

/// Where the guest reads from, for each attempt anew.
#[derive(Debug)]
enum Input {
    Null,
    /// A sealed copy.
    Copy(OwnedFd),
    /// The caller's, until the guest has it.
    Pipe(Option<OwnedFd>),
}

/// The standard streams of a job.
#[derive(Debug)]
pub(super) struct Streams {
    input: Input,
    /// The caller's, until the guest has it; nothing when output is captured.
    output: Option<Option<OwnedFd>>,
}

/// The streams of one attempt.
#[derive(Debug)]
pub(super) struct Opened {
    /// Input, output and errors, as the guest gets them.
    pub(super) guest: [OwnedFd; 3],
    /// The other end of output, when it is captured.
    pub(super) output: Option<OwnedFd>,
    /// The other end of errors.
    pub(super) errors: OwnedFd,
}

impl Streams {
    /// Takes the streams out of `job`, of which only a closed standard input stays.
    pub(super) fn of(job: &mut Job) -> Result<Self, Error> {
        let input = match std::mem::replace(&mut job.stdin, Stdin::Empty) {
            // Not the machine's `/dev/null`, which every run would have: its time stamps tell.
            Stdin::Empty => Input::Copy(sealed(&Contents::Memory(Arc::default()))?),
            Stdin::Closed => {
                job.stdin = Stdin::Closed;
                Input::Null
            }
            Stdin::Contents(contents) => Input::Copy(sealed(&contents)?),
            Stdin::Pipe(pipe) => Input::Pipe(Some(pipe)),
        };
        let output = match std::mem::replace(&mut job.stdout, Stdout::Capture) {
            Stdout::Capture => None,
            Stdout::Pipe(pipe) => Some(Some(pipe)),
        };
        Ok(Self { input, output })
    }

    /// Whether the streams cannot serve another attempt, because a guest has had the caller's.
    pub(super) fn spent(&self) -> bool {
        matches!(self.input, Input::Pipe(None)) || matches!(self.output, Some(None))
    }

    /// Opens the streams of an attempt. The guest's box user, `uid`, may open them again by name
    /// (`/dev/stdout`).
    pub(super) fn open(&mut self, uid: u32) -> Result<Opened, Error> {
        let input = match &mut self.input {
            Input::Null | Input::Pipe(None) => null().map_err(Error::Make)?,
            Input::Pipe(pipe @ Some(_)) => {
                pipe.take().map_or_else(|| null().map_err(Error::Make), Ok)?
            }
            Input::Copy(copy) => again(copy).map_err(Error::Make)?,
        };
        let (errors, guest_errors) = pipe().map_err(Error::Make)?;
        let (output, guest_output) = match &mut self.output {
            None => pipe().map(|(r, w)| (Some(r), w)).map_err(Error::Make)?,
            Some(theirs) => match theirs.take() {
                Some(theirs) => (None, theirs),
                None => (None, null().map_err(Error::Make)?),
            },
        };
        let owner = Some(rustix::fs::Uid::from_raw(uid));
        for stream in [&guest_errors, &guest_output] {
            rustix::fs::fchown(stream, owner, None)
                .map_err(step("give a pipe to the guest"))
                .map_err(Error::Make)?;
        }
        Ok(Opened { guest: [input, guest_output, guest_errors], output, errors })
    }
}

/// A private copy that nobody can change, not even who opens it again for writing.
fn sealed(contents: &Contents) -> Result<OwnedFd, Error> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let copy =
        memfd_create("stdin", flags).map_err(step("make a memory file")).map_err(Error::Make)?;
    let writable = copy.try_clone().map_err(Error::of)?;
    workdir::copy(contents, fs::File::from(writable)).map_err(|source| {
        let path = match contents {
            Contents::Memory(_) => Path::new("memory"),
            Contents::File(path) => path,
        };
        Error::Input { path: path.to_owned(), source }
    })?;
    let seals = SealFlags::SEAL | SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK;
    fcntl_add_seals(&copy, seals).map_err(step("seal standard input")).map_err(Error::Make)?;
    Ok(copy)
}

/// Another description of the same file: read-only, and at its beginning.
fn again(file: &OwnedFd) -> Result<OwnedFd, command::Error> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(step("open standard input"))
}
