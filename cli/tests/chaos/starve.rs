//! The server of the chaos, and what it can run out of.

use std::time::Duration;

use super::Done;
use super::disk::Disk;
use super::fleet::until;
use super::server::TestServer;

/// More than the long form writes between two rewrites of its file.
const DISK: u64 = 2 << 30;
/// How long it is without memory.
const SHORT: Duration = Duration::from_millis(300);

pub(crate) struct Patient {
    pub(crate) server: TestServer,
    /// Only root can have one.
    disk: Option<Disk>,
}

impl Patient {
    pub(crate) fn new() -> Self {
        if rustix::process::geteuid().is_root() {
            let (disk, server) = Disk::with_server(DISK, "always");
            return Self { server, disk: Some(disk) };
        }
        eprintln!("no disk is filled: that needs root");
        Self { server: TestServer::strict(), disk: None }
    }

    pub(crate) fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    pub(crate) fn kill(&mut self) {
        self.server.kill();
        self.restart();
    }

    /// Memory and disk run out in turns.
    pub(crate) fn starve(&mut self, done: &mut Done) {
        if done.full_memories <= done.full_disks || self.disk.is_none() {
            self.command(&["CONFIG", "SET", "maxmemory", "1"]);
            // A pause, not a wait: the fleet works on meanwhile.
            std::thread::park_timeout(SHORT);
            self.command(&["CONFIG", "SET", "maxmemory", "0"]);
            done.full_memories += 1;
        } else if let Some(disk) = &self.disk {
            disk.fill();
            // What cannot write what it has to sync ends itself; the fleet's heartbeats are writes.
            until("the server ends", || self.server.has_ended());
            disk.free();
            self.restart();
            done.full_disks += 1;
        }
    }

    /// Torn once more before the first tear was rewritten, Redis 7.0 does not load its file.
    fn restart(&mut self) {
        match &self.disk {
            Some(_) => {
                let file = "data/appendonlydir/appendonly.aof.manifest";
                let manifest = self.server.folder().join(file);
                self.server.mend_and_restart(&manifest);
            }
            None => self.server.restart(),
        }
    }

    fn command(&self, words: &[&str]) {
        let client = redis::Client::open(self.server.url()).unwrap();
        let mut connection = client.get_connection().unwrap();
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| _ = command.arg(*word));
        let () = command.query(&mut connection).unwrap();
    }
}
