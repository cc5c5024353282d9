//! What is measured, in Prometheus' text format, under the names that controllers usually have.
//! Labels are closed sets, but for a cluster's namespace and name, which are few and forgotten with
//! it. Its namespace is no label `namespace`: Prometheus' operator gives that name to the operator's
//! own, and ours would become `exported_namespace`, or not, by a setting of whoever scrapes.

use std::time::Duration;

use http::StatusCode;
use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::conditions::{reasons, types};
use crate::crd::JudgeClusterStatus;
use crate::watch::Served;
use crate::world::Key;

/// From a look that finds nothing to one that writes thousands of annotations.
const SECONDS: [f64; 12] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0];

/// All metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    durations: Histogram,
    depth: IntGauge,
    requests: IntCounterVec,
    leader: IntGauge,
    definition: IntGaugeVec,
    watches: IntCounterVec,
    told: IntCounter,
    failures: IntCounterVec,
    slots: IntGaugeVec,
    nodes: IntGaugeVec,
    conditions: IntGaugeVec,
    stalled: IntGaugeVec,
}

/// What is counted of requests that had no answer.
const NO_ANSWER: &str = "error";

/// Verbs of requests.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verb {
    Get,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
}

impl Verb {
    const ALL: [Self; 6] =
        [Self::Get, Self::Watch, Self::Create, Self::Update, Self::Patch, Self::Delete];

    pub(crate) fn of<B>(request: &http::Request<B>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let watch = query.split('&').any(|pair| pair == "watch=true" || pair == "watch=1");
        match *request.method() {
            http::Method::POST => Self::Create,
            http::Method::PUT => Self::Update,
            http::Method::PATCH => Self::Patch,
            http::Method::DELETE => Self::Delete,
            _ if watch => Self::Watch,
            _ => Self::Get,
        }
    }

    pub(crate) fn is_write(self) -> bool {
        !matches!(self, Self::Get | Self::Watch)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

fn added<M: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<M>) -> M {
    let metric = made.expect("names and labels are constants");
    registry.register(Box::new(metric.clone())).expect("no name is taken twice");
    metric
}

/// Begins each series at 0: a rate does not see one that begins with its first failure.
fn begun(counter: IntCounterVec, labels: &[&str]) -> IntCounterVec {
    for label in labels {
        counter.with_label_values(&[label]);
    }
    counter
}

fn build_info(registry: &Registry) {
    let opts = Opts::new("evalx_operator_build_info", "What runs; always 1.");
    let build = added(registry, IntGaugeVec::new(opts, &["version"]));
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
}

fn requests(registry: &Registry) -> IntCounterVec {
    let opts = Opts::new("rest_client_requests_total", "Requests to the API server.");
    let requests = added(registry, IntCounterVec::new(opts, &["code", "verb"]));
    for verb in Verb::ALL {
        requests.with_label_values(&[NO_ANSWER, verb.as_str()]);
    }
    requests
}

impl Default for Metrics {
    fn default() -> Self {
        let r = &Registry::new();
        let counts = |name: &str, help: &str, labels: &[&str]| {
            added(r, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            added(r, IntGaugeVec::new(Opts::new(name, help), labels))
        };
        build_info(r);
        let duration = HistogramOpts::new(
            "controller_reconcile_duration_seconds",
            "Time of one look at one cluster.",
        );
        Self {
            reconciles: begun(
                counts(
                    "controller_reconcile_total",
                    "Looks at clusters, by how they ended.",
                    &["result"],
                ),
                &["success", "error"],
            ),
            durations: added(r, Histogram::with_opts(duration.buckets(SECONDS.to_vec()))),
            depth: added(
                r,
                IntGauge::new("workqueue_depth", "Clusters that wait to be looked at."),
            ),
            requests: requests(r),
            leader: added(
                r,
                IntGauge::new("evalx_operator_leader", "1 while this process holds the lease."),
            ),
            definition: gauges(
                "evalx_operator_definition",
                "1 at what the API server has of JudgeCluster's definition: current, older than \
                 the operator, missing.",
                &["state"],
            ),
            watches: counts(
                "evalx_operator_watch_errors_total",
                "Watches that broke off, by what they watch.",
                &["resource"],
            ),
            told: added(
                r,
                IntCounter::new(
                    "evalx_operator_slots_told_total",
                    "Pods that were told their slots.",
                ),
            ),
            failures: begun(
                counts(
                    "evalx_operator_failures_total",
                    "Times a cluster turned bad, by the condition's reason.",
                    &["reason"],
                ),
                &reasons::FAILURES,
            ),
            slots: gauges(
                "evalx_operator_cluster_slots",
                "Slots of a cluster: that should be, and that ready workers were told.",
                &["judgecluster_namespace", "judgecluster", "state"],
            ),
            nodes: gauges(
                "evalx_operator_cluster_nodes",
                "Nodes of a cluster, by state.",
                &["judgecluster_namespace", "judgecluster", "state"],
            ),
            conditions: gauges(
                "evalx_operator_cluster_condition",
                "1 where a condition is True, 0 where it is False, -1 where it is not known.",
                &["judgecluster_namespace", "judgecluster", "type"],
            ),
            stalled: gauges(
                "evalx_operator_cluster_rollout_stalled",
                "1 while a change does not get on to the workers.",
                &["judgecluster_namespace", "judgecluster"],
            ),
            registry: r.clone(),
        }
    }
}

impl Metrics {
    pub(crate) fn reconciled(&self, well: bool, took: Duration) {
        self.reconciles.with_label_values(&[if well { "success" } else { "error" }]).inc();
        self.durations.observe(took.as_secs_f64());
    }

    pub(crate) fn requested(&self, verb: Verb, code: Option<StatusCode>) {
        let code = code.map_or_else(|| NO_ANSWER.to_owned(), |code| code.as_u16().to_string());
        self.requests.with_label_values(&[code.as_str(), verb.as_str()]).inc();
    }

    pub(crate) fn lead(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    pub(crate) fn definition(&self, served: &Served) {
        for state in Served::ALL {
            self.definition.with_label_values(&[state]).set((state == served.as_str()).into());
        }
    }

    /// A watch begins. Counted from 0, since a rate does not see a series that begins with a break.
    pub(crate) fn watches(&self, resource: &str) {
        self.watches.with_label_values(&[resource]).inc_by(0);
    }

    pub(crate) fn watch_broke(&self, resource: &str) {
        self.watches.with_label_values(&[resource]).inc();
    }

    pub(crate) fn told(&self) {
        self.told.inc();
    }

    pub(crate) fn failure(&self, reason: &str) {
        self.failures.with_label_values(&[reason]).inc();
    }

    /// How a cluster is.
    pub(crate) fn cluster(&self, key: &Key, status: &JudgeClusterStatus) {
        let (namespace, name) = (&*key.namespace, &*key.name);
        let set = |gauges: &IntGaugeVec, state: &str, value: i64| {
            gauges.with_label_values(&[namespace, name, state]).set(value);
        };
        for (state, count) in slot_states(status) {
            set(&self.slots, state, count.into());
        }
        for (state, count) in node_states(status) {
            set(&self.nodes, state, count.into());
        }
        for condition in &status.conditions {
            let value = match condition.status.as_str() {
                "True" => 1,
                "False" => 0,
                _ => -1,
            };
            set(&self.conditions, &condition.type_, value);
            if condition.type_ == types::PROGRESSING {
                let stalled = condition.reason == reasons::ROLLOUT_STALLED;
                self.stalled.with_label_values(&[namespace, name]).set(stalled.into());
            }
        }
    }

    /// Forgets a cluster that is no more.
    pub(crate) fn forget(&self, key: &Key) {
        let (namespace, name) = (&*key.namespace, &*key.name);
        let status = JudgeClusterStatus::default();
        // What was never said is not there, which is as good.
        for (state, _) in slot_states(&status) {
            drop(self.slots.remove_label_values(&[namespace, name, state]));
        }
        for (state, _) in node_states(&status) {
            drop(self.nodes.remove_label_values(&[namespace, name, state]));
        }
        drop(self.stalled.remove_label_values(&[namespace, name]));
        for name_of in types::ALL {
            drop(self.conditions.remove_label_values(&[namespace, name, name_of]));
        }
    }

    /// All of them, as text.
    pub(crate) fn text(&self, depth: usize) -> String {
        self.depth.set(i64::try_from(depth).unwrap_or(i64::MAX));
        let mut text = String::new();
        TextEncoder::new()
            .encode_utf8(&self.registry.gather(), &mut text)
            .expect("a String takes everything");
        text
    }
}

fn slot_states(status: &JudgeClusterStatus) -> [(&'static str, u32); 2] {
    [("desired", status.slots.desired), ("ready", status.slots.ready)]
}

fn node_states(status: &JudgeClusterStatus) -> [(&'static str, u32); 5] {
    let nodes = &status.nodes;
    [
        ("desired", nodes.desired),
        ("ready", nodes.ready),
        ("updated", nodes.updated),
        ("draining", nodes.draining),
        ("unschedulable", nodes.unschedulable),
    ]
}

#[cfg(test)]
#[path = "../tests/monitoring/reference.rs"]
mod reference;

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;

    #[test]
    fn the_page_has_what_is_scraped() {
        let metrics = Metrics::default();
        let condition = Condition {
            last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
            message: String::new(),
            observed_generation: None,
            reason: reasons::ROLLOUT_STALLED.to_owned(),
            status: "False".to_owned(),
            type_: types::PROGRESSING.to_owned(),
        };
        let status = JudgeClusterStatus { conditions: vec![condition], ..Default::default() };
        metrics.cluster(&Key::new("judges", "one"), &status);
        metrics.requested(Verb::Get, None);
        metrics.watch_broke("pods");
        metrics.failure(reasons::IMAGE_PULL);
        metrics.definition(&Served::Current);
        let text = metrics.text(0);
        let one = "{judgecluster=\"one\",judgecluster_namespace=\"judges\"}";
        assert!(
            text.contains(&format!("evalx_operator_cluster_rollout_stalled{one} 1\n")),
            "{text}"
        );
        super::reference::compare("Operator", &text);
    }

    #[test]
    fn what_may_fail_begins_at_0() {
        let text = Metrics::default().text(0);
        let labels = reasons::FAILURES.iter().map(|reason| format!("reason=\"{reason}\""));
        let failures = labels.map(|label| format!("evalx_operator_failures_total{{{label}}} 0\n"));
        let errors = r#"rest_client_requests_total{code="error",verb="patch"} 0"#;
        let errors =
            [format!("{errors}\n"), "controller_reconcile_total{result=\"error\"} 0\n".into()];
        for line in failures.chain(errors) {
            assert!(text.contains(&line), "{line}{text}");
        }
    }

    #[test]
    fn a_cluster_that_is_gone_leaves_nothing() {
        let metrics = Metrics::default();
        let key = Key::new("ns", "gone");
        metrics.cluster(&key, &JudgeClusterStatus::default());
        assert!(metrics.text(0).contains("gone"));
        metrics.forget(&key);
        assert!(!metrics.text(0).contains("gone"));
    }

    #[test]
    fn verbs() {
        let of = |method: &str, uri: &str| {
            let request = http::Request::builder().method(method).uri(uri).body(()).unwrap();
            Verb::of(&request).as_str()
        };
        assert_eq!(of("GET", "/api/v1/pods?watch=true&timeoutSeconds=290"), "watch");
        assert_eq!(of("GET", "/api/v1/pods?limit=500"), "get");
        assert_eq!(of("PATCH", "/api/v1/namespaces/a/pods/b"), "patch");
    }
}
