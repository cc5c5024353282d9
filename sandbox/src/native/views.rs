//! Views of folders of this machine, each with inodes of its own. Locks and watches (flock(2), fcntl(2),
//! inotify(7)) belong to an inode, and take no right to write: two boxes that saw the same one could
//! tell each other whatever they liked, or hold a lock that a process of the machine waits for.
//!
//! A view is a read-only overlay of the folder and an empty one: overlayfs takes two at least where
//! nothing can be written (Documentation/filesystems/overlayfs.rst, "Multiple lower layers"). The
//! contents, and what of them is in memory, are shared as before.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_string,
    fsmount, fsopen, open_tree,
};

use super::agent::BASE;
use super::error::{StepError, step};
use crate::{Artefact, Mount, sys};

/// Why boxes do not see the machine's folders by overlays of their own. They still run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Whoever may not mount cannot find out.
    #[error("needs root")]
    NotRoot,
    /// The folder that each overlay lies on.
    #[error("cannot make the empty folder {path:?}")]
    Make {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is somebody else's by now.
    #[error("the folder {path:?} is to be empty, and is not")]
    Filled {
        /// Where.
        path: PathBuf,
    },
    /// What is mounted where is not to be known.
    #[error("cannot read the table of mounts")]
    Points(#[source] io::Error),
    /// An overlay does not show what is mounted below.
    #[error("{point:?} is mounted below {path:?}, and an overlay would not show it")]
    Below {
        /// The folder.
        path: PathBuf,
        /// The mount.
        point: PathBuf,
    },
    /// The kernel has none, or not of this folder's file system.
    #[error("no overlay of {path:?} is possible")]
    Overlay {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Looks whether each box has inodes of its own for the base system's and these folders. Needs root.
///
/// # Errors
/// Why not, for the first of them.
pub fn check(run_dir: &Path, mounts: &[Mount]) -> Result<(), Error> {
    let empty = empty_folder(run_dir)?;
    if !rustix::process::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    let shown = BASE.iter().map(Path::new).chain(mounts.iter().map(|mount| mount.from.as_path()));
    let points = mount_points().map_err(Error::Points)?;
    for path in shown.filter(|path| path.is_dir() && !path.is_symlink()) {
        if let Some(point) = points.iter().find(|p| *p != path && p.starts_with(path)) {
            return Err(Error::Below { path: path.to_owned(), point: point.clone() });
        }
        overlay(path, &empty)
            .map_err(|e| Error::Overlay { path: path.to_owned(), source: e.into() })?;
    }
    Ok(())
}

/// proc_pid_mountinfo(5): the mount point is field 5, with its blanks as `\040`, which no path of ours
/// has.
pub(super) fn mount_points() -> io::Result<Vec<PathBuf>> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(table.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from).collect())
}

fn empty_folder(run_dir: &Path) -> Result<PathBuf, Error> {
    let path = run_dir.join("empty");
    let entries = fs::create_dir_all(&path).and_then(|()| fs::read_dir(&path));
    match entries.map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(path),
        Ok(false) => Err(Error::Filled { path }),
        Err(source) => Err(Error::Make { path, source }),
    }
}

/// How this machine can show a folder to boxes.
#[derive(Debug)]
pub(super) struct Views {
    /// Absent where there are no overlays: what is shown is the folder itself.
    empty: Option<PathBuf>,
}

impl Views {
    /// Finds out whether there can be overlays; `run_dir` gets an empty folder for them.
    pub(super) fn new(run_dir: &Path) -> Self {
        let empty = empty_folder(run_dir).ok();
        Self { empty: empty.filter(|empty| overlay(Path::new("/usr"), empty).is_ok()) }
    }

    /// The empty folder, where there are overlays.
    pub(super) fn empty(&self) -> Option<&Path> {
        self.empty.as_deref()
    }

    /// A detached read-only mount of an artefact.
    pub(super) fn artefact(&self, artefact: &Artefact) -> Result<OwnedFd, StepError> {
        view(artefact.dir(), self.empty(), false).map_err(step("mount the artefact"))
    }
}

/// A detached read-only mount of a folder: an overlay if that is possible, else what is there, with
/// what is mounted below it if `below`.
pub(super) fn view(folder: &Path, empty: Option<&Path>, below: bool) -> Result<OwnedFd, Errno> {
    // On some file systems, and on overlays that lie on overlays themselves, there can be none.
    match empty.map(|empty| overlay(folder, empty)) {
        Some(Ok(tree)) => return Ok(tree),
        // That we have nothing left to make one with does not say that there can be none.
        Some(Err(e @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM))) => return Err(e),
        Some(Err(_)) | None => {}
    }
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let flags = if below { flags | OpenTreeFlags::AT_RECURSIVE } else { flags };
    let tree = open_tree(CWD, folder, flags)?;
    sys::mount::lock_down(tree.as_fd(), false)?;
    Ok(tree)
}

fn overlay(folder: &Path, empty: &Path) -> Result<OwnedFd, Errno> {
    let path = |path| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(path, flags, Mode::empty())
    };
    let (folder, empty) = (path(folder)?, path(empty)?);
    // By descriptors: the mount table, which guests may read, then names no folder of the machine,
    // and no character of a path means something.
    let [folder_fd, empty_fd] = [&folder, &empty].map(|fd| fd.as_raw_fd());
    let layers = format!("/proc/self/fd/{folder_fd}:/proc/self/fd/{empty_fd}");
    let make = |settings: &[(&str, &str)]| -> Result<OwnedFd, Errno> {
        let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        for (name, value) in settings {
            fsconfig_set_string(&fs, *name, *value)?;
        }
        fsconfig_create(&fs)?;
        Ok(fs)
    };
    // Without it folders of two file systems are numbered as they are first looked up, by which a run
    // would know what the one before it looked up (fs/overlayfs/inode.c, ovl_map_ino).
    let numbered = ("xino", "on");
    let fs = match make(&[("lowerdir", &layers), numbered]) {
        Err(Errno::INVAL) => make(&[("lowerdir", &layers)])?,
        other => other?,
    };
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_empty_or_cannot_be_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(empty_folder(dir.path()).is_ok());
        fs::write(dir.path().join("empty/x"), "").unwrap();
        let filled = check(dir.path(), &[]).unwrap_err();
        assert!(matches!(&filled, Error::Filled { path } if path.ends_with("empty")), "{filled}");
        let made = check(&dir.path().join("empty/x"), &[]).unwrap_err();
        assert!(matches!(&made, Error::Make { .. }), "{made}");
    }
}
