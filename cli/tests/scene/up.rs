//! `evalx up`, and a client of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Done, Scene};

/// An `evalx up` on a port of its own.
pub(crate) struct Up {
    scene: Scene,
    child: Child,
    pub(crate) address: String,
    pub(crate) ready: Duration,
}

impl Up {
    pub(crate) fn start() -> Self {
        Self::start_in(Scene::new(), &[])
    }

    pub(crate) fn start_in(scene: Scene, args: &[&str]) -> Self {
        let begun = Instant::now();
        let first = ["up", "--listen", "127.0.0.1:0", "--slots", "2"];
        let mut child = scene.start(&[&first, args].concat());
        let mut line = String::new();
        // The rest of its output is nothing.
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap_or_default().to_owned();
        assert!(!address.is_empty(), "{}", scene_error(&mut child));
        Self { scene, child, address, ready: begun.elapsed() }
    }

    /// HTTP/1.0: the answer ends with the connection.
    pub(crate) fn ask(&self, head: &str, body: &str) -> (u16, String) {
        let kind = if head.contains(":batch") { "x-ndjson" } else { "json" };
        self.send(head, kind, body.as_bytes())
    }

    pub(crate) fn send(&self, head: &str, kind: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let length = body.len();
        write!(stream, "{head} HTTP/1.0\r\ncontent-length: {length}\r\n").unwrap();
        write!(stream, "content-type: application/{kind}\r\n\r\n").unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Waits until a submission is over.
    pub(crate) fn judge(&self, submission: &Value) -> Value {
        let (status, body) = self.ask("POST /v1/submissions?wait=60", &submission.to_string());
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn stop(self, signal: Signal) -> Done {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        self.scene.finish(self.child)
    }
}

fn scene_error(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}
