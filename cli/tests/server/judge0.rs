//! What the routes of Judge0 list and count, with several servers over one Redis.

use serde_json::{Value, json};

use crate::redis::TestServer;
use crate::{Service, Stub};

/// Of `secret-boss`.
const HASH: &str = "77bd77b104c6abd0dc1b53ded3f06242841d5af215eb5044e5fe4cbec1547751";
/// In the place of headers, which [`Service::ask`] does not send.
const BOTH: &str = "X-Auth-Token=secret-boss&X-Auth-User=secret-boss";

fn submit(server: &Service, n: usize) -> String {
    let path = format!("POST /submissions?wait=true&{BOTH}");
    let body = json!({"language_id": 71, "source_code": format!("ms=1 echo={n}")});
    let (status, answer) = server.ask(&path, &body);
    assert_eq!(status, 201, "{answer}");
    answer["token"].as_str().unwrap().to_owned()
}

fn listed(server: &Service) -> (Vec<String>, u64) {
    let path = format!("GET /submissions?fields=token&{BOTH}");
    let (status, answer) = server.ask(&path, &Value::Null);
    assert_eq!(status, 200, "{answer}");
    let tokens = answer["submissions"].as_array().unwrap().iter();
    let tokens = tokens.map(|one| one["token"].as_str().unwrap().to_owned());
    (tokens.collect(), answer["meta"]["total_count"].as_u64().unwrap())
}

#[test]
fn each_server_lists_counts_and_deletes_what_came_to_any() {
    let redis = TestServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.yaml");
    let text = format!(
        "tokens:\n  - {{name: boss, hash: 'sha256:{HASH}', rights: [submit, read, admin]}}\n"
    );
    std::fs::write(&tokens, text).unwrap();
    let delete = ["--judge0", "ENABLE_SUBMISSION_DELETE=true"];
    let start =
        || Service::start(&redis, &[&delete[..], &["--tokens", tokens.to_str().unwrap()]].concat());
    let (mut one, other) = (start(), start());
    let _worker = Stub::start(&redis);
    let mut all: Vec<String> =
        (0..6).map(|n| submit(if n % 2 == 0 { &one } else { &other }, n)).collect();
    all.reverse();
    assert_eq!(listed(&one), (all.clone(), 6));
    assert_eq!(listed(&other), (all.clone(), 6));

    let show = format!("GET /submissions/{}?{BOTH}", all[2]);
    let (status, gone) = one.ask(&format!("DELETE /submissions/{}?{BOTH}", all[2]), &Value::Null);
    assert_eq!((status, &gone["token"]), (200, &json!(all[2])), "{gone}");
    all.remove(2);
    // The others know it, and a server that has only just started does.
    one.kill();
    let one = start();
    for server in [&one, &other] {
        assert_eq!(server.ask(&show, &Value::Null).0, 404);
        assert_eq!(listed(server), (all.clone(), 5));
        let (_, counts) = server.ask(&format!("GET /statistics?{BOTH}"), &Value::Null);
        assert_eq!(counts["submissions"]["total"], 6, "{counts}");
        assert_eq!(counts["submissions"]["today"], 6, "{counts}");
        assert_eq!(counts["languages"][0]["count"], 6, "{counts}");
        assert_eq!(counts["statuses"][0]["count"], 5, "{counts}");
    }
}

#[test]
fn what_a_program_prints_is_answered_whole_over_redis() {
    const PRINTED: usize = 1 << 20;
    let redis = TestServer::start(&[]);
    let server = Service::start(&redis, &[]);
    let _worker = Stub::start(&redis);
    let body = json!({"language_id": 71, "source_code": format!("ms=1 print={PRINTED}")});
    let (status, answer) = server.ask("POST /submissions?wait=true", &body);
    assert_eq!(status, 201);
    assert_eq!(answer["stdout"].as_str().map(str::len), Some(PRINTED));
    let token = answer["token"].as_str().unwrap();
    let (_, again) = server.ask(&format!("GET /submissions/{token}"), &Value::Null);
    assert_eq!(again["stdout"], answer["stdout"]);
}
