//! Prometheus by its operator, as their project installs it, and what it makes of the ServiceMonitors
//! of fleet and operator, of the chart's alerts and of its dashboards.

use std::collections::BTreeSet;
use std::sync::Arc;

use e2e::machine::release;
use e2e::programs::checkout;
use e2e::scene::Scene;
use e2e::wait::{secs, until};
use e2e::{document, http, kubectl, operator};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::fleet::{Fleet, NAME, incarnation, python};
use crate::forward;

/// What stands in the place of Grafana's variables: everything is chosen, as dashboards begin.
const CHOSEN: [(&str, &str); 2] = [("$__rate_interval", "1m"), ("$__range", "15m")];

/// Panels that show only what is wrong, which is nothing here. They are asked for all that they look
/// at: without that end of their query.
const ONLY_WRONG: [(&str, &str); 2] =
    [("Turned down, by reason", " > 0"), ("Conditions that are not as they should be", " < 1")];

/// What of the queries may have no data on a fleet that is well.
const NOTHING_YET: [(&str, &str); 1] = [(
    "evalx_operator_failures_total",
    "the panel shows the reasons that have been counted, and on a fleet that is well none has",
)];

pub(crate) async fn panels(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let before = incarnation(&fleet.ready("worker").await);
    install(&scene);
    let commands = document::commands("docs/monitoring.md").unwrap();
    let [upgrade] = &commands[..] else { panic!("{commands:?}") };
    // More often than rules are evaluated here, so that rates are there soon.
    let often = ["--set".to_owned(), "metrics.serviceMonitor.interval=2s".to_owned()];
    document::type_in(fleet.cluster(), &[&upgrade[..], &often[..]].concat()).unwrap();
    fleet.scene.change(NAME, &json!({"monitoring": {"interval": "2s"}})).await.unwrap();
    let prometheus = Prometheus { scene: Arc::clone(&scene) };
    prometheus.scrapes(&["evalx-operator", "judge-api", "judge-worker"]).await;
    prometheus.is_not_alarmed().await;
    let mut queries = queries(&scene).await;
    for (metric, why) in NOTHING_YET {
        let all = queries.len();
        queries.retain(|(_, query)| !query.contains(metric));
        assert!(queries.len() < all, "no query has {metric}, of which it is said: {why}");
    }
    let mut round = 0;
    let without = async || {
        // Something of each kind: another program each time, the same again, a wrong one.
        round += 1;
        let other = format!("print(3)\n# {round}");
        for source in [&*other, "print(3)", "print(4)", "raise ValueError"] {
            fleet.post("/v1/submissions?wait=20", &python(source)).await?;
        }
        let mut without = Vec::new();
        // And something for the operator to look at.
        let labels = json!({"monitoring": {"labels": {"round": round.to_string()}}});
        fleet.scene.change(NAME, &labels).await.map_err(|error| format!("{error:#}"))?;
        for (panel, query) in &queries {
            if !prometheus.has(query).await? {
                without.push(format!("{panel}: {query}"));
            }
        }
        if without.is_empty() { Ok(()) } else { Err(without.join("\n")) }
    };
    until(secs(120), "each query of each panel has data", without).await;
    println!("{} queries of panels have data", queries.len());
    prometheus.is_not_alarmed().await;
    assert_eq!(incarnation(&fleet.ready("worker").await), before);
}

/// Prometheus' operator, and a Prometheus that reads what every namespace has.
fn install(scene: &Scene) {
    let cluster = scene.cluster();
    let file = release::monitoring().unwrap();
    // Their definitions are longer than what `kubectl apply` would store a second time.
    kubectl::run(cluster, &["apply", "--server-side", "-f", &file.to_string_lossy()]).unwrap();
    let ready = ["rollout", "status", "deploy/prometheus-operator", "--timeout=120s"];
    kubectl::run(cluster, &ready).unwrap();
    let namespace = scene.namespace();
    let named = json!({"name": "prometheus", "namespace": namespace});
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "prometheus"});
    let subject = json!({"kind": "ServiceAccount", "name": "prometheus", "namespace": namespace});
    let read = ["get", "list", "watch"];
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "prometheus"},
            "rules": [
                {"apiGroups": [""], "resources": ["endpoints", "pods", "services"], "verbs": read},
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "prometheus"},
            "roleRef": role,
            "subjects": [subject],
        },
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Prometheus",
            "metadata": named,
            "spec": {
                "version": release::prometheus_version().unwrap(),
                "serviceAccountName": "prometheus",
                "serviceMonitorSelector": {},
                "serviceMonitorNamespaceSelector": {},
                "ruleSelector": {},
                "ruleNamespaceSelector": {},
                "evaluationInterval": "5s",
                "resources": {"requests": {"memory": "100Mi"}},
            },
        },
    ]});
    kubectl::feed(cluster, &["apply", "-f", "-"], &objects.to_string()).unwrap();
}

/// The queries of the panels of the dashboards that are installed for Grafana.
async fn queries(scene: &Scene) -> Vec<(String, String)> {
    let maps = Api::<ConfigMap>::namespaced(scene.client().clone(), operator::NAMESPACE);
    let found = maps.list(&ListParams::default().labels("grafana_dashboard=1")).await.unwrap();
    let files = found.items.into_iter().flat_map(|map| map.data.unwrap_or_default());
    let mut queries = Vec::new();
    let mut dashboards = 0;
    for (file, text) in files {
        dashboards += 1;
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        collect(&file, &dashboard["panels"], &mut queries);
    }
    assert_eq!(dashboards, 3);
    assert!(queries.len() > 80, "{queries:?}");
    for (title, _) in ONLY_WRONG {
        assert!(queries.iter().any(|(panel, _)| panel.ends_with(title)), "no panel: {title}");
    }
    queries
}

/// Rows have panels of their own.
fn collect(file: &str, panels: &Value, queries: &mut Vec<(String, String)>) {
    for panel in panels.as_array().into_iter().flatten() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = chosen(title, target["expr"].as_str().unwrap());
            queries.push((format!("{file}: {title}"), query));
        }
        collect(file, &panel["panels"], queries);
    }
}

/// The query as Grafana sends it, but for [`ONLY_WRONG`].
fn chosen(title: &str, query: &str) -> String {
    let mut query = query.to_owned();
    for (variable, value) in CHOSEN {
        query = query.replace(variable, value);
    }
    for variable in ["cluster", "namespace", "judgecluster", "node", "job"] {
        query = query.replace(&format!("\"${variable}\""), "\".*\"");
    }
    assert!(!query.contains('$'), "{query}");
    match ONLY_WRONG.iter().find(|(panel, _)| *panel == title) {
        Some((_, end)) => query.strip_suffix(end).unwrap_or_else(|| panic!("{query}")).to_owned(),
        None => query,
    }
}

struct Prometheus {
    scene: Arc<Scene>,
}

impl Prometheus {
    async fn ask(&self, path: &str) -> Result<Value, String> {
        let (cluster, namespace) = (self.scene.cluster(), self.scene.namespace());
        let address = forward::to(cluster, namespace, "service/prometheus-operated", 9090).await?;
        let answer = http::get(address, &format!("/api/v1/{path}")).await;
        let answer = answer.map_err(|error| format!("{error:#}: {}", self.last_words()))?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        Ok(answer["data"].clone())
    }

    /// What its containers have said last.
    fn last_words(&self) -> String {
        let log = ["logs", "-n", self.scene.namespace(), "prometheus-prometheus-0"];
        let rest = ["--all-containers", "--tail=20"];
        let said = kubectl::run(self.scene.cluster(), &[&log[..], &rest[..]].concat());
        said.unwrap_or_else(|error| format!("{error:#}"))
    }

    /// Waits until all targets are up, and those are the jobs.
    async fn scrapes(&self, jobs: &[&str]) {
        until(secs(180), "Prometheus scrapes all", async || {
            let targets = self.ask("targets?state=active").await?;
            let targets = targets["activeTargets"].as_array().ok_or("no targets")?;
            let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
            let seen: BTreeSet<(String, String)> = targets
                .iter()
                .map(|target| (text(&target["labels"]["job"]), text(&target["health"])))
                .collect();
            let wanted: BTreeSet<_> =
                jobs.iter().map(|&job| (job.to_owned(), "up".to_owned())).collect();
            if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }

    /// Waits until it has evaluated each of the chart's alerts, without an error, and none is about
    /// to fire.
    async fn is_not_alarmed(&self) {
        let read = |name: &str| {
            let file = checkout().join("charts/evalx/rules").join(name);
            std::fs::read_to_string(file).unwrap()
        };
        let text = read("evalx.yaml") + &read("operator.yaml");
        let alerts = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
        let alerts: BTreeSet<&str> = alerts.collect();
        assert!(alerts.len() >= 10, "{alerts:?}");
        until(secs(120), "each alert is evaluated, and none pending", async || {
            let rules = self.ask("rules").await?;
            let groups = rules["groups"].as_array().into_iter().flatten();
            let rules: Vec<&Value> =
                groups.flat_map(|group| group["rules"].as_array().into_iter().flatten()).collect();
            let quiet = |rule: &&&Value| rule["health"] == "ok" && rule["state"] == "inactive";
            let names = rules.iter().filter(quiet).filter_map(|rule| rule["name"].as_str());
            if names.collect::<BTreeSet<_>>() == alerts {
                return Ok(());
            }
            let others: Vec<_> = rules.iter().filter(|rule| !quiet(rule)).collect();
            Err(format!("{} rules; not quiet: {others:?}", rules.len()))
        })
        .await;
    }

    /// Whether a query gives a number.
    async fn has(&self, query: &str) -> Result<bool, String> {
        let found = self.ask(&format!("query?query={}", escaped(query))).await?;
        let found = found["result"].as_array().ok_or_else(|| format!("{query}: {found}"))?;
        Ok(found.iter().any(|series| series["value"][1].as_str().is_some_and(|n| n != "NaN")))
    }
}

/// For the part of an address after the question mark (RFC 3986).
fn escaped(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    bytes.collect()
}
