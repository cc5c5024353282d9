//! One control file, held open: values are read and written in place, without a path look-up.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, pread, pwrite};

use super::Error;

/// An open control file.
#[derive(Debug)]
pub(super) struct File {
    fd: OwnedFd,
    path: PathBuf,
}

impl File {
    pub(super) fn open(dir: &Path, name: &str, flags: OFlags) -> Result<Self, Error> {
        let path = dir.join(name);
        match open(&path, flags | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path }),
            Err(e) => Err(Error::Step { step: "open", path, source: e.into() }),
        }
    }

    /// The same, absent where the kernel does not have the file.
    pub(super) fn open_optional(
        dir: &Path,
        name: &str,
        flags: OFlags,
    ) -> Result<Option<Self>, Error> {
        match Self::open(dir, name, flags) {
            Err(Error::Step { source, .. }) if source.raw_os_error() == Some(libc::ENOENT) => {
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    pub(super) fn write(&self, value: &str) -> Result<(), Error> {
        self.try_write(value).map_err(|e| self.failed("write", e))
    }

    /// For callers to whom some errors are answers.
    pub(super) fn try_write(&self, value: &str) -> Result<(), Errno> {
        pwrite(&self.fd, value.as_bytes(), 0).map(|_| ())
    }

    /// The first number in the file.
    pub(super) fn number(&self) -> Result<u64, Error> {
        self.read(|text| text.split_whitespace().next().and_then(|n| n.parse().ok()))
    }

    /// The number behind `key` in a file of `key value` lines.
    pub(super) fn field(&self, key: &str) -> Result<u64, Error> {
        self.read(|text| {
            let mut lines = text.lines().filter_map(|l| l.split_once(' '));
            lines.find(|(k, _)| *k == key).and_then(|(_, v)| v.trim().parse().ok())
        })
    }

    /// The total of a line of a pressure file, in microseconds.
    pub(super) fn total(&self, line: &str) -> Result<u64, Error> {
        self.read(|text| crate::pressure::total(text, line))
    }

    fn read(&self, parse: impl Fn(&str) -> Option<u64>) -> Result<u64, Error> {
        let mut buffer = [0u8; 4096];
        let n = pread(&self.fd, &mut buffer, 0).map_err(|e| self.failed("read", e))?;
        let text = std::str::from_utf8(&buffer[..n]).unwrap_or_default();
        parse(text).ok_or_else(|| self.failed("make sense of", Errno::INVAL))
    }

    fn failed(&self, step: &'static str, e: Errno) -> Error {
        Error::Step { step, path: self.path.clone(), source: e.into() }
    }
}
