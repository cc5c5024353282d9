//! The service as a process, and a client with one connection.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// An `evalx server`; ends with its value.
pub(crate) struct Service {
    child: Child,
    address: String,
}

impl Service {
    #[expect(clippy::disallowed_methods, reason = "the binary that is measured is started here")]
    pub(crate) fn start(redis: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_evalx"))
            .args(["server", "--redis", redis, "--listen", "127.0.0.1:0", "--log", "warn"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().to_owned();
        Self { child, address }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A field of `/proc/PID/status` in MiB.
pub(crate) fn resident(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// One connection that is kept.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn of(service: &Service) -> Self {
        let stream = TcpStream::connect(&service.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// The status and the body.
    pub(crate) fn ask(&mut self, head: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Waits for the report of a submission whose tests are all accepted.
    pub(crate) fn judge(&mut self, submission: &Value, tests: usize) -> Value {
        let (status, answer) = self.ask("POST /v1/submissions?wait=60", &submission.to_string());
        assert_eq!(status, 200, "{answer}");
        let report = &answer["report"];
        assert_eq!(report["verdict"], "AC", "{answer}");
        assert_eq!(report["tests"].as_array().unwrap().len(), tests);
        report.clone()
    }

    /// Hands in and does not wait; returns the id.
    pub(crate) fn submit(&mut self, submission: &str) -> String {
        let (status, answer) = self.ask("POST /v1/submissions", submission);
        assert!(matches!(status, 201 | 202), "{status} {answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Waits for the report of one that was handed in.
    pub(crate) fn report(&mut self, id: &str) -> Value {
        let (status, answer) = self.ask(&format!("GET /v1/submissions/{id}?wait=60"), "");
        assert_eq!((status, &answer["status"]), (200, &Value::from("finished")), "{answer}");
        answer["report"].clone()
    }

    /// How many submissions have a report.
    pub(crate) fn finished(&mut self) -> u64 {
        self.ask("GET /v1/fleet", "").1["totals"]["finished"].as_u64().unwrap()
    }
}
