//! The control plane fails, the operator goes on.

use std::sync::Arc;

use e2e::operator::USER;
use e2e::scene::Scene;
use e2e::wait::{secs, until};
use e2e::{audit, node};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use rustix::process::Signal;
use serde_json::json;

/// A server takes longer to start than a lease bears where the machine is busy; the end of a lease
/// has cases of its own.
const PATIENT: [&str; 3] = ["--lease-duration=90", "--renew-deadline=60", "--retry-period=2"];

pub(crate) async fn restarted(scene: Arc<Scene>) {
    let name = crate::named(&scene, "operator");
    let mut operator = crate::operator_with(&scene, &name, &PATIENT).await;
    let a = scene.node("a", "4", "64Gi").await.unwrap();
    scene.judge("restarted", &json!({})).await.unwrap();
    scene.slots_are(&[(&a, 4)]).await;
    let mark = scene.cluster().audit().mark().unwrap();
    for round in 0_u32..3 {
        scene.cluster().restart_api_server().await.unwrap();
        operator.process().expect_alive().unwrap();
        let cpu = 5 + round;
        let size = json!({"cpu": cpu.to_string(), "memory": "64Gi", "pods": "110"});
        let change = json!({"status": {"allocatable": size, "capacity": size}});
        until(secs(20), "the node is changed", async || {
            let done = node::patch_status(scene.client(), &a, &change).await;
            done.map_err(|error| format!("{error:#}"))
        })
        .await;
        scene.slots_are(&[(&a, cpu)]).await;
    }
    // A server that starts refuses at first; the worker is told nothing else because of that.
    let mut told = scene.cluster().audit().writes(mark, USER).unwrap();
    told.retain(|entry| entry.resource == "pods");
    assert_eq!(told.len(), 3, "{}", audit::summary(&told));
    assert!(operator.stop().await.unwrap().success());
}

pub(crate) async fn compacted(scene: Arc<Scene>) {
    let name = crate::named(&scene, "operator");
    let mut operator = crate::operator_with(&scene, &name, &PATIENT).await;
    let a = scene.node("a", "4", "64Gi").await.unwrap();
    let b = scene.node("b", "8", "64Gi").await.unwrap();
    scene.judge("compacted", &json!({})).await.unwrap();
    scene.slots_are(&[(&a, 4), (&b, 8)]).await;
    // While it does not look, the world changes and the past is thrown away.
    operator.process().signal(Signal::STOP).unwrap();
    node::patch(scene.client(), &a, &json!({"spec": {"unschedulable": true}})).await.unwrap();
    node::delete(scene.client(), &b).await.unwrap();
    let labels = |n: u32| json!({"metadata": {"labels": {"evalx.example/n": n.to_string()}}});
    for n in 0..20 {
        node::patch(scene.client(), &a, &labels(n)).await.unwrap();
        for pod in scene.workers().await.unwrap() {
            let name = pod.metadata.name.unwrap();
            let patch = Patch::Merge(labels(n));
            // The garbage collector may be quicker.
            drop(scene.api::<Pod>().patch(&name, &PatchParams::default(), &patch).await);
        }
    }
    scene.cluster().compact().await.unwrap();
    scene.cluster().restart_api_server().await.unwrap();
    operator.process().signal(Signal::CONT).unwrap();
    scene.slots_are(&[(&a, 0)]).await;
    operator.process().expect_alive().unwrap();
    node::patch(scene.client(), &a, &json!({"spec": {"unschedulable": false}})).await.unwrap();
    scene.slots_are(&[(&a, 4)]).await;
    assert!(operator.stop().await.unwrap().success());
}
