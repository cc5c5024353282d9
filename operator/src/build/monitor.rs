//! The ServiceMonitor, where there is a Prometheus operator: of the workers, and of the service
//! where the cluster has one.

use serde_json::{Value, json};

use super::object::{COMPONENT, Kind, Object, labels_of, selector_of};
use super::{api, worker};
use crate::validate::{Fleet, Monitor};

pub(super) fn service_monitor(fleet: &Fleet) -> Option<Object> {
    let monitor = fleet.monitor.as_ref()?;
    let mut selector = json!({ "matchLabels": selector_of(&fleet.id, "worker") });
    let mut endpoints = vec![endpoint(monitor, worker::PORT_NAME)];
    if fleet.api.is_some() {
        // Neither Service has a port of the other's name, so each gives its own targets only.
        let mut either = selector_of(&fleet.id, "worker");
        either.remove(COMPONENT);
        selector = json!({
            "matchLabels": either,
            "matchExpressions": [
                { "key": COMPONENT, "operator": "In", "values": ["worker", "api"] },
            ],
        });
        endpoints.push(endpoint(monitor, api::PORT_NAME));
    }
    let body = json!({ "spec": { "selector": selector, "endpoints": endpoints } });
    let mut labels = labels_of(&fleet.id, "worker");
    for (key, value) in &monitor.labels {
        labels.entry(key.as_str()).or_insert_with(|| Value::from(value.as_str()));
    }
    let name = worker::daemon_set_name(&fleet.id.name);
    Some(Object::labelled(fleet, Kind::ServiceMonitor, labels, name, body))
}

fn endpoint(monitor: &Monitor, port: &str) -> Value {
    json!({
        "port": port,
        "interval": monitor.interval,
        "honorLabels": false,
        "relabelings": [
            { "sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node" },
            {
                "sourceLabels": ["__meta_kubernetes_service_label_app_kubernetes_io_instance"],
                "targetLabel": "judgecluster",
            },
        ],
    })
}
