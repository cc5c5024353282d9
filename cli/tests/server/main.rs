//! `evalx server` as a process over a real redis-server.
#![expect(clippy::unwrap_used, reason = "what is unexpected fails the test")]

mod attack;
mod batch;
mod callbacks;
mod fleet;
mod judge0;
#[path = "../../../queue/tests/server/mod.rs"]
#[allow(clippy::disallowed_methods, reason = "starts redis-server")]
mod redis;
#[path = "../scene/mod.rs"]
#[allow(dead_code, reason = "shared with the other targets")]
mod scene;
mod tls;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;
use std::time::Duration;

use redis::TestServer;
use scene::Scene;
use serde_json::Value;

/// An `evalx server` on a port of its own; ends with its value.
struct Service {
    _scene: Scene,
    child: Child,
    address: String,
}

impl Service {
    fn start(redis: &TestServer, more: &[&str]) -> Self {
        let (scene, url) = (Scene::new(), redis.url());
        let args = ["server", "--redis", &url, "--listen", "127.0.0.1:0", "--log", "warn"];
        let mut child = scene.start(&[&args, more].concat());
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap_or_default().to_owned();
        if address.is_empty() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("it did not start: {said}");
        }
        Self { _scene: scene, child, address }
    }

    /// SIGKILL, as a crash would.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// HTTP/1.0: the answer ends with the connection.
    fn ask(&self, head: &str, body: &Value) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        write!(stream, "{head} HTTP/1.0\r\ncontent-length: {length}\r\n").unwrap();
        write!(stream, "content-type: application/json\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may be dead already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An `evalx worker` that judges nothing and does what programs say; ends with its value.
struct Stub {
    _scene: Scene,
    child: Child,
}

impl Stub {
    fn start(redis: &TestServer) -> Self {
        let (scene, url) = (Scene::new(), redis.url());
        let args = ["worker", "--stub-judge", "--redis", &url, "--listen", "127.0.0.1:0"];
        let child = scene.start(&[&args[..], &["--slots", "8", "--log", "error"]].concat());
        Self { _scene: scene, child }
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
