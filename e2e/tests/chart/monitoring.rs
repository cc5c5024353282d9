//! Alerts and dashboards: whatever files the chart has, they are installed whole, less what was asked
//! to be left out. The case brings files of its own.

use std::sync::Arc;

use e2e::scene::Scene;
use e2e::{helm, kubectl};
use serde_json::{Value, json};

use crate::monitored;
use crate::render::{copy, objects, template};

const RULES: &str = r#"groups:
  - name: trial
    interval: 30s
    rules:
      - record: trial:slots:sum
        expr: sum by (namespace) (evalx_operator_cluster_slots)
      - alert: TrialQuiet
        expr: absent(trial:slots:sum) == 1
        for: 5m
        labels: {severity: warning}
        annotations:
          summary: Nobody says how many slots there are.
          description: '{{ $labels.namespace }} has been quiet for {{ $value | humanizeDuration }}.'
          runbook_url: https://example.org/pages/quiet.md
      - alert: TrialLoud
        expr: vector(1)
"#;
const DASHBOARD: &str =
    r#"{"title": "{{ legend }}", "panels": [{"expr": "rate(x[$__rate_interval])"}]}"#;

/// The one object of a kind in a text, as JSON.
fn object(scene: &Scene, text: &str, kind: &str) -> Value {
    let found: Vec<&str> =
        objects(text).into_iter().filter(|(is, _)| *is == kind).map(|(_, object)| object).collect();
    assert_eq!(found.len(), 1, "{text}");
    let convert = ["create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-"];
    let read = kubectl::feed(scene.cluster(), &convert, found[0]).unwrap();
    serde_json::from_str(&read).unwrap()
}

pub(crate) async fn content(scene: Arc<Scene>) {
    let chart = copy(&scene, "monitored");
    for (folder, file, text) in
        [("rules", "t.yaml", RULES), ("dashboards", "trial.json", DASHBOARD)]
    {
        let folder = chart.join(folder);
        // Of these alone.
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(file), text).unwrap();
    }
    monitored(&scene);
    let chart = chart.to_str().unwrap();
    // Nothing of it unless it is asked for, and `auto` is where it can be.
    let plain = template(&scene, chart, &[]).unwrap();
    assert!(!plain.contains("monitoring.coreos.com/v1\n") && !plain.contains("grafana"), "{plain}");
    let auto = "--set=metrics.prometheusRule.enabled=auto";
    assert!(!template(&scene, chart, &[auto]).unwrap().contains("kind: PrometheusRule"));
    let api = "--api-versions=monitoring.coreos.com/v1/PrometheusRule";
    let text = template(&scene, chart, &[auto, api]).unwrap();
    let rule = object(&scene, &text, "PrometheusRule");
    let group = &rule["spec"]["groups"][0];
    assert_eq!((&group["name"], &group["interval"]), (&json!("trial"), &json!("30s")));
    assert_eq!(group["rules"].as_array().unwrap().len(), 3);
    let quiet = &group["rules"][1];
    assert_eq!(quiet["expr"], "absent(trial:slots:sum) == 1");
    let words = "{{ $labels.namespace }} has been quiet for {{ $value | humanizeDuration }}.";
    assert_eq!(quiet["annotations"]["description"], words);
    assert_eq!(quiet["annotations"]["runbook_url"], "https://example.org/pages/quiet.md");
    let set = [
        "metrics.prometheusRule.enabled=true",
        "metrics.prometheusRule.disabled.TrialLoud=true",
        "metrics.prometheusRule.runbookUrl=https://wiki.example/judge/",
        "metrics.prometheusRule.additionalLabels.release=prometheus",
        "metrics.dashboards.enabled=true",
        "metrics.dashboards.folder=Judges",
        "metrics.dashboards.namespace=grafana",
    ];
    let set: Vec<String> = set.iter().map(|set| format!("--set={set}")).collect();
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    let text = template(&scene, chart, &set).unwrap();
    let rule = object(&scene, &text, "PrometheusRule");
    assert_eq!(rule["metadata"]["labels"]["release"], "prometheus");
    let rules = rule["spec"]["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 2, "{rules:?}");
    assert_eq!(rules[1]["annotations"]["runbook_url"], "https://wiki.example/judge/quiet.md");
    let map = object(&scene, &text, "ConfigMap");
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(map["metadata"]["annotations"]["grafana_folder"], "Judges");
    assert_eq!(map["metadata"]["namespace"], "grafana");
    assert_eq!(map["data"]["trial.json"], DASHBOARD);
    assert!(helm::run(scene.cluster(), &["lint", "--strict", chart]).is_ok());
}
