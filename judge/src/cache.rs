//! Finished programs on disk, by content: compile once, run for as long as it stays.
//!
//! Layout of the folder, which several processes may share:
//! - `artefacts/KEY/a` is what is mounted at `/box`, `artefacts/KEY/meta.json` says how it was
//!   made; the date of `meta.json` is when it was last used. An entry comes into being whole, by a
//!   rename, and leaves by a rename.
//! - `work/N` belongs to one living process, which holds a lock on `work/N.lock`; a folder whose
//!   lock is free is a leftover and is removed by whoever opens the cache next.
//! - `lock` is held for the moment of opening the cache.
//!
//! Who uses an entry holds a shared lock on its `meta.json` (flock(2): gone with the process,
//! however it ends); who removes one needs the exclusive lock. Nothing is synced: after a power
//! cut an entry whose files are not as long as its meta file says is thrown away.

mod flight;
mod key;

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use sandbox::{Artefact, Bytes};
use serde::{Deserialize, Serialize};

pub(crate) use flight::{Flights, Turn};
pub(crate) use key::{Key, KeyBuilder};

use crate::model::CompileReport;

/// The cache. See the module for its layout and its promises.
#[derive(Debug)]
pub(crate) struct Cache {
    artefacts: PathBuf,
    work: PathBuf,
    max: Bytes,
    next: AtomicU64,
    room: Mutex<Room>,
    _owner: File,
}

/// What is known of the size on disk; other processes change it too.
#[derive(Debug, Default)]
struct Room {
    /// At the last look.
    seen: Option<u64>,
    /// Put in by this process since.
    added: u64,
}

/// An entry in use: it is not removed while this lives.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) artefact: Arc<Artefact>,
    /// How it was made; absent for sources that are not compiled.
    pub(crate) compile: Option<CompileReport>,
    _in_use: File,
}

/// A new entry that is not yet in the cache; removed when it is not put in.
#[derive(Debug)]
pub(crate) struct Draft {
    dir: PathBuf,
}

/// The cache folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {path:?} in the cache folder")]
pub struct CacheError {
    step: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    bytes: u64,
    compile: Option<CompileReport>,
}

impl Cache {
    /// Opens the cache in `dir`, made when it is not there, and removes what processes that are
    /// no more left in it.
    pub(crate) fn open(dir: &Path, max: Bytes) -> Result<Self, CacheError> {
        let (artefacts, work) = (dir.join("artefacts"), dir.join("work"));
        for dir in [&artefacts, &work] {
            make_dir(dir)?;
        }
        let gate = dir.join("lock");
        let _gate =
            File::create(&gate).and_then(|f| f.lock().map(|()| f)).map_err(at("lock", &gate))?;
        sweep(&work)?;
        let (work, owner) = claim(&work)?;
        let (next, room) = (AtomicU64::new(0), Mutex::default());
        Ok(Self { artefacts, work, max, next, room, _owner: owner })
    }

    /// The entry of this key, if it is there and whole; it becomes the last used.
    pub(crate) fn get(&self, key: &Key) -> Option<Entry> {
        let dir = self.artefacts.join(key.as_str());
        let path = dir.join("meta.json");
        let file = File::open(&path).ok()?;
        // Locked by who removes it: as good as gone.
        file.try_lock_shared().ok()?;
        // Removed, and perhaps made anew, between opening and locking.
        let same = fs::metadata(&path).ok()?.ino() == file.metadata().ok()?.ino();
        if !same {
            return None;
        }
        let meta = io::read_to_string(&file).ok().and_then(|t| serde_json::from_str(&t).ok());
        let artefact = dir.join("a");
        let whole = |m: &Meta| size(&artefact).is_ok_and(|bytes| bytes == m.bytes);
        let Some(Meta { bytes, compile }) = meta.filter(whole) else {
            drop(file);
            self.remove(&dir);
            return None;
        };
        // A date that cannot be set only makes it look older than it is.
        let _touched = file.set_modified(SystemTime::now());
        let artefact = Arc::new(Artefact::new(artefact, bytes));
        Some(Entry { artefact, compile, _in_use: file })
    }

    /// A folder for a new entry, on the file system of the cache.
    pub(crate) fn draft(&self) -> Result<Draft, CacheError> {
        let dir = self.scratch("new");
        make_dir(&dir.join("a"))?;
        Ok(Draft { dir })
    }

    /// Puts a finished draft in under its key and makes room for it. Should another process have
    /// been faster, its entry is taken.
    pub(crate) fn put(
        &self,
        key: &Key,
        draft: Draft,
        compile: Option<CompileReport>,
    ) -> Result<Entry, CacheError> {
        let bytes = size(&draft.artefact_dir()).map_err(at("measure", &draft.dir))?;
        let meta = Meta { bytes, compile };
        let path = draft.dir.join("meta.json");
        let text = serde_json::to_vec(&meta).expect("a report has only string keys");
        fs::write(&path, text).map_err(at("write", &path))?;
        let file = File::open(&path).map_err(at("open", &path))?;
        // Before it can be seen, so that nobody removes it in between.
        file.lock_shared().map_err(at("lock", &path))?;
        let to = self.artefacts.join(key.as_str());
        if let Err(source) = fs::rename(&draft.dir, &to) {
            return match self.get(key) {
                Some(entry) => Ok(entry),
                // Neither is there: another process removed its own at this moment, or the disk
                // fails. Once more tells which.
                None => match fs::rename(&draft.dir, &to) {
                    Ok(()) => Ok(self.published(&to, meta, file)),
                    Err(_) => Err(at("move into place", &to)(source)),
                },
            };
        }
        Ok(self.published(&to, meta, file))
    }

    fn published(&self, to: &Path, meta: Meta, file: File) -> Entry {
        self.make_room(meta.bytes);
        let artefact = Arc::new(Artefact::new(to.join("a"), meta.bytes));
        Entry { artefact, compile: meta.compile, _in_use: file }
    }

    /// Removes the least recently used entries while there is more than `max`. Looks at the disk
    /// only when what is known, or what was added since, makes it likely: with P processes there
    /// is never more than `max` and a sixteenth of it a process.
    fn make_room(&self, added: u64) {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        room.added += added;
        let slack = self.max.0 / 16;
        let known = room.seen.map(|seen| seen + room.added);
        if room.added <= slack && known.is_some_and(|known| known <= self.max.0) {
            return;
        }
        let mut entries = self.entries();
        entries.sort_unstable_by_key(|e| e.0);
        let mut total: u64 = entries.iter().map(|e| e.1).sum();
        if total > self.max.0 {
            // A little below, so that the next look is not at the next entry.
            let target = self.max.0 - slack;
            for (_, bytes, dir) in entries {
                if total <= target {
                    break;
                }
                if self.remove(&dir) {
                    total -= bytes;
                }
            }
        }
        *room = Room { seen: Some(total), added: 0 };
    }

    /// Every entry: last used, bytes, folder. One that cannot be read counts as oldest.
    fn entries(&self) -> Vec<(SystemTime, u64, PathBuf)> {
        let Ok(dirs) = fs::read_dir(&self.artefacts) else { return Vec::new() };
        let look = |dir: PathBuf| {
            let path = dir.join("meta.json");
            let used = fs::metadata(&path).and_then(|m| m.modified());
            let meta = fs::read(&path).ok().and_then(|t| serde_json::from_slice::<Meta>(&t).ok());
            (used.unwrap_or(SystemTime::UNIX_EPOCH), meta.map_or(0, |m| m.bytes), dir)
        };
        dirs.flatten().map(|entry| look(entry.path())).collect()
    }

    /// Removes an entry unless somebody uses it.
    fn remove(&self, dir: &Path) -> bool {
        let free = match File::open(dir.join("meta.json")) {
            Ok(file) => match file.try_lock() {
                Ok(()) => Some(file),
                Err(_) => return false,
            },
            Err(_) => None,
        };
        let gone = self.scratch("gone");
        let moved = fs::rename(dir, &gone).is_ok();
        drop(free);
        // What cannot be removed now is removed with `work/N`.
        let _removed = fs::remove_dir_all(&gone);
        moved
    }

    /// A path that nobody has, on the file system of the cache; swept should we be killed.
    pub(crate) fn scratch(&self, kind: &str) -> PathBuf {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        self.work.join(format!("{kind}-{n}"))
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let _removed = fs::remove_dir_all(&self.work);
        let _removed = fs::remove_file(self.work.with_extension("lock"));
    }
}

impl Draft {
    /// The empty folder that becomes the artefact.
    pub(crate) fn artefact_dir(&self) -> PathBuf {
        self.dir.join("a")
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Not there any more when it was put in.
        let _removed = fs::remove_dir_all(&self.dir);
    }
}

fn at(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    move |source| CacheError { step, path, source }
}

/// Only this user may look in: sources are other people's.
fn make_dir(dir: &Path) -> Result<(), CacheError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at("make folder", dir))
}

/// Removes the folders of processes that are no more. Called with the cache's lock held, so no
/// folder is between being made and being locked.
fn sweep(work: &Path) -> Result<(), CacheError> {
    for entry in fs::read_dir(work).map_err(at("list", work))? {
        let path = entry.map_err(at("list", work))?.path();
        if path.extension().is_none_or(|e| e != "lock") {
            continue;
        }
        let owner = File::open(&path).map_err(at("open", &path))?;
        match owner.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(source)) => return Err(at("lock", &path)(source)),
        }
        // The folder first: while the lock file is there the folder can be found again.
        let dir = path.with_extension("");
        match fs::remove_dir_all(&dir) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(at("remove", &dir)(source));
            }
            _ => fs::remove_file(&path).map_err(at("remove", &path))?,
        }
    }
    Ok(())
}

/// Takes the first free number.
fn claim(work: &Path) -> Result<(PathBuf, File), CacheError> {
    for n in 0u64.. {
        let path = work.join(format!("{n}.lock"));
        let owner = match File::create_new(&path) {
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => continue,
            other => other.map_err(at("create", &path))?,
        };
        owner.lock().map_err(at("lock", &path))?;
        let dir = path.with_extension("");
        make_dir(&dir)?;
        return Ok((dir, owner));
    }
    unreachable!("a folder does not hold 2^64 files")
}

/// Bytes of all files below a folder. No link is followed.
fn size(dir: &Path) -> io::Result<u64> {
    let mut total = 0;
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            if meta.is_dir() {
                dirs.push(entry.path());
            } else {
                total += meta.len();
            }
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        KeyBuilder::new().part(name).finish()
    }

    fn open(dir: &Path, max: u64) -> Cache {
        Cache::open(dir, Bytes(max)).unwrap()
    }

    fn add(cache: &Cache, name: &str, bytes: usize) -> Entry {
        let draft = cache.draft().unwrap();
        fs::write(draft.artefact_dir().join("main"), vec![b'x'; bytes]).unwrap();
        cache.put(&key(name), draft, None).unwrap()
    }

    fn names(dir: &Path) -> usize {
        fs::read_dir(dir.join("artefacts")).unwrap().count()
    }

    #[test]
    fn what_was_put_in_is_there_for_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let entry = add(&open(dir.path(), 1000), "a", 10);
        assert_eq!(fs::read(entry.artefact.dir().join("main")).unwrap(), [b'x'; 10]);
        assert_eq!(entry.artefact.bytes(), 10);
        let again = open(dir.path(), 1000);
        assert_eq!(again.get(&key("a")).unwrap().artefact, entry.artefact);
        assert!(again.get(&key("b")).is_none());
    }

    #[test]
    fn the_least_recently_used_goes_first_and_never_one_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(dir.path(), 1000);
        let held = add(&cache, "held", 300);
        for name in ["b", "c"] {
            drop(add(&cache, name, 300));
        }
        drop(cache.get(&key("b")).unwrap());
        drop(add(&cache, "d", 300));
        let there = |name| cache.get(&key(name)).is_some();
        assert!(there("held") && there("b") && there("d"));
        assert!(!there("c"), "used longest ago of those nobody uses");
        assert!(held.artefact.dir().join("main").exists());
    }

    #[test]
    fn the_bound_holds_over_any_sequence() {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(dir.path(), 4096);
        for i in 0..200usize {
            drop(add(&cache, &i.to_string(), (i * 37) % 900));
            let total: u64 = cache.entries().iter().map(|e| e.1).sum();
            assert!(total <= 4096, "{total} after {i}");
            assert!(cache.get(&key(&i.to_string())).is_some(), "the newest stays");
        }
    }

    #[test]
    fn another_process_sees_what_is_in_use_here() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (open(dir.path(), 1000), open(dir.path(), 100));
        let held = add(&ours, "held", 90);
        drop(add(&theirs, "b", 90));
        assert!(theirs.get(&key("b")).is_none() || theirs.get(&key("held")).is_some());
        assert!(held.artefact.dir().join("main").exists());
        drop(held);
        drop(add(&theirs, "c", 90));
        assert_eq!(names(dir.path()), 1);
    }

    #[test]
    fn who_comes_second_takes_the_entry_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (open(dir.path(), 1000), open(dir.path(), 1000));
        let first = add(&ours, "a", 10);
        let second = add(&theirs, "a", 10);
        assert_eq!(first.artefact, second.artefact);
    }

    #[test]
    fn an_entry_that_is_not_whole_is_thrown_away() {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(dir.path(), 1000);
        let main = add(&cache, "a", 10).artefact.dir().join("main");
        fs::write(&main, "short").unwrap();
        assert!(cache.get(&key("a")).is_none());
        assert_eq!(names(dir.path()), 0);
        let dir = add(&cache, "a", 10).artefact.dir().parent().unwrap().to_owned();
        fs::write(dir.join("meta.json"), "").unwrap();
        assert!(cache.get(&key("a")).is_none() && !dir.exists());
    }

    #[test]
    fn leftovers_of_the_dead_are_swept_and_those_of_the_living_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let living = open(dir.path(), 1000);
        let draft = living.draft().unwrap();
        // As a process leaves it that was killed: the folder and the lock file, without the lock.
        let dead = dir.path().join("work/7/new-0/a");
        fs::create_dir_all(&dead).unwrap();
        fs::write(dir.path().join("work/7.lock"), "").unwrap();
        let next = open(dir.path(), 1000);
        assert!(!dead.exists() && !dir.path().join("work/7.lock").exists());
        assert!(draft.artefact_dir().exists());
        drop((draft, living, next));
        assert_eq!(fs::read_dir(dir.path().join("work")).unwrap().count(), 0);
    }

    #[test]
    fn simultaneous_equal_requests_take_turns() {
        let flights = Flights::default();
        let never = sandbox::Cancel::new().unwrap();
        let made = AtomicU64::new(0);
        std::thread::scope(|s| {
            for _ in 0..8 {
                s.spawn(|| {
                    loop {
                        match flights.turn(&key("a"), &never).unwrap() {
                            Turn::Mine(_leader) => {
                                made.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst)
                                    .ok();
                                return;
                            }
                            Turn::Over => assert_eq!(made.load(Ordering::SeqCst), 1),
                            Turn::Refused(_) | Turn::Cancelled => unreachable!(),
                        }
                    }
                });
            }
        });
        let leader = flights.turn(&key("a"), &never).unwrap();
        assert!(matches!(leader, Turn::Mine(_)));
        let withdrawn = sandbox::Cancel::new().unwrap();
        withdrawn.cancel();
        assert!(matches!(flights.turn(&key("a"), &withdrawn).unwrap(), Turn::Cancelled));
        assert!(matches!(flights.turn(&key("b"), &withdrawn).unwrap(), Turn::Mine(_)));
    }
}
