//! `docs/judgecluster.md` is made from the definition of JudgeCluster; `UPDATE=1 cargo test -p operator
//! --test reference` rewrites it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use operator::yaml;
use serde_json::Value;

const HEAD: &str = "\
# JudgeCluster

Every field of `evalx.dev/v1alpha1`. `examples/judgecluster-full.yaml` has them [all in one file](#all-of-it); `kubectl explain
judgecluster.spec` says the same of the definition that is installed.

This page is made from that definition.

";

/// The example, which mdBook puts in.
const TAIL: &str = "
## All of it

```yaml
{{#include ../examples/judgecluster-full.yaml}}
```
";

/// Types of Kubernetes' own, which Kubernetes describes.
const FOREIGN: [(&str, &str); 5] = [
    ("spec.env", "EnvVar"),
    ("spec.placement.affinity", "Affinity"),
    ("spec.placement.tolerations", "Toleration"),
    ("spec.networkPolicy.extraEgress", "NetworkPolicyEgressRule"),
    ("status.conditions", "Condition"),
];

#[test]
fn the_page_on_judgeclusters_is_as_committed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("crds/judgeclusters.evalx.dev.yaml")).unwrap();
    let definition: Value = yaml::read(&text).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    let mut page = HEAD.to_owned();
    for part in ["spec", "status"] {
        let title = if part == "spec" { "What is asked for" } else { "What is told" };
        write!(page, "## {title}: `{part}`\n\n").unwrap();
        page.push_str("| field | type | default | |\n|---|---|---|---|\n");
        rows(part, &schema[part], &mut page);
        page.push('\n');
    }
    let page = page.trim_end().to_owned() + "\n" + TAIL;
    assert!(page.contains("| `spec.sandbox.overrides[].slots` | integer |  |"), "{page}");
    for (path, _) in FOREIGN {
        assert!(page.contains(&format!("| `{path}` | ")), "{path} is no field");
    }
    let path = root.join("docs/judgecluster.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "UPDATE=1 cargo test -p operator --test reference rewrites it");
}

/// A row a field, and those below it.
fn rows(path: &str, schema: &Value, page: &mut String) {
    let fields = schema["properties"].as_object().into_iter().flatten();
    for (name, field) in fields {
        let required =
            schema["required"].as_array().is_some_and(|all| all.iter().any(|n| n == name));
        let path = format!("{path}.{name}");
        let foreign = FOREIGN.iter().find(|(known, _)| *known == path).map(|(_, kind)| *kind);
        let kind = kind(field, foreign);
        let default = match &field["default"] {
            _ if required => "required".to_owned(),
            // Those of the fields say it.
            Value::Null | Value::Object(_) => String::new(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        let text = text(field);
        writeln!(page, "| `{path}` | {kind} | {default} | {text} |").unwrap();
        if foreign.is_some() {
            continue;
        }
        rows(&path, field, page);
        rows(&format!("{path}[]"), &field["items"], page);
    }
}

fn kind(field: &Value, foreign: Option<&str>) -> String {
    let of = |schema: &Value| {
        if let Some(words) = schema["enum"].as_array() {
            let words = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`"));
            return words.collect::<Vec<_>>().join(", ");
        }
        if schema["x-kubernetes-int-or-string"] == true {
            return "number or text".to_owned();
        }
        match schema["type"].as_str() {
            Some("object") if schema["additionalProperties"].is_object() => "map".to_owned(),
            other => other.unwrap_or("object").to_owned(),
        }
    };
    match (foreign, field["type"].as_str()) {
        (Some(foreign), Some("array")) => format!("list of {foreign}"),
        (Some(foreign), _) => foreign.to_owned(),
        (None, Some("array")) => format!("list of {}", of(&field["items"])),
        (None, _) => of(field),
    }
}

/// Its description, fit for a cell.
fn text(field: &Value) -> String {
    let text = field["description"].as_str().unwrap_or_default();
    // What Kubernetes writes of its own types is long.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace('|', "\\|").replace('<', "&lt;")
}
