//! One submission.

use serde_json::json;

use crate::scene::{Scene, submission};

#[tokio::test]
async fn who_waits_gets_the_verdict() {
    let scene = Scene::new().worker();
    let answer = scene.post("/v1/submissions?wait=10", &submission("AC WA")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["status"], "finished");
    assert_eq!(json["report"]["verdict"], "WA");
    assert_eq!(json["report"]["tests"][1]["name"], "2", "named by its number");
    let place = answer.headers["location"].to_str().unwrap();
    assert_eq!(scene.get(place).await.json(), json);
}

#[tokio::test]
async fn who_does_not_wait_gets_an_id_and_asks_later() {
    let scene = Scene::new();
    let mut body = submission("AC");
    body["tags"] = json!(["contest-7", "team-3"]);
    body["lane"] = json!("high");
    let answer = scene.post("/v1/submissions", &body).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (202, &json!("queued")));
    let place = answer.headers["location"].to_str().unwrap().to_owned();
    let json = scene.get(&place).await.json();
    assert_eq!((&json["status"], &json["lane"]), (&json!("queued"), &json!("high")));
    assert_eq!(json["tags"], json!(["contest-7", "team-3"]));
    let scene = scene.worker();
    let json = scene.get(&format!("{place}?wait=10")).await.json();
    assert_eq!(json["report"]["verdict"], "AC");
    assert_eq!(json["tags"], json!(["contest-7", "team-3"]));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_in_time() {
    let scene = Scene::new();
    let headers = [("prefer", "wait=3")];
    let start = tokio::time::Instant::now();
    let answer = scene.post_with("/v1/submissions", &headers, submission("AC").to_string()).await;
    assert_eq!((answer.status.as_u16(), start.elapsed().as_secs()), (202, 3));
    let endless = scene.post("/v1/submissions?wait=1e9", &submission("AC")).await;
    assert_eq!((endless.status.as_u16(), start.elapsed().as_secs()), (202, 63));
}

#[tokio::test]
async fn the_same_request_again_is_judged_once() {
    let scene = Scene::new();
    let headers = [("idempotency-key", "exam-5")];
    let body = submission("AC").to_string();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let answer = scene.post_with("/v1/submissions", &headers, body.clone()).await;
        ids.push(answer.json()["id"].clone());
    }
    assert!(ids.iter().all(|id| *id == ids[0]));
    let lanes = &scene.get("/v1/fleet").await.json()["lanes"];
    assert_eq!(lanes["normal"]["depth"], 1);
    let scene = scene.worker();
    let again = scene.post_with("/v1/submissions?wait=10", &headers, body).await;
    assert_eq!((&again.json()["id"], again.status.as_u16()), (&ids[0], 200));
}

#[tokio::test]
async fn what_is_called_off_ends_so_and_stays_so() {
    let scene = Scene::new();
    let answer = scene.post("/v1/submissions", &submission("AC")).await;
    let place = answer.headers["location"].to_str().unwrap();
    assert_eq!(scene.delete(place).await.json()["status"], "cancelled");
    assert_eq!(scene.delete(place).await.json()["status"], "cancelled");
    assert_eq!(scene.get(place).await.json()["status"], "cancelled");
}

#[tokio::test]
async fn what_no_worker_can_judge_is_refused_with_the_reason() {
    let scene = Scene::new().worker();
    let body = json!({"language": "python3", "source": "refuse"});
    let json = scene.post("/v1/submissions?wait=10", &body).await.json();
    assert_eq!((&json["status"], &json["refusal"]["reason"]), (&json!("refused"), &json!("no")));
}

#[tokio::test]
async fn a_full_queue_says_so_and_when_to_come_back() {
    let settings = queue::Settings { depth: 1, ..queue::Settings::default() };
    let scene = Scene::with(settings, api::Access::open(true), api::Config::default());
    assert_eq!(scene.post("/v1/submissions", &submission("AC")).await.status, 202);
    let answer = scene.post("/v1/submissions", &submission("AC")).await;
    assert_eq!(answer.problem(), (503, "queue-full".to_owned()));
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(answer.detail(), "1 submissions wait already");
}

#[tokio::test]
async fn languages_fleet_health_and_metrics_are_there() {
    let scene = Scene::new().worker();
    let languages = scene.get("/v1/languages").await.json();
    let python = languages.as_array().unwrap().iter().find(|l| l["id"] == "python3").unwrap();
    assert!(python["aliases"].as_array().unwrap().contains(&json!("71")), "{python}");
    assert_eq!(scene.get("/healthz").await.text, "ok\n");
    assert_eq!(scene.get("/readyz").await.text, "ready\n");
    scene.post("/v1/submissions?wait=10", &submission("AC")).await;
    let metrics = scene.get("/metrics").await.text;
    for line in [
        "evalx_queue_depth{lane=\"normal\"} 0\n",
        "evalx_queue_finished_total 1\n",
        "evalx_submissions_received_total{api=\"v1\"} 1\n",
        "evalx_request_latency_seconds_count{method=\"POST\",route=\"/v1/submissions\",status=\"2xx\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn the_queue_depth_goes_up_with_a_job_and_down_when_it_is_taken() {
    let scene = Scene::new();
    let depth = async |scene: &Scene| {
        let text = scene.get("/metrics").await.text;
        let line = text.lines().find(|l| l.starts_with("evalx_queue_depth{lane=\"normal\"}"));
        line.unwrap().rsplit_once(' ').unwrap().1.to_owned()
    };
    let body = json!({"language": "python3", "source": "hold"});
    let id = scene.post("/v1/submissions", &body).await.json()["id"].clone();
    assert_eq!(depth(&scene).await, "1");
    let scene = scene.worker();
    scene.until_running(id.as_str().unwrap()).await;
    assert_eq!(depth(&scene).await, "0");
}
