//! Server-sent events.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::scene::{Scene, request, submission};

struct Heard {
    name: String,
    id: Option<String>,
    data: Value,
}

fn parse(text: &str) -> Vec<Heard> {
    let field = |event: &str, name: &str| {
        event.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
    };
    let events = text.split("\n\n").filter(|event| event.contains("event:"));
    events
        .map(|event| Heard {
            name: field(event, "event").unwrap(),
            id: field(event, "id"),
            data: serde_json::from_str(&field(event, "data").unwrap()).unwrap(),
        })
        .collect()
}

fn names(events: &[Heard]) -> String {
    events.iter().map(|e| e.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn each_test_is_told_as_it_ends_and_the_end_has_everything() {
    let scene = Scene::new();
    let id = scene.post("/v1/submissions", &submission("AC WA AC")).await.json()["id"].clone();
    let uri = format!("/v1/submissions/{}/events", id.as_str().unwrap());
    // The listener is there before the worker.
    let listening = tokio::spawn({
        let (router, uri) = (scene.router.clone(), uri.clone());
        async move {
            use http_body_util::BodyExt as _;
            use tower::ServiceExt as _;
            let sent = request(Method::GET, &uri, &[], Body::empty());
            let answer = router.oneshot(sent).await.unwrap();
            assert_eq!(answer.headers()["content-type"], "text/event-stream");
            String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().into())
                .unwrap()
        }
    });
    tokio::task::yield_now().await;
    let scene = scene.worker();
    let events = parse(&listening.await.unwrap());
    assert_eq!(names(&events), "status status test test test end");
    assert_eq!(events[1].data, json!({"status": "running"}));
    let verdicts: Vec<_> = events[2..5]
        .iter()
        .map(|e| (e.data["index"].as_u64(), e.data["verdict"].as_str()))
        .collect();
    assert_eq!(verdicts, [(Some(0), Some("AC")), (Some(1), Some("WA")), (Some(2), Some("AC"))]);
    assert_eq!(events[5].data["report"]["verdict"], "WA");
    // Whoever comes back after the end is told to stay away, whoever comes late is told the end.
    let sent = request(Method::GET, &uri, &[("last-event-id", "over")], Body::empty());
    assert_eq!(scene.send(sent).await.status, 204);
    assert_eq!(names(&parse(&scene.get(&uri).await.text)), "end");
}

#[tokio::test]
async fn a_client_that_comes_back_hears_only_what_it_missed() {
    use queue::{Consumer, Held, Lane, Outcome, Place, Step, Store};
    let scene = Scene::new();
    let id = scene.post("/v1/submissions", &submission("AC AC AC")).await.json()["id"].clone();
    let uri = format!("/v1/submissions/{}/events", id.as_str().unwrap());
    let store: std::sync::Arc<dyn Store> = std::sync::Arc::clone(&scene.store) as _;
    let place = Place::new("p").unwrap();
    let (consumer, _) = Consumer::join(store, &place, &Lane::JUDGED).await.unwrap();
    let lease = consumer.claim(1).await.unwrap().remove(0);
    let held = Held::from(&lease);
    let report = |index: u32| {
        let verdict = json!({"name": index.to_string(), "verdict": "AC", "cpu_ms": 1.0,
            "wall_ms": 1.0, "memory_bytes": 1, "stdout": "", "stdout_truncated": false,
            "stderr": "", "stderr_truncated": false,
            "times": {"set_up_ms": 0.0, "run_ms": 0.0, "check_ms": 0.0}});
        Step { held: held.clone(), index, report: verdict.to_string().into() }
    };
    consumer.progress(&[report(0)]).await.unwrap();
    // The first connection hears of test 0, and breaks.
    let mut first = {
        use tower::ServiceExt as _;
        let sent = request(Method::GET, &uri, &[], Body::empty());
        scene.router.clone().oneshot(sent).await.unwrap().into_body()
    };
    let mut text = String::new();
    while !parse(&text).iter().any(|event| event.id.is_some()) {
        use http_body_util::BodyExt as _;
        let frame = first.frame().await.unwrap().unwrap().into_data().unwrap();
        text.push_str(std::str::from_utf8(&frame).unwrap());
    }
    drop(first);
    let last = parse(&text).into_iter().find_map(|event| event.id).unwrap();
    consumer.progress(&[report(1)]).await.unwrap();
    consumer.complete(held.clone(), Outcome::HandedBack).await.unwrap();
    let sent = request(Method::GET, &uri, &[("last-event-id", &last)], Body::empty());
    let second = tokio::spawn({
        let router = scene.router.clone();
        async move {
            use http_body_util::BodyExt as _;
            use tower::ServiceExt as _;
            let body = router.oneshot(sent).await.unwrap().into_body();
            String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap()
        }
    });
    tokio::task::yield_now().await;
    assert_eq!(scene.delete(&uri.replace("/events", "")).await.json()["status"], "cancelled");
    let events = parse(&second.await.unwrap());
    let tests: Vec<_> =
        events.iter().filter(|e| e.name == "test").map(|e| e.data["index"].as_u64()).collect();
    assert_eq!(tests, [Some(1)], "{}", names(&events));
    assert_eq!(events.last().unwrap().data["status"], "cancelled");
}
