//! Network policies: a worker reaches the queue and DNS, and only the port for probes and metrics
//! is reached; the managed Redis is reached by its own cluster only, as it has no password.

use serde_json::{Value, json};

use super::object::{COMPONENT, Kind, Object, selector_of};
use super::worker;
use crate::validate::{Fleet, QueueSource};

pub(super) fn policies(fleet: &Fleet) -> Vec<Object> {
    let Some(network) = &fleet.network else { return Vec::new() };
    let dns = [("UDP", 53), ("TCP", 53)].map(|(protocol, port)| port_of(protocol, port));
    let mut egress = vec![json!({ "ports": dns }), queue(fleet)];
    egress.extend(network.extra_egress.iter().cloned().map(whole));
    let worker = json!({ "spec": {
        "podSelector": { "matchLabels": selector_of(&fleet.id, "worker") },
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{ "ports": [port_of("TCP", worker::PORT)] }],
        "egress": egress,
    }});
    let name = worker::daemon_set_name(&fleet.id.name);
    let mut policies = vec![Object::new(fleet, Kind::NetworkPolicy, "worker", name, worker)];
    if let QueueSource::Managed(_) = fleet.queue {
        policies.push(redis(fleet));
    }
    policies
}

/// The way to the queue. A name cannot stand in a network policy, so behind one it is any address,
/// on the queue's port only.
fn queue(fleet: &Fleet) -> Value {
    match &fleet.queue {
        QueueSource::Managed(_) => json!({
            "to": [{ "podSelector": { "matchLabels": selector_of(&fleet.id, "redis") } }],
            "ports": [port_of("TCP", super::redis::PORT)],
        }),
        QueueSource::Url { ports, ip, .. } => {
            let ports: Vec<Value> = ports.iter().map(|port| port_of("TCP", *port)).collect();
            match ip {
                Some(ip) => {
                    let bits = if ip.is_ipv4() { 32 } else { 128 };
                    let block = json!([{ "ipBlock": { "cidr": format!("{ip}/{bits}") } }]);
                    json!({ "to": block, "ports": ports })
                }
                None => json!({ "ports": ports }),
            }
        }
        QueueSource::Secret(_) => {
            let ports = fleet.network.iter().flat_map(|network| &network.queue_ports);
            let ports: Vec<Value> = ports.map(|port| port_of("TCP", *port)).collect();
            json!({ "ports": ports })
        }
    }
}

fn redis(fleet: &Fleet) -> Object {
    let mut own = selector_of(&fleet.id, "worker");
    own.remove(COMPONENT);
    let body = json!({ "spec": {
        "podSelector": { "matchLabels": selector_of(&fleet.id, "redis") },
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{
            "from": [{ "podSelector": { "matchLabels": own } }],
            "ports": [port_of("TCP", super::redis::PORT)],
        }],
        // Nothing; a rule of somebody else's is written away.
        "egress": [],
    }});
    Object::new(fleet, Kind::NetworkPolicy, "redis", super::redis::name(&fleet.id.name), body)
}

/// A rule with the protocol that the API server would put there (`SetDefaults_NetworkPolicyPort` of
/// Kubernetes), or it would not be as it was written.
fn whole(mut rule: Value) -> Value {
    let ports = rule.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten() {
        if port["protocol"].is_null() {
            port["protocol"] = "TCP".into();
        }
    }
    rule
}

fn port_of(protocol: &str, port: u16) -> Value {
    json!({ "protocol": protocol, "port": port })
}
