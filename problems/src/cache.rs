//! The cache where problems are judged: unpacked on disk, bounded in bytes, least recently used out.
//!
//! A problem is fetched once however many ask for it at the same time. What somebody still uses is
//! never removed: the bound may be exceeded by as much as is in use.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::hash::Hash;
use crate::shelf::{self, Shelf};

/// Problems that are kept ready for use though nobody uses them; the others are read from the disk
/// again. One takes some megabytes at most.
const HOT: usize = 8;
/// Processes that may have a cache below one folder.
const HOMES: u32 = 64;

/// What is made of a problem's bytes.
pub trait Shape: Send + Sync + fmt::Debug + 'static {
    /// A problem, ready for use. Its files stay where they are while it lives.
    type Value: Send + Sync + fmt::Debug;
    /// Why there is none.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Makes files in an empty folder of what was fetched. Blocks.
    ///
    /// # Errors
    /// When it is none.
    fn unpack(&self, fetched: &Path, into: &Path) -> Result<(), Self::Error>;

    /// Reads a folder that [`Shape::unpack`] has filled, once or in an earlier life. Blocks.
    ///
    /// # Errors
    /// When it is none.
    fn load(&self, folder: &Path) -> Result<Self::Value, Self::Error>;
}

/// The problems at hand.
#[derive(Debug)]
pub struct Cache<S: Shape> {
    shelf: Shelf,
    shape: Arc<S>,
    limit: u64,
    home: PathBuf,
    /// Held as long as the folder is ours.
    _lock: File,
    /// Short operations only; never held over an await.
    state: Mutex<State<S::Value>>,
}

#[derive(Debug)]
struct State<V> {
    kept: HashMap<Hash, Kept<V>>,
    /// Who fetches it has the lock; dropped with the last who waits.
    turns: HashMap<Hash, Arc<tokio::sync::Mutex<()>>>,
    clock: u64,
}

#[derive(Debug)]
struct Kept<V> {
    bytes: u64,
    used: u64,
    /// Whoever uses it has the other end.
    value: Weak<V>,
    hot: Option<Arc<V>>,
}

impl<V> Kept<V> {
    fn is_idle(&self) -> bool {
        self.value.strong_count() == usize::from(self.hot.is_some())
    }
}

/// Why a problem is not at hand.
#[derive(Debug, thiserror::Error)]
pub enum Error<E: std::error::Error + 'static> {
    /// The folder cannot be used.
    #[error("cannot keep problems in {path:?}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// All folders are taken by other processes.
    #[error("{HOMES} processes keep problems below {path:?} already; name another folder")]
    Crowded {
        /// Where.
        path: PathBuf,
    },
    /// Nobody has it.
    #[error("there is no problem {hash}; was it deleted?")]
    Unknown {
        /// Which.
        hash: Hash,
    },
    /// It cannot be fetched.
    #[error("cannot fetch problem {hash}")]
    Fetch {
        /// Which.
        hash: Hash,
        /// Why.
        #[source]
        source: shelf::Error,
    },
    /// It is larger than the cache.
    #[error("problem {hash} takes {size} bytes unpacked; this machine keeps at most {limit}")]
    TooLarge {
        /// Which.
        hash: Hash,
        /// How many it takes.
        size: u64,
        /// How many there may be.
        limit: u64,
    },
    /// What was fetched is none.
    #[error("problem {hash}")]
    Shape {
        /// Which.
        hash: Hash,
        /// Why.
        #[source]
        source: E,
    },
}

impl<S: Shape> Cache<S> {
    /// A cache below `folder` of at most `limit` bytes. What an earlier process has left there is used.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(
        folder: &Path,
        limit: u64,
        shelf: Shelf,
        shape: S,
    ) -> Result<Self, Error<S::Error>> {
        let failed = |source| Error::Folder { path: folder.to_owned(), source };
        let found = home(folder).map_err(failed)?;
        let (home, lock) = found.ok_or_else(|| Error::Crowded { path: folder.to_owned() })?;
        let kept = inventory(&home).map_err(failed)?;
        let clock = kept.len() as u64;
        let state = Mutex::new(State { kept, turns: HashMap::new(), clock });
        let cache = Self { shelf, shape: Arc::new(shape), limit, home, _lock: lock, state };
        cache.sweep(0).map_err(failed)?;
        Ok(cache)
    }

    /// A problem, fetched if it is not here. Dropped in the middle, nothing is left behind.
    ///
    /// # Errors
    /// When there is none, or it cannot be had.
    pub async fn get(&self, hash: &Hash) -> Result<Arc<S::Value>, Error<S::Error>> {
        if let Some(value) = self.state().at_hand(hash) {
            return Ok(value);
        }
        let turn = Arc::clone(self.state().turns.entry(*hash).or_default());
        let got = {
            let _mine = turn.lock().await;
            // Whoever was before has it now, unless it failed or was dropped.
            let value = self.state().at_hand(hash);
            match value {
                Some(value) => Ok(value),
                None => self.bring(hash).await,
            }
        };
        let mut state = self.state();
        // Ours and the table's: nobody else waits.
        if Arc::strong_count(&turn) == 2 {
            state.turns.remove(hash);
        }
        got
    }

    /// Loads it from disk, or fetches it first.
    async fn bring(&self, hash: &Hash) -> Result<Arc<S::Value>, Error<S::Error>> {
        let (folder, hash) = (self.home.join(hash.hex()), *hash);
        let here = self.state().kept.contains_key(&hash);
        let bytes = if here { None } else { Some(self.fetch(&hash, &folder).await?) };
        let (shape, at) = (Arc::clone(&self.shape), folder.clone());
        let loaded = blocking(move || shape.load(&at)).await;
        let value = match loaded {
            Ok(value) => Arc::new(value),
            Err(source) => {
                // It may be from another version of ours: fetched again the next time.
                self.state().kept.remove(&hash);
                self.discard(&folder);
                return Err(Error::Shape { hash, source });
            }
        };
        let mut state = self.state();
        state.clock += 1;
        let used = state.clock;
        let before = state.kept.get(&hash).map_or(0, |kept| kept.bytes);
        let (bytes, weak) = (bytes.unwrap_or(before), Arc::downgrade(&value));
        let kept = Kept { bytes, used, value: weak, hot: Some(Arc::clone(&value)) };
        state.kept.insert(hash, kept);
        state.cool();
        Ok(value)
    }

    /// Fetches and unpacks beside the others, then moves it to its place. Returns its size.
    async fn fetch(&self, hash: &Hash, folder: &Path) -> Result<u64, Error<S::Error>> {
        let failed = |source| Error::Folder { path: self.home.clone(), source };
        let scratch = scratch(&self.home).map_err(failed)?;
        let (packed, open) = (scratch.path().join("packed"), scratch.path().join("open"));
        let fetched = self.shelf.fetch(hash, &packed, self.limit).await;
        let fetched = fetched.map_err(|source| Error::Fetch { hash: *hash, source })?;
        fetched.ok_or(Error::Unknown { hash: *hash })?;
        let (shape, into) = (Arc::clone(&self.shape), open.clone());
        let unpacked = blocking(move || {
            fs::create_dir(&into).map_err(Ok)?;
            shape.unpack(&packed, &into).map_err(Err)?;
            size(&into).map_err(Ok)
        });
        let size = unpacked.await.map_err(|error| match error {
            Ok(source) => failed(source),
            Err(source) => Error::Shape { hash: *hash, source },
        })?;
        if size > self.limit {
            return Err(Error::TooLarge { hash: *hash, size, limit: self.limit });
        }
        self.sweep(size).map_err(failed)?;
        fs::rename(&open, folder).map_err(failed)?;
        tracing::info!(problem = %hash, bytes = size, "fetched a problem");
        Ok(size)
    }

    /// Makes room for so many bytes, as far as nobody uses what is there.
    fn sweep(&self, wanted: u64) -> io::Result<()> {
        loop {
            let mut state = self.state();
            let taken: u64 = state.kept.values().map(|kept| kept.bytes).sum();
            if taken.saturating_add(wanted) <= self.limit {
                return Ok(());
            }
            let State { kept, turns, .. } = &*state;
            // Somebody may be loading what has a turn.
            let oldest =
                kept.iter().filter(|(hash, kept)| kept.is_idle() && !turns.contains_key(hash));
            let oldest = oldest.min_by_key(|(_, kept)| kept.used).map(|(hash, _)| *hash);
            let Some(hash) = oldest else { return Ok(()) };
            state.kept.remove(&hash);
            // Under the lock: whoever asks for it again must not find it half removed.
            let away = scratch(&self.home)?;
            fs::rename(self.home.join(hash.hex()), away.path().join("old"))?;
            drop(state);
            tracing::debug!(problem = %hash, "removed a problem to make room");
        }
    }

    fn discard(&self, folder: &Path) {
        let away = scratch(&self.home);
        // If it stays it is removed with the next start.
        if let Ok(away) = away {
            drop(fs::rename(folder, away.path().join("old")));
        }
    }

    fn state(&self) -> MutexGuard<'_, State<S::Value>> {
        // Every change is complete before anything in it could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> State<V> {
    fn at_hand(&mut self, hash: &Hash) -> Option<Arc<V>> {
        let kept = self.kept.get_mut(hash)?;
        let value = kept.value.upgrade()?;
        self.clock += 1;
        kept.used = self.clock;
        kept.hot = Some(Arc::clone(&value));
        self.cool();
        Some(value)
    }

    /// Keeps no more than some ready.
    fn cool(&mut self) {
        let mut hot: Vec<u64> =
            self.kept.values().filter(|kept| kept.hot.is_some()).map(|kept| kept.used).collect();
        if hot.len() <= HOT {
            return;
        }
        hot.sort_unstable();
        let first = hot[hot.len() - HOT];
        for kept in self.kept.values_mut().filter(|kept| kept.used < first) {
            kept.hot = None;
        }
    }
}

/// The first folder that no other living process has.
fn home(folder: &Path) -> io::Result<Option<(PathBuf, File)>> {
    for number in 0..HOMES {
        let home = folder.join(number.to_string());
        // What tests hold is nobody's business on this machine either.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&home)?;
        let lock = File::create(home.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => return Ok(Some((home, lock))),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// What an earlier process has left: whole problems, the oldest first, and rubbish, which goes.
fn inventory<V>(home: &Path) -> io::Result<HashMap<Hash, Kept<V>>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(home)? {
        let entry = entry?;
        let name = entry.file_name();
        let hash = name.to_str().and_then(|name| Hash::parse(&format!("sha256:{name}")).ok());
        match hash {
            Some(hash) => {
                found.push((entry.metadata()?.modified()?, hash, size(&entry.path())?));
            }
            None if name == "lock" => {}
            None if entry.file_type()?.is_dir() => fs::remove_dir_all(entry.path())?,
            None => fs::remove_file(entry.path())?,
        }
    }
    found.sort_unstable();
    let kept =
        |(used, (_, hash, bytes))| (hash, Kept { bytes, used, value: Weak::new(), hot: None });
    Ok((0..).zip(found).map(kept).collect())
}

/// A folder for what is not whole; removed when it is dropped.
fn scratch(home: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("scratch-").tempdir_in(home)
}

/// What the files of a folder take: whole blocks of the disk, and one for each folder.
fn size(folder: &Path) -> io::Result<u64> {
    const BLOCK: u64 = 4096;
    let mut sum = BLOCK;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        sum +=
            if meta.is_dir() { size(&entry.path())? } else { meta.len().next_multiple_of(BLOCK) };
    }
    Ok(sum)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime ends, and this task with it.
        Err(_) => std::future::pending().await,
    }
}
