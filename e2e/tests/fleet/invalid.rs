//! What the API server refuses by the schema alone, and what it says.

use std::sync::Arc;

use e2e::scene::{Scene, merge};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// Tries to create one. The server's refusal, if it refuses.
async fn refusal(scene: &Scene, object: Value) -> Option<String> {
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    match scene.clusters().create(&dry, &object).await {
        Ok(_) => None,
        Err(kube::Error::Api(status)) => Some(status.message.clone()),
        Err(error) => panic!("{error}"),
    }
}

fn with(scene: &Scene, change: &Value) -> Value {
    let mut spec = scene.spec(&json!({}));
    merge(&mut spec, change);
    scene.object("tried", &spec)
}

pub(crate) async fn matrix(scene: Arc<Scene>) {
    let slot = |key: &str, value: &str| json!({"sandbox": {(key): value}});
    let secret = json!({"name": "s", "key": "k"});
    let good: [Value; 12] = [
        json!({}),
        slot("cpuPerSlot", "500m"),
        slot("memoryPerSlot", "1.5Gi"),
        json!({"sandbox": {"cpuPerSlot": 2}}),
        json!({"sandbox": {"minPerNode": 2, "maxPerNode": 2}}),
        json!({"queue": {"url": null, "urlSecretRef": secret}}),
        json!({"queue": {"url": null, "managed": {}}}),
        json!({"queue": {"url": "rediss://redis:6380/2"}}),
        json!({"sandbox": {"engine": "isolate"}}),
        json!({"updateStrategy": {"maxUnavailable": 3}}),
        json!({"updateStrategy": {"maxUnavailable": "100%"}}),
        json!({"api": {"tokenSecretRef": secret}}),
    ];
    for change in good {
        assert_eq!(refusal(&scene, with(&scene, &change)).await, None, "{change}");
    }
    let zero = "must be greater than zero";
    let one_of = "exactly one of url, urlSecretRef and managed must be set";
    let bad: [(Value, &str); 33] = [
        (json!({"image": null}), "spec.image"),
        (json!({"image": ""}), "spec.image"),
        (slot("cpuPerSlot", "two"), "spec.sandbox.cpuPerSlot"),
        (slot("cpuPerSlot", "-1"), "spec.sandbox.cpuPerSlot"),
        (slot("cpuPerSlot", "0"), zero),
        (slot("memoryPerSlot", "0Mi"), zero),
        (slot("memoryPerSlot", "1KiB"), "spec.sandbox.memoryPerSlot"),
        (slot("reservedCpu", "1 "), "spec.sandbox.reservedCpu"),
        (slot("reservedMemory", "lots"), "spec.sandbox.reservedMemory"),
        (slot("engine", "docker"), "spec.sandbox.engine"),
        (json!({"sandbox": {"minPerNode": 0}}), "spec.sandbox.minPerNode"),
        (json!({"sandbox": {"minPerNode": 513}}), "spec.sandbox.minPerNode"),
        (json!({"sandbox": {"minPerNode": 3, "maxPerNode": 2}}), "minPerNode must not be greater"),
        (json!({"sandbox": {"longestRunSeconds": 0}}), "spec.sandbox.longestRunSeconds"),
        (json!({"sandbox": {"overrides": [{"nodeSelector": {}}]}}), "name at least one label"),
        (
            json!({"sandbox": {"overrides": [{"nodeSelector": {"a": "b"}, "cpuPerSlot": "0"}]}}),
            zero,
        ),
        (json!({"queue": null}), "spec.queue"),
        (json!({"queue": {"url": null}}), one_of),
        (json!({"queue": {"managed": {}}}), one_of),
        (json!({"queue": {"urlSecretRef": secret}}), one_of),
        (json!({"queue": {"url": "redis://user:secret@redis:6379"}}), "spec.queue.url"),
        (json!({"queue": {"url": "http://redis:6379"}}), "spec.queue.url"),
        (json!({"queue": {"name": "a b"}}), "spec.queue.name"),
        (json!({"queue": {"url": null, "managed": {"storage": {"size": "0"}}}}), zero),
        (json!({"updateStrategy": {"maxUnavailable": 0}}), "at least 1, or a share like 10%"),
        (json!({"updateStrategy": {"maxUnavailable": "0%"}}), "at least 1, or a share like 10%"),
        (json!({"updateStrategy": {"maxUnavailable": "some"}}), "at least 1, or a share like 10%"),
        (json!({"api": {}}), "tokenSecretRef"),
        (json!({"api": {"tokenSecretRef": secret, "openToAll": true}}), "tokenSecretRef"),
        (json!({"monitoring": {"interval": "often"}}), "spec.monitoring.interval"),
        (json!({"monitoring": {"serviceMonitor": "perhaps"}}), "spec.monitoring.serviceMonitor"),
        (json!({"deletion": {"policy": "Never"}}), "spec.deletion.policy"),
        (json!({"imagePullPolicy": "Sometimes"}), "spec.imagePullPolicy"),
    ];
    let mut wrong = Vec::new();
    for (change, words) in bad {
        match refusal(&scene, with(&scene, &change)).await {
            None => wrong.push(format!("{change} is taken")),
            Some(message) if !message.contains(words) => {
                wrong.push(format!("{change}: {message}, without {words:?}"));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let long = scene.object(&"x".repeat(41), &scene.spec(&json!({})));
    let message = refusal(&scene, long).await.unwrap_or_default();
    assert!(message.contains("at most 40 characters"), "{message}");
    let labels: Value =
        (0..65).map(|n| (format!("l{n}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    let message = refusal(&scene, with(&scene, &json!({"podLabels": labels}))).await;
    assert!(message.as_deref().unwrap_or_default().contains("spec.podLabels"), "{message:?}");
}

pub(crate) async fn immutable(scene: Arc<Scene>) {
    scene.judge("fixed", &json!({"queue": {"name": "one"}})).await.unwrap();
    let change = |spec: Value| {
        let clusters = scene.clusters();
        async move {
            let patch = Patch::Merge(json!({"spec": spec}));
            match clusters.patch("fixed", &PatchParams::default(), &patch).await {
                Ok(_) => None,
                Err(kube::Error::Api(status)) => Some(status.message.clone()),
                Err(error) => panic!("{error}"),
            }
        }
    };
    let message = change(json!({"queue": {"name": "two"}})).await.unwrap_or_default();
    assert!(message.contains("the queue's name is immutable"), "{message}");
    assert_eq!(change(json!({"queue": {"url": "redis://other:6379"}})).await, None);
}
