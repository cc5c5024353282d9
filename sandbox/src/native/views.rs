//! Views of folders of this machine, each with inodes of its own. Locks and watches (flock(2), fcntl(2),
//! inotify(7)) belong to an inode, and take no right to write: two boxes that saw the same one could
//! tell each other whatever they liked, or hold a lock that a process of the machine waits for.
//!
//! A view is a read-only overlay of the folder and an empty one: overlayfs takes two at least where
//! nothing can be written (Documentation/filesystems/overlayfs.rst, "Multiple lower layers"). The
//! contents, and what of them is in memory, are shared as before.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_string,
    fsmount, fsopen, open_tree,
};

use super::slot::{StepError, step};
use crate::{Artefact, sys};

/// How this machine can show a folder to boxes.
#[derive(Debug)]
pub(super) struct Views {
    /// Absent where there are no overlays: what is shown is the folder itself.
    empty: Option<PathBuf>,
}

impl Views {
    /// Finds out whether there can be overlays; `run_dir` gets an empty folder for them.
    pub(super) fn new(run_dir: &Path) -> Self {
        let empty = run_dir.join("empty");
        let there = fs::create_dir_all(&empty).is_ok()
            && fs::read_dir(&empty).is_ok_and(|mut entries| entries.next().is_none());
        let works = there && overlay(Path::new("/usr"), &empty).is_ok();
        Self { empty: works.then_some(empty) }
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
    if let Some(tree) = empty.and_then(|empty| overlay(folder, empty).ok()) {
        return Ok(tree);
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
    let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&fs, "lowerdir", layers)?;
    fsconfig_create(&fs)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}
