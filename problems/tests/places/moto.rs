//! moto's server, which plays S3. One for all cases; each has a bucket of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Place;

/// A running server; ends with its value.
pub(crate) struct Moto(Child);

/// Where the one server listens.
static PORT: AtomicUsize = AtomicUsize::new(0);
static BUCKETS: AtomicUsize = AtomicUsize::new(0);

impl Moto {
    /// Starts it, if it is installed.
    #[expect(clippy::disallowed_methods, reason = "a server for tests")]
    pub(crate) fn start() -> Option<Self> {
        let program = find("moto_server")?;
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self(command.spawn().unwrap());
        let end = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "moto_server does not listen");
            std::thread::park_timeout(Duration::from_millis(50));
        }
        PORT.store(port.into(), Ordering::Relaxed);
        Some(server)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have died.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A new bucket.
pub(crate) fn place() -> Place {
    let port = PORT.load(Ordering::Relaxed);
    let bucket = format!("tests-{}", BUCKETS.fetch_add(1, Ordering::Relaxed));
    let mut stream = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
    write!(
        stream,
        "PUT /{bucket} HTTP/1.0\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200"), "{answer}");
    let said = [
        ("AWS_ENDPOINT_URL_S3", format!("http://127.0.0.1:{port}")),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        ("AWS_ACCESS_KEY_ID", "x".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "y".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("PATH", "/bin".to_owned()),
    ];
    let variables = said.map(|(name, value)| (name.to_owned(), value)).into();
    Place { address: format!("s3://{bucket}/some/where"), variables, _keeper: Box::new(()) }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|path| path.is_file())
}
