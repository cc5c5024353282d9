//! Paused, suspended, deleted.

use std::collections::BTreeSet;
use std::sync::Arc;

use e2e::scene::Scene;
use e2e::wait::{secs, throughout, until};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::install::ready;

pub(crate) async fn paused(scene: Arc<Scene>) {
    let node = scene.node("a", "2", "64Gi").await.unwrap();
    scene.judge("paused", &json!({})).await.unwrap();
    ready(&scene, "paused", "1/1").await;
    scene.slots_are(&[(&node, 2)]).await;
    scene.change("paused", &json!({"paused": true})).await.unwrap();
    scene.condition("paused", "Paused", "True", "").await;
    // Changes of the spec and of what it owns wait.
    let change = json!({"image": "evalx.example/worker:2", "suspend": true});
    scene.change("paused", &change).await.unwrap();
    let hand = Patch::Merge(json!({"spec": {"minReadySeconds": 1, "revisionHistoryLimit": 3}}));
    let set = scene.daemon_set().await.unwrap().metadata.name.unwrap();
    let sets = scene.api::<DaemonSet>();
    sets.patch(&set, &PatchParams::default(), &hand).await.unwrap();
    let generation = sets.get(&set).await.unwrap().metadata.generation;
    throughout(secs(4), "nothing is touched", async || {
        let set = sets.get(&set).await.map_err(|error| error.to_string())?;
        if set.metadata.generation == generation { Ok(()) } else { Err(format!("{set:?}")) }
    })
    .await;
    // And it is said: what is there is not what the spec says, and judges on.
    until(secs(30), "the change has been seen", async || {
        let status = scene.status("paused").await?;
        let generation = scene.clusters().get("paused").await.map_err(|e| e.to_string())?;
        let right = status["observedGeneration"].as_i64() == generation.metadata.generation;
        if right { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    scene.condition("paused", "Progressing", "False", "Paused").await;
    scene.condition("paused", "Available", "True", "WorkersReady").await;
    assert_eq!(scene.status("paused").await.unwrap()["slots"]["desired"], 2);
    scene.slots_are(&[(&node, 2)]).await;
    scene.change("paused", &json!({"paused": false, "suspend": false})).await.unwrap();
    until(secs(30), "what waited is done", async || {
        let set = sets.get(&set).await.map_err(|error| error.to_string())?;
        let pod = set.spec.unwrap().template.spec.unwrap();
        let image = pod.containers[0].image.clone().unwrap_or_default();
        if image == "evalx.example/worker:2" { Ok(()) } else { Err(image) }
    })
    .await;
    scene.condition("paused", "Paused", "False", "").await;
    scene.slots_are(&[(&node, 2)]).await;
}

pub(crate) async fn suspended(scene: Arc<Scene>) {
    let names = scene.nodes("n", 2, "4").await.unwrap();
    scene.judge("suspended", &json!({})).await.unwrap();
    scene.slots_are(&[(&names[0], 4), (&names[1], 4)]).await;
    let uids = async || -> BTreeSet<_> {
        scene.workers().await.unwrap().into_iter().filter_map(|pod| pod.metadata.uid).collect()
    };
    let before = uids().await;
    scene.change("suspended", &json!({"suspend": true})).await.unwrap();
    scene.slots_are(&[(&names[0], 0), (&names[1], 0)]).await;
    until(secs(30), "the status says so", async || {
        let status = scene.status("suspended").await?;
        let right = status["state"] == "Suspended" && status["slots"]["desired"] == 0;
        if right { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    scene.change("suspended", &json!({"suspend": false})).await.unwrap();
    scene.slots_are(&[(&names[0], 4), (&names[1], 4)]).await;
    assert_eq!(uids().await, before, "no pod is restarted");
}

/// What there is of a cluster's objects in the namespace.
async fn left(scene: &Scene) -> Result<Vec<String>, String> {
    let all = ListParams::default();
    let mut names = Vec::new();
    let fault = |error: kube::Error| error.to_string();
    let sets = scene.api::<DaemonSet>().list(&all).await.map_err(fault)?;
    names.extend(sets.items.into_iter().filter_map(|object| object.metadata.name));
    let services = scene.api::<Service>().list(&all).await.map_err(fault)?;
    names.extend(services.items.into_iter().filter_map(|object| object.metadata.name));
    let policies = scene.api::<NetworkPolicy>().list(&all).await.map_err(fault)?;
    names.extend(policies.items.into_iter().filter_map(|object| object.metadata.name));
    let maps = scene.api::<ConfigMap>().list(&all).await.map_err(fault)?;
    let maps = maps.items.into_iter().filter_map(|object| object.metadata.name);
    names.extend(maps.filter(|name| name != "kube-root-ca.crt"));
    names.extend(scene.workers().await?.into_iter().filter_map(|pod| pod.metadata.name));
    let clusters = scene.clusters().list(&all).await.map_err(fault)?;
    names.extend(clusters.items.into_iter().filter_map(|object| object.metadata.name));
    Ok(names)
}

async fn nothing_is_left(scene: &Scene) {
    until(secs(60), "nothing is left", async || {
        let left = left(scene).await?;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}

pub(crate) async fn deleted(scene: Arc<Scene>) {
    scene.nodes("n", 2, "2").await.unwrap();
    scene.judge("deleted", &json!({})).await.unwrap();
    ready(&scene, "deleted", "2/2").await;
    let object = scene.clusters().get("deleted").await.unwrap();
    assert_eq!(object.metadata.finalizers, None, "no operator is needed to delete it");
    assert!(left(&scene).await.unwrap().len() > 4);
    scene.clusters().delete("deleted", &DeleteParams::default()).await.unwrap();
    nothing_is_left(&scene).await;
    throughout(secs(2), "nothing comes back", async || {
        let left = left(&scene).await?;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}

pub(crate) async fn drained(scene: Arc<Scene>) {
    scene.nodes("n", 2, "2").await.unwrap();
    let spec = json!({"paused": true, "deletion": {"policy": "Drain"}});
    scene.judge("drained", &spec).await.unwrap();
    until(secs(30), "it has its finalizer, paused as it is", async || {
        let cluster = scene.clusters().get("drained").await.map_err(|error| error.to_string())?;
        let finalizers = cluster.metadata.finalizers.unwrap_or_default();
        if finalizers.len() == 1 { Ok(()) } else { Err(format!("{finalizers:?}")) }
    })
    .await;
    scene.change("drained", &json!({"paused": false})).await.unwrap();
    ready(&scene, "drained", "2/2").await;
    // One worker judges on.
    let (pods, params) = (scene.api::<Pod>(), PatchParams::default());
    let slow = scene.workers().await.unwrap().remove(0).metadata.name.unwrap();
    let keep = |finalizers: &[&str]| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    pods.patch(&slow, &params, &keep(&["example.org/judges"])).await.unwrap();
    scene.clusters().delete("drained", &DeleteParams::default()).await.unwrap();
    until(secs(30), "it is said to be deleted", async || {
        let status = scene.status("drained").await?;
        let right = status["state"] == "Deleting" && status["slots"]["desired"] == 0;
        if right { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    pods.patch(&slow, &params, &keep(&[])).await.unwrap();
    nothing_is_left(&scene).await;
}

pub(crate) async fn orphaned(scene: Arc<Scene>) {
    let node = scene.node("a", "2", "64Gi").await.unwrap();
    scene.judge("orphaned", &json!({"deletion": {"policy": "Drain"}})).await.unwrap();
    ready(&scene, "orphaned", "1/1").await;
    scene.slots_are(&[(&node, 2)]).await;
    scene.clusters().delete("orphaned", &DeleteParams::orphan()).await.unwrap();
    until(secs(60), "it has gone", async || {
        let cluster = scene.clusters().get_opt("orphaned").await;
        match cluster.map_err(|error| error.to_string())? {
            None => Ok(()),
            Some(cluster) => Err(format!("{:?}", cluster.metadata)),
        }
    })
    .await;
    throughout(secs(2), "its worker goes on", async || {
        let slots = scene.slots().await?;
        let told = slots.get(&node).map(String::as_str);
        if told == Some("2") { Ok(()) } else { Err(format!("{slots:?}")) }
    })
    .await;
}
