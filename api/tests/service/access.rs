//! Tokens, tenants, rates, other origins.

use std::fs;

use api::{Access, Config};
use axum::body::Body;
use axum::http::{Method, Request};
use queue::Settings;
use sha2::{Digest as _, Sha256};

use crate::scene::{Answered, Scene, request, submission};

fn entry(name: &str, more: &str) -> String {
    let hash = Sha256::digest(format!("secret-{name}"));
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("- {{name: {name}, hash: 'sha256:{hex}'{more}}}\n")
}

struct Guarded {
    scene: Scene,
    file: tempfile::NamedTempFile,
}

fn guarded(entries: &[String]) -> Guarded {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("tokens:\n{}", entries.concat())).unwrap();
    let access = Access::of(Some(file.path()), true).unwrap();
    Guarded { scene: Scene::with(Settings::default(), access, Config::default()), file }
}

fn by(name: &str, method: Method, uri: &str) -> Request<Body> {
    let token = format!("Bearer secret-{name}");
    request(method, uri, &[("authorization", &token)], Body::from(submission("AC").to_string()))
}

impl Guarded {
    async fn by(&self, name: &str, method: Method, uri: &str) -> Answered {
        self.scene.send(by(name, method, uri)).await
    }
}

#[tokio::test]
async fn nobody_comes_in_without_a_token() {
    let guarded = guarded(&[entry("a", "")]);
    let answer = guarded.scene.get("/v1/languages").await;
    assert_eq!(answer.problem(), (401, "unauthorized".to_owned()));
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    assert_eq!(guarded.by("b", Method::GET, "/v1/languages").await.status, 401);
    assert_eq!(guarded.by("a", Method::GET, "/v1/languages").await.status, 200);
    // Probes and metrics name nobody and nothing of anybody.
    assert_eq!(guarded.scene.get("/healthz").await.status, 200);
    assert_eq!(guarded.scene.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn a_right_that_is_not_given_is_named() {
    let guarded =
        guarded(&[entry("reader", ", rights: [read]"), entry("writer", ", rights: [submit]")]);
    let answer = guarded.by("reader", Method::POST, "/v1/submissions").await;
    assert_eq!(answer.problem(), (403, "forbidden".to_owned()));
    assert_eq!(answer.detail(), "the token reader does not have the right submit");
    assert_eq!(guarded.by("writer", Method::POST, "/v1/submissions").await.status, 202);
    assert_eq!(guarded.by("writer", Method::GET, "/v1/fleet").await.status, 403);
}

#[tokio::test]
async fn what_belongs_to_another_tenant_is_not_there() {
    let guarded = guarded(&[entry("a", ""), entry("b", ""), entry("a2", ", tenant: a")]);
    let place = guarded.by("a", Method::POST, "/v1/submissions").await.headers["location"].clone();
    let place = place.to_str().unwrap();
    for (method, uri) in [
        (Method::GET, place.to_owned()),
        (Method::DELETE, place.to_owned()),
        (Method::GET, format!("{place}/events")),
    ] {
        let answer = guarded.by("b", method, &uri).await;
        assert_eq!(answer.problem(), (404, "not-found".to_owned()), "{uri}");
    }
    assert_eq!(guarded.by("a2", Method::GET, place).await.json()["status"], "queued");
}

#[tokio::test]
async fn who_sends_too_much_is_slowed_down_and_nobody_else() {
    let guarded = guarded(&[entry("a", ", rate: 1"), entry("b", ", rate: 1")]);
    for _ in 0..2 {
        assert_eq!(guarded.by("a", Method::POST, "/v1/submissions").await.status, 202);
    }
    let answer = guarded.by("a", Method::POST, "/v1/submissions").await;
    assert_eq!(answer.problem(), (429, "rate-limited".to_owned()));
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(guarded.by("b", Method::POST, "/v1/submissions").await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_changed_file_counts_at_once_and_a_broken_one_not_at_all() {
    let guarded = guarded(&[entry("a", "")]);
    let until = async |name: &str, status: u16| {
        let wait = async {
            while guarded.by(name, Method::GET, "/v1/languages").await.status != status {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.unwrap();
    };
    until("a", 200).await;
    fs::write(guarded.file.path(), format!("tokens:\n{}{}", entry("b", ""), entry("c", "")))
        .unwrap();
    until("a", 401).await;
    until("b", 200).await;
    fs::write(guarded.file.path(), "tokens: [").unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    until("b", 200).await;
}

#[tokio::test]
async fn pages_of_other_origins_may_call_only_when_they_are_named() {
    let origin = [("origin", "https://contest.example"), ("access-control-request-method", "POST")];
    let preflight = || request(Method::OPTIONS, "/v1/submissions", &origin, Body::empty());
    let allowed = |answer: &Answered| answer.headers.get("access-control-allow-origin").cloned();
    assert_eq!(allowed(&Scene::new().send(preflight()).await), None);
    let config = Config { origins: vec!["https://contest.example".into()], ..Config::default() };
    let scene = Scene::with(Settings::default(), Access::open(true), config);
    assert_eq!(allowed(&scene.send(preflight()).await).unwrap(), "https://contest.example");
}

#[tokio::test]
async fn an_open_server_is_not_there_under_a_strangers_name() {
    let scene = Scene::new();
    let sent = request(Method::GET, "/v1/languages", &[("host", "evil.example")], Body::empty());
    assert_eq!(scene.send(sent).await.problem(), (421, "host".to_owned()));
}
