//! For tests and benches: a redis-server of their own, in a folder of its own, on a Unix socket.
//! It ends with its value.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server.
#[derive(Debug)]
pub(crate) struct TestServer {
    folder: tempfile::TempDir,
    /// What starts it, and its arguments.
    launcher: Vec<String>,
    arguments: Vec<String>,
    child: Child,
}

impl TestServer {
    /// Starts one. `arguments` are the server's own.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for redis-server");
        Self::launched(folder, &[], arguments)
    }

    /// Starts one in that folder through another program.
    pub(crate) fn launched(
        folder: tempfile::TempDir,
        launcher: &[&str],
        arguments: &[&str],
    ) -> Self {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let (launcher, arguments): (Vec<String>, Vec<String>) = (owned(launcher), owned(arguments));
        let child = spawn(folder.path(), &launcher, &arguments);
        let server = Self { folder, launcher, arguments, child };
        server.wait_until_ready();
        server
    }

    /// One that loses nothing.
    #[allow(dead_code, reason = "not every target that includes this file needs it")]
    pub(crate) fn strict() -> Self {
        Self::start(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// A Sentinel that watches the server at `port` under the name `m`. Listens at `own`.
    #[allow(dead_code, reason = "not every target that includes this file needs it")]
    pub(crate) fn sentinel(own: u16, port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder for redis-server");
        let text = format!(
            "port {own}\nbind 127.0.0.1\nunixsocket s\nsentinel monitor m 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds m 500\nsentinel failover-timeout m 2000\n"
        );
        std::fs::write(folder.path().join("conf"), text).expect("a file in our folder");
        let arguments = vec!["conf".to_owned(), "--sentinel".to_owned()];
        let child = run(folder.path(), &[], &arguments);
        let server = Self { folder, launcher: Vec::new(), arguments, child };
        server.wait_until_ready();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("s").display())
    }

    #[allow(dead_code, reason = "not every target that includes this file needs it")]
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// SIGKILL, as a crash would.
    #[allow(dead_code, reason = "not every target that includes this file needs it")]
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child of ours can be killed");
        self.child.wait().expect("a child of ours can be waited for");
    }

    /// Starts it again after [`TestServer::kill`], on the same data.
    #[allow(dead_code, reason = "not every target that includes this file needs it")]
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.folder.path(), &self.launcher, &self.arguments);
        self.wait_until_ready();
    }

    /// Mends an append-only file that was torn more than once, which Redis 7.0 refuses to load, and
    /// starts it again.
    #[allow(dead_code, reason = "not every target that includes this file needs it")]
    pub(crate) fn mend_and_restart(&mut self, manifest: &Path) {
        mend(self.folder.path(), &self.launcher, manifest);
        self.restart();
    }

    /// Whether it has ended by itself.
    #[allow(dead_code, reason = "not every target that includes this file needs it")]
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours can be waited for").is_some()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Until it has loaded its data.
    fn wait_until_ready(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        let client = redis::Client::open(self.url()).expect("a good address");
        loop {
            let pong = client
                .get_connection()
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
            match pong {
                Ok(_) => return,
                // With a password it is ready, too.
                Err(error) if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) => return,
                Err(error) if error.kind() == redis::ErrorKind::AuthenticationFailed => return,
                Err(error) if Instant::now() < end => drop(error),
                Err(error) => panic!("redis-server does not start: {error}\n{}", self.log()),
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // It may have been killed before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "no guest: the tool of the server")]
fn mend(folder: &Path, launcher: &[String], manifest: &Path) {
    let tool = ["redis-check-aof", "--fix"].map(str::to_owned);
    let mut words = launcher.iter().chain(&tool);
    let mut child = Command::new(words.next().expect("there is the tool at least"))
        .args(words)
        .arg(manifest)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("redis-check-aof comes with redis-server");
    // It asks whether it may cut the file; a sound file is not asked about.
    let _answered = child.stdin.take().map(|mut stdin| stdin.write_all(b"y\n"));
    let told = child.wait_with_output().expect("a child of ours can be waited for");
    assert!(told.status.success(), "redis-check-aof cannot mend its file: {told:?}");
}

fn spawn(folder: &Path, launcher: &[String], arguments: &[String]) -> Child {
    let ours = ["--port", "0", "--unixsocket", "s", "--save", "", "--daemonize", "no"];
    let ours = ours.into_iter().map(str::to_owned);
    run(folder, launcher, &ours.chain(arguments.iter().cloned()).collect::<Vec<_>>())
}

#[expect(clippy::disallowed_methods, reason = "no guest: the server that the tests are about")]
fn run(folder: &Path, launcher: &[String], arguments: &[String]) -> Child {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .expect("a log for redis-server");
    let server = ["redis-server".to_owned()];
    let mut words = launcher.iter().chain(&server).chain(arguments);
    Command::new(words.next().expect("there is the server at least"))
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log)
        .spawn()
        .expect("redis-server is needed: apt-get install redis-server")
}
