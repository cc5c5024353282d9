//! The parts do what the suites need of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use e2e::cluster::client;
use e2e::node;
use e2e::scene::Scene;
use e2e::wait::{secs, until};
use futures_util::StreamExt;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Node, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

pub(crate) async fn version(scene: Arc<Scene>) {
    let version = scene.client().apiserver_version().await.unwrap();
    assert_eq!((version.major.as_str(), version.minor.as_str()), ("1", "36"));
    assert!(version.git_version.starts_with("v1.36."), "{}", version.git_version);
}

pub(crate) async fn node(scene: Arc<Scene>) {
    let name = scene.node("a", "4", "16Gi").await.unwrap();
    scene.nodes_ready(std::slice::from_ref(&name)).await;
    let nodes = Api::<Node>::all(scene.client().clone());
    let status = nodes.get(&name).await.unwrap().status.unwrap();
    assert_eq!(status.allocatable.unwrap()["cpu"].0, "4");
    // kwok leaves a size that is changed.
    let size = json!({"status": {"allocatable": {"cpu": "8"}, "capacity": {"cpu": "8"}}});
    node::patch_status(scene.client(), &name, &size).await.unwrap();
    node::patch(scene.client(), &name, &json!({"spec": {"unschedulable": true}})).await.unwrap();
    scene.nodes_ready(std::slice::from_ref(&name)).await;
    let node = nodes.get(&name).await.unwrap();
    assert_eq!(node.status.unwrap().allocatable.unwrap()["cpu"].0, "8");
    assert_eq!(node.spec.unwrap().unschedulable, Some(true));
}

/// A `DaemonSet` of privileged pods on the nodes of the scene.
fn daemon_set_object(scene: &Scene, image: &str) -> Value {
    let container = json!({"name": "c", "image": image, "securityContext": {"privileged": true}});
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"app": "d"}},
            "updateStrategy": {"rollingUpdate": {"maxUnavailable": "50%"}},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {
                    "nodeSelector": {(node::OWNER): scene.namespace()},
                    "containers": [container],
                },
            },
        },
    })
}

async fn roll_out(scene: &Scene, image: &str) {
    let sets = scene.api::<DaemonSet>();
    let object = daemon_set_object(scene, image);
    sets.patch("d", &PatchParams::apply("e2e"), &Patch::Apply(&object)).await.unwrap();
    until(secs(60), "the DaemonSet is rolled out", async || {
        let set = sets.get("d").await.map_err(|error| error.to_string())?;
        let (seen, status) = (set.metadata.generation, set.status.unwrap_or_default());
        let done = status.observed_generation == seen
            && status.number_ready == 4
            && status.updated_number_scheduled == Some(4);
        if done { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await;
}

async fn pods_by_node(scene: &Scene) -> BTreeSet<String> {
    let pods = scene.workers().await.unwrap();
    pods.iter().map(e2e::scene::node_of).collect()
}

pub(crate) async fn daemon_set(scene: Arc<Scene>) {
    let names = scene.nodes("n", 4, "2").await.unwrap();
    roll_out(&scene, "local/one").await;
    assert_eq!(pods_by_node(&scene).await, names.iter().cloned().collect());
    roll_out(&scene, "local/two").await;
    let pods = scene.workers().await.unwrap();
    assert!(pods.iter().all(|pod| {
        pod.spec.as_ref().unwrap().containers[0].image.as_deref() == Some("local/two")
    }));
}

/// A client of a `ServiceAccount` of the scene that may only write `ConfigMaps`.
async fn clerk(scene: &Scene) -> Client {
    let account: ServiceAccount =
        serde_json::from_value(json!({"metadata": {"name": "clerk"}})).unwrap();
    let accounts = scene.api::<ServiceAccount>();
    accounts.create(&PostParams::default(), &account).await.unwrap();
    let role = json!({
        "metadata": {"name": "clerk"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]}],
    });
    let binding = json!({
        "metadata": {"name": "clerk"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "clerk"},
        "subjects": [{"kind": "ServiceAccount", "name": "clerk", "namespace": scene.namespace()}],
    });

    let role: Role = serde_json::from_value(role).unwrap();
    scene.api::<Role>().create(&PostParams::default(), &role).await.unwrap();
    let binding: RoleBinding = serde_json::from_value(binding).unwrap();
    scene.api::<RoleBinding>().create(&PostParams::default(), &binding).await.unwrap();
    let request = TokenRequest {
        spec: TokenRequestSpec { expiration_seconds: Some(600), ..TokenRequestSpec::default() },
        ..TokenRequest::default()
    };
    let token = accounts.create_token_request("clerk", &PostParams::default(), &request).await;
    let token = token.unwrap().status.unwrap().token;
    let path = scene.cluster().folder().join("clerk.kubeconfig");
    scene.cluster().token_kubeconfig(&path, &token, scene.namespace()).unwrap();
    client(&path).await.unwrap()
}

pub(crate) async fn recorded(scene: Arc<Scene>) {
    let clerk = clerk(&scene).await;
    let user = format!("system:serviceaccount:{}:clerk", scene.namespace());
    let mark = scene.cluster().audit().mark().unwrap();
    let maps = Api::<ConfigMap>::namespaced(clerk, scene.namespace());
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "m"}})).unwrap();
    maps.create(&PostParams::default(), &map).await.unwrap();
    let refused = maps.get("m").await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");
    let mut entries = scene.cluster().audit().since(mark).unwrap();
    entries.retain(|entry| entry.user == user);
    let seen: Vec<(&str, &str, u64)> =
        entries.iter().map(|e| (e.verb.as_str(), e.resource.as_str(), e.code)).collect();
    assert_eq!(seen, [("create", "configmaps", 201), ("get", "configmaps", 403)]);
    assert_eq!(entries[0].object, format!("{}/m", scene.namespace()));
    assert_eq!(scene.cluster().audit().writes(mark, &user).unwrap().len(), 1);
}

pub(crate) async fn restart(scene: Arc<Scene>) {
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "m"}})).unwrap();
    scene.api::<ConfigMap>().create(&PostParams::default(), &map).await.unwrap();
    scene.cluster().restart_api_server().await.unwrap();
    let maps =
        Api::<ConfigMap>::namespaced(scene.cluster().client().await.unwrap(), scene.namespace());
    maps.get("m").await.unwrap();
    // The controllers are back at work, too.
    let name = scene.node("after", "2", "4Gi").await.unwrap();
    scene.nodes_ready(&[name]).await;
}

pub(crate) async fn compacted(scene: Arc<Scene>) {
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "m"}})).unwrap();
    let maps = scene.api::<ConfigMap>();
    let old = maps.create(&PostParams::default(), &map).await.unwrap();
    let old = old.metadata.resource_version.unwrap();
    for round in 0..3 {
        let change = Patch::Merge(json!({"data": {"round": round.to_string()}}));
        maps.patch("m", &PatchParams::default(), &change).await.unwrap();
    }
    scene.cluster().compact().await.unwrap();
    // What the server itself remembers of the past goes with it.
    scene.cluster().restart_api_server().await.unwrap();
    let client = scene.cluster().client().await.unwrap();
    let maps = Api::<ConfigMap>::namespaced(client, scene.namespace());
    let answer = match maps.watch(&WatchParams::default(), &old).await {
        Ok(events) => events.boxed().next().await.unwrap(),
        Err(error) => Err(error),
    };
    let code = match answer {
        Ok(WatchEvent::Error(status)) => status.code,
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code, 410);
}
