//! Reading files out of a work directory once its box is dead. Whoever lived there chose the names
//! and kinds of everything in it: no link is followed, nothing but regular files is read, and
//! every size has a cap.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    Dir, FileType, Mode, OFlags, ResolveFlags, SeekFrom, fchmod, fstat, ftruncate, mkdirat, openat,
    openat2, seek,
};
use rustix::io::Errno;

use crate::{Bytes, Collect, Collected, Refused};

/// An artefact cannot be copied out.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep {path:?} of the artefact")]
pub struct Error {
    /// Below the work directory, or the folder it goes to.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Folders in folders that an artefact may have; what lies deeper is left.
const DEPTH_MAX: usize = 32;

/// Files and folders that an artefact may have.
const ENTRIES_MAX: usize = 16_384;

/// Reads what was asked for of the folder `w` of `root`.
pub(crate) fn files(root: BorrowedFd<'_>, wanted: &[Collect]) -> Vec<Collected> {
    let read = |c: &Collect| Collected { path: c.path.clone(), contents: file(root, c) };
    wanted.iter().map(read).collect()
}

fn file(root: BorrowedFd<'_>, Collect { path, max }: &Collect) -> Result<Vec<u8>, Refused> {
    // NONBLOCK: opening a pipe must not wait for its writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = match openat2(root, Path::new("w").join(path), flags, Mode::empty(), beneath()) {
        Ok(fd) => fd,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG) => return Err(Refused::Missing),
        // ELOOP for a link, ENXIO for a socket, EXDEV for a way out.
        Err(_) => return Err(Refused::NotRegular),
    };
    let stat = fstat(&fd).map_err(|_| Refused::NotRegular)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Refused::NotRegular);
    }
    if stat.st_size.cast_unsigned() > max.0 {
        return Err(Refused::TooLarge { max: *max });
    }
    let mut bytes = Vec::new();
    let read = File::from(fd).take(max.0).read_to_end(&mut bytes);
    read.map(|_| bytes).map_err(|_| Refused::NotRegular)
}

fn beneath() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS
}

/// Copies the regular files and folders of the folder `w` of `root` into `into`, `budget` bytes at
/// most (to fit, a sparse file is as large as it says); returns the bytes copied. What is over a bound is
/// left. Whoever runs the artefact may enter its folders and read its files.
pub(crate) fn tree(root: BorrowedFd<'_>, into: &Path, budget: Bytes) -> Result<u64, Error> {
    let open_folder = || -> Result<(OwnedFd, OwnedFd), Errno> {
        let from = openat(root, "w", FOLDER, Mode::empty())?;
        let to = rustix::fs::open(into, FOLDER, Mode::empty())?;
        fchmod(&to, Mode::from(0o755))?;
        Ok((from, to))
    };
    let failed = |path: &Path, source| Error { path: path.to_owned(), source };
    let (from, to) = open_folder().map_err(|e| failed(into, e.into()))?;
    let mut copy = Copy { left: budget.0, entries: 0 };
    copy.folder(&from, &to, Path::new(""), 0).map_err(|(path, e)| failed(&path, e))?;
    Ok(budget.0 - copy.left)
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

struct Copy {
    left: u64,
    entries: usize,
}

/// Where our copy failed.
type At = (PathBuf, io::Error);

impl Copy {
    fn folder(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        path: &Path,
        depth: usize,
    ) -> Result<(), At> {
        let here = |e: Errno| (path.to_owned(), io::Error::from(e));
        for entry in Dir::read_from(from).map_err(here)? {
            let entry = entry.map_err(here)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Ok(());
            }
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            // A link or a socket does not open; it is left.
            if let Ok(fd) = openat(from, name, flags, Mode::empty()) {
                self.entry(fd, to, name, path, depth)?;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        fd: OwnedFd,
        to: &OwnedFd,
        name: &CStr,
        path: &Path,
        depth: usize,
    ) -> Result<(), At> {
        let path = path.join(String::from_utf8_lossy(name.to_bytes()).as_ref());
        let stat = fstat(&fd).map_err(|e| (path.clone(), e.into()))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if stat.st_size.cast_unsigned() <= self.left => {
                let mode = if stat.st_mode & 0o100 == 0 { 0o644 } else { 0o755 };
                self.left -= regular(fd, to, name, mode).map_err(|e| (path, e))?;
                Ok(())
            }
            FileType::Directory if depth < DEPTH_MAX => {
                let make = || {
                    mkdirat(to, name, Mode::from(0o755))?;
                    let below = openat(to, name, FOLDER, Mode::empty())?;
                    // mkdir honours the umask, chmod does not.
                    fchmod(&below, Mode::from(0o755))?;
                    Ok::<_, Errno>(below)
                };
                let below = make().map_err(|e| (path.clone(), e.into()))?;
                self.folder(&fd, &below, &path, depth + 1)
            }
            _ => Ok(()),
        }
    }
}

/// Copies what the file holds; holes stay holes, so that no more is written than the guest wrote.
fn regular(from: OwnedFd, to: &OwnedFd, name: &CStr, mode: u32) -> io::Result<u64> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let mut out = File::from(openat(to, name, flags, Mode::from(0o600))?);
    let mut from = File::from(from);
    let (mut at, mut copied) = (0, 0);
    loop {
        let data = match seek(&from, SeekFrom::Data(at)) {
            Ok(data) => data,
            // Nothing but a hole is left (lseek(2), SEEK_DATA).
            Err(Errno::NXIO) => break,
            Err(e) => return Err(e.into()),
        };
        let end = seek(&from, SeekFrom::Hole(data))?;
        seek(&from, SeekFrom::Start(data))?;
        seek(&out, SeekFrom::Start(data))?;
        copied += io::copy(&mut (&mut from).take(end - data), &mut out)?;
        at = end;
    }
    ftruncate(&out, fstat(&from)?.st_size.cast_unsigned())?;
    fchmod(&out, Mode::from(mode))?;
    Ok(copied)
}
