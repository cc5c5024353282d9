//! The definition of the resource is missing, old, and right.

use std::sync::Arc;

use e2e::scene::Scene;
use e2e::wait::{secs, until};
use e2e::{http, kubectl};
use serde_json::{Value, json};

const FILE: &str = "crds/judgeclusters.evalx.dev.yaml";
const NAME: &str = "customresourcedefinition/judgeclusters.evalx.dev";

/// As the shortest command does it, and with what it warns of.
fn apply(scene: &Scene) -> String {
    let (_, warnings) = kubectl::run_aloud(scene.cluster(), &["apply", "-f", FILE], "").unwrap();
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", NAME];
    kubectl::run(scene.cluster(), &wait).unwrap();
    warnings
}

async fn says(operator: &e2e::operator::Operator, state: &str) {
    until(secs(60), &format!("the operator says that its definition is {state}"), async || {
        let metrics = operator.metrics().await.map_err(|error| format!("{error:#}"))?;
        let state = format!("state=\"{state}\"");
        match http::sample(&metrics, "evalx_operator_definition", &[&state]) {
            Some(1.0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

pub(crate) async fn missing(scene: Arc<Scene>) {
    kubectl::run(scene.cluster(), &["delete", NAME, "--timeout=60s"]).unwrap();
    let mut operator = crate::operator(&scene, &crate::named(&scene, "operator")).await;
    says(&operator, "missing").await;
    operator.process().expect_alive().unwrap();
    // The cure is in the log, in the words of the command.
    assert!(operator.last_words(20).contains("kubectl apply --server-side -f crds/"));

    assert_eq!(apply(&scene), "", "kubectl warns of the definition");
    says(&operator, "current").await;
    let node = scene.node("a", "4", "64Gi").await.unwrap();
    scene.judge("waited", &json!({})).await.unwrap();
    scene.slots_are(&[(&node, 4)]).await;

    // One that does not know a field yet: what is written there would be lost.
    let json = kubectl::run(scene.cluster(), &["get", NAME, "-o", "json"]).unwrap();
    let mut older: Value = serde_json::from_str(&json).unwrap();
    let schema = &mut older["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let fields = schema["properties"]["spec"]["properties"].as_object_mut().unwrap();
    fields.remove("suspend").unwrap();
    let file = scene.cluster().folder().join("older.json");
    std::fs::write(&file, older.to_string()).unwrap();
    kubectl::run(scene.cluster(), &["replace", "-f", &file.to_string_lossy()]).unwrap();
    says(&operator, "older").await;
    assert!(operator.last_words(20).contains("spec.suspend"));
    scene.slots_are(&[(&node, 4)]).await;

    // It goes while the operator runs, and comes back.
    kubectl::run(scene.cluster(), &["delete", NAME, "--timeout=60s"]).unwrap();
    says(&operator, "missing").await;
    apply(&scene);
    says(&operator, "current").await;
    scene.judge("again", &json!({})).await.unwrap();
    scene.slots_are(&[(&node, 4)]).await;
    operator.process().expect_alive().unwrap();
    assert!(operator.stop().await.unwrap().success());
}
