//! For tests: a server on a small disk of its own, which can be filled. Needs root.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::server::TestServer;

/// A tmpfs in a mount namespace of its own, which lives as long as the process in it.
pub(crate) struct Disk {
    holder: Child,
    path: PathBuf,
    size: u64,
}

impl Disk {
    /// A server that syncs as `fsync` says, on a disk of `size` bytes.
    pub(crate) fn with_server(size: u64, fsync: &str) -> (Self, TestServer) {
        let folder = tempfile::tempdir().expect("a folder for redis-server");
        let disk = Self::mount(folder.path().join("data"), size);
        let socket = folder.path().join("s");
        let text =
            |path: &Path| path.to_str().expect("temporary folders have plain names").to_owned();
        let (data, socket) = (text(&disk.path), text(&socket));
        let arguments = [
            "--dir",
            &data,
            "--unixsocket",
            &socket,
            "--appendonly",
            "yes",
            "--appendfsync",
            fsync,
        ];
        let server = TestServer::launched(folder, &["nsenter", &disk.namespace()], &arguments);
        (disk, server)
    }

    #[expect(clippy::disallowed_methods, reason = "no guest: holds the namespace of this test")]
    fn mount(path: PathBuf, size: u64) -> Self {
        std::fs::create_dir(&path).expect("the temporary folder is writable");
        let script = "mount -t tmpfs -o \"size=$1\" none \"$0\" && echo mounted && exec cat";
        let mut holder = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", script])
            .arg(&path)
            .arg(size.to_string())
            // Ends with this process, whose end of the pipe closes.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare is needed: apt-get install util-linux");
        let mut line = String::new();
        let told = BufReader::new(holder.stdout.take().expect("it is piped")).read_line(&mut line);
        told.expect("the holder speaks");
        assert_eq!(line, "mounted\n", "no tmpfs can be mounted here");
        Self { holder, path, size }
    }

    fn namespace(&self) -> String {
        format!("--mount=/proc/{}/ns/mnt", self.holder.id())
    }

    /// Takes all the space that is free.
    pub(crate) fn fill(&self) {
        let root = Path::new("/proc").join(self.holder.id().to_string()).join("root");
        let inside = root.join(self.path.strip_prefix("/").expect("it is absolute"));
        // A size below what is used is refused, and more may be used meanwhile.
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let disk = rustix::fs::statvfs(&inside).expect("the disk is mounted");
            if self.resize((disk.f_blocks - disk.f_bfree) * disk.f_frsize) {
                return;
            }
            assert!(Instant::now() < end, "the disk cannot be made smaller");
        }
    }

    pub(crate) fn free(&self) {
        assert!(self.resize(self.size), "the disk cannot be made larger");
    }

    #[expect(clippy::disallowed_methods, reason = "no guest: only mounts")]
    fn resize(&self, size: u64) -> bool {
        let status = Command::new("nsenter")
            .arg(self.namespace())
            .args(["mount", "-o", &format!("remount,size={size}")])
            .arg(&self.path)
            .stderr(Stdio::null())
            .status();
        status.expect("nsenter is needed: apt-get install util-linux").success()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}
