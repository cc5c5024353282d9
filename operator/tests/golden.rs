//! What is generated, compared with what is committed: the definition, and the objects of fleets.
//! `UPDATE=1` rewrites; the difference is to be looked at. A changed pod template restarts every
//! worker of every cluster when the operator is upgraded.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use operator::build::{Kind, Object, build};
use operator::crd::{self, Amount, JudgeCluster, JudgeClusterSpec};
use operator::dereference::{LanguageFiles, References};
use operator::validate::{Complaint, Fleet, Identity, validate};
use operator::yaml;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn compare(path: &Path, wanted: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wanted).unwrap();
        return;
    }
    let there = fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == wanted,
        "{} is not what is generated; run UPDATE=1 cargo test -p operator, and look at the difference",
        path.display()
    );
}

fn cluster(path: &Path) -> JudgeCluster {
    yaml::read(&fs::read_to_string(path).unwrap()).unwrap_or_else(|e| panic!("{path:?}: {e}"))
}

fn languages() -> LanguageFiles {
    let text = "- {id: brainf, name: Brainf, tier: full, extensions: [bf], source: main.bf, \
                needs: [bf], version: [bf, -v], run: {argv: [bf, '{box}/{entry}']}}\n";
    let files = BTreeMap::from([("more.yaml".to_owned(), text.to_owned())]);
    LanguageFiles::Found { name: "languages".to_owned(), files, kept: None }
}

fn fleet(cluster: &JudgeCluster, service_monitors: bool) -> (Fleet, Vec<Complaint>) {
    let languages = match cluster.spec.languages {
        Some(_) => languages(),
        None => LanguageFiles::NotAsked,
    };
    let id = Identity {
        namespace: cluster.metadata.namespace.clone().unwrap_or_else(|| "judges".to_owned()),
        name: cluster.metadata.name.clone().unwrap(),
        uid: "6f0b5a2e-7c1d-4b39-9d54-1f8ac3e27710".to_owned(),
    };
    validate(&id, &cluster.spec, &References { languages, service_monitors }).unwrap()
}

fn document(objects: &[Object]) -> String {
    let texts: Vec<String> = objects.iter().map(|o| yaml::write(&o.value).unwrap()).collect();
    texts.join("---\n")
}

#[test]
fn the_definition_is_what_is_committed() {
    let text = yaml::write(&crd::definition()).unwrap();
    let text =
        format!("# Made from operator/src/crd by `evalx-operator crd`; not to be edited.\n{text}");
    compare(&root().join("crds/judgeclusters.evalx.dev.yaml"), &text);
}

#[test]
fn fleets_become_these_objects() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for name in EXAMPLES {
        let cluster = cluster(&root().join(format!("examples/{name}.yaml")));
        let (fleet, complaints) = fleet(&cluster, true);
        assert_eq!(complaints, [], "{name}");
        compare(&folder.join(format!("{name}.objects.yaml")), &document(&build(&fleet)));
    }
}

const EXAMPLES: [&str; 2] = ["judgecluster", "judgecluster-full"];

/// What the pods of a cluster are made by, without what a table of languages is called by.
fn templates(cluster: &JudgeCluster) -> String {
    let (fleet, _) = fleet(cluster, false);
    let templates = build(&fleet).into_iter().filter_map(|object| {
        let mut template = object.value["spec"].get("template")?.clone();
        if let Some(annotations) = template["metadata"]["annotations"].as_object_mut() {
            annotations.remove("evalx.dev/languages");
        }
        Some(format!("# {}\n{}", object.kind.as_str(), yaml::write(&template).unwrap()))
    });
    templates.collect::<Vec<_>>().join("---\n")
}

/// Each version leaves a folder with what users wrote then and the pods that it made of it: what makes
/// others of the same would restart every worker at an upgrade. `UPDATE=1` rewrites that of the version
/// that is being made, and no other.
#[test]
fn an_upgrade_of_the_operator_rolls_no_pod() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/templates");
    let now = folder.join(env!("CARGO_PKG_VERSION"));
    for name in EXAMPLES {
        let example = root().join(format!("examples/{name}.yaml"));
        compare(&now.join(format!("{name}.yaml")), &fs::read_to_string(&example).unwrap());
        compare(&now.join(format!("{name}.template.yaml")), &templates(&cluster(&example)));
    }
    for version in fs::read_dir(&folder).unwrap().map(|version| version.unwrap().path()) {
        for name in EXAMPLES {
            let made = templates(&cluster(&version.join(format!("{name}.yaml"))));
            let before = fs::read_to_string(version.join(format!("{name}.template.yaml"))).unwrap();
            assert!(
                made == before,
                "pods that {version:?} made of {name} would be rolled:\n{made}"
            );
        }
    }
}

/// Whoever reads the languages reads them once, when it starts.
#[test]
fn other_languages_are_other_pods_of_workers_and_service() {
    let cluster = cluster(&root().join("examples/judgecluster-full.yaml"));
    let (mut fleet, _) = fleet(&cluster, false);
    let annotations = |fleet: &Fleet, kind| {
        let objects = build(fleet);
        let found = objects.into_iter().find(|object| object.kind == kind).unwrap();
        found.value["spec"]["template"]["metadata"]["annotations"].clone()
    };
    let mark = |fleet: &Fleet, kind| annotations(fleet, kind)["evalx.dev/languages"].clone();
    for kind in [Kind::DaemonSet, Kind::Deployment] {
        let digest = &fleet.languages.as_ref().unwrap().digest;
        assert_eq!(mark(&fleet, kind), *digest.as_str(), "{kind:?}");
    }
    fleet.languages = None;
    assert_eq!(mark(&fleet, Kind::DaemonSet), Value::Null);
    // Not even an empty map: the template of those without languages is as it was.
    assert_eq!(annotations(&fleet, Kind::Deployment), Value::Null);
}

/// What the API server would add is said, or each start of an operator would write it again; and what
/// is nothing is said where another's rule would open something.
#[test]
fn network_policies_say_everything() {
    let mut cluster = cluster(&root().join("examples/judgecluster.yaml"));
    let rule = serde_json::json!({ "ports": [{ "port": 443 }, { "port": 53, "protocol": "UDP" }] });
    cluster.spec.network_policy.extra_egress =
        serde_json::from_value(serde_json::json!([rule, {}])).unwrap();
    cluster.spec.queue = serde_json::from_value(serde_json::json!({ "managed": {} })).unwrap();
    let (fleet, _) = fleet(&cluster, false);
    let policy = |name: &str| {
        let mut objects = build(&fleet).into_iter();
        let found = objects.find(|o| o.kind == Kind::NetworkPolicy && o.name == name).unwrap();
        found.value["spec"].clone()
    };
    let ports = serde_json::json!([
        { "port": 443, "protocol": "TCP" }, { "port": 53, "protocol": "UDP" },
    ]);
    let egress = &policy("judge-worker")["egress"];
    assert_eq!((&egress[2]["ports"], &egress[3]), (&ports, &serde_json::json!({})));
    assert_eq!(policy("judge-redis")["egress"], serde_json::json!([]));
}

/// As for the kubelet, which tells the worker the whole node then.
#[test]
fn a_limit_of_zero_is_none() {
    let mut cluster = cluster(&root().join("examples/judgecluster.yaml"));
    let limits = |cluster: &JudgeCluster| {
        let (fleet, _) = fleet(cluster, false);
        (fleet.sizing.cpu_limit, fleet.sizing.memory_limit)
    };
    for (cpu, memory, counted) in [
        ("0", "0", (None, None)),
        ("0m", "0Mi", (None, None)),
        ("500m", "1Ki", (Some(500), Some(1024))),
    ] {
        let given = [("cpu", cpu), ("memory", memory)];
        let given = given.map(|(name, amount)| (name.to_owned(), Amount::from(amount)));
        cluster.spec.resources.limits = given.into();
        assert_eq!(limits(&cluster), counted, "{cpu} {memory}");
    }
}

#[test]
fn what_is_applied_twice_is_the_same() {
    let cluster = cluster(&root().join("examples/judgecluster-full.yaml"));
    let (fleet, _) = fleet(&cluster, true);
    assert_eq!(build(&fleet), build(&fleet));
    let names: BTreeSet<_> = build(&fleet).iter().map(|o| (o.kind, o.name.clone())).collect();
    assert_eq!(names.len(), build(&fleet).len(), "no object is there twice");
}

#[test]
fn what_is_not_asked_for_is_not_made() {
    let mut cluster = cluster(&root().join("examples/judgecluster.yaml"));
    let kinds = |cluster: &JudgeCluster| {
        let (fleet, _) = fleet(cluster, false);
        build(&fleet).iter().map(|o| (o.kind, o.name.clone())).collect::<Vec<_>>()
    };
    let name = |kind, name: &str| (kind, name.to_owned());
    cluster.spec.queue = serde_json::from_value(serde_json::json!({ "url": "redis://r" })).unwrap();
    cluster.spec.api = None;
    cluster.spec.network_policy.enabled = false;
    let least = [
        name(Kind::ConfigMap, "judge-sizing"),
        name(Kind::Service, "judge-worker"),
        name(Kind::DaemonSet, "judge-worker"),
    ];
    assert_eq!(kinds(&cluster), least);
}

#[test]
fn every_object_has_its_owner_and_labels() {
    let cluster = cluster(&root().join("examples/judgecluster-full.yaml"));
    let (fleet, _) = fleet(&cluster, true);
    for object in build(&fleet) {
        let meta = &object.value["metadata"];
        assert_eq!(meta["ownerReferences"][0]["kind"], "JudgeCluster", "{object:?}");
        assert_eq!(meta["labels"]["app.kubernetes.io/managed-by"], "evalx-operator");
        assert_eq!(meta["labels"]["app.kubernetes.io/instance"], "judge-full");
        assert!(meta["annotations"]["evalx.dev/applied"].is_string());
    }
}

/// All names of fields that are ours, with those of Kubernetes' own types left out.
fn fields(schema: &Value, into: &mut BTreeSet<String>) {
    const FOREIGN: [&str; 4] = ["affinity", "tolerations", "env", "extraEgress"];
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        into.insert(name.clone());
        if !FOREIGN.contains(&name.as_str()) {
            fields(property, into);
            fields(&property["items"], into);
        }
    }
}

fn schema() -> Value {
    let definition = serde_json::to_value(crd::definition()).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

#[test]
fn the_full_example_has_every_field() {
    let text = fs::read_to_string(root().join("examples/judgecluster-full.yaml")).unwrap();
    let mut names = BTreeSet::new();
    fields(&schema()["properties"]["spec"], &mut names);
    let missing: Vec<_> = names.iter().filter(|name| !text.contains(&format!("{name}:"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_full_example_shows_the_defaults() {
    let full = cluster(&root().join("examples/judgecluster-full.yaml")).spec;
    let least = cluster(&root().join("examples/judgecluster.yaml")).spec;
    // Whatever is not marked as an example there is a default, and the shortest one has it.
    let JudgeClusterSpec { sandbox, update_strategy, resources, deletion, .. } = least;
    assert_eq!(full.update_strategy, update_strategy);
    assert_eq!(full.resources, resources);
    assert_eq!(full.deletion, deletion);
    assert_eq!(full.sandbox.cpu_per_slot, sandbox.cpu_per_slot);
    assert_eq!(full.sandbox.memory_per_slot, sandbox.memory_per_slot);
    assert_eq!(full.sandbox.longest_run_seconds, sandbox.longest_run_seconds);
    assert_eq!(full.monitoring.interval, least.monitoring.interval);
    assert_eq!(full.network_policy.queue_ports, least.network_policy.queue_ports);
    assert_eq!(full.api.unwrap().replicas, 2);
}

fn undescribed(at: &str, schema: &Value, into: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{at}.{name}");
        if property["description"].as_str().is_none_or(str::is_empty) {
            into.push(path.clone());
        }
        undescribed(&path, property, into);
        undescribed(&format!("{path}[]"), &property["items"], into);
    }
}

#[test]
fn every_field_is_described() {
    let mut missing = Vec::new();
    for part in ["spec", "status"] {
        undescribed(part, &schema()["properties"][part], &mut missing);
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// A default of a struct does not hold for one that is given in part: each field has its own.
#[test]
fn a_part_of_a_struct_has_the_defaults_of_the_whole() {
    fn walk(at: &str, schema: &Value, faults: &mut Vec<String>) {
        if let Some(whole) = schema["default"].as_object() {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if whole.get(name).unwrap_or(&Value::Null) != &property["default"] {
                    faults.push(format!("{at}.{name}"));
                }
            }
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            walk(&format!("{at}.{name}"), property, faults);
        }
    }
    let mut faults = Vec::new();
    walk("spec", &schema()["properties"]["spec"], &mut faults);
    // The workers' requests are a default of theirs, not of every container's.
    faults.retain(|at| !at.ends_with("resources.requests"));
    assert!(faults.is_empty(), "{faults:?}");
}

/// `kubectl apply` warns of formats that Kubernetes does not know (apiextensions' list).
#[test]
fn every_format_is_one_of_kubernetes() {
    fn walk(at: &str, value: &Value, faults: &mut Vec<String>) {
        if let Some(format) = value["format"].as_str()
            && !matches!(format, "int32" | "int64" | "float" | "double" | "date-time")
        {
            faults.push(format!("{at}: {format}"));
        }
        if value["type"] == "integer" && value["format"].is_null() {
            let bounded = value["minimum"].is_number() && value["maximum"].is_number();
            if !bounded {
                faults.push(format!("{at}: no bounds"));
            }
        }
        for (key, part) in value.as_object().into_iter().flatten() {
            walk(&format!("{at}.{key}"), part, faults);
        }
        for part in value.as_array().into_iter().flatten() {
            walk(&format!("{at}[]"), part, faults);
        }
    }
    let mut faults = Vec::new();
    walk("", &schema(), &mut faults);
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn nothing_of_the_definition_is_an_empty_list() {
    fn walk(value: &Value) -> bool {
        match value {
            Value::Array(list) => !list.is_empty() && list.iter().all(walk),
            // Defaults of lists may be empty.
            Value::Object(map) => map.iter().all(|(key, value)| key == "default" || walk(value)),
            _ => true,
        }
    }
    assert!(walk(&serde_json::to_value(crd::definition()).unwrap()));
}
