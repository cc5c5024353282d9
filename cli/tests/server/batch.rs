//! A batch outlives the server that takes it: sent again under its key, nothing is there twice.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::redis::TestServer;
use crate::{Service, Stub};

const COUNT: usize = 3000;
const HEAD: &str = "HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
    idempotency-key: exam-7\r\nconnection: close\r\n";

/// All different, so that a mix-up would be seen.
fn lines() -> Vec<String> {
    let program = |n| json!({"language": "python3", "source": format!("ms=1 echo={n}")});
    (0..COUNT).map(|n| format!("{}\n", program(n))).collect()
}

fn connect(service: &Service) -> TcpStream {
    let stream = TcpStream::connect(&service.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// The lines of an answer that comes in chunks, so far as it comes.
fn answered(stream: TcpStream) -> impl Iterator<Item = Value> {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(&line).unwrap())
}

/// Sends all but the last `missing` lines, hears that `heard` are queued, and kills the server:
/// what it was doing is cut off wherever it was.
fn cut_off(mut service: Service, lines: &[String], missing: usize, heard: usize) -> Vec<Value> {
    let mut stream = connect(&service);
    let whole: usize = lines.iter().map(String::len).sum();
    write!(stream, "POST /v1/submissions:batch {HEAD}content-length: {whole}\r\n\r\n").unwrap();
    let mut writer = stream.try_clone().unwrap();
    let sent = lines[..lines.len() - missing].concat();
    std::thread::scope(|scope| {
        // It fails when the server dies before all is sent.
        scope.spawn(move || drop(writer.write_all(sent.as_bytes())));
        let queued = |line: &Value| line["submission"]["status"] == "queued";
        let known: Vec<Value> = answered(stream).filter(queued).take(heard).collect();
        service.kill();
        known
    })
}

/// Sends all, and tells each one's id and what became of it by its position.
fn send(service: &Service, lines: &[String]) -> (HashMap<u64, String>, HashMap<u64, Value>) {
    let mut stream = connect(service);
    let body = lines.concat();
    let length = body.len();
    write!(stream, "POST /v1/submissions:batch {HEAD}content-length: {length}\r\n\r\n").unwrap();
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || writer.write_all(body.as_bytes()).unwrap());
        let (mut ids, mut ends) = (HashMap::new(), HashMap::new());
        for line in answered(stream) {
            let index = line["index"].as_u64().unwrap();
            let view = &line["submission"];
            let id = view["id"].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
            match view["status"].as_str().unwrap() {
                "queued" => assert_eq!(ids.insert(index, id), None, "queued twice: {line}"),
                _ => assert!(ends.insert(index, view.clone()).is_none(), "ended twice: {line}"),
            }
        }
        (ids, ends)
    })
}

#[test]
fn a_batch_that_kill_9_cuts_off_and_that_is_sent_again_is_there_once() {
    let redis = TestServer::strict();
    let lines = lines();
    let _worker = Stub::start(&redis);
    let mut told = Vec::new();
    // At the beginning, in the middle, and with all but one line read.
    for (missing, heard) in [(COUNT - 10, 1), (COUNT / 2, 700), (1, COUNT - 1)] {
        told.extend(cut_off(Service::start(&redis, &[]), &lines, missing, heard));
    }
    assert_eq!(told.len(), COUNT + 700);
    let service = Service::start(&redis, &[]);
    let (ids, ends) = send(&service, &lines);
    assert_eq!((ids.len(), ends.len()), (COUNT, COUNT));
    let distinct: std::collections::HashSet<&String> = ids.values().collect();
    assert_eq!(distinct.len(), COUNT);
    for line in told {
        let index = line["index"].as_u64().unwrap();
        assert_eq!(line["submission"]["id"], json!(ids[&index]), "another id: {line}");
    }
    for (index, view) in &ends {
        assert_eq!(view["status"], "finished", "{view}");
        assert_eq!(view["id"], json!(ids[index]));
        assert_eq!(view["report"]["toolchain"], json!(index.to_string()), "mixed up: {view}");
    }
    let totals = || {
        let fleet = service.ask("GET /v1/fleet", &Value::Null).1;
        (fleet["totals"]["enqueued"].clone(), fleet["totals"]["finished"].clone())
    };
    assert_eq!(totals(), (json!(COUNT), json!(COUNT)));
    let (again, _) = send(&service, &lines);
    assert_eq!((again, totals()), (ids, (json!(COUNT), json!(COUNT))));
}

/// Killed at any time, a beginning of an array is there, or none of it; its key completes it.
#[test]
fn an_array_that_kill_9_cuts_off_is_completed_by_its_key() {
    let redis = TestServer::strict();
    let one = |n| json!({"language": "python3", "source": format!("ms=0 echo={n}")});
    let body = Value::from_iter((0..500).map(one)).to_string();
    let head = HEAD.replace("x-ndjson", "json");
    let length = body.len();
    for delay in [0, 5, 10, 20, 40] {
        let mut service = Service::start(&redis, &[]);
        let mut stream = connect(&service);
        write!(stream, "POST /v1/submissions:batch {head}content-length: {length}\r\n\r\n")
            .unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        // Wherever it is by then.
        std::thread::park_timeout(Duration::from_millis(delay));
        service.kill();
        let mut rest = String::new();
        drop(stream.read_to_string(&mut rest));
        let service = Service::start(&redis, &[]);
        let fleet = service.ask("GET /v1/fleet", &Value::Null).1;
        let count = fleet["totals"]["enqueued"].as_u64().unwrap();
        // What one step of the queue adds.
        assert!(count <= 500 && count.is_multiple_of(100), "{count} after {delay} ms");
    }
    let service = Service::start(&redis, &[]);
    let mut stream = connect(&service);
    write!(
        stream,
        "POST /v1/submissions:batch?wait=0 {head}content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    assert_eq!(answered(stream).count(), 500);
    let fleet = service.ask("GET /v1/fleet", &Value::Null).1;
    assert_eq!(fleet["totals"]["enqueued"], 500);
}
