//! The oldest Kubernetes that the chart is for, by its types as Kubernetes describes them: what the
//! chart and the operator make has no field that is unknown there, where it would be dropped without a
//! word. `kubernetes-VERSION.json` has those types. For another version, from the source of Kubernetes:
//! `EVALX_SWAGGER=…/api/openapi-spec/swagger.json cargo test -p e2e --test chart oldest`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use e2e::scene::Scene;
use e2e::{helm, programs};
use serde_json::{Map, Value, json};

use crate::render::{objects, sets, template};
use crate::schemas::{self, collect, definitions};

/// What the chart says that it needs: `1.33.0`.
fn version() -> String {
    let path = programs::checkout().join(helm::CHART).join("Chart.yaml");
    let text = fs::read_to_string(path).unwrap();
    let (_, version) = text.split_once("\nkubeVersion: \">=").unwrap();
    version.split_once("-0\"").unwrap().0.to_owned()
}

/// What the chart renders for that version with each set of values, and the objects that the operator
/// makes, without what is defined by others.
fn all(scene: &Scene, version: &str) -> String {
    let mut all = Vec::new();
    for set in sets() {
        let set = ["-f", &set, "--kube-version", version];
        all.push(template(scene, helm::CHART, &set).unwrap());
    }
    for golden in ["judgecluster", "judgecluster-full"] {
        let path = format!("operator/tests/golden/{golden}.objects.yaml");
        all.push(fs::read_to_string(programs::checkout().join(path)).unwrap());
    }
    let all = all.join("\n---\n");
    let of_others = "\napiVersion: monitoring.coreos.com/";
    let objects = objects(&all).into_iter().map(|(_, object)| object);
    let own: Vec<&str> =
        objects.filter(|object| !format!("\n{object}").contains(of_others)).collect();
    own.join("\n---\n")
}

/// The types that those objects are made of, without words.
fn reduced(all: &Map<String, Value>, text: &str) -> Value {
    let wanted: BTreeSet<&str> = objects(text).into_iter().map(|(kind, _)| kind).collect();
    let mut used = BTreeMap::new();
    for (name, definition) in all {
        let of = definition["x-kubernetes-group-version-kind"].as_array().into_iter().flatten();
        // Others are called so, too: the kind of an event, of a list.
        let mut kinds = of.filter_map(|of| of["kind"].as_str());
        if definition["properties"].get("metadata").is_some()
            && kinds.any(|kind| wanted.contains(kind))
        {
            collect(name, all, &mut used);
        }
    }
    used.values_mut().for_each(without_words);
    json!({ "definitions": used })
}

fn without_words(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            // A property may be called so.
            fields.retain(|name, value| name != "description" || !value.is_string());
            fields.values_mut().for_each(without_words);
        }
        Value::Array(items) => items.iter_mut().for_each(without_words),
        _ => {}
    }
}

pub(crate) async fn refused(scene: Arc<Scene>) {
    let oldest = version();
    let (major, minor) = oldest.strip_suffix(".0").unwrap().split_once('.').unwrap();
    let before = format!("{major}.{}", minor.parse::<u32>().unwrap() - 1);
    for older in [format!("{before}.99"), format!("v{before}.9-eks-0a1b2c3")] {
        let error = template(&scene, helm::CHART, &["--kube-version", &older]).unwrap_err();
        let said = format!(
            "chart requires kubeVersion: >={oldest}-0 which is incompatible with Kubernetes v{}",
            older.trim_start_matches('v')
        );
        assert!(error.to_string().contains(&said), "{error}");
    }
    // As providers call theirs.
    for fits in [&oldest, &format!("v{major}.{minor}.4-gke.1172000"), "1.99.0"] {
        template(&scene, helm::CHART, &["--kube-version", fits]).unwrap();
    }

    let text = all(&scene, &oldest);
    let file = programs::checkout().join(format!("e2e/tests/chart/kubernetes-{oldest}.json"));
    if let Some(swagger) = std::env::var_os("EVALX_SWAGGER") {
        let types = definitions(&fs::read_to_string(swagger).unwrap());
        fs::write(&file, format!("{}\n", reduced(&types, &text))).unwrap();
    }
    let types = fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}, see oldest.rs: {error}", file.display()));
    let folder = schemas::write(&scene, "oldest", &definitions(&types), &text);
    let said = helm::conform(scene.cluster(), &folder, &text).unwrap();
    assert!(said.contains("Invalid: 0, Errors: 0, Skipped: 0"), "{said}");
    let wrong = text.replacen("revisionHistoryLimit:", "revisionHistoryLimits:", 1);
    let error = helm::conform(scene.cluster(), &folder, &wrong).unwrap_err().to_string();
    assert!(error.contains("revisionHistoryLimits"), "{error}");
}
