//! The dashboards, by the rules of Grafana's linter (github.com/grafana/dashboard-linter) and some of
//! our own. Its rules on `job` and `instance` are for programs that are scraped one by one: here
//! whoever looks, looks for a cluster, and `.lint` tells the linter so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::promql::{self, Selector};
use super::{Known, TARGET, clean, files, promtool};

/// Units that we use, of those that Grafana knows.
const UNITS: [&str; 9] =
    ["short", "none", "s", "bytes", "percentunit", "ops", "reqps", "cps", "dateTimeFromNow"];
/// What a panel may be, so that `scripts/panels` can draw it.
const KINDS: [&str; 5] = ["row", "stat", "timeseries", "table", "bargauge"];
/// What stands in a query in the place of Grafana's own variables.
const BUILT_IN: [(&str, &str); 3] =
    [("$__rate_interval", "5m"), ("$__range", "1h"), ("$__interval", "1m")];

fn dashboards() -> Vec<(String, Value)> {
    let all = files("charts/evalx/dashboards", "json").into_iter();
    let all: Vec<(String, Value)> =
        all.map(|(name, text)| (name, serde_json::from_str(&text).unwrap())).collect();
    assert_eq!(all.len(), 3);
    all
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn variables(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(&dashboard["templating"]["list"])
}

/// Panels that show something.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(&dashboard["panels"]).filter(|panel| panel["type"] != "row")
}

/// Everything that is wrong, each said with the dashboard and the panel.
fn fail(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Without an id or an address of any Grafana, so that every one can import it.
#[test]
fn a_dashboard_belongs_to_no_grafana() {
    let mut uids = BTreeSet::new();
    for (name, dashboard) in dashboards() {
        assert_eq!(dashboard["editable"], false, "{name}");
        assert_eq!(dashboard["id"], Value::Null, "{name}");
        assert_eq!(dashboard["uid"], name.as_str());
        assert!(uids.insert(dashboard["uid"].to_string()), "{name}");
        assert!(text_of(&dashboard["title"]).starts_with("evalX / "), "{name}");
        assert!(!text_of(&dashboard["description"]).is_empty(), "{name}");
        assert!(list(&dashboard["tags"]).any(|tag| tag == "evalx"), "{name}");
        assert!((39..=42).contains(&dashboard["schemaVersion"].as_u64().unwrap()), "{name}");
        assert!(dashboard.get("__inputs").is_none(), "{name}");
        // A ConfigMap holds less than 1 MiB.
        assert!(dashboard.to_string().len() < 200_000, "{name}");
    }
}

#[test]
fn variables_are_as_the_linter_wants_them() {
    let known = Known::read();
    for (name, dashboard) in dashboards() {
        let of_kind = |kind: &'static str| {
            variables(&dashboard).filter(move |variable| variable["type"] == kind)
        };
        let sources: Vec<&Value> = of_kind("datasource").collect();
        assert_eq!(sources.len(), 1, "{name}");
        assert_eq!(sources[0]["name"], "datasource", "{name}");
        assert_eq!(sources[0]["label"], "Data source", "{name}");
        assert_eq!(sources[0]["query"], "prometheus", "{name}");
        for variable in of_kind("query") {
            let place = format!("{name}: ${}", text_of(&variable["name"]));
            assert_eq!(variable["datasource"]["uid"], "${datasource}", "{place}");
            assert_eq!(variable["refresh"], 2, "{place}: on change of the time range");
            assert_eq!(variable["multi"], true, "{place}");
            assert_eq!(variable["includeAll"], true, "{place}");
            // A series without the label is shown, too: not everybody has several clusters. But not
            // those of other controllers.
            let all = if variable["name"] == "job" { Value::Null } else { ".*".into() };
            assert_eq!(variable["allValue"], all, "{place}");
            let query = text_of(&variable["query"]["query"]);
            let inside =
                query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (series, label) = inside.and_then(|inside| inside.rsplit_once(',')).unwrap();
            let label = label.trim();
            let uses = promql::read(series);
            assert_eq!(known.wrong(&uses), [""; 0], "{place}");
            let labels = known.labels(&uses.selectors[0].metric).unwrap();
            assert!(labels.contains(label) || TARGET.contains(&label), "{place}: {label}");
        }
        let text = dashboard["panels"].to_string();
        for variable in variables(&dashboard) {
            let named = text_of(&variable["name"]);
            let used =
                text.contains(&format!("${named}")) || text.contains(&format!("${{{named}}}"));
            assert!(used, "{name}: ${named} is used by no panel");
        }
    }
}

#[test]
fn panels_are_as_the_linter_wants_them() {
    let mut wrong = Vec::new();
    for (name, dashboard) in dashboards() {
        let mut ids = BTreeSet::new();
        for panel in list(&dashboard["panels"]) {
            let place = format!("{name}: {}", text_of(&panel["title"]));
            let mut check = |well: bool, what: &str| {
                if !well {
                    wrong.push(format!("{place}: {what}"));
                }
            };
            check(ids.insert(panel["id"].as_u64().unwrap()), "its id is another's, too");
            check(KINDS.contains(&text_of(&panel["type"])), "what kind of panel is it?");
            check(!text_of(&panel["title"]).is_empty(), "no title");
            if panel["type"] == "row" {
                continue;
            }
            let description = text_of(&panel["description"]);
            check(description.ends_with('.'), "no description, or no sentence");
            let templated = |value: &Value| value["datasource"]["uid"] == "${datasource}";
            check(templated(panel), "not the templated datasource");
            let defaults = &panel["fieldConfig"]["defaults"];
            let mapped = list(&defaults["mappings"]).next().is_some();
            check(mapped || UNITS.contains(&text_of(&defaults["unit"])), "no unit that we use");
            check(list(&panel["targets"]).next().is_some(), "no query");
            let mut letters = BTreeSet::new();
            for target in list(&panel["targets"]) {
                check(templated(target), "a query not of the templated datasource");
                check(letters.insert(text_of(&target["refId"])), "two queries of one letter");
                check(!text_of(&target["legendFormat"]).is_empty(), "a query without a legend");
                check(panel["type"] != "table" || target["instant"] == true, "a table over time");
            }
        }
    }
    fail(&wrong);
}

#[test]
fn panels_lie_beside_each_other() {
    for (name, dashboard) in dashboards() {
        let mut taken = BTreeMap::new();
        for panel in list(&dashboard["panels"]) {
            let title = text_of(&panel["title"]);
            let [x, y, w, h] =
                ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            assert!(w > 0 && h > 0 && x + w <= 24, "{name}: {title}");
            for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |line| (column, line))) {
                if let Some(other) = taken.insert(cell, title) {
                    panic!("{name}: {title} lies on {other}");
                }
            }
        }
    }
}

#[test]
fn a_query_reads_what_is_there() {
    let known = Known::read();
    let mut wrong = Vec::new();
    for (name, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            let place = format!("{name}: {}", text_of(&panel["title"]));
            for target in list(&panel["targets"]) {
                let uses = promql::read(text_of(&target["expr"]));
                wrong.extend(
                    known.wrong(&uses).into_iter().map(|wrong| format!("{place}: {wrong}")),
                );
                let asked = uses.selectors.iter().flat_map(asked);
                wrong.extend(asked.map(|wrong| format!("{place}: {wrong}")));
            }
        }
    }
    fail(&wrong);
}

/// What a selector lacks of what whoever looks has chosen.
fn asked(selector: &Selector) -> Vec<String> {
    let Selector { metric, matchers, range, function } = selector;
    let has = |label: &str, variable: &str| {
        let value = format!("${variable}");
        matchers.iter().any(|(l, o, v)| l == label && o == "=~" && *v == value)
    };
    let mut wrong = Vec::new();
    if !has("cluster", "cluster") {
        wrong.push(format!("{metric} is not asked for $cluster"));
    }
    let of_namespace = ["namespace", "judgecluster_namespace"].iter().any(|l| has(l, "namespace"));
    let of_cluster = of_namespace && has("judgecluster", "judgecluster");
    // The operator is of no JudgeCluster.
    if !of_cluster && !has("job", "job") {
        wrong.push(format!(
            "{metric} is asked neither for $namespace and $judgecluster nor for $job"
        ));
    }
    if ["rate", "irate"].contains(&function.as_str())
        && range.as_deref() != Some("$__rate_interval")
    {
        wrong.push(format!("{metric}: {function} is not over $__rate_interval"));
    }
    wrong
}

#[test]
fn each_query_is_promql() {
    let mut rules = "groups:\n  - name: panels\n    rules:\n".to_owned();
    for (_, dashboard) in dashboards() {
        for target in panels(&dashboard).flat_map(|panel| list(&panel["targets"])) {
            let mut query = text_of(&target["expr"]).to_owned();
            for (name, value) in BUILT_IN {
                query = query.replace(name, value);
            }
            for variable in variables(&dashboard) {
                query = query.replace(&format!("${}", text_of(&variable["name"])), ".*");
            }
            assert!(!query.contains('$'), "{query}");
            // A text of JSON is one of YAML.
            let query = Value::from(query);
            writeln!(rules, "      - {{ record: \"panel:{}\", expr: {query} }}", rules.len())
                .unwrap();
        }
    }
    let file = std::env::temp_dir().join(format!("evalx-panels-{}.yaml", std::process::id()));
    std::fs::write(&file, rules).unwrap();
    let done = promtool(&["check", "rules", file.to_str().unwrap()]);
    std::fs::remove_file(file).unwrap();
    clean(done);
}
