//! What is meant to break a server: each is answered precisely or cut off, others are served
//! meanwhile, nothing is stored, and the process grows by little.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Service;
use crate::redis::TestServer;
use crate::scene::pause;

const GB: u64 = 1 << 30;
const MB: u64 = 1 << 20;

/// The most memory the process has had, in bytes (proc_pid_status(5)).
fn peak(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// A server that has answered something already.
fn warm(redis: &TestServer, more: &[&str]) -> Service {
    let service = Service::start(redis, more);
    let body = json!({"language": "klingon", "source": "x"});
    assert_eq!(service.ask("POST /v1/submissions", &body).0, 422);
    service
}

fn connect(service: &Service) -> TcpStream {
    let stream = TcpStream::connect(&service.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// All that comes until the end of the connection, or until it is broken.
fn rest(stream: &mut TcpStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            // Cut off with some of ours unread.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("not closed: {error}"),
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn status(answer: &str) -> u16 {
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    status.unwrap_or_else(|| panic!("no answer: {answer:.200}")).parse().unwrap()
}

/// Nothing of it is on the queue, the server lives, and it has grown by at most `most`.
#[track_caller]
fn unharmed(service: &Service, before: u64, most: u64) {
    let (status, fleet) = service.ask("GET /v1/fleet", &Value::Null);
    assert_eq!((status, &fleet["totals"]["enqueued"]), (200, &json!(0)), "{fleet}");
    let grown = peak(service).saturating_sub(before);
    assert!(grown <= most, "grown by {} KiB", grown >> 10);
}

/// Writes until it may write no more; how much that was.
fn pour(stream: &mut TcpStream, chunked: bool) -> u64 {
    let mut piece = vec![b' '; 1 << 20];
    if chunked {
        piece.splice(0..0, *b"100000\r\n");
        piece.extend(b"\r\n");
    }
    let mut poured = 0;
    while poured < GB && stream.write_all(&piece).is_ok() {
        poured += piece.len() as u64;
    }
    poured
}

#[test]
fn a_body_of_a_gigabyte_is_refused_before_it_comes() {
    let redis = TestServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let problems = format!("file://{}", folder.path().display());
    let service = warm(&redis, &["--problems", &problems]);
    let before = peak(&service);
    let routes = ["/v1/submissions", "/v1/problems", "/submissions", "/submissions/batch"];
    for route in routes {
        let mut stream = connect(&service);
        let length = GB + 1;
        write!(stream, "POST {route} HTTP/1.1\r\nhost: localhost\r\n").unwrap();
        write!(stream, "content-type: application/json\r\ncontent-length: {length}\r\n").unwrap();
        write!(stream, "expect: 100-continue\r\n\r\n").unwrap();
        let answer = rest(&mut stream);
        assert_eq!(status(&answer), 413, "{route}: {answer}");
    }
    // Who sends it nevertheless is cut off.
    let mut stream = connect(&service);
    write!(stream, "POST /v1/submissions HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    write!(stream, "content-type: application/json\r\ncontent-length: {GB}\r\n\r\n").unwrap();
    let poured = pour(&mut stream, false);
    assert!(poured < 64 * MB, "{poured} bytes were taken");
    unharmed(&service, before, 16 * MB);
}

#[test]
fn a_body_that_does_not_say_its_length_is_cut_off_at_the_limit() {
    let redis = TestServer::start(&[]);
    let service = warm(&redis, &[]);
    let before = peak(&service);
    for _ in 0..5 {
        let mut stream = connect(&service);
        write!(stream, "POST /v1/submissions HTTP/1.1\r\nhost: localhost\r\n").unwrap();
        write!(stream, "content-type: application/json\r\n").unwrap();
        write!(stream, "transfer-encoding: chunked\r\n\r\n").unwrap();
        let poured = pour(&mut stream, true);
        assert!(poured < 64 * MB, "{poured} bytes were taken");
    }
    // What one request may have, once, and what growing it took.
    unharmed(&service, before, 64 * MB);
}

#[test]
fn a_hundred_large_bodies_at_once_have_one_budget() {
    const PIECES: usize = 60;
    const LENGTH: usize = PIECES << 20;
    let redis = TestServer::start(&[]);
    let service = warm(&redis, &["--body-limit", "64MiB", "--body-budget", "256MiB"]);
    let before = peak(&service);
    let routes = ["/v1/submissions", "/submissions", "/v1/submissions:batch"];
    // Each sends all but its last byte and then waits for its answer: whoever was let in holds its
    // memory until the others are through.
    let flood = |n: usize, gate: &Barrier| {
        let mut stream = connect(&service);
        let (route, chunked) = (routes[n % 3], n % 2 == 1);
        let mut text = format!("POST {route} HTTP/1.1\r\nhost: localhost\r\n");
        text += "content-type: application/json\r\n";
        text += &match chunked {
            true => "transfer-encoding: chunked\r\n\r\n".to_owned(),
            false => format!("content-length: {}\r\n\r\n", LENGTH + 1),
        };
        stream.write_all(text.as_bytes()).unwrap();
        let mut piece = vec![b' '; 1 << 20];
        if chunked {
            piece.splice(0..0, *b"100000\r\n");
            piece.extend(b"\r\n");
        }
        let taken = (0..PIECES).all(|_| stream.write_all(&piece).is_ok());
        gate.wait();
        if taken {
            drop(stream.write_all(if chunked { b"1\r\n}\r\n0\r\n\r\n" } else { b"}" }));
        }
        // The answer may be lost where some of ours was unread.
        let answer = rest(&mut stream);
        (answer.starts_with("HTTP/1.1 503")).then_some(answer)
    };
    let gate = Barrier::new(101);
    let (mut refused, mut longest) = (Vec::new(), Duration::ZERO);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..100)
            .map(|n| {
                let (flood, gate) = (&flood, &gate);
                scope.spawn(move || flood(n, gate))
            })
            .collect();
        // Small ones are taken meanwhile.
        let body = json!({"language": "python3", "source": "print(3)"});
        for _ in 0..20 {
            let asked = Instant::now();
            assert_eq!(service.ask("POST /v1/submissions", &body).0, 202);
            longest = longest.max(asked.elapsed());
        }
        gate.wait();
        refused.extend(clients.into_iter().filter_map(|client| client.join().unwrap()));
    });
    let grown = peak(&service).saturating_sub(before);
    assert!(refused.len() > 50, "{} were refused", refused.len());
    for answer in &refused {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.to_ascii_lowercase().contains("\r\nretry-after: 1"), "{head}");
        assert!(body.contains("urn:evalx:problem:busy") || body == r#"{"error":"queue is full"}"#);
    }
    assert!(refused.iter().any(|answer| answer.ends_with(r#"{"error":"queue is full"}"#)));
    assert!(longest < Duration::from_secs(10), "a small one waited for {longest:?}");
    // What was read, and what one or two of them were made into.
    assert!(grown < 400 * MB, "grown by {} MiB", grown >> 20);
    let fleet = service.ask("GET /v1/fleet", &Value::Null).1;
    assert_eq!(fleet["totals"]["enqueued"], 20);
}

#[test]
fn too_much_of_one_thing_is_named_and_costs_nothing() {
    let redis = TestServer::start(&[]);
    let service = warm(&redis, &[]);
    let tests = vec![json!({"input": ""}); 10_001];
    let cases = [
        (json!({"language": "python3", "source": "x", "tests": tests}), "tests"),
        (json!({"language": "x".repeat(1 << 20), "source": "x"}), "language"),
        (json!({"language": "python3", "source": "x".repeat(8 << 20)}), "source"),
        (json!({"language": "python3", "source": {"base64": "%"}}), "source"),
    ];
    let refuse = || {
        for (body, field) in &cases {
            let (status, problem) = service.ask("POST /v1/submissions", body);
            assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)));
            assert!(problem.to_string().len() < 3000, "{problem}");
        }
    };
    refuse();
    let before = peak(&service);
    (0..10).for_each(|_| refuse());
    unharmed(&service, before, 64 * MB);
}

#[test]
fn floods_of_headers_are_refused() {
    let redis = TestServer::start(&[]);
    let service = warm(&redis, &[]);
    let before = peak(&service);
    let many = "x-a: b\r\n".repeat(10_000);
    let huge = format!("x-a: {}\r\n", "b".repeat(1 << 20));
    let some = "x-a: b\r\n".repeat(200);
    for headers in [&many, &huge, &some] {
        let mut stream = connect(&service);
        // It may be cut off before all is written.
        drop(write!(stream, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
        assert_eq!(status(&rest(&mut stream)), 431);
    }
    let mut stream = connect(&service);
    drop(write!(stream, "GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(1 << 20)));
    assert!([414, 431].contains(&status(&rest(&mut stream))));
    unharmed(&service, before, 16 * MB);
}

#[test]
fn what_follows_a_request_and_is_none_ends_the_connection() {
    let redis = TestServer::start(&[]);
    let service = warm(&redis, &[]);
    let before = peak(&service);
    let good = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let odd: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/submissions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1, 2\r\n\r\n{}",
    ];
    for garbage in odd {
        let mut stream = connect(&service);
        stream.write_all(&[good.as_bytes(), good.as_bytes(), garbage].concat()).unwrap();
        let answers = rest(&mut stream);
        let statuses: Vec<u16> =
            answers.match_indices("HTTP/1.1 ").map(|(at, _)| status(&answers[at..])).collect();
        assert_eq!(statuses[..2], [200, 200], "{answers}");
        assert!(statuses[2..].iter().all(|s| (400..500).contains(s)), "{answers}");
    }
    unharmed(&service, before, 16 * MB);
}

#[test]
fn slow_clients_hold_up_nobody_and_are_let_go() {
    let redis = TestServer::start(&[]);
    let service = warm(&redis, &[]);
    let before = peak(&service);
    let begun = Instant::now();
    let mut slow: Vec<TcpStream> = (0..500)
        .map(|n| {
            let mut stream = connect(&service);
            let said: &[u8] = match n % 3 {
                // Nothing at all, half a head, and a head whose body never comes.
                0 => b"",
                1 => b"GET /healthz HTTP/1.1\r\nhost: local",
                _ => {
                    b"POST /v1/submissions HTTP/1.1\r\nhost: localhost\r\n\
                      content-type: application/json\r\ncontent-length: 9\r\n\r\n{"
                }
            };
            stream.write_all(said).unwrap();
            stream
        })
        .collect();
    // A byte now and then does not help.
    let mut longest = Duration::ZERO;
    while begun.elapsed() < Duration::from_secs(9) {
        for stream in slow.iter_mut().skip(1).step_by(3).take(20) {
            drop(stream.write_all(b"x"));
        }
        let asked = Instant::now();
        assert_eq!(service.ask("GET /v1/languages", &Value::Null).0, 200);
        longest = longest.max(asked.elapsed());
        for _ in 0..100 {
            pause();
        }
    }
    assert!(longest < Duration::from_secs(2), "others waited for {longest:?}");
    for (n, stream) in slow.iter_mut().enumerate() {
        let answer = rest(stream);
        let expected: &[u16] = if n % 3 == 2 { &[408] } else { &[] };
        let told: Vec<u16> = (!answer.is_empty()).then(|| status(&answer)).into_iter().collect();
        assert!(told == expected || told == [408], "{n}: {answer}");
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(25), "held for {took:?}");
    unharmed(&service, before, 32 * MB);
}
