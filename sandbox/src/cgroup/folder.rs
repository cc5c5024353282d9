//! The folders of control groups: who owns one, and how it is made and removed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::{Error, v2};

/// How long another evalX may take to come or go; it takes milliseconds, or a second when what it
/// leaves does not die at once.
pub(super) const TURN: Duration = Duration::from_secs(5);

/// Name of the folder of this process: unique in time and space, so that a new process with an
/// old pid never takes a dead one's folder for its own.
pub(super) fn owner_name() -> Result<String, Error> {
    let path = Path::new("/proc/self/stat");
    let stat =
        fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    // Field 22 is the start time; field 2 (the command) may hold spaces but ends at the last ')'
    // (proc_pid_stat(5)).
    let start = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19));
    // One process may hold several trees: an engine each.
    static TREES: AtomicU32 = AtomicU32::new(0);
    let tree = TREES.fetch_add(1, Ordering::Relaxed);
    Ok(format!("evalx-{}-{}-{tree}", std::process::id(), start.unwrap_or("0")))
}

/// Makes `dir` and locks it as its owner.
pub(super) fn make_owned(dir: &Path) -> Result<OwnedFd, Error> {
    make(dir)?;
    let fd = open_dir(dir)?;
    flock(&fd, FlockOperation::NonBlockingLockExclusive).map_err(|e| Error::Step {
        step: "lock",
        path: dir.to_owned(),
        source: e.into(),
    })?;
    Ok(fd)
}

/// For as long as what it returns is held, no other evalX comes to `base` or leaves it: it would
/// take a folder that is not locked yet for a dead owner's, or switch off for all what one has just
/// switched on.
pub(super) fn take_turn(base: &Path) -> Result<OwnedFd, Error> {
    let fd = open_dir(base)?;
    let deadline = Instant::now() + TURN;
    loop {
        match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(fd),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(Errno::WOULDBLOCK) => return Err(Error::Busy { path: base.to_owned() }),
            Err(e) => {
                return Err(Error::Step { step: "lock", path: base.to_owned(), source: e.into() });
            }
        }
    }
}

pub(super) fn make(dir: &Path) -> Result<(), Error> {
    match fs::create_dir(dir) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::Step { step: "make", path: dir.to_owned(), source: e })
        }
        _ => Ok(()),
    }
}

pub(super) fn open_dir(dir: &Path) -> Result<OwnedFd, Error> {
    open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| Error::Step { step: "open", path: dir.to_owned(), source: e.into() })
}

/// When a start gives up what dead owners left: all that can die does so at once and side by side.
/// Several bases and any number of owners share it, so that whoever comes next still gets its turn.
pub(super) fn patience() -> Instant {
    Instant::now() + Duration::from_secs(1)
}

/// Removes the folders below `base` whose owners are dead, with what still runs in them. Returns what
/// does not die: the kernel keeps it in a call. It holds up nobody, and the next start looks again.
pub(super) fn sweep(base: &Path, deadline: Instant) -> Result<BTreeSet<u32>, Error> {
    let entries =
        fs::read_dir(base).map_err(|source| Error::Read { path: base.to_owned(), source })?;
    let mut dead = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owned = name.to_str().is_some_and(|n| n.starts_with("evalx-") && n != v2::SUPERVISOR);
        let Ok(fd) = open_dir(&entry.path()) else { continue };
        if owned && flock(&fd, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // Locked until it is removed, or another start would take it for its own to remove.
            dead.push((entry.path(), fd));
        }
    }
    // Before any is waited for: behind one that is stuck the others have died when it is their turn.
    dead.iter().for_each(|(dir, _)| each_group(dir, &mut kill_members));
    let mut stuck = BTreeSet::new();
    for (dir, _locked) in &dead {
        match remove_by(dir, deadline) {
            Err(Error::Stuck { .. }) => each_group(dir, &mut |dir: &Path| {
                let number = |pid: Pid| pid.as_raw_nonzero().get().unsigned_abs();
                stuck.extend(members(dir).into_iter().map(number));
            }),
            other => other?,
        }
    }
    Ok(stuck)
}

/// Calls `each` with a group and all below it.
fn each_group(dir: &Path, each: &mut impl FnMut(&Path)) {
    each(dir);
    for child in fs::read_dir(dir).into_iter().flatten().flatten() {
        if child.file_type().is_ok_and(|t| t.is_dir()) {
            each_group(&child.path(), each);
        }
    }
}

/// Whether another owner lives below `base`.
pub(super) fn others(base: &Path) -> bool {
    fs::read_dir(base).is_ok_and(|mut entries| {
        entries.any(|e| {
            e.is_ok_and(|e| {
                e.file_name()
                    .to_str()
                    .is_some_and(|n| n.starts_with("evalx-") && n != v2::SUPERVISOR)
            })
        })
    })
}

/// Kills what lives in a group and its children and removes the folders, within a second.
pub(super) fn remove_tree(dir: &Path) -> Result<(), Error> {
    remove_by(dir, Instant::now() + Duration::from_secs(1))
}

/// The same, by then; each folder is tried once at least.
pub(super) fn remove_by(dir: &Path, deadline: Instant) -> Result<(), Error> {
    let mut stuck = Ok(());
    for child in fs::read_dir(dir).into_iter().flatten().flatten() {
        if child.file_type().is_ok_and(|t| t.is_dir()) {
            // One that stays does not keep those beside it.
            stuck = remove_by(&child.path(), deadline).and(stuck);
        }
    }
    stuck?;
    loop {
        match fs::remove_dir(dir) {
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {}
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Step { step: "remove", path: dir.to_owned(), source: e });
            }
            _ => return Ok(()),
        }
        if Instant::now() > deadline {
            return Err(Error::Stuck { path: dir.to_owned() });
        }
        kill_members(dir);
        // A killed process leaves its group when it is reaped, and rmdir right after cgroup.kill
        // gives EBUSY; nothing can be polled for on both generations.
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn kill_members(dir: &Path) {
    if fs::write(dir.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    for pid in members(dir) {
        // Gone already is as good as killed.
        let _gone = kill_process(pid, Signal::KILL);
    }
}

fn members(dir: &Path) -> Vec<Pid> {
    let procs = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    procs.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw).collect()
}
