//! Schemas for kubeconform, made of what the API server itself says of its types.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use e2e::kubectl;
use e2e::scene::Scene;
use serde_json::{Map, Value, json};

use crate::render::objects;

/// What the API server describes.
pub(crate) fn served(scene: &Scene) -> Map<String, Value> {
    let all = kubectl::run(scene.cluster(), &["get", "--raw", "/openapi/v2"]).unwrap();
    definitions(&all)
}

/// The types that a description in the form of OpenAPI 2 has.
pub(crate) fn definitions(description: &str) -> Map<String, Value> {
    let mut all: Value = serde_json::from_str(description).unwrap();
    std::mem::take(all["definitions"].as_object_mut().unwrap())
}

/// Writes a schema for every kind that is in the text, and hands out their folder.
pub(crate) fn write(scene: &Scene, name: &str, all: &Map<String, Value>, text: &str) -> PathBuf {
    let wanted: BTreeSet<&str> = objects(text).into_iter().map(|(kind, _)| kind).collect();
    let folder = scene.cluster().folder().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, definition) in all {
        for of in definition["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
            let (kind, version) = (of["kind"].as_str().unwrap(), of["version"].as_str().unwrap());
            if !wanted.contains(kind) {
                continue;
            }
            // kubeconform takes what stands before the slash for the group.
            let group = Some(of["group"].as_str().unwrap()).filter(|group| !group.is_empty());
            let file =
                format!("{}_{}_{version}.json", group.unwrap_or(version), kind.to_lowercase());
            let mut used = BTreeMap::new();
            collect(name, all, &mut used);
            let schema = json!({
                "$ref": format!("#/definitions/{name}"),
                "definitions": used,
            });
            std::fs::write(folder.join(file), schema.to_string()).unwrap();
        }
    }
    folder
}

/// A definition and all that it refers to, made strict.
pub(crate) fn collect(name: &str, all: &Map<String, Value>, into: &mut BTreeMap<String, Value>) {
    if into.contains_key(name) {
        return;
    }
    let mut definition = all[name].clone();
    let mut next = BTreeSet::new();
    strict(&mut definition, &mut next);
    into.insert(name.to_owned(), definition);
    for name in next {
        collect(&name, all, into);
    }
}

/// What Kubernetes means by a schema and JSON Schema does not: other fields are none, and some texts
/// may be numbers.
fn strict(schema: &mut Value, refers: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(to)) = fields.get("$ref") {
                refers.extend(to.strip_prefix("#/definitions/").map(str::to_owned));
            }
            if fields.get("format") == Some(&json!("int-or-string")) {
                fields.remove("format");
                fields.insert("type".to_owned(), json!(["string", "integer"]));
            }
            let known = fields.get("properties").is_some_and(Value::is_object);
            let open = fields.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
            if known && !open && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(|value| strict(value, refers));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| strict(value, refers)),
        _ => {}
    }
}
