//! For tests: workers as processes, and the queue they work for.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use queue::view::{JobView, Stage};
use queue::{Enqueued, Job, JobId, RedisStore, Settings, Store, Tenant};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::server::TestServer;

/// One worker process. It is killed with its value.
pub(crate) struct Worker {
    child: Child,
    folder: TempDir,
}

impl Worker {
    /// Starts one with the stub at `place`; it listens at a port of its own.
    pub(crate) fn start(url: &str, place: &str, arguments: &[&str]) -> Self {
        let stub = ["--stub-judge", "--place", place];
        Self::run(url, &[&stub, arguments].concat())
    }

    /// Starts one with these arguments.
    #[expect(clippy::disallowed_methods, reason = "the binary under test is started here")]
    pub(crate) fn run(url: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("evalx-worker-").tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_evalx"));
        command.env_clear().args(["worker", "--log-format", "json"]);
        command.env("EVALX_WORKER_LISTEN", "127.0.0.1:0");
        for name in ["PATH", "HOME"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        // Not as a flag: what is tested is how it should be used.
        command.env("REDIS_URL", url).env("EVALX_CACHE_DIR", folder.path().join("cache"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self { child: command.spawn().unwrap(), folder }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// SIGKILL, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn term(&self) {
        self.signal(Signal::TERM);
    }

    /// Its exit code, once it ends by itself.
    pub(crate) fn code(&mut self) -> Option<i32> {
        let mut code = None;
        until("the worker ends", || {
            code = self.child.try_wait().unwrap().map(|status| status.code());
            code.is_some()
        });
        code.flatten()
    }

    /// What it answers at its port: the status and the body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut addr = None;
        until("the worker listens", || {
            addr = self.addr();
            addr.is_some()
        });
        let mut stream = TcpStream::connect(addr.unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    fn addr(&self) -> Option<SocketAddr> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("listening"))?;
        let (_, rest) = line.split_once("\"addr\":\"")?;
        rest.split('"').next()?.parse().ok()
    }

    pub(crate) fn ready(&self) -> serde_json::Value {
        serde_json::from_str(&self.get("/readyz").1).unwrap()
    }

    /// Until it knows of `count` jobs; the queue knows a round trip earlier that they are its own.
    pub(crate) fn until_judging(&self, count: u64) {
        until("it judges", || self.ready()["jobs"]["judging"] == count);
    }

    pub(crate) fn until_ready(&self) {
        until("the worker is ready", || self.ready()["ready"] == true);
    }

    /// A sample of its metrics, by its full name with labels.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").1;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("the worker's log:\n{}", self.log());
        }
    }
}

/// Whoever puts jobs into the queue and looks for results.
pub(crate) struct Api {
    pub(crate) store: Arc<RedisStore>,
    runtime: tokio::runtime::Runtime,
}

impl Api {
    pub(crate) fn of(server: &TestServer) -> Self {
        Self::at(&server.url())
    }

    pub(crate) fn at(url: &str) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let connecting = RedisStore::connect(url, "default", Settings::default());
        let store = Arc::new(runtime.block_on(connecting).unwrap());
        Self { store, runtime }
    }

    pub(crate) fn wait<T>(&self, asking: impl Future<Output = T>) -> T {
        self.runtime.block_on(asking)
    }

    pub(crate) fn enqueue(&self, payload: impl Into<bytes::Bytes>) -> JobId {
        let job = Job::new(Tenant::anonymous(), payload);
        let answer = self.wait(self.store.enqueue(std::slice::from_ref(&job))).unwrap();
        assert!(matches!(answer, Enqueued::Accepted { added: 1, .. }));
        job.id
    }

    pub(crate) fn job(&self, id: &JobId) -> JobView {
        self.wait(self.store.job(id)).unwrap().unwrap()
    }

    pub(crate) fn stage(&self, id: &JobId) -> Stage {
        self.job(id).stage
    }

    pub(crate) fn until_running(&self, id: &JobId) {
        until("the job runs", || self.stage(id) == Stage::Running);
    }

    pub(crate) fn until_finished(&self, id: &JobId) -> bytes::Bytes {
        let mut result = None;
        until("the job is finished", || match self.stage(id) {
            Stage::Finished(bytes) => {
                result = Some(bytes);
                true
            }
            Stage::Dead(why) => panic!("dead: {why:?}"),
            _ => false,
        });
        result.unwrap()
    }
}

/// Looks again and again until it is so; fails after half a minute.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < end, "not within half a minute: {what}");
        pause();
    }
}

/// Leaves the CPU to what is waited for.
pub(crate) fn pause() {
    // Nobody unparks this thread.
    std::thread::park_timeout(Duration::from_millis(3));
}
