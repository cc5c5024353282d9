//! `docs/api.md` is made from `openapi.json`; `UPDATE=1 cargo test -p api --test reference` rewrites it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

const HEAD: &str = "\
# Routes

The routes of the HTTP service. A running one describes every parameter and type at `/openapi.json`,
and its page shows that; what Judge0's routes do differently is in
[From Judge0 to evalX](judge0.md). Those are below `/extra-ce`, too, with the other language ids.

This page is made from that description.
";

/// In the order in which they are shown: tag and title.
const PARTS: [(&str, &str); 4] = [
    ("submissions", "Submissions"),
    ("problems", "Problems"),
    ("fleet", "The fleet"),
    ("judge0", "As Judge0"),
];

#[test]
fn the_page_on_routes_is_as_committed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut page = HEAD.to_owned();
    let (mut shown, mut all) = (0, 0);
    for (tag, title) in PARTS {
        write!(page, "\n## {title}\n\n| route | | query | answers |\n|---|---|---|---|\n").unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            // Beside methods there are `servers` that have only these.
            let methods = methods.as_object().unwrap().iter().filter(|(_, what)| what.is_object());
            for (method, operation) in methods {
                all += 1;
                if operation["tags"][0] != tag {
                    continue;
                }
                shown += 1;
                let method = method.to_uppercase();
                let summary = operation["summary"].as_str().unwrap();
                let (query, answers) = (query(operation), answers(operation));
                writeln!(page, "| `{method} {path}` | {summary} | {query} | {answers} |").unwrap();
            }
        }
    }
    assert_eq!(shown * PARTS.len(), all, "a route has none of the tags");
    let path = root.join("../docs/api.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "UPDATE=1 cargo test -p api --test reference rewrites it");
}

fn query(operation: &Value) -> String {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let of_query = parameters.filter(|parameter| parameter["in"] == "query");
    let names = of_query.filter_map(|parameter| parameter["name"].as_str());
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn answers(operation: &Value) -> String {
    let statuses = operation["responses"].as_object().into_iter().flatten();
    statuses.map(|(status, _)| status.as_str()).collect::<Vec<_>>().join(", ")
}
