//! The work folder of a run: a tmpfs of its own with `w`, `tmp` and `shm`, limited in bytes and
//! inodes. It is a detached mount (`fsmount(2)`): only isolate's private mount namespace attaches
//! it, so it is gone with the run whatever ends us, and this process reaches it by descriptor.
//!
//! Everything here happens before the guest exists or after its last process is gone, so nothing
//! changes under our feet; names that the guest made are opened without following links.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, SeekFrom, Uid, chmodat, chownat,
    fstat, mkdirat, openat, openat2, seek, statat,
};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

use crate::{Collect, Collected, Contents, InputFile, Limits, Refused};

/// The root and its three folders.
const OWN_INODES: u32 = 4;

const BUFFER: usize = 64 << 10;

/// A step of ours failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {path:?}")]
pub struct Error {
    step: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Error {
    fn at<E: Into<io::Error>>(step: &'static str, path: &Path) -> impl Fn(E) -> Self {
        move |e| Self { step, path: path.to_owned(), source: e.into() }
    }
}

/// Who the guest is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The work folder of one run.
#[derive(Debug)]
pub(super) struct Work {
    root: OwnedFd,
    owner: Owner,
}

impl Work {
    /// Makes it, empty but for its folders.
    pub(super) fn make(limits: &Limits, owner: Owner) -> Result<Self, Error> {
        let inodes = limits.inodes.saturating_add(OWN_INODES);
        let root = tmpfs(limits.disk.0, inodes)
            .map_err(Error::at("make the tmpfs of", Path::new("/w")))?;
        let work = Self { root, owner };
        work.folder(Path::new("w"), 0o755)?;
        work.give(Path::new("w"))?;
        for shared in ["tmp", "shm"] {
            // The guest cannot change the folder itself.
            work.folder(Path::new(shared), 0o1777)?;
        }
        Ok(work)
    }

    /// The mount, to be attached.
    pub(super) fn mount(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Writes the files of a job below `/w`, owned by the guest.
    pub(super) fn put(&self, files: &[InputFile]) -> Result<(), Error> {
        for InputFile { path, contents, executable } in files {
            let inside = Path::new("w").join(path);
            for folder in path.ancestors().skip(1).collect::<Vec<_>>().iter().rev() {
                let folder = Path::new("w").join(folder);
                if statat(&self.root, &folder, AtFlags::SYMLINK_NOFOLLOW).is_err() {
                    self.folder(&folder, 0o755)?;
                    self.give(&folder)?;
                }
            }
            let mode = Mode::from_raw_mode(if *executable { 0o755 } else { 0o644 });
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let file = openat(&self.root, &inside, flags, mode)
                .map_err(Error::at("create the input file", path))?;
            copy(contents, fs::File::from(file))
                .map_err(Error::at("write the input file", path))?;
            self.give(&inside)?;
        }
        Ok(())
    }

    /// Reads what the job wants to see of `/w`.
    pub(super) fn collect(&self, wanted: &[Collect]) -> Result<Vec<Collected>, Error> {
        let one = |Collect { path, max }: &Collect| {
            let contents = match self.open(path) {
                Ok(file) if file.length > max.0 => Err(Refused::TooLarge { max: *max }),
                Ok(file) => {
                    let mut bytes = Vec::new();
                    file.file
                        .take(file.length)
                        .read_to_end(&mut bytes)
                        .map_err(Error::at("read the output file", path))?;
                    Ok(bytes)
                }
                Err(Unopened::Refused(refused)) => Err(refused),
                Err(Unopened::Failed(e)) => {
                    return Err(Error::at("open the output file", path)(e));
                }
            };
            Ok(Collected { path: path.clone(), contents })
        };
        wanted.iter().map(one).collect()
    }

    /// Copies the regular files and folders below `/w` into the folder `into` and says how many
    /// bytes they hold. Holes stay holes, so that no more is written than the tmpfs held.
    pub(super) fn copy_into(&self, into: &Path) -> Result<u64, Error> {
        let open_root = |at: BorrowedFd<'_>, path: &Path| {
            openat(at, path, FOLDER, Mode::empty()).map_err(Error::at("open the folder", path))
        };
        let mut from = open_root(self.root.as_fd(), Path::new("w"))?;
        let mut to = open_root(CWD, into)?;
        // One descriptor a side however deep the tree is: down by name, up by "..".
        let mut path = PathBuf::new();
        let mut levels = Vec::new();
        let mut bytes = 0;
        let mut below = copy_level(&from, &to, &path, &mut bytes)?;
        loop {
            let up = |fd: &OwnedFd| {
                openat(fd, "..", FOLDER, Mode::empty()).map_err(Error::at("leave", &path))
            };
            if let Some(name) = below.pop() {
                levels.push(below);
                path.push(&*name);
                let enter = |fd: &OwnedFd| {
                    openat(fd, &*name, FOLDER, Mode::empty()).map_err(Error::at("enter", &path))
                };
                (from, to) = (enter(&from)?, enter(&to)?);
                below = copy_level(&from, &to, &path, &mut bytes)?;
            } else if let Some(above) = levels.pop() {
                (from, to) = (up(&from)?, up(&to)?);
                path.pop();
                below = above;
            } else {
                return Ok(bytes);
            }
        }
    }

    fn folder(&self, path: &Path, mode: u32) -> Result<(), Error> {
        let mode = Mode::from_raw_mode(mode);
        mkdirat(&self.root, path, mode).map_err(Error::at("make the folder", path))?;
        // mkdir honours the umask, chmod does not.
        chmodat(&self.root, path, mode, AtFlags::empty())
            .map_err(Error::at("open up the folder", path))
    }

    fn give(&self, path: &Path) -> Result<(), Error> {
        let (uid, gid) = (Uid::from_raw(self.owner.uid), Gid::from_raw(self.owner.gid));
        chownat(&self.root, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(Error::at("give to the guest", path))
    }

    fn open(&self, path: &Path) -> Result<Opened, Unopened> {
        // Without O_NONBLOCK a named pipe would make us wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let fd = openat2(&self.root, Path::new("w").join(path), flags, Mode::empty(), beneath)
            .map_err(|e| match e {
                Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => {
                    Unopened::Refused(Refused::Missing)
                }
                // A link, a socket, a device that is not there.
                Errno::LOOP | Errno::NXIO | Errno::NODEV | Errno::XDEV | Errno::ACCESS => {
                    Unopened::Refused(Refused::NotRegular)
                }
                other => Unopened::Failed(other),
            })?;
        let stat = fstat(&fd).map_err(Unopened::Failed)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Unopened::Refused(Refused::NotRegular));
        }
        Ok(Opened { file: fd.into(), length: stat.st_size.unsigned_abs() })
    }
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

struct Opened {
    file: fs::File,
    length: u64,
}

enum Unopened {
    Refused(Refused),
    Failed(Errno),
}

/// Writes what a job hands in, to a file of ours.
pub(super) fn copy(contents: &Contents, mut to: fs::File) -> io::Result<()> {
    match contents {
        Contents::Memory(bytes) => io::Write::write_all(&mut to, bytes),
        Contents::File(from) => {
            fs::File::open(from).and_then(|mut from| io::copy(&mut from, &mut to)).map(|_bytes| ())
        }
    }
}

fn tmpfs(bytes: u64, inodes: u32) -> Result<OwnedFd, Errno> {
    let fs = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(fs.as_fd(), "source", "evalx")?;
    fsconfig_set_string(fs.as_fd(), "size", bytes.to_string())?;
    fsconfig_set_string(fs.as_fd(), "nr_inodes", inodes.to_string())?;
    fsconfig_set_string(fs.as_fd(), "mode", "0755")?;
    fsconfig_create(fs.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Copies the files of one folder, makes its folders, and names these.
fn copy_level(
    from: &OwnedFd,
    to: &OwnedFd,
    path: &Path,
    bytes: &mut u64,
) -> Result<Vec<Box<OsStr>>, Error> {
    let mut below = Vec::new();
    for entry in Dir::read_from(from).map_err(Error::at("list", path))? {
        let entry = entry.map_err(Error::at("list", path))?;
        let name: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let inside = path.join(name);
        let stat =
            statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(Error::at("look at", &inside))?;
        let executable = stat.st_mode & 0o111 != 0;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let mode = Mode::from_raw_mode(0o755);
                mkdirat(to, name, mode).map_err(Error::at("make the folder", &inside))?;
                below.push(name.into());
            }
            FileType::RegularFile => {
                let mode = Mode::from_raw_mode(if executable { 0o755 } else { 0o644 });
                *bytes +=
                    copy_file(from, to, name, mode).map_err(Error::at("copy the file", &inside))?;
            }
            // Links, pipes and sockets are no part of an artefact.
            _ => {}
        }
    }
    Ok(below)
}

fn copy_file(from: &OwnedFd, to: &OwnedFd, name: &OsStr, mode: Mode) -> io::Result<u64> {
    let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let write = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let from = openat(from, name, read, Mode::empty())?;
    let to = openat(to, name, write, mode)?;
    let length = fstat(&from)?.st_size.unsigned_abs();
    let (mut at, mut copied) = (0, 0);
    let mut buffer = vec![0; BUFFER];
    loop {
        let data = match seek(&from, SeekFrom::Data(at)) {
            Ok(data) => data,
            // Nothing but a hole is left (lseek(2), SEEK_DATA).
            Err(Errno::NXIO) => break,
            Err(e) => return Err(e.into()),
        };
        let end = seek(&from, SeekFrom::Hole(data))?;
        at = data;
        while at < end {
            let room = usize::try_from(end - at).unwrap_or(BUFFER).min(BUFFER);
            let n = rustix::io::pread(&from, &mut buffer[..room], at)?;
            if n == 0 {
                break;
            }
            let written = rustix::io::pwrite(&to, &buffer[..n], at)?;
            at += written as u64;
            copied += written as u64;
        }
        at = end;
    }
    rustix::fs::ftruncate(&to, length)?;
    Ok(copied)
}
