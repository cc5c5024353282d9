//! Asks a worker how it is: its `/readyz` says what is wrong, and which engine it uses. No right and
//! no token is needed for it, and no answer is needed for anything.

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
/// A version is as `0.1.0-rc.1+abc`.
const VERSION: usize = 40;

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Word {
    /// Why it is not ready.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    queue: QueueWord,
    #[serde(default)]
    engine: Option<String>,
    #[serde(default)]
    version: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct QueueWord {
    reachable: bool,
}

impl Word {
    /// The engine that it uses, and its version. Whatever else it says is not believed: it would
    /// stand in a status.
    pub(crate) fn manner(&self) -> Option<(&'static str, &str)> {
        let engine = match self.engine.as_deref()? {
            "native" => "native",
            "isolate" => "isolate",
            _ => return None,
        };
        let version = self.version.as_deref()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
        let fits = (1..=VERSION).contains(&version.len()) && version.chars().all(plain);
        fits.then_some((engine, version))
    }

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
pub(crate) mod tests {
    use super::*;

    /// What a worker that is well says.
    pub(crate) fn word(engine: &str, version: &str) -> Word {
        Word {
            reason: None,
            queue: QueueWord { reachable: true },
            engine: Some(engine.to_owned()),
            version: Some(version.to_owned()),
        }
    }

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

    #[test]
    fn the_engine_and_the_version_and_nothing_else() {
        let well = br#"HTTP/1.0 200 OK

{"ready":true,"engine":"native","version":"0.1.0","queue":{"reachable":true}}"#;
        let well = String::from_utf8_lossy(well).replace('\n', "\r\n");
        assert_eq!(read(well.as_bytes()).unwrap().manner(), Some(("native", "0.1.0")));
        for (engine, version) in
            [("stub", "0.1.0"), ("native", ""), ("native", "0.1 <b>"), ("native", &*"9".repeat(41))]
        {
            assert_eq!(word(engine, version).manner(), None, "{engine} {version}");
        }
        let older = Word { version: None, ..word("native", "") };
        assert_eq!(older.manner(), None, "a worker that does not tell its version");
    }

    #[tokio::test]
    async fn a_worker_that_is_not_there_says_nothing() {
        assert_eq!(ask("127.0.0.1".parse().unwrap()).await, None);
    }
}
