//! A change reaches the workers a few at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use e2e::kubectl;
use e2e::scene::{Scene, condition, is_ready, node_of};
use e2e::wait::{secs, throughout, until};
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, WatchEvent, WatchParams};
use serde_json::json;

use crate::install::ready;

const NODES: usize = 20;

/// Follows every change of the namespace's pods until `done`, and hands out the smallest number of
/// nodes that ever had a ready worker. The API server orders changes, so none is missed.
async fn fewest(scene: &Scene, done: &AtomicBool) -> usize {
    let pods = scene.api::<Pod>();
    let list = pods.list(&ListParams::default()).await.unwrap();
    let mut version = list.metadata.resource_version.unwrap();
    let mut serving = BTreeMap::<String, String>::new();
    let see = |serving: &mut BTreeMap<String, String>, pod: &Pod, gone: bool| {
        let uid = pod.metadata.uid.clone().unwrap();
        let serves = !gone && is_ready(pod) && pod.metadata.deletion_timestamp.is_none();
        match serves {
            true => drop(serving.insert(uid, node_of(pod))),
            false => drop(serving.remove(&uid)),
        }
    };
    for pod in &list.items {
        see(&mut serving, pod, false);
    }
    let mut fewest = serving.len();
    while !done.load(Ordering::Relaxed) {
        let params = WatchParams::default().timeout(1);
        let mut events = pods.watch(&params, &version).await.unwrap().boxed();
        while let Some(event) = events.next().await {
            match event.unwrap() {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) => {
                    version = pod.metadata.resource_version.clone().unwrap();
                    see(&mut serving, &pod, false);
                }
                WatchEvent::Deleted(pod) => {
                    version = pod.metadata.resource_version.clone().unwrap();
                    see(&mut serving, &pod, true);
                }
                WatchEvent::Bookmark(mark) => version = mark.metadata.resource_version,
                WatchEvent::Error(status) => panic!("{status:?}"),
            }
            fewest = fewest.min(serving.values().collect::<BTreeSet<_>>().len());
        }
    }
    fewest
}

/// Looks until `done` whether the fleet is said to be available.
async fn available(scene: &Scene, name: &str, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let said = condition(&scene.status(name).await.unwrap(), "Available");
        assert_eq!(said["status"], "True", "{said}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn tenth(scene: Arc<Scene>) {
    let names = scene.nodes("n", NODES, "2").await.unwrap();
    scene.judge("rolled", &json!({})).await.unwrap();
    ready(&scene, "rolled", "20/20").await;
    let done = AtomicBool::new(false);
    let change = async {
        scene.change("rolled", &json!({"image": "evalx.example/worker:2"})).await.unwrap();
        until(secs(120), "every worker has the new image", async || {
            let pods = scene.workers().await?;
            let new = pods.iter().filter(|pod| {
                let image = pod.spec.as_ref().unwrap().containers[0].image.as_deref();
                image == Some("evalx.example/worker:2") && is_ready(pod)
            });
            let count = new.count();
            if count == NODES { Ok(()) } else { Err(format!("{count} of {NODES}")) }
        })
        .await;
        done.store(true, Ordering::Relaxed);
    };
    let available = available(&scene, "rolled", &done);
    let (fewest, (), ()) = tokio::join!(fewest(&scene, &done), change, available);
    // The DaemonSet controller counts the end of a pod twice, when it begins and when it is over, and
    // so may begin with the next ones too early where pods end at once, as they do here.
    assert!(fewest >= NODES - 2 * (NODES / 10), "only {fewest} of {NODES} nodes had a worker");
    // The new pods are told their slots like the first ones.
    scene.slots_are(&names.iter().map(|name| (name, 2)).collect::<Vec<_>>()).await;
    let status = ready(&scene, "rolled", "20/20").await;
    assert_eq!(status["version"], "2", "{status}");
    scene.condition("rolled", "Progressing", "False", "").await;
}

pub(crate) async fn restarted_by_kubectl(scene: Arc<Scene>) {
    scene.nodes("n", 2, "2").await.unwrap();
    scene.judge("restarted", &json!({})).await.unwrap();
    ready(&scene, "restarted", "2/2").await;
    let before: BTreeSet<_> =
        scene.workers().await.unwrap().into_iter().filter_map(|pod| pod.metadata.uid).collect();
    let set = scene.daemon_set().await.unwrap().metadata.name.unwrap();
    let set = format!("daemonset/{set}");
    kubectl::run(scene.cluster(), &["rollout", "restart", "-n", scene.namespace(), &set]).unwrap();
    until(secs(60), "every worker is another", async || {
        let pods = scene.workers().await?;
        let old = pods.iter().filter(|pod| before.contains(pod.metadata.uid.as_ref().unwrap()));
        let (old, ready) = (old.count(), pods.iter().filter(|pod| is_ready(pod)).count());
        if old == 0 && ready == 2 { Ok(()) } else { Err(format!("{old} old, {ready} ready")) }
    })
    .await;
    throughout(secs(3), "kubectl's annotation stays in the template", async || {
        let set = scene.daemon_set().await?;
        let template = set.spec.and_then(|spec| spec.template.metadata);
        let annotations = template.and_then(|meta| meta.annotations).unwrap_or_default();
        match annotations.contains_key("kubectl.kubernetes.io/restartedAt") {
            true => Ok(()),
            false => Err(format!("{annotations:?}")),
        }
    })
    .await;
}
