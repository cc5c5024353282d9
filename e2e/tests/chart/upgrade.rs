//! An upgrade of the chart and of the definition in it, and the way back, while a fleet runs.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use e2e::operator::NAMESPACE;
use e2e::scene::Scene;
use e2e::{document, helm, kubectl};
use serde_json::json;

use crate::render::copy;
use crate::{RELEASE, clean, install, leave, operator, uid};

/// What the page says to type: to upgrade, to go back, and to take over what was applied.
pub(crate) fn commands() -> [Vec<String>; 3] {
    document::commands("docs/upgrade.md").unwrap().try_into().expect("three commands")
}

/// A command with another chart in the place of ours, and more words.
pub(crate) fn with(command: &[String], chart: &str, more: &[&str]) -> Vec<String> {
    let words = command.iter().map(|word| if word == helm::CHART { chart } else { word });
    words.chain(more.iter().copied()).map(str::to_owned).collect()
}

/// The chart as it may be one day: another version, and a field more.
pub(crate) fn next(scene: &Scene) -> PathBuf {
    let chart = copy(scene, "next");
    let change = |file: &str, from: &str, to: &str| {
        let path = chart.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    };
    change("Chart.yaml", "\nversion: 0.", "\nversion: 99.");
    change("Chart.yaml", "\nappVersion: 0.", "\nappVersion: 99.");
    let field = "              sparkle:\n                type: string\n              suspend:\n";
    change("files/judgeclusters.evalx.dev.yaml", "              suspend:\n", field);
    chart
}

/// What must be the same all the time: the fleet's objects, the pods, and the numbers that say that
/// nothing of them was changed.
pub(crate) async fn fleet(scene: &Arc<Scene>) -> Vec<String> {
    let at = scene.namespace();
    let mut all = vec![
        uid(scene, "crd/judgeclusters.evalx.dev", "").unwrap(),
        uid(scene, "judgecluster/fleet", at).unwrap(),
        uid(scene, "daemonset/fleet-worker", at).unwrap(),
        uid(scene, "service/fleet-worker", at).unwrap(),
        uid(scene, "deployment/evalx-operator", NAMESPACE).unwrap(),
    ];
    let set = scene.daemon_set().await.unwrap();
    all.push(format!("generation {:?}", set.metadata.generation));
    let mut pods: Vec<String> =
        scene.workers().await.unwrap().into_iter().filter_map(|pod| pod.metadata.uid).collect();
    pods.sort();
    all.extend(pods);
    all
}

/// Sets the field that only the next definition has. Another one drops it.
pub(crate) fn sparkles(scene: &Scene) -> bool {
    let patch = ["patch", "judgecluster", "fleet", "-n", scene.namespace(), "--type=merge"];
    let with = [&patch[..], &["-p", r#"{"spec": {"sparkle": "yes"}}"#]].concat();
    kubectl::run(scene.cluster(), &with).unwrap();
    let ask = ["get", "judgecluster", "fleet", "-n", scene.namespace()];
    let ask = [&ask[..], &["-o", "jsonpath={.spec.sparkle}"]].concat();
    kubectl::run(scene.cluster(), &ask).unwrap() == "yes"
}

pub(crate) async fn there_and_back(scene: Arc<Scene>) {
    clean(&scene).await;
    install(&scene, helm::CHART, &[]).await;
    let first = operator(&scene, "first", &[]).await;
    let names = scene.nodes("n", 3, "4").await.unwrap();
    scene.nodes_ready(&names).await;
    scene.judge("fleet", &json!({})).await.unwrap();
    let slots: Vec<(String, u32)> = names.iter().map(|name| (name.clone(), 4)).collect();
    let slots = [slots, vec![(format!("{}-system", scene.namespace()), 4)]].concat();
    scene.slots_are(&slots).await;
    scene.condition("fleet", "Progressing", "False", "").await;
    let before = fleet(&scene).await;
    assert!(!sparkles(&scene));

    let chart = next(&scene);
    let chart = chart.to_str().unwrap();
    let [upgrade, rollback, _] = commands();
    let wait = ["--wait", "--timeout=90s"];
    let set = ["--set=commonLabels.wave=two", "--set=replicas=2"];
    let upgrade = with(&upgrade, chart, &[&wait[..], &set].concat());
    document::type_in(scene.cluster(), &upgrade).unwrap();
    // As the Deployment does it: the old one goes, the new one comes.
    assert!(first.stop().await.unwrap().success());
    let second = operator(&scene, "second", &[]).await;
    assert!(sparkles(&scene), "the definition was upgraded");
    scene.slots_are(&slots).await;
    scene.condition("fleet", "Available", "True", "").await;
    assert_eq!(fleet(&scene).await, before);

    document::type_in(scene.cluster(), &with(&rollback, chart, &wait)).unwrap();
    assert!(second.stop().await.unwrap().success());
    let third = operator(&scene, "third", &[]).await;
    assert!(!sparkles(&scene), "the definition was rolled back");
    scene.slots_are(&slots).await;
    scene.condition("fleet", "Available", "True", "").await;
    assert_eq!(fleet(&scene).await, before);
    // It is not only there: it is looked after.
    scene.change("fleet", &json!({"sandbox": {"maxPerNode": 2}})).await.unwrap();
    let fewer: Vec<(String, u32)> = slots.iter().map(|(name, _)| (name.clone(), 2)).collect();
    scene.slots_are(&fewer).await;
    leave(&scene).await;
    assert!(third.stop().await.unwrap().success());
    helm::run(scene.cluster(), &["uninstall", RELEASE, "-n", NAMESPACE]).unwrap();
}
