//! Each route is there, at the root and below `/extra-ce`, with and without a slash at its end.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::scene::{Scene, request};

#[tokio::test]
async fn every_route_answers() {
    let scene = Scene::new();
    for prefix in ["", "/extra-ce"] {
        for (path, kind) in [
            ("/languages", "application/json"),
            ("/languages/all", "application/json"),
            ("/languages/89", "application/json"),
            ("/statuses", "application/json"),
            ("/system_info", "application/json"),
            ("/config_info", "application/json"),
            ("/statistics", "application/json"),
            ("/workers", "application/json"),
            ("/about", "application/json"),
            ("/version", "text/plain; charset=utf-8"),
            ("/isolate", "text/plain; charset=utf-8"),
            ("/license", "text/plain; charset=utf-8"),
            ("/docs", "text/html; charset=utf-8"),
            ("/dummy-client.html", "text/html; charset=utf-8"),
        ] {
            for slash in ["", "/"] {
                let answer = scene.get(&format!("{prefix}{path}{slash}")).await;
                assert_eq!(answer.status, 200, "{prefix}{path}{slash}");
                assert_eq!(answer.headers["content-type"], kind, "{prefix}{path}");
            }
        }
        let authenticated = scene.post(&format!("{prefix}/authenticate"), &json!({})).await;
        assert_eq!((authenticated.status.as_u16(), authenticated.text.as_str()), (200, ""));
    }
    // Judge0 has nothing there, and evalX its page.
    assert_eq!(scene.get("/").await.status, 200);
}

#[tokio::test]
async fn the_editions_differ_in_version_and_ids() {
    let scene = Scene::new().worker();
    assert_eq!(scene.get("/about").await.json()["version"], "1.13.1");
    assert_eq!(scene.get("/extra-ce/about").await.json()["version"], "1.13.1-extra");
    assert_eq!(scene.get("/version").await.text, "1.13.1");
    let name = async |path: &str| scene.get(path).await.json()["name"].clone();
    assert_eq!(name("/languages/4").await, "C (gcc 7.2.0, alias of c)");
    assert_eq!(name("/extra-ce/languages/4").await, "Java (OpenJDK 14.0.1, alias of java)");
    let body = json!({"source_code": "x", "language_id": 10});
    let answer = scene.post("/extra-ce/submissions?wait=true&fields=language", &body).await;
    let language = json!({"id": 10, "name": "Python for ML (3.7.7, alias of python3)"});
    assert_eq!(answer.json(), json!({"language": language}));
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let scene = Scene::new();
    let not_found = json!({"status": 404, "error": "Not Found"});
    for path in [
        "/languages/0",
        "/languages/x",
        "/languages/114",
        "/extra-ce/languages/71",
        "/submissions/2c2bd5f0-6fcd-4e2b-9b8a-0ad5b5ed2b5b",
        "/submissions/x",
    ] {
        let answer = scene.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (404, not_found.clone()), "{path}");
    }
    // One that came by the native routes is none of these.
    let native = scene.post("/v1/submissions", &crate::scene::submission("AC")).await.json();
    let path = format!("/submissions/{}", native["id"].as_str().unwrap());
    assert_eq!(scene.get(&path).await.status, 404);
}

#[tokio::test]
async fn languages_that_no_edition_installs_here_are_archived() {
    let scene = Scene::new();
    let all = scene.get("/languages/all").await.json();
    let active = scene.get("/languages").await.json();
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 113);
    let archived =
        |id: u64| all.iter().find(|row| row["id"] == id).unwrap()["is_archived"].as_bool().unwrap();
    assert!(!archived(54) && !archived(4) && archived(78) && archived(70));
    let count = all.iter().filter(|row| row["is_archived"] == false).count();
    assert_eq!(active.as_array().unwrap().len(), count);
    let names: Vec<&str> =
        active.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted() && names.contains(&"C++ (GCC 9.2.0, alias of cpp17)"), "{names:?}");
}

#[tokio::test]
async fn statistics_count_what_came() {
    let scene = Scene::new().worker();
    let mut body = json!({"source_code": "x", "language_id": 71});
    for answer in ["AC", "AC", "WA"] {
        body["expected_output"] = json!(answer);
        scene.post("/submissions?wait=true", &body).await;
    }
    let json = scene.get("/statistics").await.json();
    let submissions = &json["submissions"];
    assert_eq!((&submissions["total"], &submissions["today"]), (&json!(3), &json!(3)));
    assert_eq!(submissions["last_30_days"].as_object().unwrap().len(), 30);
    assert_eq!(json["languages"][0]["count"], 3);
    assert_eq!(json["languages"][0]["language"]["id"], 71);
    let status =
        |id: u8, name: &str, count: u8| json!({"status": {"id": id, "name": name}, "count": count});
    assert_eq!(json["statuses"], json!([status(3, "Accepted", 2), status(4, "Wrong Answer", 1)]));
    scene.post("/submissions?wait=true", &body).await;
    assert_eq!(scene.get("/statistics").await.json()["submissions"]["total"], 3, "for 10 minutes");
    let fresh = scene.get("/statistics?invalidate_cache=true").await.json();
    assert_eq!(fresh["submissions"]["total"], 4);
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_ask_for_any_header() {
    let config = api::Config { origins: vec!["*".to_owned()], ..api::Config::default() };
    let scene = Scene::with(queue::Settings::default(), api::Access::open(true), config);
    let headers = [
        ("origin", "https://ide.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,x-rapidapi-key"),
    ];
    let uri = "/submissions?base64_encoded=true";
    let answer = scene.send(request(Method::OPTIONS, uri, &headers, Body::empty())).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert_eq!(answer.headers["access-control-allow-headers"], "content-type,x-rapidapi-key");
}
