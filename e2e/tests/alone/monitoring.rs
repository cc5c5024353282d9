//! A ServiceMonitor where there can be one.

use std::sync::Arc;

use e2e::kubectl;
use e2e::scene::{Scene, condition};
use e2e::wait::{secs, until};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use serde_json::{Value, json};

fn monitors(scene: &Scene) -> Api<DynamicObject> {
    let resource = ApiResource {
        group: "monitoring.coreos.com".to_owned(),
        version: "v1".to_owned(),
        api_version: "monitoring.coreos.com/v1".to_owned(),
        kind: "ServiceMonitor".to_owned(),
        plural: "servicemonitors".to_owned(),
    };
    Api::namespaced_with(scene.client().clone(), scene.namespace(), &resource)
}

async fn monitoring(scene: &Scene, name: &str, status: &str) -> Value {
    until(secs(60), &format!("MonitoringReady={status} of {name}"), async || {
        let seen = condition(&scene.status(name).await?, "MonitoringReady");
        if seen["status"] == status { Ok(seen) } else { Err(seen.to_string()) }
    })
    .await
}

pub(crate) async fn appears(scene: Arc<Scene>) {
    let mut operator = crate::operator(&scene, &crate::named(&scene, "operator")).await;
    let node = scene.node("a", "2", "64Gi").await.unwrap();
    scene.judge("auto", &json!({})).await.unwrap();
    let elsewhere = json!({"nodeSelector": {"evalx.example/none": "here"}});
    let mode = |mode: &str| json!({"placement": elsewhere, "monitoring": {"serviceMonitor": mode}});
    scene.judge("always", &mode("always")).await.unwrap();
    scene.judge("never", &mode("never")).await.unwrap();
    // Without the resource the fleet is there all the same, and who insists is told.
    scene.slots_are(&[(&node, 2)]).await;
    let told = monitoring(&scene, "always", "False").await;
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("servicemonitors.monitoring.coreos.com"), "{told}");
    operator.process().expect_alive().unwrap();

    let crd = scene.cluster().programs().join("servicemonitors.yaml");
    let crd = crd.to_string_lossy();
    // Its descriptions are longer than what `kubectl apply` would store a second time.
    kubectl::run(scene.cluster(), &["apply", "--server-side", "-f", &crd]).unwrap();
    let names = until(secs(90), "two have a ServiceMonitor", async || {
        let all = monitors(&scene).list(&ListParams::default()).await;
        let all = all.map_err(|error| error.to_string())?.items;
        let owners = all.iter().filter_map(|monitor| {
            monitor.metadata.owner_references.as_ref()?.first().map(|owner| owner.name.clone())
        });
        let mut owners: Vec<String> = owners.collect();
        owners.sort();
        if owners == ["always", "auto"] { Ok(all) } else { Err(format!("{owners:?}")) }
    })
    .await;
    monitoring(&scene, "always", "True").await;
    let endpoints = &names[0].data["spec"]["endpoints"];
    assert_eq!(endpoints[0]["interval"], "30s", "{endpoints}");
    // It is mended like everything else.
    let name = names[0].metadata.name.clone().unwrap();
    let arguments = ["delete", "servicemonitor", "-n", scene.namespace(), &name];
    kubectl::run(scene.cluster(), &arguments).unwrap();
    until(secs(30), "it is back", async || {
        monitors(&scene).get(&name).await.map(drop).map_err(|error| error.to_string())
    })
    .await;
    // It goes when it is not wanted any more.
    for name in ["auto", "always"] {
        let change = json!({"monitoring": {"serviceMonitor": "never"}});
        scene.change(name, &change).await.unwrap();
    }
    until(secs(30), "no ServiceMonitor is left", async || {
        let all = monitors(&scene).list(&ListParams::default()).await;
        let left = all.map_err(|error| error.to_string())?.items.len();
        if left == 0 { Ok(()) } else { Err(format!("{left} are")) }
    })
    .await;
    // And the operator lives when the resource goes.
    kubectl::run(scene.cluster(), &["delete", "-f", &crd]).unwrap();
    scene.change("auto", &json!({"monitoring": {"serviceMonitor": "auto"}})).await.unwrap();
    scene.change("auto", &json!({"suspend": true})).await.unwrap();
    scene.slots_are(&[(&node, 0)]).await;
    assert!(operator.stop().await.unwrap().success());
}
