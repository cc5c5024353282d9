//! Callbacks outlive the server that makes them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::Service;
use crate::redis::TestServer;

/// One delivery: its headers in lower case, its body, and the connection, to be answered.
fn take(listener: &TcpListener) -> (Vec<String>, Value, TcpStream) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        headers.push(line.trim().to_lowercase());
    }
    let length = headers.iter().find_map(|h| h.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    (headers, serde_json::from_slice(&body).unwrap(), reader.into_inner())
}

fn id(headers: &[String]) -> String {
    headers.iter().find_map(|h| h.strip_prefix("webhook-id: ")).unwrap().to_owned()
}

#[test]
fn a_callback_survives_kill_9_between_two_attempts() {
    let redis = TestServer::strict();
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/told", receiver.local_addr().unwrap());
    let mut service = Service::start(&redis, &["--callbacks-to-private"]);
    let body = json!({"language": "python3", "source": "x", "callback": url});
    let (status, view) = service.ask("POST /v1/submissions", &body);
    assert_eq!(status, 202, "{view}");
    let job = view["id"].as_str().unwrap().to_owned();
    service.ask(&format!("DELETE /v1/submissions/{job}"), &Value::Null);
    let (first, told, unanswered) = take(&receiver);
    assert_eq!((&told["id"], &told["status"]), (&json!(job), &json!("cancelled")));
    service.kill();
    drop(unanswered);
    let service = Service::start(&redis, &["--callbacks-to-private"]);
    let (second, again, mut stream) = take(&receiver);
    assert_eq!((id(&second), &again), (id(&first), &told));
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    let (status, fleet) = service.ask("GET /v1/fleet", &Value::Null);
    assert_eq!((status, &fleet["workers"]), (200, &json!(0)), "who delivers is no worker");
}

#[test]
fn without_the_flag_private_addresses_are_refused() {
    let redis = TestServer::start(&[]);
    let service = Service::start(&redis, &[]);
    let body = json!({"language": "python3", "source": "x", "callback": "http://10.0.0.1/"});
    let (status, problem) = service.ask("POST /v1/submissions", &body);
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("callback")), "{problem}");
}
