//! From nothing to a verdict.

use std::sync::Arc;

use e2e::machine::release;
use e2e::scene::Scene;
use e2e::wait::secs;
use serde_json::json;

use crate::fleet::{Fleet, incarnation, python};

/// Promised in SPEC.md: from `helm install` to a verdict, where the images are there.
pub(crate) async fn verdict(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let view = fleet.judge(&python("print(sum(map(int, input().split())))")).await;
    let took = release::age().unwrap();
    assert_eq!(view["status"], "finished", "{view}");
    assert_eq!(view["report"]["verdict"], "AC", "{view}");
    assert_eq!(view["report"]["engine"], "native", "{view}");
    assert_eq!(view["attempts"], json!(1), "{view}");
    println!("from helm install to a verdict: {took:?}");
    assert!(took < secs(60), "{took:?}");
    // Who was there before Redis has waited for it, and was let wait.
    for component in ["api", "worker", "redis"] {
        let pods = fleet.pods(component).await.unwrap();
        let restarts: Vec<i32> = pods.iter().map(|pod| incarnation(pod).1).collect();
        assert!(
            !restarts.is_empty() && restarts.iter().all(|n| *n == 0),
            "{component}: {restarts:?}"
        );
    }
}
