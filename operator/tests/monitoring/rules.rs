//! Alerts and their runbooks.

use std::collections::{BTreeMap, BTreeSet};

use operator::yaml;
use serde_json::Value;

use super::{Known, clean, files, promql, promtool, root};

const RUNBOOKS: &str = "https://evalx.dev/runbooks/";
const TESTS: &str = "operator/tests/monitoring/rules-test.yaml";

/// All alerts, by name.
fn alerts() -> BTreeMap<String, Value> {
    let mut alerts = BTreeMap::new();
    for text in files("charts/evalx/rules", "yaml").values() {
        let file: Value = yaml::read(text).unwrap();
        for rule in list(&file["groups"]).flat_map(|group| list(&group["rules"])) {
            let name = text_of(&rule["alert"]).to_owned();
            assert!(alerts.insert(name.clone(), rule.clone()).is_none(), "{name} is there twice");
        }
    }
    alerts
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}")).iter()
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

#[test]
fn an_alert_says_what_is_wrong_and_where_to_read_on() {
    for (name, rule) in alerts() {
        let known = name.strip_prefix("Evalx").is_some_and(|rest| {
            rest.starts_with(char::is_uppercase) && rest.chars().all(char::is_alphanumeric)
        });
        assert!(known, "{name} is no name in CamelCase that begins with Evalx");
        let severity = text_of(&rule["labels"]["severity"]);
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        assert!(rule["for"].is_string(), "{name} has no for");
        let annotations = &rule["annotations"];
        let summary = text_of(&annotations["summary"]);
        // It is what alerts are grouped under, so it is the same for all of them.
        assert!(!summary.contains("{{") && summary.ends_with('.'), "{name}: {summary}");
        assert_eq!(summary.matches(". ").count(), 0, "{name}: {summary}");
        assert!(text_of(&annotations["description"]).ends_with('.'), "{name}");
        assert_eq!(annotations["runbook_url"], format!("{RUNBOOKS}{name}"));
    }
}

#[test]
fn an_alert_reads_what_is_there() {
    let known = Known::read();
    let mut wrong = Vec::new();
    for (name, rule) in alerts() {
        let uses = promql::read(text_of(&rule["expr"]));
        assert!(!uses.selectors.is_empty(), "{name}");
        wrong.extend(known.wrong(&uses).into_iter().map(|wrong| format!("{name}: {wrong}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Prometheus 3 stores `le="10"` as `10.0`, older ones as it is scraped (its migration guide).
#[test]
fn no_bucket_is_asked_for_as_one_version_stores_it() {
    for (folder, extension) in [("charts/evalx/rules", "yaml"), ("charts/evalx/dashboards", "json")]
    {
        for (name, text) in files(folder, extension) {
            let exact = ["{le=", ",le=", " le="].iter().flat_map(|le| text.split(le).skip(1));
            let exact: Vec<&str> = exact.filter(|rest| !rest.starts_with('~')).collect();
            assert!(exact.is_empty(), "{name}: le={}", &exact[0][..exact[0].len().min(20)]);
        }
    }
}

#[test]
fn each_alert_has_a_runbook_and_each_runbook_an_alert() {
    let (alerts, pages) = (alerts(), files("docs/runbooks", "md"));
    let (alerts, named): (BTreeSet<&String>, BTreeSet<&String>) =
        (alerts.keys().collect(), pages.keys().collect());
    assert_eq!(alerts, named);
    for (name, page) in &pages {
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with('#')).collect();
        let title = format!("# {name}");
        let wanted = [&title, "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];
        assert_eq!(headings, wanted, "{name}.md");
        let (_, diagnosis) = page.split_once("## Diagnosis").unwrap();
        assert!(diagnosis.contains("```sh\n"), "{name}.md has no command to begin with");
    }
}

#[test]
fn the_page_lists_each_alert_with_its_severity() {
    let page = std::fs::read_to_string(root().join("docs/monitoring.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| [Evalx"));
    let rows: BTreeSet<String> = rows.map(|row| row.split(" | ").take(2).collect()).collect();
    let wanted = alerts().into_iter().map(|(name, rule)| {
        let severity = text_of(&rule["labels"]["severity"]);
        format!("{}](runbooks/{name}.md){severity}", name.trim_start_matches("Evalx"))
    });
    assert_eq!(rows, wanted.collect());
}

#[test]
fn a_runbook_names_what_is_there() {
    let known = Known::read();
    for (name, page) in files("docs/runbooks", "md") {
        let words = page.split(|c: char| !c.is_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("evalx_")) {
            assert!(known.has(word), "{name}.md: {word}");
        }
    }
}

#[test]
fn each_alert_is_shown_to_fire_and_to_be_silent() {
    let file: Value = yaml::read(&std::fs::read_to_string(root().join(TESTS)).unwrap()).unwrap();
    let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for case in list(&file["tests"]).flat_map(|test| list(&test["alert_rule_test"])) {
        let set = match list(&case["exp_alerts"]).next() {
            Some(_) => &mut fires,
            None => &mut silent,
        };
        set.insert(text_of(&case["alertname"]).to_owned());
    }
    let all: BTreeSet<String> = alerts().into_keys().collect();
    assert_eq!(fires, all);
    assert_eq!(silent, all);
    clean(promtool(&["test", "rules", root().join(TESTS).to_str().unwrap()]));
}

#[test]
fn promtool_takes_the_rules() {
    for name in files("charts/evalx/rules", "yaml").keys() {
        let path = root().join(format!("charts/evalx/rules/{name}.yaml"));
        clean(promtool(&["check", "rules", path.to_str().unwrap()]));
    }
}
