//! Many submissions at once.

use std::collections::HashSet;

use axum::body::{Body, Bytes};
use serde_json::{Value, json};

use crate::scene::{Scene, submission};

const NDJSON: [(&str, &str); 1] = [("content-type", "application/x-ndjson")];

fn ended(lines: &[Value]) -> Vec<u64> {
    let over = lines.iter().filter(|l| l["submission"]["status"] == "finished");
    over.map(|line| line["index"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn an_array_is_answered_line_by_line() {
    let scene = Scene::new().worker();
    let body = json!([submission("AC"), submission("WA"), submission("TLE")]);
    let answer = scene.post("/v1/submissions:batch", &body).await;
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let lines = answer.lines();
    assert_eq!(lines.len(), 6, "{}", answer.text);
    let mut over = ended(&lines);
    over.sort_unstable();
    assert_eq!(over, [0, 1, 2]);
    let of = |index: u64| lines.iter().rfind(|l| l["index"] == index).unwrap();
    assert_eq!(of(2)["submission"]["report"]["verdict"], "TLE");
}

#[tokio::test]
async fn an_array_with_one_bad_submission_is_refused_as_a_whole() {
    let scene = Scene::new();
    let mut bad = submission("AC");
    bad["language"] = json!("klingon");
    let answer = scene.post("/v1/submissions:batch", &json!([submission("AC"), bad])).await;
    assert_eq!(answer.problem(), (422, "invalid".to_owned()));
    assert_eq!(answer.json()["errors"][0]["field"], "[1].language");
    assert_eq!(scene.get("/v1/fleet").await.json()["lanes"]["normal"]["depth"], 0);
}

#[tokio::test]
async fn of_a_stream_each_line_is_for_itself() {
    let scene = Scene::new().worker();
    let good = submission("AC").to_string();
    let text = format!("{good}\n{{\"language\":1}}\n\nnot json\n{good}");
    let lines = scene.post_with("/v1/submissions:batch", &NDJSON, text).await.lines();
    let mut over = ended(&lines);
    over.sort_unstable();
    assert_eq!(over, [0, 3]);
    let kind = |index: u64| {
        lines.iter().find(|l| l["index"] == index).unwrap()["problem"]["status"].clone()
    };
    assert_eq!((kind(1), kind(2)), (json!(422), json!(400)));
}

#[tokio::test]
async fn a_thousand_in_pieces_come_back_each_once() {
    let scene = Scene::new().worker();
    let text = format!("{}\n", submission("AC")).repeat(1000);
    let pieces: Vec<_> = text
        .as_bytes()
        .chunks(777)
        .map(|p| Ok::<_, std::io::Error>(Bytes::copy_from_slice(p)))
        .collect();
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let lines = scene.post_with("/v1/submissions:batch", &NDJSON, body).await.lines();
    let over = ended(&lines);
    assert_eq!((over.len(), over.iter().collect::<HashSet<_>>().len()), (1000, 1000));
}

#[tokio::test]
async fn a_stream_waits_while_the_queue_is_full() {
    let settings = queue::Settings { depth: 3, ..queue::Settings::default() };
    let scene = Scene::with(settings, api::Access::open(true), api::Config::default()).worker();
    let text = format!("{}\n", submission("AC")).repeat(40);
    let lines = scene.post_with("/v1/submissions:batch", &NDJSON, text).await.lines();
    assert_eq!(ended(&lines).len(), 40);
}

#[tokio::test]
async fn a_batch_sent_again_is_judged_once() {
    let scene = Scene::new().worker();
    let headers = [NDJSON[0], ("idempotency-key", "exam")];
    let text = format!("{}\n", submission("AC")).repeat(20);
    for _ in 0..2 {
        let answer = scene.post_with("/v1/submissions:batch", &headers, text.clone()).await;
        assert_eq!(ended(&answer.lines()).len(), 20);
    }
    assert_eq!(scene.get("/v1/fleet").await.json()["totals"]["enqueued"], 20);
}

#[tokio::test]
async fn who_does_not_wait_gets_the_ids() {
    let scene = Scene::new();
    let text = format!("{}\n", submission("AC")).repeat(5);
    let lines = scene.post_with("/v1/submissions:batch?wait=0", &NDJSON, text).await.lines();
    let ids: HashSet<_> = lines.iter().map(|l| l["submission"]["id"].as_str().unwrap()).collect();
    assert_eq!((lines.len(), ids.len()), (5, 5));
}

#[tokio::test]
async fn more_than_a_batch_may_have_is_said() {
    let config = api::Config { batch_limit: 2, ..api::Config::default() };
    let scene = Scene::with(queue::Settings::default(), api::Access::open(true), config).worker();
    let three = json!([submission("AC"), submission("AC"), submission("AC")]);
    let answer = scene.post("/v1/submissions:batch", &three).await;
    assert_eq!(answer.problem(), (413, "too-large".to_owned()));
    let text = format!("{}\n", submission("AC")).repeat(3);
    let lines = scene.post_with("/v1/submissions:batch", &NDJSON, text).await.lines();
    assert_eq!(ended(&lines).len(), 2);
    assert!(lines.iter().any(|l| l["index"] == 2 && l["problem"]["status"] == 413));
}
