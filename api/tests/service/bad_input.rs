//! What clients do wrong, or on purpose: a precise answer, and nothing on the queue.

use axum::body::{Body, Bytes};
use serde_json::{Value, json};

use crate::scene::{Scene, submission};

type Change = Box<dyn FnOnce(&mut Value)>;

async fn refused(change: impl FnOnce(&mut Value)) -> (u16, String, String) {
    let scene = Scene::new();
    let mut body = submission("AC");
    change(&mut body);
    let answer = scene.post("/v1/submissions", &body).await;
    let (status, kind) = answer.problem();
    assert_eq!(scene.get("/v1/fleet").await.json()["totals"]["enqueued"], 0);
    assert!(answer.text.len() < 3000, "{}", answer.text.len());
    let field = answer.json()["errors"][0]["field"].as_str().unwrap_or("").to_owned();
    (status, kind, field)
}

#[tokio::test]
async fn the_field_at_fault_is_named() {
    let mb = "x".repeat(1 << 20);
    let cases: Vec<(Change, &str)> = vec![
        (Box::new(|b| b["langauge"] = json!("c")), "langauge"),
        (Box::new(|b| b["language"] = json!(71)), "language"),
        (Box::new(|b| b["language"] = json!("klingon")), "language"),
        (Box::new(move |b| b["language"] = json!(mb)), "language"),
        (Box::new(|b| b["limits"] = json!({"cpu": 1})), "limits.cpu"),
        (Box::new(|b| b["limits"] = json!({"cpu_ms": 0})), "limits"),
        (Box::new(|b| b["limits"] = json!({"cpu_ms": -1})), "limits.cpu_ms"),
        (Box::new(|b| b["tests"][0]["input"] = json!(1)), "tests[0].input"),
        (Box::new(|b| b["tests"][0]["weight"] = json!(-1.0)), "tests[0].weight"),
        (Box::new(|b| b["source"] = json!({"base64": "%"})), "source"),
        (Box::new(|b| b["lane"] = json!("internal")), "lane"),
        (Box::new(|b| b["tags"] = json!(vec!["t"; 17])), "tags"),
        (Box::new(|b| b["idempotency_key"] = json!("a b")), "idempotency_key"),
        (Box::new(|b| b["files"] = json!([{"name": "a.py", "contents": ""}])), "source"),
        (Box::new(|b| b["checker"] = json!({"kind": "cms"})), "checker.kind"),
        (Box::new(|b| b["tests"] = json!(vec![json!({"input": ""}); 10_001])), "tests"),
    ];
    for (n, (change, field)) in cases.into_iter().enumerate() {
        let (status, kind, named) = refused(change).await;
        assert_eq!((status, kind.as_str(), named.as_str()), (422, "invalid", field), "case {n}");
    }
}

#[tokio::test]
async fn file_names_stay_in_the_box() {
    for name in ["../../etc/cron.d/x", "/etc/passwd", "a/../../b", "-o", "a\u{0}b", ".."] {
        let body = |b: &mut Value| {
            b.as_object_mut().unwrap().remove("source");
            b["files"] = json!([{"name": name, "contents": "x"}]);
        };
        let (status, _, field) = refused(body).await;
        assert_eq!((status, field.as_str()), (422, "files[0].name"), "{name:?}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_said_to_be_none() {
    let scene = Scene::new();
    for text in ["", "{", "nonsense", "\u{0}"] {
        let answer = scene.post_with("/v1/submissions", &[], text.to_owned()).await;
        assert_eq!(answer.problem(), (400, "bad-request".to_owned()), "{text:.20}");
    }
    let deep = format!("{{\"language\":{}", "[".repeat(100_000));
    assert!([400, 422].contains(&scene.post_with("/v1/submissions", &[], deep).await.problem().0));
    let bytes = Bytes::from_static(b"{\"language\":\"\xff\"}");
    assert_eq!(scene.post_with("/v1/submissions", &[], bytes).await.status, 400);
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let headers = [("content-type", kind)];
        let answer = scene.post_with("/v1/submissions", &headers, "{}").await;
        assert_eq!(answer.problem(), (415, "media-type".to_owned()), "{kind}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let scene = Scene::new();
    let piece = Bytes::from(vec![b' '; 1 << 20]);
    let endless = std::iter::repeat_with(move || Ok::<_, std::io::Error>(piece.clone()));
    let body = Body::from_stream(futures_util::stream::iter(endless));
    let answer = scene.post_with("/v1/submissions", &[], body).await;
    assert_eq!(answer.problem(), (413, "too-large".to_owned()));
    let headers = [("content-type", "application/x-ndjson")];
    let piece = Bytes::from(vec![b'x'; 1 << 20]);
    let endless = std::iter::repeat_with(move || Ok::<_, std::io::Error>(piece.clone()));
    let body = Body::from_stream(futures_util::stream::iter(endless));
    let answer = scene.post_with("/v1/submissions:batch", &headers, body).await;
    assert_eq!(answer.lines()[0]["problem"]["status"], 413);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_not_waited_for() {
    let scene = Scene::new();
    let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let answer = scene.post_with("/v1/submissions", &[], body).await;
    assert_eq!(answer.problem(), (408, "timeout".to_owned()));
}

#[tokio::test]
async fn more_than_a_job_may_have_is_refused_before_the_queue() {
    let settings = queue::Settings { payload_limit: 1000, ..queue::Settings::default() };
    let scene = Scene::with(settings, api::Access::open(true), api::Config::default());
    let mut body = submission("AC");
    body["tests"][0]["input"] = json!("x".repeat(2000));
    let answer = scene.post("/v1/submissions", &body).await;
    assert_eq!(answer.problem(), (413, "too-large".to_owned()));
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_done() {
    let scene = Scene::new();
    assert_eq!(scene.get("/v2/x").await.problem(), (404, "not-found".to_owned()));
    assert_eq!(scene.get("/v1/submissions/none").await.problem().0, 404);
    assert_eq!(scene.get("/v1/submissions/%00%ff").await.problem().0, 404);
    let long = format!("/v1/submissions/{}", "x".repeat(5000));
    let answer = scene.get(&long).await;
    assert!(answer.problem().0 == 404 && answer.text.len() < 1000);
    assert_eq!(scene.delete("/v1/languages").await.problem(), (405, "method".to_owned()));
    assert_eq!(scene.get("/v1/fleet?wait=1").await.status, 200);
    assert_eq!(scene.get("/v1/submissions/none?wiat=1").await.problem().0, 422);
}
