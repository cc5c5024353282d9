//! The ServiceMonitor, where there is a Prometheus operator.

use serde_json::{Value, json};

use super::object::{Kind, Object, labels_of, selector_of};
use super::worker;
use crate::validate::Fleet;

pub(super) fn service_monitor(fleet: &Fleet) -> Option<Object> {
    let monitor = fleet.monitor.as_ref()?;
    let body = json!({ "spec": {
        "selector": { "matchLabels": selector_of(&fleet.id, "worker") },
        "endpoints": [{
            "port": worker::PORT_NAME,
            "interval": monitor.interval,
            "honorLabels": false,
            "relabelings": [
                { "sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node" },
                {
                    "sourceLabels": ["__meta_kubernetes_service_label_app_kubernetes_io_instance"],
                    "targetLabel": "judgecluster",
                },
            ],
        }],
    }});
    let mut labels = labels_of(&fleet.id, "worker");
    for (key, value) in &monitor.labels {
        labels.entry(key.as_str()).or_insert_with(|| Value::from(value.as_str()));
    }
    let name = worker::daemon_set_name(&fleet.id.name);
    Some(Object::labelled(fleet, Kind::ServiceMonitor, labels, name, body))
}
