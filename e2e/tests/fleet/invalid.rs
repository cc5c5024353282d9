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

fn slot(key: &str, value: &str) -> Value {
    json!({"sandbox": {(key): value}})
}

fn secret() -> Value {
    json!({"name": "s", "key": "k"})
}

/// So many labels or annotations.
fn pairs(count: usize) -> Value {
    let pairs = (0..count).map(|n| (format!("l{n}"), json!("v")));
    pairs.collect::<serde_json::Map<_, _>>().into()
}

fn good() -> Vec<Value> {
    let some = json!({"nodeSelector": {"a": "b"}, "minPerNode": 2, "maxPerNode": 2});
    let secret = secret();
    vec![
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
        json!({"api": {"openToAll": true, "replicas": 0}}),
        json!({"sandbox": {"reservedCpu": 0, "maxPerNode": 10_000, "overrides": [some]}}),
        json!({"queue": {"ca": {"configMapRef": secret}}}),
        json!({"networkPolicy": {"queuePorts": [1, 65_535]}}),
        json!({"resources": {"limits": {"cpu": 0}}}),
        json!({"monitoring": {"interval": "1m30s"}}),
        json!({"podLabels": pairs(64), "podAnnotations": pairs(64)}),
    ]
}

/// What is refused, and by which words.
fn bad() -> Vec<(Value, &'static str)> {
    let zero = "must be greater than zero";
    let one_of = "exactly one of url, urlSecretRef and managed must be set";
    let secret = secret();
    vec![
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
        (json!({"queue": {"url": null, "managed": {"storage": {"size": -1}}}}), "storage.size"),
        (json!({"updateStrategy": {"maxUnavailable": 0}}), "at least 1, or a share like 10%"),
        (json!({"updateStrategy": {"maxUnavailable": "0%"}}), "at least 1, or a share like 10%"),
        (json!({"updateStrategy": {"maxUnavailable": "some"}}), "at least 1, or a share like 10%"),
        (json!({"api": {}}), "tokenSecretRef"),
        (json!({"api": {"tokenSecretRef": secret, "openToAll": true}}), "tokenSecretRef"),
        (json!({"monitoring": {"interval": "often"}}), "spec.monitoring.interval"),
        (json!({"monitoring": {"serviceMonitor": "perhaps"}}), "spec.monitoring.serviceMonitor"),
        (json!({"deletion": {"policy": "Never"}}), "spec.deletion.policy"),
        (json!({"imagePullPolicy": "Sometimes"}), "spec.imagePullPolicy"),
        (json!({"podLabels": pairs(65)}), "spec.podLabels"),
        (json!({"podAnnotations": pairs(65)}), "spec.podAnnotations"),
    ]
}

/// The same of bounds, and of what goes together.
fn bad_too() -> Vec<(Value, &'static str)> {
    let one_ca = "one of configMapRef and secretRef must be set";
    let secret = secret();
    let both = json!({"configMapRef": secret, "secretRef": secret});
    let managed = json!({"url": null, "managed": {}, "ca": {"secretRef": secret}});
    let over = |change: Value| {
        let mut item = json!({"nodeSelector": {"a": "b"}});
        merge(&mut item, &change);
        json!({"sandbox": {"overrides": [item]}})
    };
    let ports = |ports: Vec<u32>| json!({"networkPolicy": {"queuePorts": ports}});
    let replicas = |count: i64| json!({"api": {"openToAll": true, "replicas": count}});
    vec![
        (json!({"queue": {"ca": {}}}), one_ca),
        (json!({"queue": {"ca": both}}), one_ca),
        (json!({"queue": managed}), "ca is for servers of others"),
        (over(json!({"minPerNode": 3, "maxPerNode": 2})), "minPerNode must not be greater"),
        (over(json!({"maxPerNode": 0})), "maxPerNode"),
        (over(json!({"maxPerNode": 10_001})), "maxPerNode"),
        (over(json!({"slots": 513})), "slots"),
        (over(json!({"reservedCpu": -1})), "reservedCpu"),
        (json!({"sandbox": {"maxPerNode": 0}}), "spec.sandbox.maxPerNode"),
        (json!({"sandbox": {"maxPerNode": 10_001}}), "spec.sandbox.maxPerNode"),
        // Numbers, where most write texts.
        (json!({"sandbox": {"cpuPerSlot": -1}}), "spec.sandbox.cpuPerSlot"),
        (json!({"sandbox": {"reservedCpu": -1}}), "spec.sandbox.reservedCpu"),
        (json!({"sandbox": {"reservedMemory": -1}}), "spec.sandbox.reservedMemory"),
        (json!({"resources": {"limits": {"cpu": -1}}}), "spec.resources.limits"),
        (ports(vec![0]), "spec.networkPolicy.queuePorts"),
        (ports(vec![65_536]), "spec.networkPolicy.queuePorts"),
        (ports((1..=17).collect()), "spec.networkPolicy.queuePorts"),
        (replicas(-1), "spec.api.replicas"),
        (replicas(1001), "spec.api.replicas"),
        (json!({"monitoring": {"interval": ""}}), "spec.monitoring.interval"),
        (json!({"monitoring": {"interval": "30s1m"}}), "spec.monitoring.interval"),
    ]
}

pub(crate) async fn matrix(scene: Arc<Scene>) {
    for change in good() {
        assert_eq!(refusal(&scene, with(&scene, &change)).await, None, "{change}");
    }
    let mut wrong = Vec::new();
    for (change, words) in bad().into_iter().chain(bad_too()) {
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
    // Objects may be called so, Services may not.
    for name in ["a.b", "2024-final"] {
        let message = refusal(&scene, scene.object(name, &scene.spec(&json!({})))).await;
        let message = message.unwrap_or_default();
        assert!(message.contains("begins with a letter a-z"), "{name}: {message}");
    }
}

pub(crate) async fn immutable(scene: Arc<Scene>) {
    scene.judge("fixed", &json!({"queue": {"name": "one"}})).await.unwrap();
    // It is about the schema, so no Redis need be made.
    let managed = json!({"url": null, "managed": {"storage": {"size": "1Gi"}}});
    scene.judge("stored", &json!({"paused": true, "queue": managed})).await.unwrap();
    let patch = |name: &'static str, spec: Value| {
        let clusters = scene.clusters();
        async move {
            let patch = Patch::Merge(json!({"spec": spec}));
            match clusters.patch(name, &PatchParams::default(), &patch).await {
                Ok(_) => None,
                Err(kube::Error::Api(status)) => Some(status.message.clone()),
                Err(error) => panic!("{error}"),
            }
        }
    };
    let change = |spec: Value| patch("fixed", spec);
    let message = change(json!({"queue": {"name": "two"}})).await.unwrap_or_default();
    assert!(message.contains("the queue's name is immutable"), "{message}");
    assert_eq!(change(json!({"queue": {"url": "redis://other:6379"}})).await, None);
    let size =
        |size: Value| patch("stored", json!({"queue": {"managed": {"storage": {"size": size}}}}));
    // Without one it would be the default.
    for other in [json!("2Gi"), json!("512Mi"), Value::Null] {
        let message = size(other.clone()).await.unwrap_or_default();
        let words = ["the size of the volume is immutable", "another JudgeCluster"];
        assert!(words.iter().all(|word| message.contains(word)), "{other}: {message}");
    }
    assert_eq!(size(json!("1024Mi")).await, None, "the same amount");
    let changed = json!({"queue": {"managed": null, "url": "redis://other:6379"}});
    assert_eq!(patch("stored", changed).await, None, "no managed one any more");
}
