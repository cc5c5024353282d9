//! Two clusters that select one node.

use std::collections::BTreeMap;
use std::sync::Arc;

use e2e::scene::{SLOTS, Scene, annotation, node_of};
use e2e::wait::{secs, until};
use kube::api::DeleteParams;
use serde_json::json;

use crate::install::ready;

/// The slots of each node, summed and one by one, over all pods of the namespace.
async fn shares(scene: &Scene) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut shares = BTreeMap::<String, Vec<String>>::new();
    for pod in scene.workers().await? {
        shares.entry(node_of(&pod)).or_default().push(annotation(&pod, SLOTS));
    }
    shares.values_mut().for_each(|slots| slots.sort());
    Ok(shares)
}

pub(crate) async fn older_first(scene: Arc<Scene>) {
    let shared = scene.node("shared", "4", "64Gi").await.unwrap();
    let only = scene.labelled_node("only", "8", "64Gi", &[("evalx.example/w", "b")]).await.unwrap();
    scene.judge("first", &json!({})).await.unwrap();
    ready(&scene, "first", "2/2").await;
    // Ages are told apart by seconds, and then by name: this one is later by name, too.
    scene.judge("second", &json!({})).await.unwrap();
    until(secs(60), "the younger has no slots", async || {
        let seen = shares(&scene).await?;
        let right = [(&shared, ["0", "4"]), (&only, ["0", "8"])];
        let fits = right.iter().all(|(node, slots)| seen.get(*node).is_some_and(|s| s == slots));
        if fits { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    let told = scene.condition("second", "NodeConflict", "True", "").await;
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("first"), "the message names the other: {message}");
    let status = scene.status("first").await.unwrap();
    assert_eq!(status["slots"]["desired"], 12, "{status}");
    // When the older goes, the younger has the nodes.
    scene.clusters().delete("first", &DeleteParams::default()).await.unwrap();
    scene.slots_are(&[(&shared, 4), (&only, 8)]).await;
    scene.condition("second", "NodeConflict", "False", "").await;
}
