//! Asks a worker that runs and is not ready what is wrong: its `/readyz` says so.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Where workers listen (`build`).
const PORT: u16 = 9464;
/// A worker answers at once or not at all.
const PATIENCE: Duration = Duration::from_secs(1);
/// An answer is a few lines.
const MOST: u64 = 16 << 10;

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Word {
    /// Why it is not ready.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    queue: QueueWord,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct QueueWord {
    reachable: bool,
}

impl Word {
    /// Why the queue is out of reach, if it is.
    pub(crate) fn queue_trouble(&self) -> Option<&str> {
        let reason = self.reason.as_deref().unwrap_or("the queue does not answer");
        (!self.queue.reachable).then_some(reason)
    }
}

/// Asks. `None` when there is no answer: it is only one more word on what is known otherwise.
pub(crate) async fn ask(address: IpAddr) -> Option<Word> {
    let asked = timeout(PATIENCE, get(SocketAddr::new(address, PORT))).await.ok()?;
    read(&asked.ok()?)
}

async fn get(address: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: worker\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn read(answer: &[u8]) -> Option<Word> {
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let word: Word = serde_json::from_slice(&answer[at + 4..]).ok()?;
    let reason = word.reason.map(|reason| reason.chars().take(400).collect());
    Some(Word { reason, ..word })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_says() {
        let head = "HTTP/1.0 503 Service Unavailable\r\ncontent-type: application/json\r\n\r\n";
        let away = r#"{"ready":false,"reason":"the queue does not answer: refused","phase":"running",
            "queue":{"name":"default","reachable":false},"jobs":{"judging":0}}"#;
        let word = read(format!("{head}{away}").as_bytes()).unwrap();
        assert_eq!(word.queue_trouble(), Some("the queue does not answer: refused"));
        let failing = r#"{"ready":false,"reason":"the judge failed","queue":{"reachable":true}}"#;
        assert_eq!(read(format!("{head}{failing}").as_bytes()).unwrap().queue_trouble(), None);
        for odd in ["", "HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n[]"] {
            assert_eq!(read(odd.as_bytes()), None);
        }
    }

    #[tokio::test]
    async fn a_worker_that_is_not_there_says_nothing() {
        assert_eq!(ask("127.0.0.1".parse().unwrap()).await, None);
    }
}
