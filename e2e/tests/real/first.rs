//! From nothing to a verdict.

use std::sync::Arc;
use std::time::Instant;

use e2e::scene::Scene;
use e2e::wait::secs;
use serde_json::json;

use crate::fleet::{Fleet, python};

pub(crate) async fn verdict(scene: Arc<Scene>) {
    let began = Instant::now();
    let fleet = Fleet::join(&scene).await;
    let view = fleet.judge(&python("print(sum(map(int, input().split())))")).await;
    assert_eq!(view["status"], "finished", "{view}");
    assert_eq!(view["report"]["verdict"], "AC", "{view}");
    assert_eq!(view["report"]["engine"], "native", "{view}");
    assert_eq!(view["attempts"], json!(1), "{view}");
    let took = began.elapsed();
    println!("from kubectl apply to a verdict: {took:?}");
    assert!(took < secs(60), "{took:?}");
}
