//! Slots change while submissions run, and no worker restarts.

use std::sync::Arc;
use std::time::Instant;

use e2e::kubectl;
use e2e::machine;
use e2e::scene::{SLOTS, Scene, annotation};
use e2e::wait::{secs, throughout, until};
use serde_json::json;

use crate::fleet::{Fleet, NAME, incarnation, sleeper};

pub(crate) async fn resized(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    fleet.slots(2).await;
    let before = incarnation(&fleet.ready("worker").await);
    let ids = fleet.submit_all("resized", 12, &sleeper(0.7)).await;
    fleet.running(2).await;
    fleet.scene.change(NAME, &json!({"sandbox": {"maxPerNode": 1}})).await.unwrap();
    told(&fleet, "1").await;
    let told_at = Instant::now();
    fleet.slots(1).await;
    println!("from the annotation to the worker's word: {:?}", told_at.elapsed());
    fleet.running(1).await;
    let more = json!({"sandbox": {"maxPerNode": null, "cpuPerSlot": "500m"}});
    fleet.scene.change(NAME, &more).await.unwrap();
    fleet.slots(4).await;
    fleet.running(4).await;
    fleet.all_accepted(&ids).await;
    assert_eq!(incarnation(&fleet.ready("worker").await), before);
    fleet.scene.change(NAME, &json!({"sandbox": {"cpuPerSlot": "1"}})).await.unwrap();
    fleet.slots(2).await;
}

/// Waits until the worker's pod has that annotation.
async fn told(fleet: &Fleet, slots: &str) {
    until(secs(30), &format!("the pod is told {slots}"), async || {
        let seen = annotation(&fleet.pod("worker").await?, SLOTS);
        if seen == slots { Ok(()) } else { Err(seen) }
    })
    .await;
}

pub(crate) async fn cordoned(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let before = incarnation(&fleet.ready("worker").await);
    let ids = fleet.submit_all("cordoned", 2, &sleeper(2.0)).await;
    fleet.running(2).await;
    kubectl::run(fleet.cluster(), &["cordon", machine::NAME]).unwrap();
    fleet.slots(0).await;
    let late = fleet.submit_all("cordoned-late", 2, &sleeper(0.1)).await;
    // What runs is finished; what came later is not begun.
    for view in fleet.all_accepted(&ids).await {
        assert_eq!(view["attempts"], 1, "{view}");
    }
    throughout(secs(3), "nothing is begun on a cordoned node", async || {
        let view = fleet.get(&format!("/v1/submissions/{}", late[0])).await?;
        if view["status"] == "queued" { Ok(()) } else { Err(view.to_string()) }
    })
    .await;
    kubectl::run(fleet.cluster(), &["uncordon", machine::NAME]).unwrap();
    fleet.all_accepted(&late).await;
    assert_eq!(incarnation(&fleet.ready("worker").await), before);
}
