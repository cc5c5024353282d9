//! The verbs that talk to a server, before one that plays a part: what they send, what they make of
//! its answers, and how they end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread::{Builder, JoinHandle};

use crate::scene::{Done, Scene};

/// A server that answers one connection after the other with these texts, and gives back what it was
/// asked.
struct Server {
    address: String,
    played: JoinHandle<Vec<String>>,
}

impl Server {
    fn play(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let play = move || answers.iter().map(|answer| serve(&listener, answer)).collect();
        Self { address, played: Builder::new().spawn(play).unwrap() }
    }

    fn asked(self) -> Vec<String> {
        self.played.join().unwrap()
    }
}

/// One request, head and body.
fn serve(listener: &TcpListener, answer: &str) -> String {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(&stream);
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        request.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    // The zip of a package is no text.
    request.push_str(&String::from_utf8_lossy(&body));
    (&stream).write_all(answer.as_bytes()).unwrap();
    request
}

fn answer(status: &str, kind: &str, body: &str) -> String {
    // The end of the connection is the end of the body.
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}")
}

fn json(status: &str, body: &str) -> String {
    answer(status, "application/json", body)
}

fn events(body: &str) -> String {
    answer("200 OK", "text/event-stream", body)
}

fn problem(status: u16, name: &str, detail: &str, more: &str) -> String {
    let body = format!(
        r#"{{"type":"urn:evalx:problem:{name}","title":"t","status":{status},"detail":"{detail}"{more}}}"#
    );
    answer(&format!("{status} X"), "application/problem+json", &body)
}

fn view(status: &str, more: &str) -> String {
    format!(r#"{{"id":"7","status":"{status}","attempts":1{more}}}"#)
}

fn test(index: u32) -> String {
    format!(
        r#""name":"{index}","verdict":"AC","score":null,"cpu_ms":1.0,"wall_ms":1.0,
        "memory_bytes":1048576,"exit_code":0,"signal":null,"status":null,"message":null,
        "team_message":null,"stdout":"","stdout_truncated":false,"stderr":"",
        "stderr_truncated":false,"times":{{"set_up_ms":1.0,"run_ms":1.0,"check_ms":1.0}}"#
    )
    .replace('\n', "")
}

fn finished(verdict: &str) -> String {
    let tests = [0, 1].map(|index| format!("{{{}}}", test(index))).join(",");
    let report = format!(
        r#","report":{{"verdict":"{verdict}","score":1.0,"first_failure":null,"language":"python3",
        "toolchain":"t","engine":"native","compile":null,"tests":[{tests}],"error":null,
        "times":{{"compile_ms":0.0,"set_up_ms":1.0,"run_ms":2.0,"check_ms":1.0,"total_ms":9.0}}}}"#
    );
    view("finished", &report.replace('\n', ""))
}

fn submission() -> Scene {
    let scene = Scene::new();
    scene.file("sum.py", "print(3)\n");
    scene.tests();
    scene
}

/// What a verb makes of one answer.
fn made_of(answer: String, line: &[&str]) -> Done {
    let server = Server::play(vec![answer]);
    let done = submission().run(&[line, &["--server", &server.address]].concat());
    server.asked();
    done
}

#[track_caller]
fn refused(done: &Done, code: i32, message: &str) {
    let said = done.stderr.split_once("http://").map_or("", |(_, rest)| rest);
    let said = said.split_once([':', ' ']).map_or("", |(_, rest)| rest);
    assert!(done.stderr.contains(message), "{} is not {message}; {said}", done.stderr);
    assert_eq!((done.code, done.stdout.as_str()), (Some(code), ""), "{}", done.stderr);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
}

#[test]
fn a_submission_is_sent_as_the_api_wants_it_and_its_id_is_printed() {
    let server = Server::play(vec![json("202 Accepted", &view("queued", ""))]);
    let mut scene = submission();
    scene.set("EVALX_SERVER", &format!("{}/judge/", server.address));
    scene.set("EVALX_TOKEN", "secret");
    let done = scene.run(&["submit", "sum.py", "--tests", "tests", "--cpu", "2s", "--lane", "low"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "7\n"), "{}", done.stderr);
    assert_eq!(done.stderr, "evalx: queued; `evalx watch 7` follows it\n");
    let asked = server.asked().remove(0);
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /judge/v1/submissions HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer secret\r\n"), "{head}");
    let sent: serde_json::Value = serde_json::from_str(body).unwrap();
    let expected = serde_json::json!({
        "language": "python3", "lane": "low", "limits": {"cpu_ms": 2000},
        "files": [{"name": "sum.py", "contents": "print(3)\n"}],
        "tests": [{"name": "1", "input": "1 2\n", "answer": "3\n", "weight": 1.0}],
        "checker": {"kind": "lines"}, "stop": "run_all",
    });
    assert_eq!(sent, expected);
}

/// The idempotency key of a request.
fn key(asked: &str) -> &str {
    let (_, rest) = asked.split_once("idempotency-key: ").unwrap();
    rest.split_once("\r\n").unwrap().0
}

#[test]
fn a_submission_is_sent_again_under_its_key_until_it_is_taken() {
    let busy = problem(503, "queue-full", "full", r#","retry_after":1"#);
    let gone = answer("503 Service Unavailable", "text/html", "<html>");
    let taken = json("202 Accepted", &view("queued", ""));
    // Once it is hung up on without an answer.
    let server = Server::play(vec![busy, String::new(), gone, taken.clone()]);
    let line = ["submit", "sum.py", "--tests", "tests", "--server", &server.address];
    let begun = std::time::Instant::now();
    let done = submission().run(&line);
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "7\n"), "{}", done.stderr);
    assert!(done.stderr.contains("full; try again in 1 s; trying again\n"), "{}", done.stderr);
    assert_eq!(done.stderr.matches("trying again").count(), 1, "{}", done.stderr);
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1), "it was to wait");
    let asked = server.asked();
    assert!(asked.iter().all(|again| key(again) == key(&asked[0])));
    assert!(
        asked.iter().all(|again| again.split_once("\r\n\r\n") == asked[0].split_once("\r\n\r\n"))
    );
    // Another command is another submission.
    let server = Server::play(vec![taken]);
    submission().run(&["submit", "sum.py", "--tests", "tests", "--server", &server.address]);
    assert_ne!(key(&server.asked()[0]), key(&asked[0]));
    // Longer than the patience lasts.
    let answer = problem(503, "queue-full", "full", r#","retry_after":60"#);
    let done = made_of(answer, &["submit", "sum.py", "--tests", "tests"]);
    refused(&done, 3, "full; try again in 60 s");
}

#[test]
fn a_package_is_handed_in_once_and_named_by_its_hash() {
    let shelved = r#"{"problem":"sha256:abc","kind":"package","tests":1,"limits":{},"size":1}"#;
    let none = || problem(404, "not-found", "none", "");
    let taken = || json("202 Accepted", &view("queued", ""));
    let scene = Scene::new();
    scene.file("sum.py", "print(3)\n");
    scene.file("sum/problem.yaml", "name: Sum\n");
    scene.file("sum/data/secret/1.in", "1 2\n");
    scene.file("sum/data/secret/1.ans", "3\n");
    let submit = |answers: Vec<String>| {
        let server = Server::play(answers);
        let line = ["submit", "sum.py", "--problem", "sum", "--cpu", "2s", "--server"];
        let done = scene.run(&[&line[..], &[&server.address]].concat());
        assert_eq!((done.code, done.stdout.as_str()), (Some(0), "7\n"), "{}", done.stderr);
        server.asked()
    };
    let body = |asked: &str| -> serde_json::Value {
        serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    // It was there: nothing of it is sent.
    let asked = submit(vec![json("200 OK", shelved), taken()]);
    assert!(asked[0].starts_with("GET /v1/problems/sha256:"), "{}", asked[0]);
    let sent = body(&asked[1]);
    let expected = serde_json::json!({
        "language": "python3", "lane": "normal", "limits": {"cpu_ms": 2000},
        "files": [{"name": "sum.py", "contents": "print(3)\n"}],
        "problem": "sha256:abc", "stop": "run_all",
    });
    assert_eq!(sent, expected);
    // A server that keeps none, or not for us: the tests go along.
    let asked = submit(vec![none(), problem(403, "forbidden", "no right", ""), taken()]);
    assert!(asked[1].starts_with("POST /v1/problems HTTP/1.1\r\n"), "{}", asked[1]);
    assert!(asked[1].contains("content-type: application/zip\r\n"), "{}", asked[1]);
    assert_eq!(body(&asked[2])["tests"][0]["input"], "1 2\n");
}

#[test]
fn a_broken_stream_goes_on_where_it_was() {
    let first = format!(
        "event: status\ndata: {{\"status\":\"running\"}}\n\nid: 5-0\nevent: test\ndata: {{\"index\":0,{}}}\n\n",
        test(0)
    );
    let second = format!(
        "event: test\ndata: {{\"index\":1,{}}}\n\nid: over\nevent: end\ndata: {}\n\n",
        test(1),
        finished("AC")
    );
    let server = Server::play(vec![
        json("202 Accepted", &view("queued", "")),
        events(&first),
        // What stands before a server that is being replaced.
        answer("502 Bad Gateway", "text/html", "<html>"),
        events(&second),
    ]);
    let line = ["submit", "sum.py", "--tests", "tests", "--wait", "--server", &server.address];
    let done = submission().run(&line);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("AC  2 of 2 accepted"), "{}", done.stdout);
    assert_eq!(done.stderr.matches("trying again").count(), 1, "{}", done.stderr);
    let asked = server.asked();
    assert!(asked[1].starts_with("GET /v1/submissions/7/events HTTP/1.1\r\n"), "{}", asked[1]);
    assert!(!asked[1].contains("last-event-id") && asked[3].contains("last-event-id: 5-0\r\n"));
}

#[test]
fn a_submission_that_is_over_ends_with_the_code_of_its_verdict() {
    let end = |view: &str| events(&format!("event: end\ndata: {view}\n\n"));
    for (view, code, said) in [
        (finished("AC"), 0, ""),
        (finished("WA"), 1, ""),
        (finished("IE"), 4, "the judge failed: no reason was given"),
        (view("refused", r#","refusal":{"field":"tests[0]","reason":"odd"}"#), 2, "tests[0]: odd"),
        (view("failed", r#","error":"its workers crashed""#), 4, "failed: its workers crashed"),
        (view("cancelled", ""), 5, "submission 7 was called off"),
    ] {
        let done = made_of(end(&view), &["watch", "7"]);
        assert_eq!(done.code, Some(code), "{}", done.stderr);
        assert!(done.stderr.contains(said), "{}", done.stderr);
        let done = made_of(end(&view), &["watch", "7", "-o", "json"]);
        let printed: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!((done.code, &printed["id"]), (Some(code), &"7".into()));
    }
}

#[test]
fn all_told_already_the_submission_itself_is_asked_for() {
    let over = answer("204 No Content", "text/plain", "");
    let server = Server::play(vec![over, json("200 OK", &finished("AC"))]);
    let done = Scene::new().run(&["watch", "7", "-q", "--server", &server.address]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(done.stdout.lines().count(), 1);
    assert!(server.asked()[1].starts_with("GET /v1/submissions/7 HTTP/1.1\r\n"));
}

#[test]
fn what_a_server_refuses_is_said_with_its_cure() {
    let wait = r#","retry_after":3"#;
    for (status, name, more, code, cure) in [
        (401, "unauthorized", "", 3, "give a token with EVALX_TOKEN or `token` in the config"),
        (403, "forbidden", "", 3, "what is wrong"),
        (404, "not-found", "", 2, "what is wrong"),
        (413, "too-large", "", 2, "what is wrong"),
        (422, "invalid", "", 2, "what is wrong"),
        (429, "rate-limited", wait, 3, "what is wrong; try again in 3 s"),
        (500, "internal", "", 4, "what is wrong"),
        (503, "queue-full", wait, 3, "what is wrong; try again in 3 s"),
    ] {
        let answer = problem(status, name, "what is wrong", more);
        let done = made_of(answer, &["submit", "sum.py", "--tests", "tests", "--retry", "0s"]);
        refused(&done, code, cure);
    }
    refused(&made_of(problem(404, "not-found", "none", ""), &["watch", "x"]), 2, ": none");
}

#[test]
fn another_server_is_not_taken_for_one() {
    for line in [&["queue"][..], &["workers"], &["watch", "7"]] {
        let done = made_of(answer("404 Not Found", "text/html", "<html>"), line);
        refused(
            &done,
            3,
            "answers, but not as evalX does (404 Not Found); is another server there?",
        );
    }
    let done = made_of(answer("200 OK", "text/html", "<html>"), &["queue"]);
    refused(&done, 3, "answers, but not as evalX does (200 OK)");
    let done = made_of(json("200 OK", "{}"), &["queue"]);
    refused(&done, 3, "the server's answer is of another version of evalX");
}

#[test]
fn nobody_there_is_said_with_what_to_do() {
    for line in [&["queue"][..], &["workers"], &["watch", "7"]] {
        let done = Scene::new().run(&[line, &["--server", "http://127.0.0.1:1"]].concat());
        let message = "cannot reach http://127.0.0.1:1; start one with `evalx up`, or name another \
                       with --server or EVALX_SERVER: ";
        refused(&done, 3, message);
    }
}

#[test]
fn over_tls_a_stranger_is_not_trusted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let play = Builder::new().spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // No TLS at all; the client ends it.
        let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{}");
        let _gone = stream.read(&mut [0; 1024]);
    });
    let done = Scene::new().run(&["queue", "--server", &address]);
    play.unwrap().join().unwrap();
    assert_eq!((done.code, done.stdout.as_str()), (Some(3), ""), "{}", done.stderr);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
}

#[test]
fn what_is_to_be_sent_is_checked_before_anybody_is_asked() {
    let scene = submission();
    scene.file("sum.xyz", "x");
    for (source, message) in [
        ("none.py", "source: \"none.py\" cannot be read: No such file or directory (os error 2)"),
        ("sum.xyz", "cannot tell the language of sum.xyz; name it with --lang"),
        ("tests", "source \"tests\" is a folder"),
        ("/dev/zero", "cannot tell the language of zero"),
    ] {
        let done = scene.run(&["submit", source, "--tests", "tests"]);
        refused(&done, 2, message);
    }
    let done = scene.run(&["submit", "/dev/zero", "--lang", "c", "--tests", "tests"]);
    refused(&done, 2, "source: \"/dev/zero\" is not a file");
}
