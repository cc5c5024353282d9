//! User ids of the boxes: a range that no other evalX on this machine uses at the same time.
//!
//! `RLIMIT_NPROC`, keyrings and signals count by user id on the whole machine, so two workers that
//! share one corrupt each other's verdicts. A range is leased by a `flock` on a file, which a dead
//! owner loses; a file that a dead owner left behind says that its range may still have processes.
//! A range with one that does not die is left to it.
//!
//! Whoever starts more boxes than a range has ids leases another one.
//!
//! Two containers on one machine do not see each other's files. They draw from two million ranges: by
//! a seed that they are given, their pod's own id, or else by the folder, which no two have in common
//! that do not see each other's files in it.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, open};
use rustix::process::{Pid, Signal, kill_process};

/// User ids in a range: one a slot.
const PER_LEASE: u32 = 64;

/// Slots of an engine: its ranges are then a quarter of what a container tries ([`TRIES`]).
pub(super) const MOST: u32 = 16 * PER_LEASE;

/// First user id of the first range: far above what distributions, directories and user namespaces
/// hand out, and below 2^31 for programs that take it for a signed number.
const FIRST: u32 = 0x7000_0000;

/// Ranges that are tried from the one on that a folder has drawn: all evalX of a machine may share it.
const LEASES: u32 = 4096;

/// The first that is drawn by a seed: above all that are taken in turn.
const DRAWN: u32 = 1 << 21;

/// So many are drawn from: up to 2^31. Of 100 pods on a machine two draw the same once in 400
/// machines, of two pods once in two million.
const DRAWS: u32 = 1 << 21;

/// How long what a dead owner left may take to die, over all ranges; it takes milliseconds.
const DYING: Duration = Duration::from_secs(1);

/// Ranges that are tried from the one on that a seed has drawn: others of the same container may have
/// it.
const TRIES: u32 = 64;

const _: () = assert!(FIRST as u64 + (DRAWN as u64 + DRAWS as u64) * PER_LEASE as u64 <= 1 << 31);

/// Why there is no range.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or a file in it.
    #[error("cannot {step} {path:?}")]
    Step {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Thousands of workers on one machine.
    #[error("all ranges of user ids in {dir:?} are in use")]
    Exhausted {
        /// Where they are leased.
        dir: PathBuf,
    },
}

/// The user ids of an engine's slots, until dropped: as many ranges as slots have needed so far.
#[derive(Debug)]
pub(super) struct Uids {
    run_dir: PathBuf,
    seed: Option<String>,
    leases: Mutex<Vec<Lease>>,
}

impl Uids {
    /// With the first range, so that an engine that can have none is not made.
    pub(super) fn take(run_dir: PathBuf, seed: Option<String>) -> Result<Self, Error> {
        let first = Lease::take(&run_dir, seed.as_deref())?;
        Ok(Self { run_dir, seed, leases: Mutex::new(vec![first]) })
    }

    /// The id of a slot.
    pub(super) fn of(&self, slot: u32) -> Result<u32, Error> {
        let (range, within) = (slot / PER_LEASE, slot % PER_LEASE);
        // Nothing panics while it is held.
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match leases.get(range as usize) {
                Some(lease) => return Ok(lease.first() + within),
                None => leases.push(Lease::take(&self.run_dir, self.seed.as_deref())?),
            }
        }
    }
}

/// A range, until dropped.
#[derive(Debug)]
struct Lease {
    number: u32,
    path: PathBuf,
    /// Held for its lock.
    _file: OwnedFd,
}

impl Lease {
    /// Takes the first free range, from the one on that is drawn, and ends what a dead owner left running
    /// in it.
    fn take(run_dir: &Path, seed: Option<&str>) -> Result<Self, Error> {
        let dir = run_dir.join("uids");
        fs::create_dir_all(&dir).map_err(step("make", &dir))?;
        let (first, tries) = match seed {
            None => (drawn(&folder(&dir)?), LEASES),
            Some(seed) => (drawn(seed), TRIES),
        };
        let deadline = Instant::now() + DYING;
        for number in first..first + tries {
            let path = dir.join(number.to_string());
            let Some((file, left_behind)) = lock(&path)? else { continue };
            // The file of a range that is not free stays, and the next start looks again.
            if !left_behind || survivors_end(self::first(number), deadline) {
                return Ok(Self { number, path, _file: file });
            }
        }
        Err(Error::Exhausted { dir })
    }

    fn first(&self) -> u32 {
        first(self.number)
    }
}

fn first(number: u32) -> u32 {
    FIRST + number * PER_LEASE
}

/// Kills the processes of a range; whether they are gone by then. It is looked once at least.
fn survivors_end(first: u32, deadline: Instant) -> bool {
    loop {
        let survivors = processes_of(first..first + PER_LEASE);
        for pid in &survivors {
            // Gone already is as good as killed.
            let _gone = kill_process(*pid, Signal::KILL);
        }
        if survivors.is_empty() || Instant::now() > deadline {
            return survivors.is_empty();
        }
        // They are no children of ours, and one look at all processes is as long as this.
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn processes_of(range: Range<u32>) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_range = |entry: &fs::DirEntry| entry.metadata().is_ok_and(|m| range.contains(&m.uid()));
    let pid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries.filter(of_range).filter_map(pid).filter_map(Pid::from_raw).collect()
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The lock is still held, so nobody else can have taken the file for theirs; should it
        // stay, the next owner looks for survivors in vain.
        let _stays = fs::remove_file(&self.path);
    }
}

/// What is one folder's alone for as long as it is there (stat(3type)).
fn folder(dir: &Path) -> Result<String, Error> {
    let found = fs::metadata(dir).map_err(step("look at", dir))?;
    Ok(format!("{}:{}", found.dev(), found.ino()))
}

/// The range that a seed draws.
fn drawn(seed: &str) -> u32 {
    let mut hash = DefaultHasher::new();
    seed.hash(&mut hash);
    let draws = u64::from(DRAWS - LEASES);
    let draw = u32::try_from(hash.finish() % draws).expect("less than DRAWS");
    DRAWN + draw
}

/// The file locked, and whether it was there before; `None` when its owner lives.
fn lock(path: &Path) -> Result<Option<(OwnedFd, bool)>, Error> {
    loop {
        let left_behind = path.exists();
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
        let file =
            open(path, flags, Mode::from(0o600)).map_err(|e| step("open", path)(e.into()))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        // Its owner may have removed it between our open and our lock.
        let locked = fstat(&file).map_err(|e| step("stat", path)(e.into()))?.st_ino;
        if fs::metadata(path).is_ok_and(|m| m.ino() == locked) {
            return Ok(Some((file, left_behind)));
        }
    }
}

fn step(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Step { step, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_owners_never_share_a_range_and_a_freed_one_is_taken_again() {
        let dir = tempfile::tempdir().unwrap();
        let take = || Lease::take(dir.path(), None).unwrap();
        let (a, b) = (take(), take());
        let first = a.first();
        assert_eq!(b.first(), first + PER_LEASE);
        drop(a);
        assert_eq!(take().first(), first);
        drop(b);
        assert_eq!(fs::read_dir(dir.path().join("uids")).unwrap().count(), 0);
    }

    #[test]
    fn whoever_has_more_boxes_than_a_range_has_ids_takes_another() {
        let dir = tempfile::tempdir().unwrap();
        let seed = Some("pod".to_owned());
        let many = Uids::take(dir.path().to_owned(), seed.clone()).unwrap();
        let ranges = || fs::read_dir(dir.path().join("uids")).unwrap().count();
        assert_eq!((many.of(63).unwrap(), ranges()), (many.of(0).unwrap() + 63, 1));
        let other = Uids::take(dir.path().to_owned(), seed).unwrap();
        // The last first: the ranges between are taken, too, and each slot has one id for good.
        let last = many.of(MOST - 1).unwrap();
        let mut all: Vec<u32> = (0..MOST).map(|slot| many.of(slot).unwrap()).collect();
        all.extend((0..PER_LEASE).map(|slot| other.of(slot).unwrap()));
        assert_eq!((all[MOST as usize - 1], ranges()), (last, 17));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), (MOST + PER_LEASE) as usize, "no id is there twice");
        drop(many);
        assert_eq!(ranges(), 1);
    }

    #[test]
    fn containers_that_do_not_see_each_other_draw_different_ranges() {
        // Each has a folder of its own, as two pods have.
        let first = |seed: &str| {
            let dir = tempfile::tempdir().unwrap();
            Lease::take(dir.path(), Some(seed)).unwrap().first()
        };
        let mut firsts: Vec<u32> = (0..100).map(|pod| first(&format!("pod-{pod}"))).collect();
        assert!(
            firsts.iter().all(|f| *f >= FIRST + DRAWN * PER_LEASE && f.checked_add(64).is_some())
        );
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 100);
        // And where nobody has given them a seed. The folders are there at once, as running ones' are.
        let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
        let unseeded = |dir: &tempfile::TempDir| Lease::take(dir.path(), None).unwrap().first();
        let mut firsts: Vec<u32> = dirs.iter().map(unseeded).collect();
        assert_eq!(firsts, dirs.iter().map(unseeded).collect::<Vec<_>>(), "the same folder");
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), dirs.len());
        assert_eq!(
            first("pod-1"),
            first("pod-1"),
            "after a restart of the container it is the same"
        );
    }

    #[test]
    fn two_of_one_container_draw_different_ranges() {
        let dir = tempfile::tempdir().unwrap();
        let take = || Lease::take(dir.path(), Some("pod")).unwrap();
        let (a, b) = (take(), take());
        assert_eq!(b.first(), a.first() + PER_LEASE);
    }
}
