//! Callbacks, to receivers on this machine.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::{Access, App, Callbacks, Config, Secret};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use judge::language::Table;
use queue::{Lane, MemoryStore, Settings, Store};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::scene::{Scene, submission};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Takes callbacks, and answers each with the next status; 0 is no answer at all.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    async fn start(answers: &[u16], tasks: &mut JoinSet<()>) -> (Self, String) {
        let receiver = Self::default();
        receiver.answers.lock().unwrap().extend(answers);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/verdicts?exam=5", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(receiver.clone());
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        (receiver, url)
    }

    fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    async fn until(&self, count: usize) {
        until(|| async { self.count() >= count }).await;
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    receiver.got.lock().unwrap().push((headers, body));
    let answer = receiver.answers.lock().unwrap().pop_front().unwrap_or(204);
    if answer == 0 {
        std::future::pending::<()>().await;
    }
    StatusCode::from_u16(answer).unwrap()
}

async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it never held");
}

fn settings() -> Settings {
    let ms = Duration::from_millis;
    Settings { lease: ms(600), retry_first: ms(20), ..Settings::default() }
}

fn config(to_private: bool) -> Config {
    let secret = Some(Secret::parse(SECRET).unwrap());
    Config { callbacks: Callbacks { to_private, secret }, ..Config::default() }
}

/// A service with a worker, which may tell this machine.
fn scene() -> Scene {
    Scene::with(settings(), Access::open(true), config(true)).worker()
}

fn with_callback(url: &str) -> Value {
    let mut body = submission("AC WA");
    body["callback"] = json!(url);
    body
}

#[tokio::test]
async fn who_wants_to_be_told_is_told_once_what_it_could_ask_for() {
    let mut scene = scene();
    let (receiver, url) = Receiver::start(&[], &mut scene.tasks).await;
    let answer = scene.post("/v1/submissions?wait=10", &with_callback(&url)).await;
    receiver.until(1).await;
    let (headers, body) = receiver.got.lock().unwrap()[0].clone();
    let told: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told, answer.json());
    assert_eq!(told["report"]["verdict"], "WA");
    let text = |name: &str| headers[name].to_str().unwrap();
    assert_eq!(text("webhook-id"), format!("{}.hook", told["id"].as_str().unwrap()));
    assert_eq!(text("content-type"), "application/json");
    // As a receiver verifies it.
    let key = base64::engine::general_purpose::STANDARD.decode(&SECRET[6..]).unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let signed = [text("webhook-id"), ".", text("webhook-timestamp"), "."].concat();
    let signed = [signed.as_bytes(), &body].concat();
    let signature = text("webhook-signature").strip_prefix("v1,").unwrap();
    let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
    ring::hmac::verify(&key, &signed, &signature).unwrap();
    until(|| async {
        scene.get("/metrics").await.text.contains("evalx_callbacks_total{end=\"delivered\"} 1\n")
    })
    .await;
    assert_eq!(receiver.count(), 1);
    let fleet = scene.get("/v1/fleet").await.json();
    assert_eq!(fleet["workers"], 1, "who delivers is no worker");
}

#[tokio::test]
async fn who_came_by_judge0_is_told_as_judge0_tells() {
    let mut scene = scene();
    let (receiver, url) = Receiver::start(&[], &mut scene.tasks).await;
    let mut body = json!({"source_code": "cHJpbnQoMSk=", "language_id": 71, "stdin": "MQo=",
        "expected_output": "V0E=", "callback_url": url});
    let answer = scene.post("/submissions?wait=true&base64_encoded=true", &body).await.json();
    receiver.until(1).await;
    let (_, told) = receiver.got.lock().unwrap()[0].clone();
    let told: Value = serde_json::from_slice(&told).unwrap();
    // Its default fields, in base64 whatever was asked for.
    assert_eq!(told, answer);
    assert_eq!(told["status"]["id"], 4, "{told}");
    assert_eq!(told["stdout"], "MQo=\n", "{told}");
    body["callback_url"] = json!("http://169.254.169.254/latest");
    let scene = Scene::new();
    let refused = scene.post("/submissions?base64_encoded=true", &body).await;
    assert_eq!(refused.status, 422);
    assert!(refused.json()["callback_url"][0].is_string(), "{}", refused.text);
    assert_eq!(scene.get("/v1/fleet").await.json()["totals"]["enqueued"], 0);
}

#[tokio::test]
async fn a_receiver_that_fails_is_told_again_under_the_same_id() {
    let mut scene = scene();
    let (receiver, url) = Receiver::start(&[500, 307, 404, 200], &mut scene.tasks).await;
    scene.post("/v1/submissions", &with_callback(&url)).await;
    receiver.until(4).await;
    let ids: Vec<_> =
        receiver.got.lock().unwrap().iter().map(|(h, _)| h["webhook-id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    until(|| async {
        let metrics = scene.get("/metrics").await.text;
        [
            "evalx_callback_attempts_total{outcome=\"rejected\"} 2\n",
            "evalx_callback_attempts_total{outcome=\"redirected\"} 1\n",
            "evalx_callback_attempts_total{outcome=\"delivered\"} 1\n",
            "evalx_callbacks_total{end=\"delivered\"} 1\n",
        ]
        .iter()
        .all(|line| metrics.contains(line))
    })
    .await;
}

#[tokio::test]
async fn who_is_gone_is_left_alone_and_who_never_answers_is_given_up() {
    let settings = Settings { internal_attempts: 2, ..settings() };
    let mut scene = Scene::with(settings, Access::open(true), config(true)).worker();
    let (gone, url) = Receiver::start(&[410], &mut scene.tasks).await;
    scene.post("/v1/submissions", &with_callback(&url)).await;
    let (broken, url) = Receiver::start(&[500, 500, 500], &mut scene.tasks).await;
    scene.post("/v1/submissions", &with_callback(&url)).await;
    until(|| async {
        let metrics = scene.get("/metrics").await.text;
        metrics.contains("evalx_callbacks_total{end=\"gone\"} 1\n")
            && metrics.contains("evalx_callbacks_total{end=\"given_up\"} 1\n")
    })
    .await;
    assert_eq!((gone.count(), broken.count()), (1, 2));
    assert_eq!(scene.store.dead_letters(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_that_hangs_holds_up_nobody() {
    let mut scene = scene();
    let (hangs, slow) = Receiver::start(&[0; 8], &mut scene.tasks).await;
    let (receiver, url) = Receiver::start(&[], &mut scene.tasks).await;
    for _ in 0..8 {
        scene.post("/v1/submissions", &with_callback(&slow)).await;
    }
    hangs.until(8).await;
    scene.post("/v1/submissions", &with_callback(&url)).await;
    receiver.until(1).await;
    // Longer than a lease: they are held, not lost, and so not sent twice.
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(hangs.count(), 8);
}

#[tokio::test]
async fn each_end_is_told() {
    let mut scene = Scene::with(settings(), Access::open(true), config(true));
    let (receiver, url) = Receiver::start(&[], &mut scene.tasks).await;
    let place =
        scene.post("/v1/submissions", &with_callback(&url)).await.headers["location"].clone();
    scene.delete(place.to_str().unwrap()).await;
    receiver.until(1).await;
    let told: Value = serde_json::from_slice(&receiver.got.lock().unwrap()[0].1).unwrap();
    assert_eq!(told["status"], "cancelled");
    let scene = scene.worker();
    let body = json!({"language": "python3", "source": "refuse", "callback": url});
    let line = format!("{body}\n");
    let headers = [("content-type", "application/x-ndjson")];
    scene.post_with("/v1/submissions:batch", &headers, line).await;
    receiver.until(2).await;
    let told: Value = serde_json::from_slice(&receiver.got.lock().unwrap()[1].1).unwrap();
    assert_eq!(told["status"], "refused");
}

#[tokio::test]
async fn an_address_that_may_not_be_told_is_refused_and_nothing_is_stored() {
    let scene = Scene::with(settings(), Access::open(true), config(false));
    for (url, said) in [
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is link-local"),
        ("http://[::1]:6379/", "[::1] is this machine"),
        ("http://0x7f.1/", "127.0.0.1 is this machine"),
        ("http://localhost:8080/", "localhost is this machine"),
        ("gopher://example.org/", "it must begin with https:// or http://"),
        ("example.org/x", "it is no web address"),
    ] {
        let answer = scene.post("/v1/submissions", &with_callback(url)).await;
        assert_eq!(answer.problem(), (422, "invalid".to_owned()), "{url}");
        let errors = answer.json()["errors"].clone();
        assert_eq!(errors[0]["field"], "callback", "{errors}");
        assert!(errors[0]["detail"].as_str().unwrap().starts_with(said), "{errors}");
        let batch = json!([submission("AC"), with_callback(url)]);
        let answer = scene.post("/v1/submissions:batch", &batch).await;
        assert_eq!(answer.json()["errors"][0]["field"], "[1].callback", "{}", answer.text);
    }
    let lanes = scene.get("/v1/fleet").await.json()["lanes"].clone();
    assert_eq!(lanes["normal"]["depth"], 0, "{lanes}");
}

#[tokio::test]
async fn what_was_not_told_when_a_server_dies_another_one_tells() {
    let mut scene = scene();
    let mut receivers = JoinSet::new();
    let (receiver, url) = Receiver::start(&[0, 204], &mut receivers).await;
    scene.post("/v1/submissions", &with_callback(&url)).await;
    receiver.until(1).await;
    // Without a word, in the middle of an attempt.
    scene.tasks.shutdown().await;
    let store: Arc<MemoryStore> = Arc::clone(&scene.store);
    let table = Arc::new(Table::builtin());
    let app = App::new(store as _, table, None, Access::open(true), config(true));
    let mut tasks = JoinSet::new();
    tasks.spawn(app.clone().work());
    tasks.spawn(app.deliver(std::future::pending()));
    receiver.until(2).await;
    let got = receiver.got.lock().unwrap().clone();
    assert_eq!(got[0].0["webhook-id"], got[1].0["webhook-id"]);
    assert_eq!(got[0].1, got[1].1);
}

#[tokio::test]
async fn at_the_end_what_is_under_way_is_finished_and_the_rest_handed_back() {
    let mut scene = scene();
    let (receiver, url) = Receiver::start(&[0], &mut scene.tasks).await;
    let table = Arc::new(Table::builtin());
    let store = Arc::new(MemoryStore::new(Settings::default()));
    let app = App::new(Arc::clone(&store) as _, table, None, Access::open(true), config(true));
    let job = queue::Job::new(queue::Tenant::anonymous(), "x");
    let hook = json!({"version": 1, "url": url, "wire": "native"}).to_string();
    let id = job.id.clone();
    store.enqueue(&[job.webhook(hook)]).await.unwrap();
    store.cancel(&queue::Target::Job(id)).await.unwrap();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let mut deliverer = JoinSet::new();
    deliverer.spawn(app.deliver(async { drop(ended.await) }));
    receiver.until(1).await;
    end.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), deliverer.join_next()).await.unwrap();
    let lanes = store.snapshot().await.unwrap().lanes;
    assert_eq!(lanes[Lane::Internal as usize].depth, 1);
}
