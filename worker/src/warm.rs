//! Reading ahead what runs begin with: without it the first test of a language after the machine's
//! start waits for the disk, on its own clock. In the background, within bounds, and without a slot.

use std::fs::{self, File};
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise};
use sandbox::Bytes;
use tracing::{info, warn};

use crate::node;

/// Of one language: a JDK's classes and its virtual machine.
const EACH: Bytes = Bytes::mib(192);

/// Of all languages, on a machine that has at least eight times as much memory.
const ALL: Bytes = Bytes::mib(512);

/// A disk that has not read it by then is busy with something else.
const LONGEST: Duration = Duration::from_secs(30);

/// What is asked for at once: between two of them it is looked whether to go on.
const STEP: u64 = 2 << 20;

/// Reads ahead until it is done or this is dropped.
#[derive(Debug)]
pub struct Warming {
    stop: Arc<AtomicBool>,
    /// Taken when this is dropped.
    thread: Option<JoinHandle<()>>,
}

impl Warming {
    /// Begins; `languages` are the files and folders of each.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn begin(languages: Vec<Vec<PathBuf>>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = thread::Builder::new().name("warm".to_owned()).spawn(move || {
            // As usual, then.
            let _usual = sandbox::yield_the_disk();
            let memory = node::read().memory.map_or(u64::MAX, |memory| memory.0 / 8);
            let begun = Instant::now();
            let mut ahead = Ahead {
                stop: &seen,
                until: begun + LONGEST,
                left: ALL.0.min(memory),
                read: 0,
                files: 0,
            };
            let count = languages.iter().filter(|paths| !paths.is_empty()).count();
            languages.iter().for_each(|paths| ahead.language(paths));
            let Ahead { read, files, .. } = ahead;
            let (mib, ms) = (read >> 20, begun.elapsed().as_millis());
            info!(languages = count, files, mib, ms, "read ahead what runs begin with");
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("reading ahead has panicked");
        }
    }
}

struct Ahead<'a> {
    stop: &'a AtomicBool,
    until: Instant,
    /// Bytes.
    left: u64,
    read: u64,
    files: usize,
}

impl Ahead<'_> {
    fn language(&mut self, paths: &[PathBuf]) {
        let before = self.left;
        self.left = before.min(EACH.0);
        let given = self.left;
        paths.iter().for_each(|path| self.path(path));
        self.left = before - (given - self.left);
    }

    /// What cannot be read is left to whoever needs it.
    fn path(&mut self, path: &Path) {
        let kind = fs::symlink_metadata(path).map(|meta| meta.file_type());
        let Some(kind) = kind.ok().filter(|_| !self.ended()) else { return };
        if kind.is_dir() {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries.for_each(|entry| self.path(&entry.path()));
        } else if kind.is_file() && self.file(path).is_ok() {
            self.files += 1;
        }
    }

    fn file(&mut self, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let length = file.metadata()?.len().min(self.left);
        let mut at = 0;
        while at < length && !self.ended() {
            let step = NonZeroU64::new(STEP.min(length - at));
            // Queues the reading and does not wait for it (posix_fadvise(2)).
            fadvise(&file, at, step, Advice::WillNeed)?;
            let step = step.map_or(0, NonZeroU64::get);
            (at, self.left, self.read) = (at + step, self.left - step, self.read + step);
        }
        Ok(())
    }

    fn ended(&self) -> bool {
        self.left == 0 || self.stop.load(Ordering::Relaxed) || Instant::now() >= self.until
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const SIZE: u64 = 3 << 20;

    /// A file that is on the disk and not in memory.
    fn cold(path: &Path) {
        fs::write(path, vec![7; usize::try_from(SIZE).unwrap()]).unwrap();
        forget(path);
    }

    fn forget(path: &Path) {
        let file = File::open(path).unwrap();
        file.sync_all().unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    }

    /// What disks were asked for by `deed`, all of it on this thread (proc_pid_io(5)).
    fn from_disk<T>(deed: impl FnOnce() -> T) -> (u64, T) {
        let read = || {
            let text = fs::read_to_string("/proc/thread-self/io").unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix("read_bytes: "));
            line.unwrap().parse::<u64>().unwrap()
        };
        let before = read();
        let done = deed();
        (read() - before, done)
    }

    fn ahead(stop: &AtomicBool, left: u64) -> Ahead<'_> {
        Ahead { stop, until: Instant::now() + LONGEST, left, read: 0, files: 0 }
    }

    #[test]
    fn what_runs_begin_with_is_in_memory_and_what_is_beyond_the_bounds_is_not() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let library = dir.path().join("lib/deep");
        fs::create_dir_all(&library).unwrap();
        let (program, first) = (dir.path().join("program"), library.join("first"));
        cold(&program);
        let whole = |path| File::open(path).unwrap().read_to_end(&mut Vec::new()).unwrap();
        if from_disk(|| whole(&program)).0 < SIZE {
            // A file system in memory.
            return;
        }
        forget(&program);
        cold(&first);
        std::os::unix::fs::symlink("/usr", library.join("elsewhere")).unwrap();
        let paths = [program.clone(), dir.path().join("lib"), dir.path().join("none")];
        let go = |stop: bool, left| {
            let stop = AtomicBool::new(stop);
            let mut ahead = ahead(&stop, left);
            let (bytes, ()) = from_disk(|| ahead.language(&paths));
            (bytes >> 20, ahead.read >> 20, ahead.files)
        };
        assert_eq!(go(true, u64::MAX), (0, 0, 0), "it was let go");
        assert_eq!(go(false, SIZE), (3, 3, 1), "the most needed first");
        assert_eq!(go(false, u64::MAX), (3, 6, 2), "only what is not there yet");
        let reading = || (whole(&program), whole(&first));
        assert_eq!(from_disk(reading).0, 0, "all of it is there");
    }

    #[test]
    fn it_ends_when_it_is_let_go() {
        let begun = Instant::now();
        drop(Warming::begin(vec![vec![PathBuf::from("/usr")]]).unwrap());
        assert!(begun.elapsed() < LONGEST / 2);
    }
}
