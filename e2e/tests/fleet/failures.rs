//! What goes wrong is a condition that says what to do.

use std::sync::Arc;

use e2e::kubectl;
use e2e::scene::{Scene, condition};
use e2e::wait::{secs, until};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ResourceQuota};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::install::ready;

/// Waits for a condition whose message has these words, and hands it out.
async fn complains(scene: &Scene, name: &str, kind: &str, status: &str, words: &[&str]) -> Value {
    until(secs(60), &format!("{kind}={status} of {name} says {words:?}"), async || {
        let seen = condition(&scene.status(name).await?, kind);
        let message = seen["message"].as_str().unwrap_or("");
        let says = words.iter().all(|word| message.contains(word));
        if seen["status"] == status && says { Ok(seen) } else { Err(seen.to_string()) }
    })
    .await
}

pub(crate) async fn pod_security(scene: Arc<Scene>) {
    let label = "pod-security.kubernetes.io/enforce";
    let set = |level: &str| {
        let level = format!("{label}={level}");
        let arguments = ["label", "--overwrite", "namespace", scene.namespace(), &level];
        kubectl::run(scene.cluster(), &arguments).unwrap();
    };
    set("restricted");
    scene.node("a", "2", "64Gi").await.unwrap();
    scene.judge("forbidden", &json!({})).await.unwrap();
    // The very command that helps.
    let command = format!("kubectl label namespace {} {label}=privileged", scene.namespace());
    let told = complains(&scene, "forbidden", "Degraded", "True", &[label]).await;
    assert_eq!(told["reason"], "PodSecurityForbidden");
    let message = told["message"].as_str().unwrap();
    assert!(message.replace(" --overwrite", "").contains(&command), "{message}");
    set("privileged");
    // The DaemonSet controller backs off for minutes; a new template makes it try at once.
    scene.change("forbidden", &json!({"podAnnotations": {"try": "again"}})).await.unwrap();
    ready(&scene, "forbidden", "1/1").await;
    scene.condition("forbidden", "Degraded", "False", "").await;
}

pub(crate) async fn quota(scene: Arc<Scene>) {
    let quota = json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}});
    let quota: ResourceQuota = serde_json::from_value(quota).unwrap();
    scene.api::<ResourceQuota>().create(&PostParams::default(), &quota).await.unwrap();
    scene.nodes("n", 2, "2").await.unwrap();
    scene.judge("quota", &json!({})).await.unwrap();
    complains(&scene, "quota", "Degraded", "True", &["quota"]).await;
}

/// Sets the state of a worker's only container, as a kubelet would.
async fn set_state(scene: &Scene, state: &Value) {
    let worker = scene.workers().await.unwrap().remove(0);
    let name = worker.metadata.name.unwrap();
    let container = worker.spec.unwrap().containers.remove(0);
    let statuses = json!([{
        "name": container.name, "image": container.image, "imageID": "", "ready": false,
        "restartCount": 3, "state": state["state"], "lastState": state["lastState"],
    }]);
    let conditions = json!([
        {"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "False"},
    ]);
    let change = json!({"status": {"conditions": conditions, "containerStatuses": statuses}});
    let patch = Patch::Strategic(&change);
    scene.api::<Pod>().patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
}

pub(crate) async fn image(scene: Arc<Scene>) {
    scene.node("a", "2", "64Gi").await.unwrap();
    scene.judge("image", &json!({})).await.unwrap();
    ready(&scene, "image", "1/1").await;
    let why = "Back-off pulling image \"evalx.example/worker:1\"";
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": why}});
    set_state(&scene, &json!({"state": waiting, "lastState": {}})).await;
    complains(&scene, "image", "Degraded", "True", &["evalx.example/worker:1"]).await;
}

pub(crate) async fn sandbox_and_queue(scene: Arc<Scene>) {
    scene.node("a", "2", "64Gi").await.unwrap();
    scene.judge("sandbox", &json!({})).await.unwrap();
    ready(&scene, "sandbox", "1/1").await;
    let why = "no control group can be made: cgroup v2 is mounted read-only";
    // The codes with which a worker ends: its sandbox (4), its queue (3).
    let ended = |code: i32, why: &str| {
        let last = json!({"terminated": {"exitCode": code, "reason": "Error", "message": why}});
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}});
        json!({"state": waiting, "lastState": last})
    };
    set_state(&scene, &ended(4, why)).await;
    complains(&scene, "sandbox", "SandboxReady", "False", &["cgroup v2 is mounted read-only"])
        .await;
    set_state(&scene, &ended(3, "no answer from redis.example:6379")).await;
    complains(&scene, "sandbox", "QueueReady", "False", &["redis.example:6379"]).await;
}

pub(crate) async fn languages(scene: Arc<Scene>) {
    scene.node("a", "2", "64Gi").await.unwrap();
    let map = |text: &str| -> ConfigMap {
        let object = json!({"metadata": {"name": "more"}, "data": {"extra.yaml": text}});
        serde_json::from_value(object).unwrap()
    };
    let maps = scene.api::<ConfigMap>();
    maps.create(&PostParams::default(), &map("a: [b")).await.unwrap();
    let spec = json!({"languages": {"configMapRef": {"name": "more"}}});
    scene.judge("languages", &spec).await.unwrap();
    complains(&scene, "languages", "Degraded", "True", &["extra.yaml"]).await;
    // A map that is not there is said, too.
    let other = json!({"languages": {"configMapRef": {"name": "absent"}}});
    scene.change("languages", &other).await.unwrap();
    complains(&scene, "languages", "Degraded", "True", &["absent"]).await;
    scene.change("languages", &json!({"languages": null})).await.unwrap();
    ready(&scene, "languages", "1/1").await;
    scene.condition("languages", "Degraded", "False", "").await;
}

pub(crate) async fn undisturbed(scene: Arc<Scene>) {
    let node = scene.node("a", "2", "64Gi").await.unwrap();
    // Its languages are missing, and its nodes are none.
    let spec = json!({
        "languages": {"configMapRef": {"name": "absent"}},
        "placement": {"nodeSelector": {"evalx.example/none": "here"}},
    });
    scene.judge("broken", &spec).await.unwrap();
    complains(&scene, "broken", "Degraded", "True", &["absent"]).await;
    scene.judge("whole", &json!({})).await.unwrap();
    scene.slots_are(&[(&node, 2)]).await;
    ready(&scene, "whole", "1/1").await;
}
