//! What others do to the operator's objects.

use std::collections::BTreeSet;
use std::sync::Arc;

use e2e::audit::{self, Mark};
use e2e::operator::USER;
use e2e::scene::{SLOTS, Scene};
use e2e::wait::{secs, throughout, until};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Resource};
use serde_json::{Value, json};

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

/// The interface to objects of a kind, whatever is in them.
fn any<K: Resource<DynamicType = ()>>(scene: &Scene) -> Api<DynamicObject> {
    let kind = ApiResource::erase::<K>(&());
    Api::namespaced_with(scene.client().clone(), scene.namespace(), &kind)
}

async fn part(api: &Api<DynamicObject>, name: &str, part: &str) -> Result<Value, String> {
    let object = api.get(name).await.map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(object).map_err(|error| error.to_string())?[part].clone())
}

/// Changes a part of an object, and waits until it is as it was.
async fn change(api: &Api<DynamicObject>, name: &str, what: &str, patch: &Patch<Value>) {
    let before = part(api, name, what).await.unwrap();
    let changed = api.patch(name, &PatchParams::default(), patch).await.unwrap();
    assert_ne!(serde_json::to_value(changed).unwrap()[what], before, "it is changed: {patch:?}");
    until(secs(SECONDS), &format!("{name} is as it was"), async || {
        let seen = part(api, name, what).await?;
        if seen == before { Ok(()) } else { Err(seen.to_string()) }
    })
    .await;
}

/// What the API merges as one piece is ours with all that is in it.
pub(crate) async fn added(scene: Arc<Scene>) {
    let name = stage(&scene, "added").await;
    let more = json!({"evalx.example/x": "y"});
    let policies = any::<NetworkPolicy>(&scene);
    let mut egress = part(&policies, &name, "spec").await.unwrap()["egress"].clone();
    egress[0]["ports"][1]["endPort"] = 65535.into();
    for spec in [
        json!({"egress": egress}),
        json!({"podSelector": {"matchLabels": more}}),
        json!({"podSelector": {"matchExpressions": [{"key": "x", "operator": "Exists"}]}}),
    ] {
        change(&policies, &name, "spec", &Patch::Merge(json!({"spec": spec}))).await;
    }
    let services = any::<Service>(&scene);
    change(&services, &name, "spec", &Patch::Merge(json!({"spec": {"selector": more}}))).await;
    let sets = any::<DaemonSet>(&scene);
    let pods = json!({"spec": {"template": {"spec": {"nodeSelector": more}}}});
    change(&sets, &name, "spec", &Patch::Merge(pods)).await;
    ready(&scene, "added", "2/2").await;
}

/// Fields that exclude one of ours: an apply that only sets ours is refused.
pub(crate) async fn in_the_way(scene: Arc<Scene>) {
    scene.nodes("n", 2, "2").await.unwrap();
    scene.judge("way", &json!({"api": {"openToAll": true, "replicas": 2}})).await.unwrap();
    ready(&scene, "way", "2/2").await;
    let (sets, name) = (any::<DaemonSet>(&scene), "way-worker");
    let surge = json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
    let surge = Patch::Merge(json!({"spec": {"updateStrategy": surge}}));
    change(&sets, name, "spec", &surge).await;
    // As `kubectl set env daemonset/way-worker NODE_NAME=x` does it.
    let variable = json!({"name": "NODE_NAME", "value": "x", "valueFrom": null});
    let containers = json!([{"name": "worker", "env": [variable]}]);
    let pods = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    change(&sets, name, "spec", &Patch::Strategic(pods)).await;
    let budgets = any::<PodDisruptionBudget>(&scene);
    let least = Patch::Merge(json!({"spec": {"maxUnavailable": null, "minAvailable": 1}}));
    change(&budgets, "way-api", "spec", &least).await;
    // What the operator has by an update, no later apply would take away.
    let meta = sets.get(name).await.unwrap().metadata;
    let mut managers = meta.managed_fields.unwrap().into_iter();
    let update = managers.find(|entry| {
        let operation = entry.operation.as_deref();
        entry.manager.as_deref() == Some("evalx-operator") && operation == Some("Update")
    });
    assert_eq!(update, None);
    scene.change("way", &json!({"env": [{"name": "MORE", "value": "1"}]})).await.unwrap();
    let has = async |more: bool| {
        until(secs(SECONDS), "the change is there", async || {
            let text = part(&sets, name, "spec").await?.to_string();
            if text.contains("\"MORE\"") == more { Ok(()) } else { Err(text) }
        })
        .await;
    };
    has(true).await;
    scene.change("way", &json!({"env": []})).await.unwrap();
    has(false).await;
    scene.condition("way", "Degraded", "False", "AsExpected").await;
}

/// What workers read is what was looked through.
pub(crate) async fn languages(scene: Arc<Scene>) {
    scene.nodes("n", 2, "2").await.unwrap();
    let text = "- {id: toy, name: Toy, tier: full, extensions: [toy], source: a.toy, \
                needs: [toy], version: [toy, -v], run: {argv: [toy]}}\n";
    let map = json!({"metadata": {"name": "more"}, "data": {"a.yaml": text}});
    let map: ConfigMap = serde_json::from_value(map).unwrap();
    scene.api::<ConfigMap>().create(&PostParams::default(), &map).await.unwrap();
    let spec = json!({"languages": {"configMapRef": {"name": "more"}}});
    scene.judge("tongues", &spec).await.unwrap();
    ready(&scene, "tongues", "2/2").await;
    let maps = any::<ConfigMap>(&scene);
    let more = Patch::Merge(json!({"data": {"b.yaml": "a: [b"}}));
    let (sets, copy) = (any::<DaemonSet>(&scene), "tongues-languages");
    let before = part(&sets, "tongues-worker", "spec").await.unwrap();
    change(&maps, copy, "data", &more).await;
    let binary = Patch::Merge(json!({"binaryData": {"c.yaml": "LSB7fQ=="}}));
    change(&maps, copy, "binaryData", &binary).await;
    // Nor is it what the workers have when it is all that is left.
    maps.delete("more", &DeleteParams::default()).await.unwrap();
    scene.condition("tongues", "Degraded", "True", "LanguagesInvalid").await;
    change(&maps, copy, "data", &more).await;
    assert_eq!(part(&sets, "tongues-worker", "spec").await.unwrap(), before);
}

/// As `kubectl delete judgecluster orphans --cascade=orphan` leaves them.
pub(crate) async fn orphaned(scene: Arc<Scene>) {
    let name = stage(&scene, "orphans").await;
    let pods = async || -> BTreeSet<_> {
        scene.workers().await.unwrap().into_iter().filter_map(|pod| pod.metadata.uid).collect()
    };
    let before = pods().await;
    scene.clusters().delete("orphans", &DeleteParams::orphan()).await.unwrap();
    until(secs(30), "it is gone", async || {
        let left = scene.clusters().get_opt("orphans").await.map_err(|error| error.to_string())?;
        left.map_or(Ok(()), |left| Err(format!("{:?}", left.metadata)))
    })
    .await;
    let sets = scene.api::<DaemonSet>();
    assert_eq!(sets.get(&name).await.unwrap().metadata.owner_references, None);
    let uid = scene.judge("orphans", &json!({})).await.unwrap().metadata.uid.unwrap();
    until(secs(SECONDS), "the DaemonSet is the new one's", async || {
        let set = sets.get(&name).await.map_err(|error| error.to_string())?;
        let owners = set.metadata.owner_references.unwrap_or_default();
        let owned = owners.iter().any(|owner| owner.uid == uid);
        if owned { Ok(()) } else { Err(format!("{owners:?}")) }
    })
    .await;
    ready(&scene, "orphans", "2/2").await;
    scene.condition("orphans", "Degraded", "False", "AsExpected").await;
    assert_eq!(pods().await, before, "no worker is restarted");
}

/// A ConfigMap that cannot be written: no pod starts without it.
pub(crate) async fn unmounted(scene: Arc<Scene>) {
    scene.node("a", "2", "64Gi").await.unwrap();
    let stranger = json!({"metadata": {"name": "unmounted-sizing"}, "data": {"policy": "x"}});
    let stranger: ConfigMap = serde_json::from_value(stranger).unwrap();
    let maps = scene.api::<ConfigMap>();
    maps.create(&PostParams::default(), &stranger).await.unwrap();
    scene.judge("unmounted", &json!({})).await.unwrap();
    scene.condition("unmounted", "Degraded", "True", "NameTaken").await;
    scene.condition("unmounted", "Progressing", "False", "NameTaken").await;
    let services = scene.api::<Service>().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(services.len(), 1, "the rest is made");
    let sets = scene.api::<DaemonSet>().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(sets.len(), 0);
    maps.delete("unmounted-sizing", &DeleteParams::default()).await.unwrap();
    // What was refused is tried again after a minute.
    until(secs(90), "the DaemonSet is made", async || scene.daemon_set().await.map(drop)).await;
    ready(&scene, "unmounted", "1/1").await;
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
