//! What goes wrong is a condition that says what to do.

use std::sync::Arc;

use e2e::kubectl;
use e2e::node;
use e2e::scene::{Scene, condition};
use e2e::wait::{secs, until};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ResourceQuota};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::install::ready;

/// Waits for a condition whose message has these words, and hands it out. What degrades a cluster is
/// an event, too, and one only, however often it is seen.
pub(crate) async fn complains(
    scene: &Scene,
    name: &str,
    kind: &str,
    status: &str,
    words: &[&str],
) -> Value {
    let found = until(secs(60), &format!("{kind}={status} of {name} says {words:?}"), async || {
        let seen = condition(&scene.status(name).await?, kind);
        let message = seen["message"].as_str().unwrap_or("");
        let says = words.iter().all(|word| message.contains(word));
        if seen["status"] == status && says { Ok(seen) } else { Err(seen.to_string()) }
    })
    .await;
    if (kind, status) == ("Degraded", "True") {
        let reason = found["reason"].as_str().unwrap();
        told(scene, name, reason).await;
        measured(scene, name, reason).await;
    }
    found
}

/// Waits until the operator's metrics have it: of this cluster that it is so, and why some are.
async fn measured(scene: &Scene, name: &str, reason: &str) {
    let cluster = [
        &*format!("judgecluster=\"{name}\""),
        &format!("judgecluster_namespace=\"{}\"", scene.namespace()),
        "type=\"Degraded\"",
    ];
    until(secs(10), &format!("{reason} of {name} is measured"), async || {
        let condition = scene.measured("evalx_operator_cluster_condition", &cluster).await?;
        let label = format!("reason=\"{reason}\"");
        let failures = scene.measured("evalx_operator_failures_total", &[&label]).await?;
        let is = condition > 0.5 && failures > 0.5;
        if is { Ok(()) } else { Err(format!("condition {condition}, {failures} failures")) }
    })
    .await;
}

/// Waits for the event of that reason, and sees that there is one.
async fn told(scene: &Scene, name: &str, reason: &str) {
    until(secs(10), &format!("{reason} of {name} is one event"), async || {
        let events = scene.api::<Event>().list(&ListParams::default()).await;
        let events = events.map_err(|error| error.to_string())?.items;
        let about = events.iter().filter(|event| {
            event.reason.as_deref() == Some(reason)
                && event.regarding.as_ref().is_some_and(|of| of.name.as_deref() == Some(name))
        });
        let types: Vec<_> = about.filter_map(|event| event.type_.as_deref()).collect();
        if types == ["Warning"] { Ok(()) } else { Err(format!("{types:?}")) }
    })
    .await;
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
    let told = complains(&scene, "quota", "Degraded", "True", &["quota"]).await;
    assert_eq!(told["reason"], "QuotaExceeded");
    // The one that fits works, and says so.
    scene.condition("quota", "Available", "True", "").await;
}

/// Sets the state of a worker's only container, as a kubelet would.
async fn set_state(scene: &Scene, state: &Value) {
    let worker = scene.workers().await.unwrap().remove(0);
    set_state_of(scene, worker, state).await;
}

/// The same of that pod.
pub(crate) async fn set_state_of(scene: &Scene, pod: Pod, state: &Value) {
    let name = pod.metadata.name.unwrap();
    let container = pod.spec.unwrap().containers.remove(0);
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

/// A container that ends with this code again and again, and says this last.
pub(crate) fn ended(code: i32, why: &str) -> Value {
    let last = json!({"terminated": {"exitCode": code, "reason": "Error", "message": why}});
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}});
    json!({"state": waiting, "lastState": last})
}

pub(crate) async fn image(scene: Arc<Scene>) {
    scene.node("a", "2", "64Gi").await.unwrap();
    scene.judge("image", &json!({})).await.unwrap();
    ready(&scene, "image", "1/1").await;
    let why = "Back-off pulling image \"evalx.example/worker:1\"";
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": why}});
    set_state(&scene, &json!({"state": waiting, "lastState": {}})).await;
    let told = complains(&scene, "image", "Degraded", "True", &["evalx.example/worker:1"]).await;
    assert_eq!(told["reason"], "ImagePullFailed");
}

pub(crate) async fn sandbox_and_queue(scene: Arc<Scene>) {
    scene.node("a", "2", "64Gi").await.unwrap();
    scene.judge("sandbox", &json!({})).await.unwrap();
    ready(&scene, "sandbox", "1/1").await;
    let why = "no control group can be made: cgroup v2 is mounted read-only";
    // The codes with which a worker ends: its sandbox (4), its queue (3).
    set_state(&scene, &ended(4, why)).await;
    complains(&scene, "sandbox", "SandboxReady", "False", &["cgroup v2 is mounted read-only"])
        .await;
    let words = ["`evalx doctor` in a copy of the pod", "EvalxSandboxFailing"];
    let told = complains(&scene, "sandbox", "Degraded", "True", &words).await;
    assert_eq!(told["reason"], "SelfCheckFailed");
    set_state(&scene, &ended(3, "no answer from redis.example:6379")).await;
    complains(&scene, "sandbox", "QueueReady", "False", &["redis.example:6379"]).await;
}

pub(crate) async fn stalled(scene: Arc<Scene>) {
    scene.nodes("n", 2, "2").await.unwrap();
    let soon = json!({"updateStrategy": {"stalledAfterSeconds": 3}});
    scene.judge("stalled", &soon).await.unwrap();
    ready(&scene, "stalled", "2/2").await;
    // No node has room for that, so the first new pod waits, and the second old one with it.
    let large = json!({"resources": {"requests": {"cpu": "64"}}});
    scene.change("stalled", &large).await.unwrap();
    let told = complains(&scene, "stalled", "Progressing", "False", &["1 of 2 workers"]).await;
    assert_eq!(told["reason"], "RolloutStalled");
    // And why.
    let words = ["spec.resources.requests", "Insufficient cpu"];
    let told = complains(&scene, "stalled", "Degraded", "True", &words).await;
    assert_eq!(told["reason"], "WorkerUnschedulable");
    scene.condition("stalled", "Available", "True", "").await;
    scene.change("stalled", &json!({"resources": {"requests": {"cpu": "100m"}}})).await.unwrap();
    ready(&scene, "stalled", "2/2").await;
    scene.condition("stalled", "Degraded", "False", "").await;
    scene.condition("stalled", "Progressing", "False", "RolledOut").await;
}

pub(crate) async fn secret(scene: Arc<Scene>) {
    let node = scene.node("a", "2", "64Gi").await.unwrap();
    let absent = json!({"name": "absent", "key": "url"});
    scene.judge("secret", &json!({"queue": {"url": null, "urlSecretRef": absent}})).await.unwrap();
    ready(&scene, "secret", "1/1").await;
    let why = "secret \"absent\" not found";
    let waiting = json!({"waiting": {"reason": "CreateContainerConfigError", "message": why}});
    set_state(&scene, &json!({"state": waiting, "lastState": {}})).await;
    let field = "spec.queue.urlSecretRef";
    let told = complains(&scene, "secret", "Degraded", "True", &[field, "absent"]).await;
    assert_eq!(told["reason"], "ConfigMissing");
    complains(&scene, "secret", "QueueReady", "False", &[field]).await;
    // It still has its slots: they are the node's, not the queue's.
    scene.slots_are(&[(&node, 2)]).await;
}

pub(crate) async fn service(scene: Arc<Scene>) {
    scene.node("a", "2", "64Gi").await.unwrap();
    let tokens = json!({"name": "absent", "key": "tokens"});
    // Room for a worker, and for no replica.
    let quota = json!({"metadata": {"name": "one"}, "spec": {"hard": {"pods": "1"}}});
    scene.judge("service", &json!({})).await.unwrap();
    ready(&scene, "service", "1/1").await;
    let quota: ResourceQuota = serde_json::from_value(quota).unwrap();
    scene.api::<ResourceQuota>().create(&PostParams::default(), &quota).await.unwrap();
    scene.change("service", &json!({"api": {"tokenSecretRef": tokens}})).await.unwrap();
    let field = "spec.api.tokenSecretRef (absent)";
    let told = complains(&scene, "service", "Degraded", "True", &[field]).await;
    assert_eq!(told["reason"], "ApiNotReady");
    scene.condition("service", "Available", "True", "").await;
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

/// A webhook that must be asked about the DaemonSets of a namespace, and is not there.
fn webhook(namespace: &str) -> ValidatingWebhookConfiguration {
    let rule = json!({
        "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["daemonsets"],
        "operations": ["CREATE", "UPDATE"],
    });
    let hook = json!({
        "name": "away.example.org", "rules": [rule], "failurePolicy": "Fail",
        "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
    });
    let object = json!({"metadata": {"name": namespace}, "webhooks": [hook]});
    serde_json::from_value(object).unwrap()
}

pub(crate) async fn webhook_away(scene: Arc<Scene>) {
    let node = scene.node("a", "2", "64Gi").await.unwrap();
    scene.judge("walled", &json!({})).await.unwrap();
    ready(&scene, "walled", "1/1").await;
    let hooks = Api::<ValidatingWebhookConfiguration>::all(scene.client().clone());
    hooks.create(&PostParams::default(), &webhook(scene.namespace())).await.unwrap();
    scene.change("walled", &json!({"image": "evalx.example/worker:2"})).await.unwrap();
    let words = ["DaemonSet walled-worker", "failed calling webhook", "away.example.org"];
    let told = complains(&scene, "walled", "Degraded", "True", &words).await;
    assert_eq!(told["reason"], "Rejected");
    scene.condition("walled", "Progressing", "False", "Rejected").await;
    // The rest goes on, later and later as what fails is tried again.
    node::patch(scene.client(), &node, &json!({"spec": {"unschedulable": true}})).await.unwrap();
    scene.slots_become(&[(&node, 0)], secs(60)).await;
    hooks.delete(scene.namespace(), &DeleteParams::default()).await.unwrap();
    node::patch(scene.client(), &node, &json!({"spec": {"unschedulable": false}})).await.unwrap();
    scene.slots_become(&[(&node, 2)], secs(60)).await;
    scene.condition("walled", "Degraded", "False", "AsExpected").await;
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
