//! The slots file and the sizing file: watched through their folders, since they are replaced rather
//! than written, and polled, since a watch can be lost. The machine is looked at with them: its CPUs
//! may change, too.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::warn;

use crate::crew::{Crew, Superseded};
use crate::judging::chain;
use crate::node;
use crate::slots::{self, Order, Policy, Shares, Sizing};

/// How often the file and the machine are looked at in any case.
const POLL: Duration = Duration::from_secs(1);
/// A slots file is a line.
const MOST: u64 = 4096;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot read {path:?}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path:?} has {size} bytes, it should be a few lines")]
    Large { path: PathBuf, size: u64 },
    #[error("{path:?} cannot be used")]
    Content {
        path: PathBuf,
        #[source]
        source: slots::Error,
    },
}

/// The last good value of a file.
#[derive(Debug)]
struct File<T> {
    path: PathBuf,
    good: Option<T>,
    /// What was said last, so that it is said once.
    fault: Option<String>,
}

/// The files that say how many slots there are.
#[derive(Debug)]
pub(crate) struct Files {
    slots: Option<File<Order>>,
    sizing: Option<File<Shares>>,
    policy: Policy,
}

impl Files {
    /// Of those that there are.
    pub(crate) fn new(slots: Option<PathBuf>, sizing: Option<PathBuf>, policy: Policy) -> Self {
        Self { slots: slots.map(File::new), sizing: sizing.map(File::new), policy }
    }

    /// Reads them, and the machine. What is wrong is said once, and the value before stays.
    pub(crate) fn read(&mut self) -> Read {
        let Self { slots, sizing, policy } = self;
        let base = policy.shares;
        let odd = slots.as_mut().is_some_and(|file| file.read(Order::parse));
        let shares = |text: &str| base.with(text).map(Some);
        let odd_too = sizing.as_mut().is_some_and(|file| file.read(shares));
        let order = slots.as_ref().and_then(|file| file.good);
        let shares = sizing.as_ref().and_then(|file| file.good).unwrap_or(base);
        let policy = Policy { file: order, shares, ..*policy };
        Read { sizing: slots::slots(node::read(), policy), order, faults: [odd, odd_too] }
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let slots = self.slots.iter().map(|file| &*file.path);
        slots.chain(self.sizing.iter().map(|file| &*file.path))
    }
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Read {
    /// How many slots there are.
    pub(crate) sizing: Sizing,
    /// Who says so.
    pub(crate) order: Option<Order>,
    faults: [bool; 2],
}

impl Read {
    /// Files that are bad, and were not before.
    pub(crate) fn faults(&self) -> usize {
        self.faults.iter().filter(|fault| **fault).count()
    }
}

impl<T: Copy> File<T> {
    fn new(path: PathBuf) -> Self {
        Self { path, good: None, fault: None }
    }

    /// Reads it. What is wrong is said once, and the value before stays. Returns whether it was bad.
    fn read(&mut self, parse: impl Fn(&str) -> Result<Option<T>, slots::Error>) -> bool {
        match read(&self.path, parse) {
            Ok(value) => {
                // One that says nothing takes nothing back.
                (self.good, self.fault) = (value.or(self.good), None);
                false
            }
            Err(error) => {
                let fault = chain(&error);
                let news = self.fault.as_ref() != Some(&fault);
                if news {
                    warn!(kept = self.good.is_some(), "{fault}");
                }
                self.fault = Some(fault);
                news
            }
        }
    }
}

fn read<T>(
    path: &Path,
    parse: impl Fn(&str) -> Result<Option<T>, slots::Error>,
) -> Result<Option<T>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MOST {
        return Err(Error::Large { path: path.to_owned(), size });
    }
    let bytes = fs::read(path).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    parse(&text).map_err(|source| Error::Content { path: path.to_owned(), source })
}

/// Sizes the slots whenever something has changed.
pub(crate) async fn follow(crew: Arc<Crew>, mut files: Files) -> Superseded {
    let watch = Watch::new(files.paths());
    loop {
        rest(watch.as_ref()).await;
        let read = files.read();
        for _ in 0..read.faults() {
            crew.metrics.slots_file_error();
        }
        crew.resize(read.sizing, read.order);
    }
}

/// A watch on the folders of files.
#[derive(Clone)]
struct Watch(Arc<OwnedFd>);

impl Watch {
    /// `None` when there can be none (inotify(7): limits, odd file systems), or nothing is to be
    /// watched: then it is polled.
    fn new<'p>(paths: impl Iterator<Item = &'p Path>) -> Option<Self> {
        use inotify::{CreateFlags, WatchFlags};
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        // A projected volume renames `..data`; an editor renames the file; echo writes it.
        let flags = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::DELETE;
        let mut watched = false;
        for path in paths {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
            let folder = folder.unwrap_or_else(|| Path::new("."));
            // A folder that is watched already is watched once.
            watched |= inotify::add_watch(&fd, folder, flags).is_ok();
        }
        watched.then(|| Self(Arc::new(fd)))
    }

    /// Until something has changed in the folder, at most for `time`. Returns whether it has. Blocks.
    fn changed(&self, time: Duration) -> bool {
        let Ok(time) = Timespec::try_from(time) else { return false };
        let readable = poll(&mut [PollFd::new(&*self.0, PollFlags::IN)], Some(&time));
        let mut events = [0_u8; 4096];
        // What does not fit is read the next time, which is at once then.
        readable.is_ok_and(|n| n > 0) && rustix::io::read(&*self.0, &mut events).is_ok()
    }
}

/// Waits for a change or the next look.
async fn rest(watch: Option<&Watch>) {
    if let Some(watch) = watch.cloned() {
        // Its thread is of the runtime's pool; a look that cannot be made is made up by the next.
        drop(spawn_blocking(move || watch.changed(POLL)).await);
    } else {
        sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rubbish_keeps_the_last_good_value_and_is_said_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slots");
        let mut file = File::new(path.clone());
        let look = |file: &mut File<Order>| file.read(Order::parse);
        assert!(look(&mut file) && file.good.is_none(), "not there yet");
        fs::write(&path, "").unwrap();
        assert!(!look(&mut file) && file.good.is_none(), "nobody has said anything yet");
        fs::write(&path, "3\n").unwrap();
        assert!(!look(&mut file));
        for rubbish in ["three", "-1", "\u{0}\u{ff}"] {
            fs::write(&path, rubbish).unwrap();
            assert!(look(&mut file) || file.fault.is_some());
            assert!(!look(&mut file), "said already");
            assert_eq!(file.good.map(|order| order.slots), Some(3), "{rubbish}");
        }
        fs::write(&path, "").unwrap();
        assert!(!look(&mut file), "an annotation that was taken away");
        assert_eq!(file.good.map(|order| order.slots), Some(3));
        fs::write(&path, "x".repeat(1 << 20)).unwrap();
        assert!(look(&mut file));
        fs::remove_file(&path).unwrap();
        assert!(look(&mut file));
        fs::write(&path, "slots=0 generation=9").unwrap();
        assert!(!look(&mut file));
        assert_eq!(file.good, Some(Order { slots: 0, generation: Some(9) }));
    }

    #[test]
    fn another_sizing_is_another_number_without_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (slots, sizing) = (dir.path().join("slots"), dir.path().join("policy"));
        fs::write(&slots, "").unwrap();
        fs::write(&sizing, "cpu_per_slot=1\nmax=2\nfloor=2\n").unwrap();
        let cpu = slots::Quantity::parse("64").unwrap();
        let policy = Policy {
            fixed: None,
            file: None,
            allocatable: Some(slots::Allocatable { cpu, memory: None }),
            shares: Shares::default(),
            pin: false,
        };
        let mut files = Files::new(Some(slots.clone()), Some(sizing.clone()), policy);
        assert_eq!(files.read().sizing.desired, 2, "nobody says a number: by the node");
        fs::write(&sizing, "cpu_per_slot=1\nmax=3\nfloor=3\n").unwrap();
        assert_eq!(files.read().sizing.desired, 3);
        fs::write(&slots, "1").unwrap();
        assert_eq!(files.read().sizing.desired, 1);
        fs::write(&sizing, "nonsense").unwrap();
        let read = files.read();
        assert_eq!((read.sizing.desired, read.faults()), (1, 1));
    }

    #[test]
    fn each_way_to_replace_a_file_wakes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slots");
        let watch = Watch::new([&*path].into_iter()).unwrap();
        let soon = Duration::from_secs(20);
        fs::write(&path, "1").unwrap();
        assert!(watch.changed(soon));
        let next = dir.path().join("next");
        fs::write(&next, "2").unwrap();
        assert!(watch.changed(soon));
        fs::rename(&next, &path).unwrap();
        assert!(watch.changed(soon));
        fs::remove_file(&path).unwrap();
        assert!(watch.changed(soon));
    }
}
