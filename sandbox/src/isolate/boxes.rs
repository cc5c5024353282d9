//! Box ids: one owner an id, among the threads of this process and among all evalX processes of
//! the machine. Whoever holds the lock on an id's file owns the id, and with it the box user.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};

use crate::Cancel;
use crate::cgroup::{self, Group, Tree};

/// Why there is no box to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Each id is taken by another process or was given up.
    #[error(
        "no isolate box is left of ids {}..{}: {quarantined} were given up, the rest belong to \
         other processes",
        ids.start, ids.end
    )]
    Exhausted {
        /// The ids of this engine.
        ids: Range<u32>,
        /// How many failed us.
        quarantined: usize,
    },
    /// The lock file of an id.
    #[error("cannot lock {path:?}")]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The control group of a box.
    #[error("cannot make the control group of box {id}")]
    Group {
        /// The box.
        id: u32,
        /// Why.
        #[source]
        source: cgroup::Error,
    },
    /// The caller withdrew the run while it waited.
    #[error("cancelled while waiting for a box")]
    Cancelled,
}

/// A box id that we own.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: u32,
    /// Limits and accounts of the box, where this process can make groups.
    pub(super) group: Option<Group>,
    _lock: Lock,
}

/// All ids of an engine.
#[derive(Debug)]
pub(super) struct Pool {
    ids: Range<u32>,
    state: Mutex<State>,
    /// Signalled when an id comes back.
    back: Condvar,
    locks: PathBuf,
    /// Behind `state`, because the groups in there are removed first.
    tree: Option<Tree>,
}

#[derive(Debug)]
struct State {
    free: VecDeque<Slot>,
    /// Not looked at yet.
    untried: Range<u32>,
    /// In use by a thread of this process.
    out: usize,
    /// Kept, so that nobody gets a box that may hold a process of an old run.
    quarantined: Vec<Slot>,
}

impl Pool {
    /// A pool of `ids`, with lock files in the folder `locks`.
    pub(super) fn new(ids: Range<u32>, locks: PathBuf, tree: Option<Tree>) -> Self {
        let state =
            State { free: VecDeque::new(), untried: ids.clone(), out: 0, quarantined: Vec::new() };
        Self { ids, state: Mutex::new(state), back: Condvar::new(), locks, tree }
    }

    /// A box of our own, in a new control group: what the kernel frees behind a run's death is
    /// charged to the old one. Waits when all boxes are in use by other threads.
    pub(super) fn take(&self, cancel: &Cancel) -> Result<Slot, Error> {
        let mut slot = self.own(cancel)?;
        match self.group(slot.id) {
            Ok(group) => {
                slot.group = group;
                Ok(slot)
            }
            Err(e) => {
                self.postpone(slot);
                Err(e)
            }
        }
    }

    /// The boxes whose owners died: their lock files are there, but nobody holds them.
    pub(super) fn left_behind(&self) -> Result<Vec<Slot>, Error> {
        let mut state = self.state();
        let mut slots = Vec::new();
        for id in self.ids.clone().filter(|id| self.locks.join(id.to_string()).exists()) {
            if let Some(lock) = Lock::try_take(&self.locks, id)? {
                state.out += 1;
                slots.push(Slot { id, group: None, _lock: lock });
            }
        }
        Ok(slots)
    }

    /// A box that is clean again; the next to be taken.
    pub(super) fn give_back(&self, mut slot: Slot) {
        slot.group = None;
        self.come_back(|state| state.free.push_front(slot));
    }

    /// A box that someone else's isolate is busy in: the last to be tried again.
    pub(super) fn postpone(&self, mut slot: Slot) {
        slot.group = None;
        self.come_back(|state| state.free.push_back(slot));
    }

    /// A box that could not be cleaned up; nobody gets it until this process ends.
    pub(super) fn quarantine(&self, slot: Slot) {
        self.come_back(|state| state.quarantined.push(slot));
    }

    /// The ids that were given up.
    pub(super) fn quarantined(&self) -> Vec<u32> {
        self.state().quarantined.iter().map(|slot| slot.id).collect()
    }

    /// How many ids there are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// An id that nobody else has.
    fn own(&self, cancel: &Cancel) -> Result<Slot, Error> {
        let mut state = self.state();
        loop {
            if let Some(slot) = state.free.pop_front() {
                state.out += 1;
                return Ok(slot);
            }
            if let Some(id) = state.untried.next() {
                let Some(lock) = Lock::try_take(&self.locks, id)? else { continue };
                let slot = Slot { id, group: None, _lock: lock };
                state.out += 1;
                return Ok(slot);
            }
            if state.out == 0 {
                let quarantined = state.quarantined.len();
                return Err(Error::Exhausted { ids: self.ids.clone(), quarantined });
            }
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            // Bounded, because a cancel does not signal `back`.
            let waited = self.back.wait_timeout(state, Duration::from_millis(20));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn come_back(&self, put: impl FnOnce(&mut State)) {
        let mut state = self.state();
        state.out -= 1;
        put(&mut state);
        self.back.notify_all();
    }

    fn group(&self, id: u32) -> Result<Option<Group>, Error> {
        let group = self.tree.as_ref().map(|tree| tree.group(&format!("box-{id}")));
        group.transpose().map_err(|source| Error::Group { id, source })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is a single push, pop or count, so a panic elsewhere leaves no half of one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lock on an id, released by the kernel when this process dies. Its file is removed on drop;
/// whoever opened it before that finds out and is not the owner.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _held: OwnedFd,
}

impl Lock {
    /// The lock on `id`, or nothing when it is another's.
    pub(super) fn try_take(folder: &Path, id: u32) -> Result<Option<Self>, Error> {
        let path = folder.join(id.to_string());
        match lock_file(&path) {
            Ok(held) => Ok(held.map(|held| Self { path, _held: held })),
            Err(source) => Err(Error::Lock { path, source }),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A file that stays is taken for a dead owner's by the next start.
        let _later = fs::remove_file(&self.path);
    }
}

/// Opens and locks a file that may be removed by its owner between the two.
pub(super) fn lock_file(path: &Path) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
    loop {
        let fd = open(path, flags, Mode::from_raw_mode(0o600))?;
        match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(e) => return Err(e.into()),
        }
        let held = rustix::fs::fstat(&fd)?;
        match rustix::fs::stat(path) {
            Ok(there) if (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino) => {
                return Ok(Some(fd));
            }
            // Removed meanwhile; perhaps made anew by someone else.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(folder: &Path, ids: Range<u32>) -> Pool {
        Pool::new(ids, folder.to_owned(), None)
    }

    #[test]
    fn an_id_has_one_owner_among_all_pools() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (pool(folder.path(), 3..5), pool(folder.path(), 3..5));
        let (x, y) =
            (a.take(&Cancel::new().unwrap()).unwrap(), b.take(&Cancel::new().unwrap()).unwrap());
        assert_eq!((x.id, y.id), (3, 4));
        b.quarantine(y);
        assert!(matches!(
            b.take(&Cancel::new().unwrap()),
            Err(Error::Exhausted { quarantined: 1, .. })
        ));
        assert_eq!(b.quarantined(), [4]);
    }

    #[test]
    fn a_box_that_came_back_is_taken_first_and_a_postponed_one_last() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(folder.path(), 0..3);
        let slots = [
            pool.take(&Cancel::new().unwrap()).unwrap(),
            pool.take(&Cancel::new().unwrap()).unwrap(),
            pool.take(&Cancel::new().unwrap()).unwrap(),
        ];
        let [zero, one, two] = slots;
        pool.give_back(two);
        pool.postpone(one);
        pool.give_back(zero);
        let ids = [(); 3].map(|()| pool.take(&Cancel::new().unwrap()).unwrap()).map(|slot| slot.id);
        assert_eq!(ids, [0, 2, 1]);
    }

    #[test]
    fn whoever_finds_all_boxes_in_use_waits_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(folder.path(), 0..1);
        let slot = pool.take(&Cancel::new().unwrap()).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| pool.take(&Cancel::new().unwrap()).unwrap().id);
            pool.give_back(slot);
            assert_eq!(waiting.join().unwrap(), 0);
        });
    }

    #[test]
    fn lock_files_go_with_their_pool() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(folder.path(), 0..2);
        let slot = pool.take(&Cancel::new().unwrap()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(slot);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
