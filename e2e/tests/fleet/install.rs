//! From `kubectl apply` to a fleet.

use std::path::Path;
use std::sync::Arc;

use e2e::kubectl;
use e2e::operator::MANAGER;
use e2e::scene::{Scene, condition};
use e2e::wait::{secs, until};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::ListParams;
use serde_json::{Value, json};

/// Waits until the status says that so many workers of so many are ready, and hands it out.
pub(crate) async fn ready(scene: &Scene, name: &str, of: &str) -> Value {
    until(secs(60), &format!("{name} is ready, {of}"), async || {
        let object = scene.clusters().get(name).await.map_err(|error| error.to_string())?;
        let status = object.data.get("status").cloned().unwrap_or(Value::Null);
        let current = status["observedGeneration"].as_i64() == object.metadata.generation;
        let available = condition(&status, "Available")["status"] == "True";
        if current && available && status["ready"] == of {
            Ok(status)
        } else {
            Err(status.to_string())
        }
    })
    .await
}

pub(crate) async fn fleet(scene: Arc<Scene>) {
    let names = scene.nodes("n", 3, "4").await.unwrap();
    scene.judge("fleet", &json!({})).await.unwrap();
    let status = ready(&scene, "fleet", "3/3").await;
    assert_eq!(status["state"], "Running", "{status}");
    scene.slots_are(&names.iter().map(|name| (name, 4)).collect::<Vec<_>>()).await;

    let set = serde_json::to_value(scene.daemon_set().await.unwrap()).unwrap();
    let strategy = &set["spec"]["updateStrategy"];
    assert_eq!(strategy["rollingUpdate"]["maxUnavailable"], "10%", "{strategy}");
    assert_eq!(set["metadata"]["ownerReferences"][0]["kind"], "JudgeCluster");
    let pod = &set["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert!(pod["terminationGracePeriodSeconds"].as_i64().unwrap() > 120, "{pod}");
    assert!(pod["hostNetwork"].is_null() && pod["hostPID"].is_null(), "{pod}");
    let volumes = pod["volumes"].as_array().unwrap();
    assert!(volumes.iter().all(|volume| volume["hostPath"].is_null()), "{pod}");
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["privileged"], true);
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        assert!(container[probe]["exec"].is_null(), "{probe}: probes are HTTP only");
    }
    assert!(!container["readinessProbe"]["httpGet"].is_null());
    let managers = set["metadata"]["managedFields"].as_array().unwrap();
    let ours: Vec<&Value> = managers.iter().filter(|m| m["manager"] == MANAGER).collect();
    assert_eq!(ours.len(), 1, "one field manager, one entry: {managers:?}");
    assert_eq!(ours[0]["operation"], "Apply");

    let services = scene.api::<Service>().list(&ListParams::default()).await.unwrap().items;
    let headless = services.iter().filter_map(|service| service.spec.as_ref());
    assert!(headless.into_iter().any(|spec| spec.cluster_ip.as_deref() == Some("None")));
    let policies = scene.api::<NetworkPolicy>().list(&ListParams::default()).await.unwrap();
    assert!(!policies.items.is_empty());
}

pub(crate) async fn columns(scene: Arc<Scene>) {
    scene.nodes("n", 2, "2").await.unwrap();
    scene.judge("columns", &json!({})).await.unwrap();
    ready(&scene, "columns", "2/2").await;
    let table = until(secs(10), "the columns are filled", async || {
        let table =
            kubectl::run(scene.cluster(), &["get", "jc", "columns", "-n", scene.namespace()]);
        let table = table.map_err(|error| format!("{error:#}"))?;
        let row: Vec<&str> = table.lines().nth(1).unwrap_or("").split_whitespace().collect();
        if row.len() == 7 && row[1] == "2/2" && row[2] == "4" { Ok(table) } else { Err(table) }
    })
    .await;
    let head: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["NAME", "READY", "SLOTS", "ENGINE", "STATUS", "REASON", "AGE"]);
    let all = kubectl::run(scene.cluster(), &["get", "evalx", "-n", scene.namespace()]).unwrap();
    assert!(all.contains("columns"), "{all}");
}

pub(crate) async fn full_example(scene: Arc<Scene>) {
    let file = Path::new("examples/judgecluster-full.yaml");
    let arguments = ["apply", "--dry-run=server", "-o", "json", "-n", scene.namespace(), "-f"];
    let mut arguments = arguments.to_vec();
    let file = file.to_string_lossy();
    arguments.push(&file);
    // The strict reading of kubectl refuses fields that the schema does not have.
    arguments.push("--validate=strict");
    let stored: Value =
        serde_json::from_str(&kubectl::run(scene.cluster(), &arguments).unwrap()).unwrap();
    assert!(stored["spec"].is_object(), "{stored}");
}

/// The names of the objects of a kind in the namespace.
async fn names(scene: &Scene, kind: &str) -> Result<Vec<String>, String> {
    let arguments = ["get", kind, "-n", scene.namespace(), "-o", "name"];
    let list = kubectl::run(scene.cluster(), &arguments).map_err(|error| format!("{error:#}"))?;
    Ok(list.lines().map(str::to_owned).collect())
}

pub(crate) async fn parts(scene: Arc<Scene>) {
    scene.node("a", "8", "64Gi").await.unwrap();
    let spec = json!({"queue": {"url": null, "managed": {}}, "api": {"openToAll": true}});
    scene.judge("parts", &spec).await.unwrap();
    let kinds = ["deployments", "statefulsets", "poddisruptionbudgets", "daemonsets"];
    until(secs(30), "there is one of each", async || {
        for kind in kinds {
            let seen = names(&scene, kind).await?;
            if seen.len() != 1 {
                return Err(format!("{kind}: {seen:?}"));
            }
        }
        let services = names(&scene, "services").await?;
        if services.len() == 3 { Ok(()) } else { Err(format!("{services:?}")) }
    })
    .await;
    scene.change("parts", &json!({"api": null})).await.unwrap();
    until(secs(30), "what is not asked for any more is gone", async || {
        let mut seen = names(&scene, "deployments,poddisruptionbudgets").await?;
        seen.extend(names(&scene, "services").await?);
        if seen.len() == 2 { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    assert_eq!(names(&scene, "statefulsets").await.unwrap().len(), 1, "the queue stays");
}
