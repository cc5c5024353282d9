//! One submission.

use std::time::{Duration, Instant};

use api::{Access, Config, Judge0};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use queue::Settings;
use serde_json::{Value, json};

use crate::scene::{Answered, Scene};

pub(crate) fn python(answer: &str) -> Value {
    json!({"source_code": "print(1)", "language_id": 71, "stdin": "1\n", "expected_output": answer})
}

pub(crate) fn with(settings: &[(&str, &str)]) -> Scene {
    let mut judge0 = Judge0::default();
    for (name, value) in settings {
        judge0.set(name, value).unwrap();
    }
    let config = Config { judge0, ..Config::default() };
    Scene::with(Settings::default(), Access::open(true), config)
}

fn error(answer: &Answered) -> (u16, Value) {
    (answer.status.as_u16(), answer.json()["error"].clone())
}

#[tokio::test]
async fn who_waits_gets_the_result_when_it_is_there() {
    let scene = Scene::new().worker();
    let begun = Instant::now();
    let answer = scene.post("/submissions?wait=true", &python("WA")).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(answer.status, 201);
    let json = answer.json();
    assert_eq!(json["status"], json!({"id": 4, "description": "Wrong Answer"}));
    assert_eq!((&json["stdout"], &json["stderr"]), (&json!("1\n"), &Value::Null));
    assert_eq!((&json["time"], &json["memory"]), (&json!("0.001"), &json!(1024)));
    let path = format!("/submissions/{}", json["token"].as_str().unwrap());
    assert_eq!(scene.get(&path).await.json(), json);
}

#[tokio::test]
async fn who_does_not_wait_gets_a_token_and_asks_later() {
    let scene = Scene::new();
    let mut body = python("AC");
    body["source_code"] = json!("hold");
    let answer = scene.post("/submissions/?wait=false", &body).await;
    assert_eq!(answer.status, 201);
    let json = answer.json();
    assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
    let path = format!("/submissions/{}?fields=status", json["token"].as_str().unwrap());
    let status = async |scene: &Scene| scene.get(&path).await.json()["status"].clone();
    assert_eq!(status(&scene).await, json!({"id": 1, "description": "In Queue"}));
    let scene = scene.worker();
    let held = async {
        while status(&scene).await != json!({"id": 2, "description": "Processing"}) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), held).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wait_has_an_end() {
    let scene = with(&[("WAIT_SECONDS", "7")]);
    let begun = tokio::time::Instant::now();
    let answer = scene.post("/submissions?wait=true", &python("AC")).await;
    assert_eq!((answer.status.as_u16(), begun.elapsed().as_secs()), (201, 7));
    assert_eq!(answer.json()["status"]["id"], 1);
}

#[tokio::test]
async fn parameters_come_by_query_form_and_body_alike() {
    let scene = Scene::new().worker();
    let query = "/submissions?source_code=print(1)&language_id=71&stdin=a%20b&wait=true";
    let answer = scene.post_with(query, &[("content-type", "application/json")], "").await;
    assert_eq!(answer.json()["stdout"], "a b", "{}", answer.text);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = "source_code=print(1)&language_id=71&stdin=c+d&wait=true&fields=stdout";
    let answer = scene.post_with("/submissions?stdin=lost", &form, body).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (201, json!({"stdout": "c d"})));
}

#[tokio::test]
async fn what_is_no_text_has_to_be_asked_for_in_base64() {
    let scene = Scene::new().worker();
    let body = json!({"source_code": "eA==", "language_id": 71, "stdin": "/w=="});
    let answer = scene.post("/submissions?base64_encoded=true&wait=true", &body).await;
    assert_eq!(answer.json()["stdout"], "/w==\n");
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    let text = "some attributes for this submission cannot be converted to UTF-8, use \
                base64_encoded=true query parameter";
    let plain = scene.get(&format!("/submissions/{token}")).await;
    assert_eq!(error(&plain), (400, json!(text)));
    let status = scene.get(&format!("/submissions/{token}?fields=status")).await;
    assert_eq!(status.status, 200, "nothing that is no text was asked for");
    let several = scene.get(&format!("/submissions/batch?tokens={token}")).await;
    assert_eq!(several.status, 400);
    assert!(several.text.contains("one or more submissions"), "{}", several.text);
    // Posted as text, the output may still be none.
    let body = json!({"source_code": "refuse", "language_id": 71});
    let answer = scene.post("/submissions?wait=true", &body).await.json();
    assert_eq!((&answer["status"]["id"], &answer["message"]), (&json!(13), &json!("no")));
}

#[tokio::test]
async fn fields_that_there_are_not_are_named() {
    let scene = Scene::new();
    let answer = scene.post("/submissions?fields=a,token,b", &python("AC")).await;
    assert_eq!(error(&answer), (400, json!("invalid fields: [a, b]")));
    let answer = scene.get("/submissions/x?fields=queue_host").await;
    assert_eq!(error(&answer), (400, json!("invalid fields: [queue_host]")));
    assert_eq!(scene.get("/v1/fleet").await.json()["totals"]["enqueued"], 0);
}

#[tokio::test]
async fn a_full_queue_says_so_and_when_to_come_back() {
    let settings = Settings { depth: 1, ..Settings::default() };
    let scene = Scene::with(settings, Access::open(true), Config::default());
    assert_eq!(scene.post("/submissions", &python("AC")).await.status, 201);
    let batch = json!({"submissions": [python("AC")]});
    for (path, body) in [
        ("/submissions", &python("AC")),
        ("/submissions?wait=true", &python("AC")),
        ("/submissions/batch", &batch),
    ] {
        let answer = scene.post(path, body).await;
        assert_eq!(error(&answer), (503, json!("queue is full")), "{path}");
        assert_eq!(answer.headers["retry-after"], "1");
    }
    assert_eq!(scene.get("/config_info").await.json()["max_queue_size"], 1);
}

#[tokio::test]
async fn maintenance_and_waiting_are_settings() {
    let scene = with(&[("MAINTENANCE_MODE", "true"), ("MAINTENANCE_MESSAGE", "Back at noon.")]);
    let answer = scene.post("/submissions", &python("AC")).await;
    assert_eq!(error(&answer), (503, json!("Back at noon.")));
    let batch = json!({"submissions": [python("AC")]});
    assert_eq!(scene.post("/submissions/batch", &batch).await.status, 201, "as Judge0");
    let scene = with(&[("ENABLE_WAIT_RESULT", "false")]);
    let answer = scene.post("/submissions?wait=true", &python("AC")).await;
    assert_eq!(error(&answer), (400, json!("wait not allowed")));
}

#[tokio::test]
async fn an_answer_too_large_for_the_budget_is_refused_in_judge0s_words() {
    let config = Config { body_budget: 600 << 10, ..Config::default() };
    let scene = Scene::with(Settings::default(), Access::open(true), config).worker();
    // Each of these bytes is six in JSON.
    let source = STANDARD.encode([1; 100 << 10]);
    let body = json!({"source_code": source, "language_id": 71});
    let answer = scene.post("/submissions?base64_encoded=true&wait=true", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let path = format!("/submissions/{}", answer.json()["token"].as_str().unwrap());
    let answer = scene.get(&format!("{path}?fields=source_code")).await;
    assert_eq!(error(&answer), (503, json!("queue is full")));
    assert!(answer.headers.contains_key("retry-after"));
    let encoded = scene.get(&format!("{path}?fields=source_code&base64_encoded=true")).await;
    assert_eq!(encoded.status, 200, "{}", encoded.text);
}
