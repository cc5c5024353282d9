//! The template root of a slot, built once: a small read-only tmpfs with views of the base system and
//! of the toolchains, five devices, and empty places for what each run brings. Nothing in it is an
//! inode that another slot has, see [`super::super::views`].

use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, chmodat, makedev, mkdirat, mknodat, openat, symlinkat,
};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
    mount_change, move_mount, open_tree, unmount,
};
use rustix::process::{chdir, pivot_root};
use rustix::thread::{
    CapabilitySet, CapabilitySets, UnshareFlags, capabilities, remove_capability_from_bounding_set,
    set_capabilities,
};

use super::super::filter::Key;
use super::super::views;
use super::super::wire::{Failure, Step};
use super::at;
use crate::{Mount, sys};

/// Of the machine: shown when a folder, copied when a link (merged `/usr`), left out when absent.
pub(in crate::native) const BASE: [&str; 7] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives"];

/// Of the machine, copied where there.
const FILES: [&str; 1] = ["/etc/ld.so.cache"];

/// Minor numbers of the major 1 (Documentation/admin-guide/devices.txt).
const DEVICES: [(&str, u32); 5] =
    [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)];

/// Empty; each run brings its own.
const PLACES: [&CStr; 6] = [c"/w", c"/tmp", c"/dev/shm", c"/box", c"/proc", super::WHOLE];

/// What the agent still needs: mounts and namespaces, the guest's identity, killing it without
/// delay, and raising its own limits.
fn kept() -> CapabilitySet {
    CapabilitySet::SYS_ADMIN
        | CapabilitySet::SETUID
        | CapabilitySet::SETGID
        | CapabilitySet::KILL
        | CapabilitySet::SYS_NICE
        | CapabilitySet::SYS_RESOURCE
}

/// A mount to be placed, made of the machine's before its tree is left.
struct Bind {
    tree: OwnedFd,
    target: PathBuf,
    folder: bool,
}

/// Leaves the machine's namespaces and moves into a root of its own.
pub(super) fn enter(
    mounts: &[Mount],
    empty: Option<&Path>,
    uid: u32,
    key: Key,
) -> Result<(), Failure> {
    let own =
        UnshareFlags::NEWNS | UnshareFlags::NEWNET | UnshareFlags::NEWUTS | UnshareFlags::NEWIPC;
    sys::process::unshare(own, key).map_err(at(Step::Unshare))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(at(Step::Private))?;
    let binds = clone_binds(mounts, empty).map_err(at(Step::Base))?;
    let root = build(&binds, uid).map_err(at(Step::Root))?;
    pivot(&root, &binds).map_err(at(Step::Pivot))?;
    rustix::system::sethostname(b"evalx").map_err(at(Step::Hostname))?;
    drop_capabilities().map_err(at(Step::Capabilities))
}

fn clone_binds(mounts: &[Mount], empty: Option<&Path>) -> Result<Vec<Bind>, Errno> {
    let mut binds = devices()?;
    let points = views::mount_points().map_err(|e| errno(&e))?;
    let own = BASE.map(Path::new).into_iter().filter(|path| path.exists() && !path.is_symlink());
    let own = own.map(|path| (path, path));
    for (from, to) in own.chain(mounts.iter().map(|m| (m.from.as_path(), m.to.as_path()))) {
        // An overlay does not show what is mounted below.
        let below = points.iter().any(|point| point != from && point.starts_with(from));
        let tree = views::view(from, empty.filter(|_| !below), below)?;
        binds.push(Bind { tree, target: to.to_owned(), folder: from.is_dir() });
    }
    Ok(binds)
}

/// A read-only `/dev` with nodes of its own. Where this process may not make any, as in a user
/// namespace, the machine's are mounted in it.
fn devices() -> Result<Vec<Bind>, Errno> {
    let fs = small_tmpfs()?;
    let dev = fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_NOSUID)?;
    make_folder(&dev, Path::new("shm"))?;
    let mut machines = Vec::new();
    for (name, minor) in DEVICES {
        let mode = Mode::from(0o666);
        match mknodat(&dev, name, FileType::CharacterDevice, mode, makedev(1, minor)) {
            // Whatever the umask is.
            Ok(()) => chmodat(&dev, name, mode, AtFlags::empty())?,
            Err(Errno::PERM) => {
                make_file(&dev, Path::new(name), b"")?;
                machines.push(machines_device(&Path::new("/dev").join(name))?);
            }
            Err(e) => return Err(e),
        }
    }
    for (name, link) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        symlinkat(format!("/proc/self/fd{link}"), &dev, name)?;
    }
    sys::mount::lock_down(dev.as_fd(), true)?;
    let mut binds = vec![Bind { tree: dev, target: PathBuf::from("/dev"), folder: true }];
    binds.extend(machines);
    Ok(binds)
}

fn machines_device(path: &Path) -> Result<Bind, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, path, flags)?;
    sys::mount::lock_down(tree.as_fd(), true)?;
    Ok(Bind { tree, target: path.to_owned(), folder: false })
}

fn small_tmpfs() -> Result<OwnedFd, Errno> {
    let fs = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in [("size", "1m"), ("nr_inodes", "1k"), ("mode", "0755")] {
        fsconfig_set_string(&fs, key, value)?;
    }
    fsconfig_create(&fs)?;
    Ok(fs)
}

/// The tmpfs with its folders, files and places; detached, and read-only when returned.
fn build(binds: &[Bind], uid: u32) -> Result<OwnedFd, Errno> {
    let fs = small_tmpfs()?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let root = fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    for link in BASE.map(Path::new).into_iter().filter(|p| p.is_symlink()) {
        let target = fs::read_link(link).map_err(|e| errno(&e))?;
        symlinkat(&target, &root, inside(link))?;
    }
    for place in PLACES.map(|place| Path::new(OsStr::from_bytes(place.to_bytes()))) {
        make_folder(&root, place)?;
    }
    for bind in binds {
        match &bind.target {
            // Below another bind (say /usr/local/x): it has to be there already.
            target
                if binds
                    .iter()
                    .any(|b| b.folder && b.target != *target && target.starts_with(&b.target)) => {}
            target if bind.folder => make_folder(&root, target)?,
            target => make_file(&root, target, b"")?,
        }
    }
    for path in FILES.map(Path::new).into_iter().filter(|path| path.exists()) {
        make_file(&root, path, &fs::read(path).map_err(|e| errno(&e))?)?;
    }
    for (path, text) in etc(uid) {
        make_file(&root, Path::new(path), text.as_bytes())?;
    }
    sys::mount::lock_down(root.as_fd(), false)?;
    Ok(root)
}

/// What look-ups of users and hosts need; nothing of the machine's own.
fn etc(uid: u32) -> [(&'static str, String); 5] {
    let nobody = "nobody:x:65534:65534:nobody:/:/bin/false\n";
    [
        (
            "/etc/passwd",
            format!("root:x:0:0:root:/:/bin/false\nguest:x:{uid}:{uid}:guest:/w:/bin/sh\n{nobody}"),
        ),
        ("/etc/group", format!("root:x:0:\nguest:x:{uid}:\nnogroup:x:65534:\n")),
        ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n".to_owned()),
        ("/etc/hosts", "127.0.0.1 localhost evalx\n".to_owned()),
        ("/etc/hostname", "evalx\n".to_owned()),
    ]
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn inside(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

fn make_folder(root: &OwnedFd, path: &Path) -> Result<(), Errno> {
    let mut so_far = PathBuf::new();
    for part in inside(path) {
        so_far.push(part);
        match mkdirat(root, &so_far, Mode::from(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn make_file(root: &OwnedFd, path: &Path, text: &[u8]) -> Result<(), Errno> {
    if let Some(parent) = path.parent() {
        make_folder(root, parent)?;
    }
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(root, inside(path), flags, Mode::from(0o644))?;
    fs::File::from(file).write_all(text).map_err(|e| errno(&e))
}

/// Attaches the root over a folder that surely exists, places the binds in it, pivots (the old
/// root ends up on top of the new one, see pivot_root(2), "pivot_root(".", ".")") and lets go.
fn pivot(root: &OwnedFd, binds: &[Bind]) -> Result<(), Errno> {
    move_mount(root, "", CWD, "/usr", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    rustix::process::fchdir(root)?;
    for Bind { tree, target, .. } in binds {
        let target =
            CString::new(inside(target).as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
        move_mount(tree, "", CWD, &target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    }
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")
}

fn drop_capabilities() -> Result<(), Errno> {
    let have = capabilities(None)?;
    for capability in CapabilitySet::all().difference(kept()).iter() {
        match remove_capability_from_bounding_set(capability) {
            // A capability that this kernel does not know.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(e) => return Err(e),
        }
    }
    let sets = CapabilitySets {
        effective: have.effective & kept(),
        permitted: have.permitted & kept(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets)
}
