//! `manifests/`: made of the chart by `UPDATE=1`, and good for `kubectl apply -f`.

use std::collections::BTreeMap;
use std::sync::Arc;

use e2e::operator::USER;
use e2e::scene::Scene;
use e2e::{helm, kubectl, programs};
use serde_json::json;

use crate::render::template;
use crate::{clean, leave, operator};

const WIDE: &str = "#   kubectl apply --server-side -f manifests/\n";
const NARROW: &str = "# For JudgeClusters of chosen namespaces only, here of `judges`, which has to be there:\n\
    #\n\
    #   kubectl apply --server-side -f manifests/crds.yaml -f manifests/namespace.yaml -f manifests/namespaced/\n";

/// The files, by their paths: for the whole cluster, and for one namespace.
fn made(scene: &Scene) -> BTreeMap<String, String> {
    // What stays is Helm's affair.
    let common = ["--set=namespace.create=true", "--set=crds.keep=false"];
    let wide = files(&template(scene, helm::CHART, &common).unwrap());
    let narrow = [common[0], common[1], "--set=watchNamespaces={judges}"];
    let narrow = files(&template(scene, helm::CHART, &narrow).unwrap());
    let head = "# Made from charts/evalx by UPDATE=1 cargo test -p e2e --test chart; not to be edited.\n#\n";
    let file = |path: &str, words: &str, text: &str| {
        (format!("manifests/{path}.yaml"), format!("{head}{words}{text}"))
    };
    let names = ["crds", "namespace", "operator", "rbac"];
    assert_eq!(wide.keys().collect::<Vec<_>>(), names);
    let mut all: BTreeMap<String, String> =
        names.iter().map(|name| file(name, WIDE, &wide[*name])).collect();
    let narrow =
        ["operator", "rbac"].map(|name| file(&format!("namespaced/{name}"), NARROW, &narrow[name]));
    all.extend(narrow);
    all
}

/// What Helm renders, by the templates' names, without what says that Helm has installed it.
fn files(text: &str) -> BTreeMap<String, String> {
    let mut files = BTreeMap::<String, String>::new();
    let kept = "  annotations:\n    helm.sh/resource-policy: keep\n";
    let text = format!("\n{text}").replace(kept, "");
    for document in text.split("\n---\n").filter(|document| !document.trim().is_empty()) {
        let (mut name, mut lines) = (None, String::new());
        for line in document.lines() {
            if let Some(source) = line.strip_prefix("# Source: evalx/templates/") {
                name = source.strip_suffix(".yaml");
                continue;
            }
            if line == "---" {
                continue;
            }
            let bare = line.trim_start();
            let helms = ["helm.sh/chart:", "app.kubernetes.io/managed-by: Helm"];
            if !helms.iter().any(|label| bare.starts_with(label)) {
                lines += &format!("{}\n", line.trim_end());
            }
        }
        let file = files.entry(name.unwrap().to_owned()).or_default();
        *file = format!("{file}---\n{}\n", lines.trim());
    }
    files
}

pub(crate) async fn same(scene: Arc<Scene>) {
    let (root, update) = (programs::checkout(), std::env::var_os("UPDATE").is_some());
    let all = made(&scene);
    let mut old = Vec::new();
    for (path, text) in &all {
        if update {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), text).unwrap();
        }
        if std::fs::read_to_string(root.join(path)).unwrap_or_default() != *text {
            old.push(path);
        }
    }
    assert!(old.is_empty(), "{old:?}: run UPDATE=1 cargo test -p e2e --test chart manifests");
    for folder in ["manifests", "manifests/namespaced"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            let name = format!("{folder}/{}", file.unwrap().file_name().to_string_lossy());
            assert!(all.contains_key(&name) || root.join(&name).is_dir(), "{name} is not made");
        }
    }
}

pub(crate) async fn applied(scene: Arc<Scene>) {
    clean(&scene).await;
    let cluster = scene.cluster();
    let node = scene.node("a", "4", "64Gi").await.unwrap();
    scene.nodes_ready(std::slice::from_ref(&node)).await;
    let mark = cluster.audit().mark().unwrap();
    // Both ways that people type it, and both twice: the second time nothing is wrong, either.
    for apply in
        [&["apply", "-f", "manifests/"][..], &["apply", "--server-side", "-f", "manifests/"]]
    {
        kubectl::run(cluster, apply).unwrap();
        kubectl::run(cluster, apply).unwrap();
    }
    let rolled =
        ["rollout", "status", "-n=evalx-system", "deployment/evalx-operator", "--timeout=60s"];
    kubectl::run(cluster, &rolled).unwrap();
    let operator = operator(&scene, "operator", &[]).await;
    scene.judge("fleet", &json!({})).await.unwrap();
    scene.slots_are(&[(&node, 4)]).await;
    scene.condition("fleet", "Available", "True", "").await;
    leave(&scene).await;
    assert!(operator.stop().await.unwrap().success());
    let mut refused = cluster.audit().since(mark).unwrap();
    refused.retain(|entry| entry.user == USER && entry.forbidden);
    assert!(refused.is_empty(), "{}", e2e::audit::summary(&refused));
    kubectl::run(
        cluster,
        &[
            "delete",
            "--ignore-not-found",
            "-f",
            "manifests/rbac.yaml",
            "-f",
            "manifests/operator.yaml",
        ],
    )
    .unwrap();
}
