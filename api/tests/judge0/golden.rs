//! Whole answers, as committed. After a change on purpose write them anew with
//! `UPDATE=1 cargo test -p api --test judge0 golden` and read the diff.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::scene::Scene;

#[track_caller]
fn compare(name: &str, value: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge0/golden").join(name);
    let made = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(made, committed, "{name} is old; write it anew with UPDATE=1");
}

/// What differs from run to run, in its own form.
fn blank(value: &mut Value) {
    let token = value["token"].as_str().unwrap();
    assert_eq!(token.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert_eq!(token.as_bytes()[14], b'4', "a UUID of version 4");
    value["token"] = json!("TOKEN");
    for name in ["created_at", "finished_at"] {
        if let Some(time) = value.get_mut(name) {
            let text = time.as_str().unwrap();
            let form: String =
                text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            assert_eq!(form, "0000-00-00T00:00:00.000Z");
            *time = json!("TIME");
        }
    }
}

#[tokio::test]
async fn a_submission_has_the_default_fields_or_all() {
    let scene = Scene::new().worker();
    let body = json!({
        "source_code": "print(input())", "language_id": 71, "stdin": "hello",
        "expected_output": "AC", "command_line_arguments": "a b", "number_of_runs": 2,
        "callback_url": "http://h.example/x"
    });
    for (query, name) in [
        ("wait=true", "default.json"),
        ("wait=true&fields=*", "all.json"),
        ("wait=true&fields=*&base64_encoded=true", "all_base64.json"),
    ] {
        let mut body = body.clone();
        if name == "all_base64.json" {
            body["source_code"] = json!("cHJpbnQoaW5wdXQoKSk=");
            body["stdin"] = json!("aGVsbG8=");
            body["expected_output"] = json!("QUM=");
        }
        let answer = scene.post(&format!("/submissions?{query}"), &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let mut value = answer.json();
        blank(&mut value);
        compare(name, &value);
    }
}

#[tokio::test]
async fn what_waits_has_the_same_fields() {
    let scene = Scene::new();
    let body = json!({"source_code": "x", "language_id": 50});
    let token = scene.post("/submissions", &body).await.json()["token"].clone();
    let mut value =
        scene.get(&format!("/submissions/{}?fields=*", token.as_str().unwrap())).await.json();
    assert_eq!(value["finished_at"], Value::Null);
    value["finished_at"] = value["created_at"].clone();
    blank(&mut value);
    compare("queued.json", &value);
}

#[tokio::test]
async fn what_the_server_says_of_itself() {
    let scene = Scene::new();
    for (path, name) in [
        ("/config_info", "config_info.json"),
        ("/statuses", "statuses.json"),
        ("/languages", "languages.json"),
        ("/languages/54", "language_54.json"),
        ("/languages/71", "language_71.json"),
        ("/languages/89", "language_89.json"),
        ("/extra-ce/languages", "languages_extra.json"),
        ("/workers", "workers.json"),
    ] {
        compare(name, &scene.get(path).await.json());
    }
}
