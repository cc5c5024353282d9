//! Values that are wrong: refused before anything is sent, and the message says which one.

use std::sync::Arc;

use e2e::helm;
use e2e::scene::Scene;

use crate::render::template;

pub(crate) async fn named(scene: Arc<Scene>) {
    // What is set, where the message says it is, and what it says.
    let wrong = [
        ("rbac.scope=galaxy", "/rbac/scope", "'cluster', 'namespace'"),
        ("replica=2", "", "additional properties 'replica' not allowed"),
        ("image.tga=1", "/image", "additional properties 'tga' not allowed"),
        ("image.digest=0123", "/image/digest", "does not match pattern"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy", "'Always', 'IfNotPresent', 'Never'"),
        ("replicas=-1", "/replicas", "minimum"),
        ("replicas=many", "/replicas", "want integer"),
        ("concurrency=0", "/concurrency", "minimum"),
        ("crds.enabled=maybe", "/crds/enabled", "want boolean"),
        ("logFormat=xml", "/logFormat", "'json', 'human'"),
        ("logLevel=loud", "/logLevel", "does not match pattern"),
        ("watchNamespaces=judges", "/watchNamespaces", "want array"),
        ("watchNamespaces={Judges}", "/watchNamespaces/0", "does not match pattern"),
        ("leaderElection.retryPeriodSeconds=0", "/leaderElection/retryPeriodSeconds", "minimum"),
        ("metrics.serviceMonitor.enabled=perhaps", "/metrics/serviceMonitor/enabled", "'auto'"),
        ("metrics.serviceMonitor.interval=often", "/metrics/serviceMonitor/interval", "pattern"),
        ("metrics.prometheusRule.runbookUrl=here", "/metrics/prometheusRule/runbookUrl", "pattern"),
        ("networkPolicy.apiServerPorts={0}", "/networkPolicy/apiServerPorts/0", "minimum"),
        ("commonLabels.team=1", "/commonLabels/team", "want string"),
    ];
    let mut faults = Vec::new();
    for (set, place, words) in wrong {
        match template(&scene, helm::CHART, &["--set", set]) {
            Ok(_) => faults.push(format!("{set} is taken")),
            Err(error) => {
                let said = format!("{error:#}");
                if !said.contains(&format!("at '{place}'")) || !said.contains(words) {
                    faults.push(format!("{set}: {said}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
