//! The slots file: watched through its folder, since it is replaced rather than written, and
//! polled, since a watch can be lost. The machine is looked at with it: its CPUs may change, too.

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
use crate::slots::{self, Order, Policy};

/// How often the file and the machine are looked at in any case.
const POLL: Duration = Duration::from_secs(1);
/// A slots file is a line.
const MOST: u64 = 4096;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot read the slots file {path:?}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the slots file {path:?} has {size} bytes, it should be one line")]
    Large { path: PathBuf, size: u64 },
    #[error("the slots file {path:?} cannot be used")]
    Content {
        path: PathBuf,
        #[source]
        source: slots::Error,
    },
}

/// The last good value of a slots file.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    good: Option<Order>,
    /// What was said last, so that it is said once.
    fault: Option<String>,
}

impl File {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, good: None, fault: None }
    }

    /// Reads it. What is wrong is said once, and the value before stays. Returns whether it was bad.
    pub(crate) fn read(&mut self) -> bool {
        match read(&self.path) {
            Ok(order) => {
                (self.good, self.fault) = (Some(order), None);
                false
            }
            Err(error) => {
                let fault = chain(&error);
                let news = self.fault.as_ref() != Some(&fault);
                if news {
                    let kept = self.good.map(|order| order.slots);
                    warn!(?kept, "{fault}");
                }
                self.fault = Some(fault);
                news
            }
        }
    }

    /// What it said last.
    pub(crate) fn good(&self) -> Option<Order> {
        self.good
    }
}

fn read(path: &Path) -> Result<Order, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MOST {
        return Err(Error::Large { path: path.to_owned(), size });
    }
    let bytes = fs::read(path).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    Order::parse(&text).map_err(|source| Error::Content { path: path.to_owned(), source })
}

/// Sizes the slots whenever something has changed.
pub(crate) async fn follow(crew: Arc<Crew>, policy: Policy, mut file: Option<File>) -> Superseded {
    let watch = file.as_ref().and_then(|file| Watch::new(&file.path));
    loop {
        rest(watch.as_ref()).await;
        if file.as_mut().is_some_and(File::read) {
            crew.metrics.slots_file_error();
        }
        let order = file.as_ref().and_then(File::good);
        crew.resize(slots::slots(node::read(), Policy { file: order, ..policy }), order);
    }
}

/// A watch on the folder of a file.
#[derive(Clone)]
struct Watch(Arc<OwnedFd>);

impl Watch {
    /// `None` when there can be none (inotify(7): limits, odd file systems): then it is polled.
    fn new(path: &Path) -> Option<Self> {
        use inotify::{CreateFlags, WatchFlags};
        let folder =
            path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        // A projected volume renames `..data`; an editor renames the file; echo writes it.
        let flags = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::DELETE;
        inotify::add_watch(&fd, folder, flags).ok()?;
        Some(Self(Arc::new(fd)))
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
        assert!(file.read() && file.good().is_none(), "not there yet");
        fs::write(&path, "3\n").unwrap();
        assert!(!file.read());
        for rubbish in ["", "three", "-1", "\u{0}\u{ff}"] {
            fs::write(&path, rubbish).unwrap();
            assert!(file.read() || file.fault.is_some());
            assert!(!file.read(), "said already");
            assert_eq!(file.good().map(|order| order.slots), Some(3), "{rubbish}");
        }
        fs::write(&path, "x".repeat(1 << 20)).unwrap();
        assert!(file.read());
        fs::remove_file(&path).unwrap();
        assert!(file.read());
        fs::write(&path, "slots=0 generation=9").unwrap();
        assert!(!file.read());
        assert_eq!(file.good(), Some(Order { slots: 0, generation: Some(9) }));
    }

    #[test]
    fn each_way_to_replace_a_file_wakes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slots");
        let watch = Watch::new(&path).unwrap();
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
