//! Many submissions in one request.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::Scene;
use crate::submissions::{python, with};

fn batch(items: &[Value]) -> Value {
    json!({"submissions": items})
}

#[tokio::test]
async fn a_batch_is_answered_in_order_with_what_is_wrong_in_its_place() {
    let scene = Scene::new();
    let wrong = json!({"source_code": "", "language_id": 71});
    let items = [python("AC"), wrong, json!(5), python("WA")];
    let answer = scene.post("/submissions/batch?wait=true&fields=nonsense", &batch(&items)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let answers = answer.json();
    assert_eq!(answers[1], json!({"source_code": ["can't be blank"]}));
    assert_eq!(answers[2], json!({"base": ["a submission must be an object"]}));
    let token = |n: usize| answers[n]["token"].as_str().unwrap().to_owned();
    let scene = scene.worker();
    let path = format!(
        "/submissions/batch?fields=token,status_id&tokens={},unknown,{}",
        token(3),
        token(0)
    );
    let over = async {
        loop {
            let json = scene.get(&path).await.json();
            if json["submissions"][0]["status_id"] == 4 && json["submissions"][2]["status_id"] == 3
            {
                return json;
            }
            tokio::task::yield_now().await;
        }
    };
    let json = tokio::time::timeout(Duration::from_secs(10), over).await.unwrap();
    assert_eq!(json["submissions"][0]["token"], token(3));
    assert_eq!(json["submissions"][1], Value::Null);
    let header = [("tokens", "unknown")];
    let request =
        crate::scene::request(axum::http::Method::GET, "/submissions/batch", &header, "".into());
    assert_eq!(scene.send(request).await.json(), json!({"submissions": [null]}));
}

#[tokio::test]
async fn a_batch_of_nothing_right_is_422() {
    let scene = Scene::new();
    let answer = scene.post("/submissions/batch", &batch(&[json!({"language_id": 71})])).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json(), json!([{"source_code": ["can't be blank"]}]));
    assert_eq!(scene.get("/v1/fleet").await.json()["totals"]["enqueued"], 0);
}

#[tokio::test]
async fn a_batch_has_bounds_which_are_settings() {
    let scene = Scene::new();
    let many = batch(&vec![python("AC"); 21]);
    let large = "number of submissions in a batch should be less than or equal to 20";
    let none = "there should be at least one submission in a batch";
    for (body, text) in [
        (&many, large),
        (&batch(&[]), none),
        (&json!({}), none),
        (&json!({"submissions": {"a": 1}}), "submissions must be an array"),
    ] {
        let answer = scene.post("/submissions/batch", body).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (400, json!({"error": text})));
    }
    let tokens = vec!["x"; 21].join(",");
    for (tokens, text) in [(tokens.as_str(), large), ("", none), (",", none)] {
        let answer = scene.get(&format!("/submissions/batch?tokens={tokens}")).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (400, json!({"error": text})));
    }
    let scene = with(&[("MAX_SUBMISSION_BATCH_SIZE", "21")]);
    assert_eq!(scene.post("/submissions/batch", &many).await.status, 201);
    assert_eq!(scene.get("/config_info").await.json()["max_submission_batch_size"], 21);
    let scene = with(&[("ENABLE_BATCHED_SUBMISSIONS", "false")]);
    let off = json!({"error": "batched submissions are not allowed"});
    assert_eq!(scene.post("/submissions/batch", &many).await.json(), off);
    assert_eq!(scene.get("/submissions/batch?tokens=x").await.json(), off);
}
