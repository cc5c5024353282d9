//! The listener: clients that are slow to say something, or to read what they are told.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use api::{Access, App, Config, Limits, Server};
use judge::language::Table;
use queue::{MemoryStore, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(20);

/// A server on a port of its own; ends with the set.
async fn serve(limits: Limits) -> (std::net::SocketAddr, JoinSet<()>) {
    let store = Arc::new(MemoryStore::new(Settings::default()));
    let table = Arc::new(Table::builtin());
    let app = App::new(store, table, None, Access::open(true), Config::default());
    let server = Server::bind(app, ([127, 0, 0, 1], 0).into(), false, limits).await.unwrap();
    let (address, mut tasks) = (server.address().unwrap(), JoinSet::new());
    tasks.spawn(server.run(std::future::pending()));
    (address, tasks)
}

async fn healthz(address: std::net::SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\nhost: localhost\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// They ask for much and read nothing: else a few of them would have all connections for ever.
#[tokio::test]
async fn who_reads_nothing_is_let_go_and_others_have_the_connection() {
    let unread = Duration::from_millis(300);
    let limits = Limits { connections: 3, unread, ..Limits::default() };
    let (address, _tasks) = serve(limits).await;
    let request = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1000);
    let mut mute = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Not all of it is taken: the server waits for its answers to be read.
        let asked = timeout(Duration::from_millis(200), stream.write_all(request.as_bytes()));
        drop(asked.await);
        mute.push(stream);
    }
    let answer = timeout(LONG, healthz(address)).await.expect("held up by the mute").unwrap();
    assert!(answer.ends_with("ok\n"), "{answer}");
}

/// Reading slowly is another thing than not reading.
#[tokio::test]
async fn who_reads_slowly_has_the_whole_answer() {
    let unread = Duration::from_millis(300);
    let (address, _tasks) = serve(Limits { unread, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n";
    let requests = format!("{}{head}connection: close\r\n\r\n", format!("{head}\r\n").repeat(199));
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(2));
    let (mut whole, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        ticks.tick().await;
        match timeout(LONG, stream.read(&mut buffer)).await.unwrap().unwrap() {
            0 => break,
            read => whole.extend_from_slice(&buffer[..read]),
        }
    }
    let whole = String::from_utf8(whole).unwrap();
    assert_eq!(whole.matches("HTTP/1.1 200 OK").count(), 200);
}

#[tokio::test]
async fn heads_that_never_end_are_let_go_and_others_have_the_connection() {
    let limits = Limits { connections: 3, head: Duration::from_millis(300), ..Limits::default() };
    let (address, _tasks) = serve(limits).await;
    let mut slow = Vec::new();
    for said in ["", "GET / HT", "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let answer = timeout(LONG, healthz(address)).await.expect("held up by the slow").unwrap();
    assert!(answer.ends_with("ok\n"), "{answer}");
}
