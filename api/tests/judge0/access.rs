//! Tokens, by Judge0's names.

use std::fs;

use api::{Access, Config, Judge0};
use axum::body::Body;
use axum::http::Method;
use queue::Settings;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::scene::{Answered, Scene, request};
use crate::submissions::python;

struct Guarded {
    scene: Scene,
    _file: tempfile::NamedTempFile,
}

fn guarded(settings: &[(&str, &str)]) -> Guarded {
    let entry = |name: &str, more: &str| {
        let hash = Sha256::digest(format!("secret-{name}"));
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("- {{name: {name}, hash: 'sha256:{hex}', tenant: t{more}}}\n")
    };
    let entries =
        [entry("a", ""), entry("reader", ", rights: [read]"), entry("boss", ", rights: [admin]")];
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("tokens:\n{}", entries.concat())).unwrap();
    let mut judge0 = Judge0::default();
    for (name, value) in settings {
        judge0.set(name, value).unwrap();
    }
    let config = Config { judge0, ..Config::default() };
    let access = Access::of(Some(file.path()), true).unwrap();
    Guarded { scene: Scene::with(Settings::default(), access, config).worker(), _file: file }
}

impl Guarded {
    async fn ask(&self, method: Method, uri: &str, headers: &[(&str, &str)]) -> Answered {
        let body = Body::from(python("AC").to_string());
        self.scene.send(request(method, uri, headers, body)).await
    }
}

const A: (&str, &str) = ("X-Auth-Token", "secret-a");
const BOSS: (&str, &str) = ("X-Auth-User", "secret-boss");

#[tokio::test]
async fn a_token_comes_by_header_parameter_or_as_a_bearer() {
    let guarded = guarded(&[]);
    for path in ["/languages", "/submissions/x", "/about", "/extra-ce/config_info"] {
        let answer = guarded.ask(Method::GET, path, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (401, ""), "{path}");
    }
    assert_eq!(guarded.ask(Method::POST, "/submissions", &[]).await.status, 401);
    let wrong = ("X-Auth-Token", "secret-z");
    assert_eq!(guarded.ask(Method::POST, "/authenticate", &[wrong]).await.status, 401);
    for (uri, header) in [
        ("/submissions?wait=true", A),
        ("/submissions?wait=true&X-Auth-Token=secret-a", ("x-other", "1")),
        ("/submissions?wait=true", ("authorization", "Bearer secret-a")),
    ] {
        let answer = guarded.ask(Method::POST, uri, &[header]).await;
        assert_eq!(answer.status, 201, "{uri} {header:?}");
        assert_eq!(answer.json()["status"]["id"], 3);
    }
    let reader = ("X-Auth-Token", "secret-reader");
    let answer = guarded.ask(Method::POST, "/submissions", &[reader]).await;
    assert_eq!(answer.status, 403);
    assert_eq!(guarded.ask(Method::POST, "/authenticate", &[reader]).await.status, 200);
}

#[tokio::test]
async fn protected_calls_want_a_second_token_that_may_administer() {
    let guarded = guarded(&[]);
    for (headers, status) in [
        (&[][..], 401),
        (&[BOSS][..], 401),
        (&[A][..], 403),
        (&[A, ("X-Auth-User", "secret-a")][..], 403),
        (&[A, ("X-Auth-User", "nobody")][..], 403),
        (&[A, BOSS][..], 200),
    ] {
        let answer = guarded.ask(Method::POST, "/authorize", headers).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, ""), "{headers:?}");
    }
    let both = "/submissions?X-Auth-Token=secret-a&X-Auth-User=secret-boss";
    assert_eq!(guarded.ask(Method::GET, both, &[]).await.status, 200);
    // Without tokens nobody is authorised.
    let open = Scene::new();
    assert_eq!(open.get("/submissions").await.status, 403);
    assert_eq!(open.delete("/submissions/x").await.status, 403);
    assert_eq!(open.post("/authorize", &json!({})).await.status, 403);
}

#[tokio::test]
async fn submissions_are_listed_page_by_page_newest_first() {
    let guarded = guarded(&[]);
    let mut tokens = Vec::new();
    for _ in 0..5 {
        let answer = guarded.ask(Method::POST, "/submissions?wait=true", &[A]).await;
        tokens.insert(0, answer.json()["token"].clone());
    }
    let list = async |query: &str| {
        let uri = format!("/submissions?{query}");
        guarded.ask(Method::GET, &uri, &[A, BOSS]).await
    };
    let json = list("page=2&per_page=2&fields=token,status_id").await.json();
    assert_eq!(
        json["submissions"],
        json!([{"token": tokens[2], "status_id": 3}, {"token": tokens[3], "status_id": 3}])
    );
    assert_eq!(
        json["meta"],
        json!({"current_page": 2, "next_page": 3, "prev_page": 1, "total_pages": 3, "total_count": 5})
    );
    let json = list("").await.json();
    assert_eq!(json["submissions"].as_array().unwrap().len(), 5);
    assert_eq!(json["meta"]["next_page"], Value::Null);
    for (query, text) in [
        ("page=0", "invalid page: 0"),
        ("page=x", "invalid page: 0"),
        ("per_page=-1", "invalid per_page: -1"),
        ("fields=x", "invalid fields: [x]"),
    ] {
        let answer = list(query).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (400, json!({"error": text})));
    }
    assert_eq!(list("page=99999999999&per_page=0").await.status, 200);
}

#[tokio::test]
async fn what_is_over_can_be_deleted_where_that_is_allowed() {
    let guarded_ = guarded(&[]);
    let answer = guarded_.ask(Method::DELETE, "/submissions/x", &[A, BOSS]).await;
    assert_eq!(answer.json(), json!({"error": "delete not allowed"}));
    let guarded = guarded(&[("ENABLE_SUBMISSION_DELETE", "true")]);
    let token = guarded.ask(Method::POST, "/submissions?wait=true", &[A]).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/submissions/{token}?base64_encoded=false&fields=token,stdout");
    let answer = guarded.ask(Method::DELETE, &path, &[A, BOSS]).await;
    assert_eq!(answer.json(), json!({"token": token, "stdout": "MQo=\n"}), "in base64");
    assert_eq!(guarded.ask(Method::DELETE, &path, &[A, BOSS]).await.status, 404);
    assert_eq!(guarded.ask(Method::GET, &path, &[A]).await.status, 404);
    let held = json!({"source_code": "hold", "language_id": 71}).to_string();
    let answer = guarded.scene.post_with("/submissions", &[A], held).await;
    let path = format!("/submissions/{}", answer.json()["token"].as_str().unwrap());
    let text = guarded.ask(Method::DELETE, &path, &[A, BOSS]).await.json()["error"].clone();
    let text = text.as_str().unwrap();
    assert!(text.starts_with("submission cannot be deleted because its status is "), "{text}");
}

#[tokio::test]
async fn a_form_of_another_page_runs_nothing() {
    let scene = Scene::new();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = "source_code=print(1)&language_id=71";
    for from in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let headers = [form, from, ("host", "localhost:2358")];
        let answer = scene.post_with("/submissions", &headers, body).await;
        assert_eq!(answer.status, 403, "{from:?}");
    }
    assert_eq!(scene.get("/v1/fleet").await.json()["totals"]["enqueued"], 0);
    let own = [form, ("origin", "http://localhost:2358"), ("host", "localhost:2358")];
    assert_eq!(scene.post_with("/submissions", &own, body).await.status, 201);
    let elsewhere = [("host", "evil.example")];
    assert_eq!(scene.post_with("/submissions", &elsewhere, "{}").await.status, 421);
}
