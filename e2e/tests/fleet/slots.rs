//! The slots of a worker follow the node that it is on.

use std::collections::BTreeSet;
use std::sync::Arc;

use e2e::node;
use e2e::scene::Scene;
use e2e::wait::{secs, throughout, until};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::install::ready;

fn uids(pods: &[Pod]) -> BTreeSet<String> {
    pods.iter().filter_map(|pod| pod.metadata.uid.clone()).collect()
}

/// Waits until a number of the status is as it should be.
pub(crate) async fn number_is(scene: &Scene, name: &str, pointer: &str, number: u64) {
    until(secs(30), &format!("{pointer} of {name} is {number}"), async || {
        let status = scene.status(name).await?;
        let seen = status.pointer(pointer).and_then(Value::as_u64);
        if seen == Some(number) { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

pub(crate) async fn by_cpu(scene: Arc<Scene>) {
    let mut expected = Vec::new();
    for cpu in [2, 4, 8, 16] {
        let node = scene.node(&format!("c{cpu}"), &cpu.to_string(), "64Gi").await.unwrap();
        expected.push((node, cpu));
    }
    scene.judge("sizes", &json!({})).await.unwrap();
    scene.slots_are(&expected).await;
    ready(&scene, "sizes", "4/4").await;
    number_is(&scene, "sizes", "/slots/desired", 30).await;
    number_is(&scene, "sizes", "/slots/ready", 30).await;
    let status = scene.status("sizes").await.unwrap();
    let classes = status["slots"]["byClass"].as_array().unwrap();
    let sum: u64 = classes.iter().filter_map(|class| class["slots"].as_u64()).sum();
    assert_eq!((classes.len(), sum), (4, 30), "{status}");
    // A slot of two CPUs: all change, live.
    scene.change("sizes", &json!({"sandbox": {"cpuPerSlot": "2"}})).await.unwrap();
    let halves: Vec<_> = expected.iter().map(|(node, cpu)| (node, cpu / 2)).collect();
    scene.slots_are(&halves).await;
    // A worker that somebody sets aside is the fleet's no more: its slots are those of the next one.
    let before = scene.workers().await.unwrap();
    let aside = before[0].metadata.name.as_deref().unwrap();
    let label = json!({"metadata": {"labels": {"app.kubernetes.io/instance": "debug"}}});
    let pods = scene.api::<Pod>();
    pods.patch(aside, &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
    until(secs(30), "another is in its place", async || {
        let now = scene.workers().await?;
        let new = uids(&now).difference(&uids(&before)).count();
        if (now.len(), new) == (4, 1) { Ok(()) } else { Err(format!("{} pods", now.len())) }
    })
    .await;
    scene.slots_are(&halves).await;
    number_is(&scene, "sizes", "/slots/desired", 15).await;
    throughout(secs(5), "none is counted twice", async || {
        let desired = scene.status("sizes").await?["slots"]["desired"].clone();
        if desired == 15 { Ok(()) } else { Err(desired.to_string()) }
    })
    .await;
}

pub(crate) async fn bounded(scene: Arc<Scene>) {
    let by_memory = scene.node("memory", "16", "4Gi").await.unwrap();
    let small = scene.node("small", "500m", "64Gi").await.unwrap();
    let large = scene.node("large", "64", "512Gi").await.unwrap();
    let sandbox = json!({
        "memoryPerSlot": "1Gi", "reservedMemory": "1Gi", "reservedCpu": "1", "minPerNode": 1,
        "maxPerNode": 20,
    });
    scene.judge("bounds", &json!({"sandbox": sandbox})).await.unwrap();
    scene.slots_are(&[(&by_memory, 3), (&small, 1), (&large, 20)]).await;
    scene.change("bounds", &json!({"sandbox": {"maxPerNode": null}})).await.unwrap();
    scene.slots_are(&[(&by_memory, 3), (&small, 1), (&large, 63)]).await;
}

pub(crate) async fn overrides(scene: Arc<Scene>) {
    let fixed = [("evalx.example/size", "fixed")];
    let fixed = scene.labelled_node("fixed", "8", "64Gi", &fixed).await.unwrap();
    let double = [("evalx.example/size", "double")];
    let double = scene.labelled_node("double", "8", "64Gi", &double).await.unwrap();
    let plain = scene.node("plain", "8", "64Gi").await.unwrap();
    let overrides = json!([
        {"nodeSelector": {"evalx.example/size": "fixed"}, "slots": 3},
        {"nodeSelector": {"evalx.example/size": "double"}, "cpuPerSlot": "500m"},
    ]);
    scene.judge("labels", &json!({"sandbox": {"overrides": overrides}})).await.unwrap();
    scene.slots_are(&[(&fixed, 3), (&double, 16), (&plain, 8)]).await;
    // A label that comes later counts, too.
    let label = json!({"metadata": {"labels": {"evalx.example/size": "fixed"}}});
    node::patch(scene.client(), &plain, &label).await.unwrap();
    scene.slots_are(&[(&fixed, 3), (&double, 16), (&plain, 3)]).await;
}

pub(crate) async fn cordoned(scene: Arc<Scene>) {
    let a = scene.node("a", "4", "64Gi").await.unwrap();
    let b = scene.node("b", "8", "64Gi").await.unwrap();
    scene.judge("cordon", &json!({})).await.unwrap();
    scene.slots_are(&[(&a, 4), (&b, 8)]).await;
    let pods = uids(&scene.workers().await.unwrap());
    let cordon = |on: bool| json!({"spec": {"unschedulable": on}});
    node::patch(scene.client(), &b, &cordon(true)).await.unwrap();
    scene.slots_are(&[(&a, 4), (&b, 0)]).await;
    number_is(&scene, "cordon", "/nodes/unschedulable", 1).await;
    number_is(&scene, "cordon", "/slots/desired", 4).await;
    node::patch(scene.client(), &b, &cordon(false)).await.unwrap();
    scene.slots_are(&[(&a, 4), (&b, 8)]).await;
    number_is(&scene, "cordon", "/nodes/unschedulable", 0).await;
    assert_eq!(uids(&scene.workers().await.unwrap()), pods, "no pod is restarted");
}

pub(crate) async fn autoscaled(scene: Arc<Scene>) {
    let names = scene.nodes("n", 3, "4").await.unwrap();
    scene.judge("autoscaled", &json!({})).await.unwrap();
    scene.slots_are(&[(&names[0], 4), (&names[1], 4), (&names[2], 4)]).await;
    let taint =
        |key: &str, effect: &str| json!({"spec": {"taints": [{"key": key, "effect": effect}]}});
    let by_cluster_autoscaler = taint("ToBeDeletedByClusterAutoscaler", "NoSchedule");
    node::patch(scene.client(), &names[0], &by_cluster_autoscaler).await.unwrap();
    let by_karpenter = taint("karpenter.sh/disrupted", "NoSchedule");
    node::patch(scene.client(), &names[1], &by_karpenter).await.unwrap();
    number_is(&scene, "autoscaled", "/slots/desired", 4).await;
    // The pods stay where they are: they have jobs to finish.
    let seen = scene.slots().await.unwrap();
    let told = |node: &String| seen.get(node).map(String::as_str);
    assert_eq!(
        (told(&names[0]), told(&names[1]), told(&names[2])),
        (Some("0"), Some("0"), Some("4"))
    );
    let clean = json!({"spec": {"taints": null}});
    node::patch(scene.client(), &names[0], &clean).await.unwrap();
    node::patch(scene.client(), &names[1], &clean).await.unwrap();
    scene.slots_are(&[(&names[0], 4), (&names[1], 4), (&names[2], 4)]).await;
}

pub(crate) async fn resized(scene: Arc<Scene>) {
    let name = scene.node("a", "4", "64Gi").await.unwrap();
    scene.judge("resized", &json!({})).await.unwrap();
    scene.slots_are(&[(&name, 4)]).await;
    let pods = uids(&scene.workers().await.unwrap());
    for cpu in [8, 3] {
        let size = json!({"cpu": cpu.to_string(), "memory": "64Gi", "pods": "110"});
        let change = json!({"status": {"allocatable": size, "capacity": size}});
        node::patch_status(scene.client(), &name, &change).await.unwrap();
        scene.slots_are(&[(&name, cpu)]).await;
    }
    number_is(&scene, "resized", "/slots/desired", 3).await;
    assert_eq!(uids(&scene.workers().await.unwrap()), pods, "no pod is restarted");
}

pub(crate) async fn come_and_go(scene: Arc<Scene>) {
    scene.judge("tide", &json!({})).await.unwrap();
    until(secs(30), "a cluster without nodes says so", async || {
        let status = scene.status("tide").await?;
        if status["state"] == "Empty" { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    let a = scene.node("a", "2", "64Gi").await.unwrap();
    scene.slots_are(&[(&a, 2)]).await;
    let b = scene.node("b", "4", "64Gi").await.unwrap();
    scene.slots_are(&[(&a, 2), (&b, 4)]).await;
    number_is(&scene, "tide", "/slots/desired", 6).await;
    node::delete(scene.client(), &a).await.unwrap();
    // Its pod stays until the collector, which looks every 20 s, has missed the node for 40 s.
    scene.slots_become(&[(&b, 4)], secs(120)).await;
    number_is(&scene, "tide", "/slots/desired", 4).await;
    number_is(&scene, "tide", "/nodes/desired", 1).await;
}

pub(crate) async fn odd(scene: Arc<Scene>) {
    let plain = scene.node("plain", "2", "64Gi").await.unwrap();
    // The longest name there can be.
    let long = "x".repeat(253 - scene.namespace().len() - 1);
    let long = scene.node(&long, "4", "64Gi").await.unwrap();
    assert_eq!(long.len(), 253);
    let labels: Vec<(String, String)> =
        (0..10_000).map(|n| (format!("evalx.example/l{n}"), String::new())).collect();
    let labels: Vec<(&str, &str)> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let labelled = scene.labelled_node("labelled", "8", "64Gi", &labels).await.unwrap();
    scene.judge("odd", &json!({})).await.unwrap();
    scene.slots_are(&[(&plain, 2), (&long, 4), (&labelled, 8)]).await;
    // A node without a CPU has no room for a worker, whose pod waits; the others go on.
    scene.node("none", "0", "64Gi").await.unwrap();
    until(secs(30), "there is a pod for the node without CPUs", async || {
        let pods = scene.workers().await?;
        if pods.len() == 4 { Ok(()) } else { Err(format!("{} pods", pods.len())) }
    })
    .await;
    let none = format!("{}-none", scene.namespace());
    let words = [&*none, "Insufficient cpu", "spec.resources.requests"];
    crate::failures::complains(&scene, "odd", "Degraded", "True", &words).await;
    let later = scene.node("later", "16", "64Gi").await.unwrap();
    until(secs(30), "the node that came after it has its slots", async || {
        let seen = scene.slots().await?;
        let told = [&plain, &long, &labelled, &later].map(|node| seen.get(node).cloned());
        let right = ["2", "4", "8", "16"].map(|slots| Some(slots.to_owned()));
        if told == right { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}
