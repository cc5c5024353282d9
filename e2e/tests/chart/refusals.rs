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
        ("commonLabels=null", "", "missing property 'commonLabels'"),
        ("metrics=null", "", "missing property 'metrics'"),
        ("image.repository=null", "/image", "missing property 'repository'"),
        ("crds.enabled=null", "/crds", "missing property 'enabled'"),
        ("networkPolicy.enabled=null", "/networkPolicy", "missing property 'enabled'"),
        ("redis.storage.size=null", "/redis/storage", "missing property 'size'"),
        ("fullnameOverride=9lives", "/fullnameOverride", "does not match pattern"),
        ("priorityClass.name=", "/priorityClass/name", "does not match pattern"),
        ("redis.storage.size=much", "/redis/storage/size", "does not match pattern"),
        ("api.queue.url=http://redis", "/api/queue/url", "does not match pattern"),
        ("api.queue.url=redis://me:secret@redis", "/api/queue/url", "does not match pattern"),
        ("api.service.port=0", "/api/service/port", "minimum"),
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

pub(crate) async fn together(scene: Arc<Scene>) {
    let wrong: [(&[&str], &str); 11] = [
        (&["api.enabled=true", "api.openToAll=true"], "set api.queue.url, api.queue.urlSecretRef"),
        (
            &["api.enabled=true", "redis.enabled=true"],
            "exactly one of api.tokenSecretRef.name (who may submit) and api.openToAll=true",
        ),
        (
            &[
                "api.enabled=true",
                "redis.enabled=true",
                "api.openToAll=true",
                "api.tokenSecretRef.name=t",
            ],
            "exactly one of api.tokenSecretRef.name",
        ),
        (
            &["api.enabled=true", "api.queue.url=redis://r", "api.queue.urlSecretRef.name=r"],
            "api.queue.url and api.queue.urlSecretRef.name are both set",
        ),
        (
            &[
                "api.enabled=true",
                "api.openToAll=true",
                "redis.enabled=true",
                "api.queue.url=redis://r",
            ],
            "redis.enabled makes a Redis, and api.queue names another one",
        ),
        (
            &["workerNamespace.create=true", "workerNamespace.name=evalx-system"],
            "workerNamespace.name is the release's own namespace, which is there already",
        ),
        (
            &[
                "metrics.prometheusRule.enabled=true",
                "metrics.prometheusRule.disabled.EvalxNoCapcity=true",
            ],
            "metrics.prometheusRule.disabled names EvalxNoCapcity, which is no alert of the chart",
        ),
        (&["leaderElection.renewDeadlineSeconds=15"], "less than leaseDurationSeconds"),
        (&["leaderElection.retryPeriodSeconds=10"], "less than renewDeadlineSeconds"),
        (
            &[
                "namespace.create=true",
                "workerNamespace.create=true",
                "workerNamespace.name=evalx-system",
            ],
            "workerNamespace.name is the release's own namespace",
        ),
        (
            &["workerNamespace.create=true", "watchNamespaces={one,two}"],
            "add it to watchNamespaces, or choose one of one, two",
        ),
    ];
    for (sets, words) in wrong {
        let sets: Vec<String> = sets.iter().map(|set| format!("--set={set}")).collect();
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let error = template(&scene, helm::CHART, &sets).expect_err(&format!("{sets:?} is taken"));
        assert!(format!("{error:#}").contains(words), "{sets:?}: {error:#}");
    }
}
