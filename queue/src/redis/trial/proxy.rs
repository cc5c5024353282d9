//! Stands between clients and the server, and loses the answer of every n-th call of each script:
//! the call is carried out, the connection ends.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use redis::Script;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::super::test_server::TestServer;

/// How a call of a script begins; its 40 digits follow.
const CALL: &[u8] = b"EVALSHA\r\n$40\r\n";
const DIGITS: usize = 40;

#[derive(Debug)]
pub(super) struct Proxy {
    folder: tempfile::TempDir,
    calls: Arc<Calls>,
    /// Ends with its value.
    _carriers: JoinSet<()>,
}

#[derive(Debug)]
struct Calls {
    every: u64,
    /// By script.
    made: Mutex<HashMap<String, u64>>,
}

impl Proxy {
    pub(super) fn start(server: &TestServer, every: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let calls = Arc::new(Calls { every, made: Mutex::default() });
        let mut carriers = JoinSet::new();
        carriers.spawn(listen(listener, server.folder().join("s"), Arc::clone(&calls)));
        Self { folder, calls, _carriers: carriers }
    }

    pub(super) fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("s").display())
    }

    /// How many answers of `script` were lost.
    pub(super) fn lost(&self, script: &Script) -> u64 {
        let made = self.calls.made.lock().unwrap();
        made.get(script.get_hash()).map_or(0, |made| made / self.calls.every)
    }
}

async fn listen(listener: UnixListener, server: PathBuf, calls: Arc<Calls>) {
    let mut carriers = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (server, calls) = (server.clone(), Arc::clone(&calls));
        carriers.spawn(async move { carry(client, &server, &calls).await.unwrap_or(()) });
    }
}

async fn carry(client: UnixStream, server: &Path, calls: &Calls) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = UnixStream::connect(server).await?.into_split();
    let lose = AtomicBool::new(false);
    let up = async {
        let (mut bytes, mut rest) = (vec![0; 1 << 16], Vec::new());
        loop {
            let n = from_client.read(&mut bytes).await?;
            if n == 0 {
                return Ok(());
            }
            rest.extend_from_slice(&bytes[..n]);
            if calls.note(&mut rest) {
                lose.store(true, Ordering::Relaxed);
            }
            to_server.write_all(&bytes[..n]).await?;
        }
    };
    let down = async {
        let mut bytes = vec![0; 1 << 16];
        loop {
            let n = from_server.read(&mut bytes).await?;
            if n == 0 || lose.load(Ordering::Relaxed) {
                return Ok(());
            }
            to_client.write_all(&bytes[..n]).await?;
        }
    };
    tokio::select! { ended = up => ended, ended = down => ended }
}

impl Calls {
    /// Counts the calls in `text`, and leaves of it what may be the beginning of one. Is the answer
    /// of one of them to be lost?
    fn note(&self, text: &mut Vec<u8>) -> bool {
        let (mut lose, mut at) = (false, 0);
        let mut made = self.made.lock().unwrap();
        while let Some(found) = text[at..].windows(CALL.len()).position(|part| part == CALL) {
            let digits = at + found + CALL.len();
            if text.len() < digits + DIGITS {
                at += found;
                break;
            }
            at = digits + DIGITS;
            let script = String::from_utf8_lossy(&text[digits..at]).into_owned();
            let made = made.entry(script).or_default();
            *made += 1;
            lose |= made.is_multiple_of(self.every);
        }
        let keep = at.max(text.len().saturating_sub(CALL.len() + DIGITS - 1));
        text.drain(..keep);
        lose
    }
}
