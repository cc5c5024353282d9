//! Between workers and server: passes bytes on, until it is told to lose a reply.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Builder;

/// Listens until the process ends.
pub(crate) struct Proxy {
    folder: tempfile::TempDir,
    ways: Arc<Mutex<Vec<Arc<Way>>>>,
}

/// One connection.
struct Way {
    client: UnixStream,
    server: UnixStream,
    /// The next reply is lost, and the connection with it.
    lossy: AtomicBool,
}

impl Proxy {
    pub(crate) fn before(server: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let ways: Arc<Mutex<Vec<Arc<Way>>>> = Arc::default();
        let (server, all): (PathBuf, _) = (server.to_owned(), Arc::clone(&ways));
        let listening = Builder::new().name("proxy".to_owned()).spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                // While the server is down its socket refuses, and so does this one.
                let Ok(server) = UnixStream::connect(&server) else { continue };
                let way = Arc::new(Way { client, server, lossy: AtomicBool::new(false) });
                let mut all = all.lock().unwrap();
                all.retain(|way| Arc::strong_count(way) > 1);
                all.push(Arc::clone(&way));
                let (there, back) = (Arc::clone(&way), way);
                let way = |name: &str| Builder::new().name(name.to_owned());
                drop(way("there").spawn(move || there.pass(&there.client, &there.server, false)));
                drop(way("back").spawn(move || back.pass(&back.server, &back.client, true)));
            }
        });
        drop(listening.unwrap());
        Self { folder, ways }
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("s").display())
    }

    /// One connection loses its next reply: the server has done what was asked for, and nobody is
    /// told.
    pub(crate) fn lose_a_reply(&self) -> bool {
        let ways = self.ways.lock().unwrap();
        let alive: Vec<_> = ways.iter().filter(|way| Arc::strong_count(way) > 2).collect();
        let Some(way) = fastrand::choice(alive) else { return false };
        !way.lossy.swap(true, Ordering::Relaxed)
    }
}

impl Way {
    fn pass(&self, mut from: &UnixStream, mut to: &UnixStream, replies: bool) {
        let mut bytes = [0; 64 << 10];
        while let Ok(n @ 1..) = from.read(&mut bytes) {
            // Half of what arrived may come through: a reply cut in the middle.
            let lost = replies && self.lossy.load(Ordering::Relaxed);
            let n = if lost { fastrand::usize(..n) } else { n };
            if to.write_all(&bytes[..n]).is_err() || lost {
                break;
            }
        }
        drop(self.client.shutdown(Shutdown::Both));
        drop(self.server.shutdown(Shutdown::Both));
    }
}
