//! What is there already: objects that were applied from `manifests/`, and a definition that another
//! release has left.

use std::sync::Arc;

use e2e::operator::NAMESPACE;
use e2e::scene::Scene;
use e2e::{document, helm, kubectl};
use serde_json::json;

use crate::upgrade::{commands, fleet, next, sparkles, with};
use crate::{RELEASE, clean, operator, uid};

/// That Helm does not take what is not the release's.
fn refused(scene: &Scene, install: &[&str]) {
    let said = helm::run(scene.cluster(), install).unwrap_err().to_string();
    assert!(said.contains("cannot be imported into the current release"), "{said}");
}

pub(crate) async fn taken_over(scene: Arc<Scene>) {
    clean(&scene).await;
    let cluster = scene.cluster();
    let node = scene.node("a", "4", "64Gi").await.unwrap();
    scene.nodes_ready(std::slice::from_ref(&node)).await;
    kubectl::run(cluster, &["apply", "--server-side", "-f", "manifests/"]).unwrap();
    let first = operator(&scene, "first", &[]).await;
    scene.judge("fleet", &json!({})).await.unwrap();
    scene.slots_are(&[(&node, 4)]).await;
    scene.condition("fleet", "Progressing", "False", "").await;
    let before = fleet(&scene).await;

    refused(&scene, &["install", RELEASE, helm::CHART, "-n", NAMESPACE]);
    // As the page says it, with a value that differs from the manifests.
    let [upgrade, _, install] = commands();
    let differs = ["--set", "image.repository=registry.example/evalx-operator"];
    let wait = ["--wait", "--timeout=90s"];
    let install = with(&install, helm::CHART, &[&differs[..], &wait].concat());
    document::type_in(cluster, &install).unwrap();
    assert_eq!(fleet(&scene).await, before);
    // From then on it is the release's, and kubectl's as well.
    let chart = next(&scene);
    let chart = chart.to_str().unwrap();
    let upgrade = with(&upgrade, chart, &wait);
    let said = document::type_in(cluster, &upgrade).unwrap_err().to_string();
    assert!(said.contains("conflict with \"kubectl\""), "{said}");
    document::type_in(cluster, &with(&upgrade, chart, &["--force-conflicts"])).unwrap();
    assert!(first.stop().await.unwrap().success());
    let second = operator(&scene, "second", &[]).await;
    assert!(sparkles(&scene), "the definition was upgraded");
    scene.slots_are(&[(&node, 4)]).await;
    assert_eq!(fleet(&scene).await, before);

    // The definition that is left is another release's only if that one is told so.
    assert!(second.stop().await.unwrap().success());
    helm::run(cluster, &["uninstall", RELEASE, "-n", NAMESPACE, "--wait"]).unwrap();
    let other = ["install", "other", helm::CHART, "-n", NAMESPACE, "--set=replicas=0"];
    refused(&scene, &other);
    let take = ["--take-ownership", "--force-conflicts"];
    helm::run(cluster, &[&other[..], &take].concat()).unwrap();
    let names = [
        ("crd/judgeclusters.evalx.dev", ""),
        ("judgecluster/fleet", scene.namespace()),
        ("daemonset/fleet-worker", scene.namespace()),
    ];
    for (what, at) in names {
        let uid = uid(&scene, what, at).unwrap();
        assert!(before.contains(&uid), "{what}");
    }
    helm::run(cluster, &["uninstall", "other", "-n", NAMESPACE, "--wait"]).unwrap();
}
