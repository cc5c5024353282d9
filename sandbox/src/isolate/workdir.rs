//! The work folder of a run: a tmpfs of its own with `w`, `tmp` and `shm`, limited in bytes and
//! inodes. It is a detached mount (`fsmount(2)`): only isolate's private mount namespace attaches
//! it, so it is gone with the run whatever ends us, and this process reaches it by descriptor.
//!
//! Everything here happens before the guest exists, so nothing changes under our feet.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, chmodat, chownat, mkdirat, openat, statat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

use crate::{Contents, InputFile, Limits};

/// The root and its three folders.
const OWN_INODES: u32 = 4;

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
