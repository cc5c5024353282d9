//! The work file system of a run: one tmpfs, limited in bytes and inodes, that the worker holds
//! detached and the agent mounts in the box.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, FileType, Gid, MemfdFlags, Mode, OFlags, SealFlags, Uid};
use rustix::fs::{
    chownat, fchmod, fchown, fcntl_add_seals, fstatvfs, memfd_create, mkdirat, openat, statat,
    unlinkat,
};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags, fsconfig_create, fsconfig_reconfigure,
    fsconfig_set_string, fsmount, fsopen, fspick,
};
use rustix::process::{Pid, nice, setpriority_process};
use rustix::thread::gettid;
use rustix::time::{ClockId, clock_gettime};

use super::error::{SlotError, StepError, step};
use super::slot::readable;
use crate::{Bytes, Contents, InputFile};

/// Folders in it: work directory, `/tmp`, `/dev/shm`.
const FOLDERS: [&str; 3] = ["w", "t", "s"];

/// The root and its folders.
const OUR_INODES: u32 = 4;

/// From so many files, or so many bytes, on the kernel takes longer to free them than the next run of
/// the slot should wait: some 3 µs a file, 0.1 µs a KiB.
const LARGE: (u64, u64) = (1_000, 16 << 20);

/// Folders in each other that are gone through.
const DEEP: u32 = 64;

/// So long it is freed behind whoever judges.
const BEHIND: Duration = Duration::from_secs(1);

/// Between two looks at whether a box is armed, where somebody else has heard it.
const LOOK: Duration = Duration::from_millis(1);

/// A tmpfs with the folders of a box, which belong to its guest.
#[derive(Debug)]
pub(super) struct WorkFs {
    mount: OwnedFd,
    uid: u32,
    made: Stamp,
    /// What was set last: bytes, inodes.
    limits: Option<(Bytes, u32)>,
    /// Whether the clock had moved on from `made` when the last run began: only then does every
    /// change show in a time stamp.
    settled: bool,
}

/// What becomes of a work file system behind a run.
#[derive(Debug)]
pub(super) enum Left {
    /// It serves the next run as well.
    Same(WorkFs),
    /// It is gone. Its pages, which are charged to the slot's group on v1, go with the box's mounts.
    Nothing,
    /// So much is in it that it is freed beside the next run.
    Large(WorkFs),
}

/// Frees what was large, on a thread of its own: a slot has at most one such, and whoever fills the
/// next one before waits for it.
#[derive(Debug, Default)]
pub(super) struct Undertaker(Option<Burial>);

#[derive(Debug)]
struct Burial {
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
}

/// What the thread and whoever waits for it know of each other.
#[derive(Debug, Default)]
struct Shared {
    /// That nobody else has it mounted.
    alone: AtomicBool,
    /// That somebody waits, or it took long.
    awaited: AtomicBool,
    /// The thread's id, once it has stepped behind whoever judges.
    behind: AtomicI32,
}

impl Shared {
    fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Relaxed)
    }

    /// Behind whoever judges; without the right to be nice it is freed all the same.
    fn step_behind(&self) {
        let _as_it_is = nice(19);
        self.behind.store(gettid().as_raw_nonzero().get(), Ordering::SeqCst);
        if self.awaited.load(Ordering::SeqCst) {
            self.step_forward();
        }
    }

    /// On a machine that is always busy who is behind may be there for ever, and with it the memory
    /// that it frees, or whoever waits for it. A thread is a process to setpriority(2).
    fn step_forward(&self) {
        self.awaited.store(true, Ordering::SeqCst);
        if let Some(thread) = Pid::from_raw(self.behind.load(Ordering::SeqCst)) {
            let _as_it_is = setpriority_process(Some(thread), 0);
        }
    }
}

impl Undertaker {
    /// Frees `work` once the agent, which was asked for another box, does not have it mounted any
    /// more: when it says something or is gone. Where there is no thread to be had the agent frees it,
    /// and is late.
    pub(super) fn bury(&mut self, work: WorkFs, agent: BorrowedFd<'_>) {
        self.wait();
        let Ok(agent) = agent.try_clone_to_owned() else { return };
        let shared = Arc::new(Shared::default());
        let known = Arc::clone(&shared);
        let free = move || {
            while !known.is_alone() && !readable(agent.as_fd(), LOOK) {}
            known.step_behind();
            let since = Instant::now();
            thin_out(work.mount(), c".", DEEP, &|| {
                if since.elapsed() > BEHIND && !known.awaited.load(Ordering::Relaxed) {
                    known.step_forward();
                }
            });
            drop(work);
        };
        let thread = thread::Builder::new().name("undertaker".to_owned()).spawn(free);
        self.0 = thread.ok().map(|thread| Burial { thread, shared });
    }

    /// The agent has armed a box, which somebody else has heard.
    pub(super) fn armed(&self) {
        if let Some(burial) = &self.0 {
            burial.shared.alone.store(true, Ordering::Relaxed);
        }
    }

    fn wait(&mut self) {
        self.armed();
        if let Some(burial) = self.0.take() {
            burial.shared.step_forward();
            // It does not panic, and if it did, the file system would be freed.
            let _freed = burial.thread.join();
        }
    }
}

/// Removes what can be removed, one by one. The kernel takes a whole file system away in steps that grow
/// with it and hold up every unmounting meanwhile (fs/dcache.c, d_walk): 16 ms with 200,000 files.
/// `now_and_then` is called for each.
fn thin_out(within: BorrowedFd<'_>, name: &CStr, deep: u32, now_and_then: &impl Fn()) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(folder) = openat(within, name, flags, Mode::empty()) else { return };
    for entry in Dir::read_from(&folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_folder = entry.file_type() == FileType::Directory;
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if is_folder && deep > 0 {
            thin_out(folder.as_fd(), name, deep - 1, now_and_then);
        }
        let kind = if is_folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        let _stays = unlinkat(&folder, name, kind);
        now_and_then();
    }
}

/// A slot that ends leaves nothing behind.
impl Drop for Undertaker {
    fn drop(&mut self) {
        self.wait();
    }
}

/// What shows whether a file system was touched: the times of its folders, with whatever is added
/// to them, and what is in use. Times have the granularity of the kernel's tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    /// Changed and modified, of each folder.
    times: [[(i64, i64); 2]; FOLDERS.len()],
    inodes: u64,
    blocks: u64,
}

impl Stamp {
    fn of(mount: BorrowedFd<'_>) -> Result<Self, Errno> {
        let mut times = [[(0, 0); 2]; FOLDERS.len()];
        for (folder, [changed, modified]) in FOLDERS.iter().zip(&mut times) {
            let stat = statat(mount, *folder, AtFlags::SYMLINK_NOFOLLOW)?;
            *changed = (stat.st_ctime, nanoseconds(stat.st_ctime_nsec));
            *modified = (stat.st_mtime, nanoseconds(stat.st_mtime_nsec));
        }
        let used = fstatvfs(mount)?;
        let (inodes, blocks) = (used.f_files - used.f_ffree, used.f_blocks - used.f_bfree);
        Ok(Self { times, inodes, blocks })
    }

    /// Whether the clock that stamps files has moved on since.
    fn is_past(&self) -> bool {
        let now = clock_gettime(ClockId::RealtimeCoarse);
        let now = (now.tv_sec, now.tv_nsec);
        self.times.iter().flatten().all(|time| *time < now)
    }
}

/// Unsigned on some architectures; always below a second.
fn nanoseconds(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or_default()
}

impl WorkFs {
    pub(super) fn new(uid: u32) -> Result<Self, StepError> {
        let make = || {
            let fs = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
            fsconfig_set_string(&fs, "mode", "0700")?;
            // No limit can be set later on a tmpfs made without one (tmpfs(5), "size").
            fsconfig_set_string(&fs, "size", "4k")?;
            fsconfig_set_string(&fs, "nr_inodes", "16")?;
            fsconfig_create(&fs)?;
            let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
                | MountAttrFlags::MOUNT_ATTR_NODEV
                | MountAttrFlags::MOUNT_ATTR_NOATIME;
            let mount = fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
            for folder in FOLDERS {
                mkdirat(&mount, folder, Mode::from(0o700))?;
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                chownat(&mount, folder, Some(Uid::from_raw(uid)), Some(Gid::from_raw(uid)), flags)?;
            }
            let made = Stamp::of(mount.as_fd())?;
            Ok(Self { mount, uid, made, limits: None, settled: false })
        };
        make().map_err(step("make the work file system"))
    }

    pub(super) fn mount(&self) -> BorrowedFd<'_> {
        self.mount.as_fd()
    }

    /// Whether it is as it was made: nothing in it, nothing changed about its folders by the last
    /// run. Then it serves the next run as well.
    pub(super) fn is_untouched(&self) -> bool {
        self.settled && Stamp::of(self.mount()).is_ok_and(|now| now == self.made)
    }

    fn is_large(&self) -> bool {
        fstatvfs(&self.mount).is_ok_and(|used| {
            let files = used.f_files - used.f_ffree;
            let bytes = (used.f_blocks - used.f_bfree) * used.f_frsize;
            files > LARGE.0 || bytes > LARGE.1
        })
    }

    /// What a run leaves to the next one of its slot.
    pub(super) fn left(self) -> Left {
        if self.is_untouched() {
            Left::Same(self)
        } else if self.is_large() {
            Left::Large(self)
        } else {
            Left::Nothing
        }
    }

    /// Right before a run: sets how much fits, `disk` bytes and `inodes` files and folders beside
    /// our own.
    pub(super) fn begin(&mut self, disk: Bytes, inodes: u32) -> Result<(), StepError> {
        self.settled = self.made.is_past();
        if self.limits == Some((disk, inodes)) {
            return Ok(());
        }
        let set = || {
            let fs = fspick(
                &self.mount,
                "",
                FsPickFlags::FSPICK_EMPTY_PATH | FsPickFlags::FSPICK_CLOEXEC,
            )?;
            fsconfig_set_string(&fs, "size", disk.0.to_string())?;
            fsconfig_set_string(&fs, "nr_inodes", (inodes + OUR_INODES).to_string())?;
            fsconfig_reconfigure(&fs)
        };
        set().map_err(step("limit the work file system"))?;
        self.limits = Some((disk, inodes));
        Ok(())
    }

    /// Writes an input file below the work directory. Its path was checked to be plain.
    pub(super) fn write(&self, file: &InputFile) -> Result<(), SlotError> {
        let InputFile { path, contents, executable } = file;
        let at = |source: io::Error| SlotError::Input { path: path.clone(), source };
        let (user, group) = (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.uid)));
        let inside = Path::new("w").join(path);
        let mut so_far = PathBuf::from("w");
        for part in path.parent().into_iter().flatten() {
            so_far.push(part);
            match mkdirat(&self.mount, &so_far, Mode::from(0o755)) {
                Err(Errno::EXIST) => {}
                made => made
                    .and_then(|()| {
                        let flags = AtFlags::SYMLINK_NOFOLLOW;
                        chownat(&self.mount, &so_far, user, group, flags)
                    })
                    .map_err(|e| at(e.into()))?,
            }
        }
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let out =
            openat(&self.mount, &inside, flags, Mode::from(0o600)).map_err(|e| at(e.into()))?;
        let mode = if *executable { 0o755 } else { 0o644 };
        fchmod(&out, Mode::from(mode))
            .and_then(|()| fchown(&out, user, group))
            .map_err(|e| at(e.into()))?;
        copy(contents, &mut std::fs::File::from(out)).map_err(at)
    }
}

fn copy(contents: &Contents, out: &mut std::fs::File) -> io::Result<()> {
    match contents {
        Contents::Memory(bytes) => io::Write::write_all(out, bytes),
        Contents::File(path) => io::copy(&mut std::fs::File::open(path)?, out).map(|_| ()),
    }
}

/// A private, sealed, seekable copy to be standard input: nobody else shares its inode, so locks on
/// it reach no other run, and nobody can write. (To open it once more for reading only would take a
/// path through procfs: some ten microseconds, and again when the kernel forgets it.)
pub(super) fn stdin_copy(contents: &Contents) -> Result<OwnedFd, SlotError> {
    let make = || -> io::Result<OwnedFd> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | MemfdFlags::NOEXEC_SEAL;
        let fd = match memfd_create("stdin", flags) {
            // Linux before 6.3 has no NOEXEC_SEAL (memfd_create(2)).
            Err(Errno::INVAL) => memfd_create("stdin", flags.difference(MemfdFlags::NOEXEC_SEAL))?,
            other => other?,
        };
        let mut file = std::fs::File::from(fd);
        copy(contents, &mut file)?;
        fcntl_add_seals(
            &file,
            SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
        )?;
        io::Seek::rewind(&mut file)?;
        Ok(file.into())
    };
    make().map_err(|source| SlotError::Input { path: PathBuf::from("standard input"), source })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn who_is_waited_for_is_not_behind_any_more() {
        for waits_first in [false, true] {
            let shared = Arc::new(Shared::default());
            let known = Arc::clone(&shared);
            let (stepped, steps) = mpsc::channel();
            let (go, told) = mpsc::channel::<()>();
            if waits_first {
                shared.step_forward();
            }
            let work = move || {
                known.step_behind();
                stepped.send(getpriority_process(Some(gettid())).unwrap()).unwrap();
                told.recv().unwrap();
                getpriority_process(Some(gettid())).unwrap()
            };
            let thread = thread::Builder::new().spawn(work).unwrap();
            let behind = steps.recv().unwrap();
            shared.step_forward();
            go.send(()).unwrap();
            let awaited = thread.join().unwrap();
            // Without CAP_SYS_NICE nobody comes forward (setpriority(2)).
            let as_root = rustix::process::geteuid().is_root();
            assert_eq!(behind, if waits_first && as_root { 0 } else { 19 });
            assert_eq!(awaited, if as_root { 0 } else { 19 });
        }
    }
}
