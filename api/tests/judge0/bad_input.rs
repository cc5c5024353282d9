//! What clients do wrong, or on purpose: a precise answer, and nothing on the queue.

use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::scene::Scene;

fn zip(entries: &[(&str, &[u8])]) -> String {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(contents).unwrap();
    }
    STANDARD.encode(zip.finish().unwrap().into_inner())
}

async fn nothing_is_stored(scene: &Scene) {
    assert_eq!(scene.get("/v1/fleet").await.json()["totals"]["enqueued"], 0);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused() {
    let scene = Scene::new();
    let json = ("content-type", "application/json");
    for (header, body, status, text) in [
        (json, "{\"source_code\":", 400, "not JSON: EOF while parsing a value at line 1 column 15"),
        (json, "[1]", 400, "the body must be a JSON object"),
        (json, "\u{0}", 400, "not JSON: expected value at line 1 column 1"),
        (
            ("content-type", "text/plain"),
            "{}",
            415,
            "the body is text/plain, it must be application/json",
        ),
    ] {
        for path in ["/submissions", "/submissions/batch"] {
            let answer = scene.post_with(path, &[header], body).await;
            assert_eq!((answer.status.as_u16(), answer.json()), (status, json!({"error": text})));
        }
    }
    let nested = "[".repeat(100_000);
    assert_eq!(scene.post_with("/submissions", &[json], nested).await.status, 400);
    let large = format!("{{\"source_code\":\"{}\"}}", "x".repeat(17 << 20));
    let answer = scene.post_with("/submissions", &[json], large).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json(), json!({"error": "the body has more than 16777216 bytes"}));
    nothing_is_stored(&scene).await;
}

#[tokio::test]
async fn a_submission_that_cannot_be_judged_is_refused() {
    let scene = Scene::new();
    let big = "x".repeat(2 << 20);
    for (change, said) in [
        (json!({"source_code": "a\u{0}b"}), "source_code"),
        (json!({"source_code": big}), "source_code"),
        (json!({"language_id": 65, "compiler_options": "-g"}), "compiler_options"),
        (json!({"additional_files": zip(&[("../x", b"")])}), "additional_files"),
        (json!({"additional_files": zip(&[("/etc/x", b"")])}), "additional_files"),
        (json!({"additional_files": zip(&[("-x", b"")])}), "additional_files"),
        (json!({"additional_files": zip(&[("a", b""), ("a/b", b"")])}), "additional_files"),
        (json!({"additional_files": zip(&[("b", &vec![0; 11 << 20])])}), "additional_files"),
        (json!({"additional_files": STANDARD.encode("no zip")}), "additional_files"),
        (
            json!({"language_id": 89, "source_code": null, "additional_files": zip(&[("x", b"")])}),
            "additional_files",
        ),
    ] {
        let mut body = json!({"source_code": "print(1)", "language_id": 71});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = scene.post("/submissions", &body).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        let json = answer.json();
        let names: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(names, [said], "{json}");
        assert!(answer.text.len() < 2000, "{}", answer.text);
    }
    nothing_is_stored(&scene).await;
}

#[tokio::test]
async fn what_does_not_fit_the_queue_is_refused() {
    let scene = Scene::new();
    let stdin = "x".repeat(5 << 20);
    let mut body = json!({"source_code": "print(1)", "language_id": 71, "stdin": stdin});
    assert_eq!(scene.post("/submissions", &body).await.status, 201);
    body["number_of_runs"] = json!(2);
    let answer = scene.post("/submissions", &body).await;
    assert_eq!(answer.status, 413, "{}", answer.text);
    let text = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(text.contains("bytes on the queue"), "{text}");
}

#[tokio::test]
async fn a_wrong_method_or_path_is_a_problem() {
    let scene = Scene::new();
    assert_eq!(scene.post("/languages", &Value::Null).await.status, 405);
    assert_eq!(scene.get("/submission").await.status, 404);
}
