//! From nothing to a verdict.

use std::sync::Arc;

use e2e::machine::release;
use e2e::scene::Scene;
use e2e::wait::secs;
use serde_json::json;

use crate::fleet::{Fleet, python};

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
}
