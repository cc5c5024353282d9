//! What others do to the operator's objects.

use std::sync::Arc;

use e2e::audit::{self, Mark};
use e2e::operator::USER;
use e2e::scene::{SLOTS, Scene};
use e2e::wait::{secs, throughout, until};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::install::ready;

/// How soon what is wrong must be mended.
const SECONDS: u64 = 5;

async fn stage(scene: &Scene, name: &str) -> String {
    scene.nodes("n", 2, "2").await.unwrap();
    scene.judge(name, &json!({})).await.unwrap();
    ready(scene, name, "2/2").await;
    scene.daemon_set().await.unwrap().metadata.name.unwrap()
}

async fn image(scene: &Scene) -> Result<String, String> {
    let pod = scene.daemon_set().await?.spec.and_then(|spec| spec.template.spec);
    Ok(pod.and_then(|pod| pod.containers[0].image.clone()).unwrap_or_default())
}

pub(crate) async fn mended(scene: Arc<Scene>) {
    let name = stage(&scene, "drift").await;
    let sets = scene.api::<DaemonSet>();
    // Changed by somebody's hand.
    let container = json!({"name": "worker", "image": "evil.example/worker:1"});
    let spec = json!({"spec": {"template": {"spec": {"containers": [container]}}}});
    sets.patch(&name, &PatchParams::default(), &Patch::Strategic(spec)).await.unwrap();
    until(secs(SECONDS), "the image is as it was", async || {
        let image = image(&scene).await?;
        if image == "evalx.example/worker:1" { Ok(()) } else { Err(image) }
    })
    .await;
    // Deleted.
    let uid = sets.get(&name).await.unwrap().metadata.uid;
    sets.delete(&name, &DeleteParams::default()).await.unwrap();
    until(secs(SECONDS), "the DaemonSet is back", async || {
        let set = sets.get(&name).await.map_err(|error| error.to_string())?;
        if set.metadata.uid == uid { Err("it is still the old one".to_owned()) } else { Ok(()) }
    })
    .await;
    let services = scene.api::<Service>();
    for service in services.list(&ListParams::default()).await.unwrap().items {
        let (service, uid) = (service.metadata.name.unwrap(), service.metadata.uid);
        services.delete(&service, &DeleteParams::default()).await.unwrap();
        until(secs(SECONDS), "the Service is back", async || {
            let seen = services.get(&service).await.map_err(|error| error.to_string())?;
            if seen.metadata.uid == uid { Err("the old one".to_owned()) } else { Ok(()) }
        })
        .await;
    }
    let policies = scene.api::<NetworkPolicy>();
    for policy in policies.list(&ListParams::default()).await.unwrap().items {
        let (name, spec) = (policy.metadata.name.unwrap(), policy.spec.unwrap());
        // Opens what it closes.
        let open = Patch::Merge(json!({"spec": {"egress": [{}], "ingress": [{}]}}));
        policies.patch(&name, &PatchParams::default(), &open).await.unwrap();
        until(secs(SECONDS), "the NetworkPolicy is as it was", async || {
            let seen = policies.get(&name).await.map_err(|error| error.to_string())?.spec;
            if seen.as_ref() == Some(&spec) { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }
}

pub(crate) async fn left_alone(scene: Arc<Scene>) {
    let name = stage(&scene, "guests").await;
    let sets = scene.api::<DaemonSet>();
    let meta = json!({"labels": {"team.example/owner": "us"}, "annotations": {"x.example/y": "z"}});
    let patch = Patch::Merge(json!({"metadata": meta}));
    sets.patch(&name, &PatchParams::default(), &patch).await.unwrap();
    // The operator has looked at it after that: what it sets itself, it has mended.
    let other = Patch::Merge(
        json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "50%"}}}}),
    );
    sets.patch(&name, &PatchParams::default(), &other).await.unwrap();
    until(secs(SECONDS), "its own field is mended", async || {
        let set = serde_json::to_value(sets.get(&name).await.map_err(|error| error.to_string())?);
        let set = set.map_err(|error| error.to_string())?;
        let share = &set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"];
        if share == "10%" { Ok(()) } else { Err(share.to_string()) }
    })
    .await;
    let meta = sets.get(&name).await.unwrap().metadata;
    assert_eq!(meta.labels.unwrap().get("team.example/owner").map(String::as_str), Some("us"));
    assert_eq!(meta.annotations.unwrap().get("x.example/y").map(String::as_str), Some("z"));
}

pub(crate) async fn annotation(scene: Arc<Scene>) {
    stage(&scene, "lost").await;
    let pods = scene.api::<Pod>();
    for (pod, to) in scene.workers().await.unwrap().iter().zip([json!(null), json!("99")]) {
        let name = pod.metadata.name.as_deref().unwrap();
        let patch = Patch::Merge(json!({"metadata": {"annotations": {(SLOTS): to}}}));
        pods.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }
    until(secs(SECONDS), "both are told their slots again", async || {
        let slots = scene.slots().await?;
        if slots.values().all(|slots| slots == "2") { Ok(()) } else { Err(format!("{slots:?}")) }
    })
    .await;
}

/// What the operator wrote into the namespace since then.
fn writes(scene: &Scene, mark: Mark) -> Vec<audit::Entry> {
    let mut writes = scene.cluster().audit().writes(mark, USER).unwrap();
    let ours = format!("{}/", scene.namespace());
    writes.retain(|entry| entry.object.starts_with(&ours));
    writes
}

pub(crate) async fn quiet(scene: Arc<Scene>) {
    stage(&scene, "quiet").await;
    // The counts of a status may lag behind by some seconds; after that there is nothing to say.
    let audit = scene.cluster().audit();
    until(secs(60), "it has nothing to say for 5 s", async || {
        let mark = audit.mark().map_err(|error| error.to_string())?;
        tokio::time::sleep(secs(5)).await;
        let writes = writes(&scene, mark);
        if writes.is_empty() { Ok(()) } else { Err(audit::summary(&writes)) }
    })
    .await;
    let mark = audit.mark().unwrap();
    throughout(secs(15), "nothing is written", async || {
        let writes = writes(&scene, mark);
        if writes.is_empty() { Ok(()) } else { Err(audit::summary(&writes)) }
    })
    .await;
}
