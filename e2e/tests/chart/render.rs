//! What the chart renders, with every set of values in its folder `ci/`.

use std::path::PathBuf;
use std::sync::Arc;

use e2e::operator::NAMESPACE;
use e2e::scene::Scene;
use e2e::wait::{secs, until};
use e2e::{helm, kubectl, programs};

use crate::{RELEASE, clean, monitored, schemas};

/// The sets of values, by their paths in the checkout.
pub(crate) fn sets() -> Vec<String> {
    let folder = format!("{}/ci", helm::CHART);
    let files = std::fs::read_dir(programs::checkout().join(&folder)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut sets: Vec<String> = names.map(|name| format!("{folder}/{name}")).collect();
    sets.sort();
    assert!(sets.len() >= 5, "{sets:?}");
    sets
}

/// What Helm makes of a chart, as one text.
pub(crate) fn template(scene: &Scene, chart: &str, more: &[&str]) -> anyhow::Result<String> {
    let mut arguments = vec!["template", RELEASE, chart, "-n", NAMESPACE];
    arguments.extend(more);
    helm::run(scene.cluster(), &arguments)
}

/// The objects in a text: each one's kind, and the object.
pub(crate) fn objects(text: &str) -> Vec<(&str, &str)> {
    let documents = text.split("\n---").filter(|document| document.contains("\nkind: "));
    documents
        .map(|document| {
            let kind = document.lines().find_map(|line| line.strip_prefix("kind: "));
            (kind.unwrap(), document)
        })
        .collect()
}

pub(crate) async fn lint(scene: Arc<Scene>) {
    for set in sets() {
        let lint = ["lint", "--strict", helm::CHART, "-n", NAMESPACE, "-f", &set];
        let said = helm::run(scene.cluster(), &lint).unwrap();
        assert!(said.contains("1 chart(s) linted, 0 chart(s) failed"), "{said}");
        assert!(!said.contains("[WARNING]"), "{set}: {said}");
    }
}

pub(crate) async fn taken(scene: Arc<Scene>) {
    clean(&scene).await;
    let cluster = scene.cluster();
    monitored(&scene);
    // Kinds that are new are told of after a moment.
    until(secs(60), "the API server describes what Prometheus' operator has", async || {
        let all = kubectl::run(cluster, &["get", "--raw", "/openapi/v2"]);
        let all = all.map_err(|error| error.to_string())?;
        let missing = ["\"ServiceMonitor\"", "\"PrometheusRule\""].map(|kind| all.contains(kind));
        if missing == [true; 2] { Ok(()) } else { Err(format!("{missing:?}")) }
    })
    .await;
    let mut all = String::new();
    for set in sets() {
        let api = "--api-versions=monitoring.coreos.com/v1/ServiceMonitor";
        let text = template(&scene, helm::CHART, &["-f", &set, api]).unwrap();
        let dry = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
        kubectl::feed(cluster, &dry, &text).unwrap_or_else(|error| panic!("{set}: {error:#}"));
        all = format!("{all}\n---\n{text}");
    }
    let folder = schemas::write(&scene, "schemas", &schemas::served(&scene), &all);
    let said = helm::conform(cluster, &folder, &all).unwrap();
    assert!(said.contains("Invalid: 0, Errors: 0, Skipped: 0"), "{said}");
    // The comparison itself: what is misspelt is seen.
    let wrong = all.replacen("serviceAccountName:", "serviceAcountName:", 1);
    let error = helm::conform(cluster, &folder, &wrong).unwrap_err().to_string();
    assert!(error.contains("serviceAcountName"), "{error}");
}

pub(crate) async fn own_namespace(scene: Arc<Scene>) {
    let set = format!("{}/ci/own-namespace-values.yaml", helm::CHART);
    let text = template(&scene, helm::CHART, &["-f", &set]).unwrap();
    let kinds = objects(&text);
    assert!(kinds.len() >= 6, "{text}");
    for (kind, object) in kinds {
        assert!(object.contains(&format!("\n  namespace: \"{NAMESPACE}\"\n")), "{kind}:\n{object}");
    }
    assert!(text.contains(&format!("--watch-namespaces={NAMESPACE}\n")), "{text}");
    // The namespaces that are named are those with rights, whatever the scope says.
    let two = ["--set", "watchNamespaces={one,two}"];
    let text = template(&scene, helm::CHART, &two).unwrap();
    let roles: Vec<&str> = objects(&text)
        .iter()
        .filter(|(kind, object)| *kind == "Role" && object.contains("judgeclusters/status"))
        .filter_map(|(_, object)| object.lines().find_map(|l| l.strip_prefix("  namespace: ")))
        .collect();
    assert_eq!(roles, ["\"one\"", "\"two\""]);
    let wide = objects(&text).into_iter().filter(|(kind, _)| *kind == "ClusterRole");
    assert!(!wide.into_iter().any(|(_, object)| object.contains("daemonsets")), "{text}");
    assert!(text.contains("--watch-namespaces=one,two\n"), "{text}");
}

/// Whatever a release and its namespace are called, each object is one.
pub(crate) async fn names(scene: Arc<Scene>) {
    let long = "a".repeat(53);
    let all = ["--set=redis.enabled=true", "--set=api.enabled=true", "--set=api.openToAll=true"];
    let labels = "--set-string=commonLabels.app\\.kubernetes\\.io/name=mine,podLabels.year=2026";
    for (release, more) in [
        ("true", vec![labels]),
        ("2026", vec!["--set-string=watchNamespaces={2026}"]),
        ("my.judge", vec!["--set-string=leaderElection.leaseName=12345"]),
        ("9lives", vec!["--set-string=serviceAccount.name=1234"]),
        ("evalx-9", vec!["--set-string=nameOverride=9"]),
        (&long, vec![]),
        (
            &long,
            vec![
                "--set-string=nameOverride=0123456789012345678901234567890123456789012345678901234",
            ],
        ),
        (
            "e",
            vec![
                "--set=topologySpreadConstraints[0].labelSelector.matchLabels.a=b",
                "--set=topologySpreadConstraints[0].maxSkew=1",
                "--set=topologySpreadConstraints[0].topologyKey=zone",
                "--set=topologySpreadConstraints[0].whenUnsatisfiable=ScheduleAnyway",
            ],
        ),
    ] {
        let mut arguments = vec!["template", release, helm::CHART, "-n", "2026"];
        arguments.extend(all);
        arguments.extend(more);
        let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: '2026'}}";
        kubectl::feed(scene.cluster(), &["apply", "-f", "-"], namespace).unwrap();
        let text = helm::run(scene.cluster(), &arguments).unwrap();
        let dry = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
        let applied = kubectl::feed(scene.cluster(), &dry, &text);
        applied.unwrap_or_else(|error| panic!("{release}: {error:#}"));
        assert!(!text.contains("name: mine"), "a label of ours is replaced");
        if release == "e" {
            let (_, spread) = text.split_once("topologySpreadConstraints:").unwrap();
            let (spread, _) = spread.split_once("\n---").unwrap();
            assert!(!spread.contains("app.kubernetes.io"), "{spread}");
        }
    }
    kubectl::run(scene.cluster(), &["delete", "namespace", "2026", "--wait=false"]).unwrap();
}

/// Helm hands a parent's `condition` down as a value.
pub(crate) async fn part(scene: Arc<Scene>) {
    let parent = scene.cluster().folder().join("parent");
    copy(&scene, "parent/charts/evalx");
    let about = "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n\
        - {name: evalx, version: '*', condition: evalx.enabled}\n";
    std::fs::write(parent.join("Chart.yaml"), about).unwrap();
    std::fs::write(parent.join("values.yaml"), "evalx:\n  enabled: true\n").unwrap();
    let parent = parent.to_str().unwrap();
    let text = template(&scene, parent, &[]).unwrap();
    assert!(text.contains("kind: Deployment"), "{text}");
    let text = template(&scene, parent, &["--set=evalx.enabled=false"]).unwrap();
    assert!(!text.contains("kind: Deployment"), "{text}");
}

/// A copy of the chart that a case may change.
pub(crate) fn copy(scene: &Scene, name: &str) -> PathBuf {
    fn files(from: &std::path::Path, to: &std::path::Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                files(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let to = scene.cluster().folder().join(name);
    files(&programs::checkout().join(helm::CHART), &to);
    to
}
