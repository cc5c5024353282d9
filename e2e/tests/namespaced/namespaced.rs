//! What works in the namespace, and what does not elsewhere.

use std::sync::Arc;

use e2e::kubectl;
use e2e::operator::{JUDGES, Operator, USER, may};
use e2e::programs::{self, Profile};
use e2e::scene::{SLOTS, Scene, annotation, is_ready};
use e2e::wait::{secs, throughout, until};
use serde_json::json;

async fn operator(scene: &Scene, namespaces: &str) -> Operator {
    let program = programs::operator(Profile::Debug).unwrap();
    let watch = format!("--watch-namespaces={namespaces}");
    let name = format!("{}-operator", scene.namespace());
    let mut operator = Operator::start(scene.cluster(), &program, &name, &[&watch]).await.unwrap();
    operator.ready().await.unwrap();
    operator
}

pub(crate) async fn enough(scene: Arc<Scene>) {
    let mark = scene.cluster().audit().mark().unwrap();
    let operator = operator(&scene, JUDGES).await;
    let judges = scene.within(JUDGES);
    let node = judges.node("a", "4", "64Gi").await.unwrap();
    judges.judge("fleet", &json!({})).await.unwrap();
    judges.slots_are(&[(&node, 4)]).await;
    judges.condition("fleet", "Available", "True", "").await;
    judges.condition("fleet", "Sized", "True", "").await;
    // A cluster elsewhere is nobody's.
    scene.node("b", "2", "64Gi").await.unwrap();
    scene.judge("elsewhere", &json!({})).await.unwrap();
    throughout(secs(4), "nothing is done elsewhere", async || {
        let status = scene.status("elsewhere").await?;
        match scene.workers().await?.len() {
            0 if status.is_null() => Ok(()),
            pods => Err(format!("{pods} pods, {status}")),
        }
    })
    .await;
    judges.leave().await.unwrap();
    assert!(operator.stop().await.unwrap().success());
    let mut refused = scene.cluster().audit().since(mark).unwrap();
    refused.retain(|entry| entry.user == USER && entry.forbidden);
    assert!(refused.is_empty(), "{}", e2e::audit::summary(&refused));
}

pub(crate) async fn one_without(scene: Arc<Scene>) {
    // In the scene's own namespace it has no rights, as in one that was deleted with its Role.
    let operator = operator(&scene, &format!("{},{JUDGES},", scene.namespace())).await;
    let judges = scene.within(JUDGES);
    let node = judges.node("a", "4", "64Gi").await.unwrap();
    judges.judge("beside", &json!({})).await.unwrap();
    judges.slots_are(&[(&node, 4)]).await;
    judges.condition("beside", "Available", "True", "").await;
    let words = operator.last_words(200);
    assert!(words.contains("these namespaces lack rights"), "{words}");
    judges.leave().await.unwrap();
    assert!(operator.stop().await.unwrap().success());
}

pub(crate) async fn no_more(scene: Arc<Scene>) {
    let elsewhere = [
        ("list", "evalx.dev/judgeclusters"),
        ("patch", "evalx.dev/judgeclusters/status"),
        ("create", "apps/daemonsets"),
        ("list", "/pods"),
        ("patch", "/pods"),
        ("list", "/events"),
        ("create", "events.k8s.io/events"),
        ("get", "/configmaps"),
    ];
    let mut wrong = Vec::new();
    for (verb, what) in elsewhere {
        for (namespace, expected) in [(JUDGES, true), (scene.namespace(), false), ("", false)] {
            if may(scene.client(), verb, what, namespace).await.unwrap() != expected {
                wrong.push(format!("{verb} {what} in {namespace:?} should be {expected}"));
            }
        }
    }
    for namespace in [JUDGES, "evalx-system", ""] {
        for verb in ["get", "list", "watch", "create"] {
            if may(scene.client(), verb, "/secrets", namespace).await.unwrap() {
                wrong.push(format!("{verb} secrets in {namespace:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub(crate) async fn no_nodes(scene: Arc<Scene>) {
    let binding = ["delete", "clusterrolebinding", "evalx-operator-nodes"];
    kubectl::run(scene.cluster(), &binding).unwrap();
    let mut operator = operator(&scene, JUDGES).await;
    let judges = scene.within(JUDGES);
    let node = judges.node("a", "4", "64Gi").await.unwrap();
    judges.judge("blind", &json!({})).await.unwrap();
    until(secs(60), "the worker runs", async || {
        let pods = judges.workers().await?;
        if pods.iter().any(is_ready) { Ok(()) } else { Err(format!("{} pods", pods.len())) }
    })
    .await;
    let told = judges.condition("blind", "Sized", "False", "NodesForbidden").await;
    assert!(told["message"].as_str().unwrap().contains("nodes"), "{told}");
    // Nobody has told the worker a number that is not known: it counts by itself.
    let pod = judges.workers().await.unwrap().remove(0);
    assert_eq!(annotation(&pod, SLOTS), "-");
    // As soon as it may, it counts.
    let rights = ["apply", "--server-side", "-f", "manifests/namespaced/rbac.yaml"];
    kubectl::run(scene.cluster(), &rights).unwrap();
    judges.slots_are(&[(&node, 4)]).await;
    judges.condition("blind", "Sized", "True", "").await;
    operator.process().expect_alive().unwrap();
    judges.leave().await.unwrap();
    assert!(operator.stop().await.unwrap().success());
}
