//! The chart's copies: its version, its definition of JudgeCluster, and what can be set in it: values,
//! their schema and the table of its README. `UPDATE=1` rewrites the copies.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use operator::yaml;
use serde_json::Value;

const BEGIN: &str = "<!-- values: made from values.yaml by UPDATE=1 cargo test -p operator -->\n";
const END: &str = "<!-- end of values -->\n";

fn chart(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/evalx").join(file)
}

fn text(file: &str) -> String {
    fs::read_to_string(chart(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn compare(file: &str, wanted: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(chart(file), wanted).unwrap();
    }
    assert!(text(file) == wanted, "{file} is old; run UPDATE=1 cargo test -p operator");
}

/// A value that can be set.
#[derive(Debug)]
struct Setting {
    path: String,
    words: String,
    default: Value,
}

/// The settings that values.yaml describes, in its order: a comment with `# --`, then the key.
fn settings() -> Vec<Setting> {
    let all = text("values.yaml");
    let values: Value = yaml::read(&all).unwrap();
    let (mut found, mut above, mut words) = (Vec::new(), Vec::<(usize, String)>::new(), None);
    for line in all.lines() {
        let bare = line.trim_start();
        let depth = line.len() - bare.len();
        if let Some(comment) = bare.strip_prefix("# -- ") {
            words = Some(comment.to_owned());
            continue;
        }
        let Some((key, _)) = bare.split_once(':').filter(|_| !bare.starts_with(['#', '-'])) else {
            continue;
        };
        above.retain(|(at, _)| *at < depth);
        above.push((depth, key.to_owned()));
        if let Some(words) = words.take() {
            let keys: Vec<&str> = above.iter().map(|(_, key)| key.as_str()).collect();
            let default = keys.iter().fold(&values, |value, key| &value[key]).clone();
            found.push(Setting { path: keys.join("."), words, default });
        }
    }
    found
}

/// The paths of a schema that are no groups of others.
fn of_schema(at: &str, schema: &Value, into: &mut BTreeSet<String>) {
    let Some(properties) = schema["properties"].as_object().filter(|_| schema["type"] == "object")
    else {
        into.insert(at.to_owned());
        return;
    };
    assert_eq!(schema["additionalProperties"], false, "{at}: a slip of the pen must be refused");
    for (name, property) in properties {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        of_schema(&path, property, into);
    }
}

/// The paths of values that are no groups of described ones.
fn of_values(at: &str, value: &Value, described: &BTreeSet<String>, into: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(group) if !described.contains(at) => {
            for (name, value) in group {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                of_values(&path, value, described, into);
            }
        }
        _ => drop(into.insert(at.to_owned())),
    }
}

#[test]
fn the_chart_has_this_version() {
    let about: Value = yaml::read(&text("Chart.yaml")).unwrap();
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(about["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn chart_testing_finds_the_chart() {
    let settings: Value = yaml::read(&text("../../ct.yaml")).unwrap();
    let folders: Vec<_> = settings["chart-dirs"].as_array().unwrap().iter().collect();
    assert_eq!(folders, ["charts"]);
    // It wants maintainers where it is not told that there are none.
    let about: Value = yaml::read(&text("Chart.yaml")).unwrap();
    assert_eq!(settings["validate-maintainers"], about["maintainers"].is_array());
}

#[test]
fn the_chart_has_the_definition() {
    let made = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/judgeclusters.evalx.dev.yaml"),
    );
    let made = made.unwrap();
    // The chart adds labels at this place.
    assert!(made.contains("\n  name: judgeclusters.evalx.dev\n"));
    compare("files/judgeclusters.evalx.dev.yaml", &made);
}

#[test]
fn values_schema_and_descriptions_are_of_the_same_things() {
    let described: BTreeSet<String> = settings().into_iter().map(|setting| setting.path).collect();
    let mut valued = BTreeSet::new();
    of_values("", &yaml::read(&text("values.yaml")).unwrap(), &described, &mut valued);
    assert_eq!(valued, described, "every value has its words");
    let schema: Value = serde_json::from_str(&text("values.schema.json")).unwrap();
    let mut bounded = BTreeSet::new();
    of_schema("", &schema, &mut bounded);
    // A parent chart's, which Helm hands down.
    assert!(bounded.remove("global") && bounded.remove("enabled"));
    assert_eq!(bounded, described, "every value has its bounds");
}

/// Where null is no refusal: what a default is nothing or false by anyway.
fn may_lack(default: &Value) -> bool {
    match default {
        Value::Bool(on) => !on,
        Value::String(text) => text.is_empty(),
        Value::Number(_) => false,
        Value::Null | Value::Array(_) | Value::Object(_) => true,
    }
}

/// Helm takes a value away that is set to null, and a template would render nothing for it.
#[test]
fn what_has_a_default_cannot_be_taken_away() {
    let schema: Value = serde_json::from_str(&text("values.schema.json")).unwrap();
    for Setting { path, default, words: _ } in settings() {
        if may_lack(&default) {
            continue;
        }
        let mut at = &schema;
        for key in path.split('.') {
            let required =
                at["required"].as_array().is_some_and(|all| all.iter().any(|k| k == key));
            assert!(required, "{path}: the schema does not require {key}");
            at = &at["properties"][key];
        }
    }
}

#[test]
fn the_readme_has_every_value() {
    let mut table = String::from("| value | default | |\n|---|---|---|\n");
    for Setting { path, words, default } in settings() {
        table += &format!("| `{path}` | `{default}` | {words} |\n");
    }
    let there = text("README.md");
    let (before, rest) = there.split_once(BEGIN).expect("the table's beginning");
    let (_, after) = rest.split_once(END).expect("the table's end");
    compare("README.md", &format!("{before}{BEGIN}{table}{END}{after}"));
}

#[test]
fn the_operators_policy_lets_it_ask_workers() {
    let made = fs::read_to_string(chart("../../manifests/operator.yaml")).unwrap();
    let mut objects = made.split("\n---\n").map(|text| yaml::read::<Value>(text).unwrap());
    let policy = objects.find(|object| object["kind"] == "NetworkPolicy").unwrap();
    let egress = policy["spec"]["egress"].as_array().unwrap();
    let rule = egress.iter().find(|rule| rule["ports"][0]["port"] == 9464).unwrap();
    let to = &rule["to"][0]["podSelector"]["matchLabels"];
    assert_eq!(to["app.kubernetes.io/component"], "worker");
    assert!(rule["to"][0]["namespaceSelector"].as_object().unwrap().is_empty());
}
