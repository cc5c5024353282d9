//! A node, reduced to what decides on slots. Heartbeats, images and addresses change all the time
//! and are not even kept.

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use crate::crd::Amount;
use crate::sizing::Room;

/// Taints with which autoscalers announce that they remove a node: cluster-autoscaler
/// (`pkg utils/taints`), Karpenter 1 and before.
const LEAVING: [&str; 3] =
    ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"];

/// What is read of a node.
#[derive(Debug, Clone, Deserialize, Resource)]
#[resource(inherit = Node)]
pub struct SlimNode {
    /// The usual.
    pub metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Spec {
    #[serde(default)]
    unschedulable: bool,
    #[serde(default)]
    taints: Option<Vec<Taint>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Taint {
    #[serde(default)]
    key: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Status {
    #[serde(default)]
    allocatable: Option<Allocatable>,
    #[serde(default)]
    conditions: Option<Vec<Condition>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Allocatable {
    cpu: Option<Amount>,
    memory: Option<Amount>,
}

#[derive(Debug, Clone, Deserialize)]
struct Condition {
    #[serde(default, rename = "type")]
    type_: String,
    #[serde(default)]
    status: String,
}

/// What is kept of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// What it has.
    pub room: Room,
    /// Its kubelet is well.
    pub ready: bool,
    /// No new pods are to go there.
    pub cordoned: bool,
    /// It is about to be removed.
    pub leaving: bool,
    labels: Box<[(Box<str>, Box<str>)]>,
}

impl NodeView {
    /// Reduces one.
    #[must_use]
    pub fn of(node: &SlimNode) -> Self {
        let SlimNode { metadata, spec, status } = node;
        let allocatable = status.allocatable.as_ref();
        let cpu = allocatable.and_then(|a| a.cpu.as_ref()?.milli().ok()).unwrap_or(0);
        let memory = allocatable.and_then(|a| a.memory.as_ref()?.whole().ok());
        let mut conditions = status.conditions.iter().flatten();
        let taints = spec.taints.iter().flatten();
        let labels = metadata.labels.iter().flatten();
        Self {
            room: Room { cpu, memory },
            ready: conditions.any(|c| c.type_ == "Ready" && c.status == "True"),
            cordoned: spec.unschedulable,
            leaving: metadata.deletion_timestamp.is_some()
                || taints.into_iter().any(|taint| LEAVING.contains(&&*taint.key)),
            labels: labels.map(|(k, v)| (Box::from(&**k), Box::from(&**v))).collect(),
        }
    }

    /// A label's value.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        // Sorted: they come from a map.
        let at = self.labels.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
        Some(&self.labels[at].1)
    }

    /// Its kind, for statistics.
    #[must_use]
    pub fn class(&self) -> String {
        let named = self.label("node.kubernetes.io/instance-type").filter(|name| !name.is_empty());
        named.map_or_else(|| format!("{}-cpu", self.room.cpu / 1000), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view(node: serde_json::Value) -> NodeView {
        NodeView::of(&serde_json::from_value(node).unwrap())
    }

    #[test]
    fn what_matters_is_kept() {
        let node = view(json!({
            "metadata": { "name": "a", "labels": { "zone": "x", "arch": "arm64" } },
            "spec": { "unschedulable": true, "taints": [{ "key": "karpenter.sh/disrupted", "effect": "NoSchedule" }] },
            "status": {
                "allocatable": { "cpu": "3920m", "memory": "8Gi", "pods": "110" },
                "conditions": [
                    { "type": "MemoryPressure", "status": "False" },
                    { "type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z" },
                ],
                "images": [{ "names": ["x"] }],
            },
        }));
        assert_eq!(node.room, Room { cpu: 3920, memory: Some(8 << 30) });
        assert!(node.ready && node.cordoned && node.leaving);
        assert_eq!(node.label("arch"), Some("arm64"));
        assert_eq!(node.label("none"), None);
        assert_eq!(node.class(), "3-cpu");
    }

    #[test]
    fn a_node_that_says_nothing_has_nothing() {
        let node = view(
            json!({ "metadata": { "name": "a".repeat(253) }, "status": { "allocatable": { "cpu": "0" } } }),
        );
        assert_eq!(node.room, Room { cpu: 0, memory: None });
        assert!(!node.ready);
        let odd = view(json!({ "metadata": {}, "status": { "allocatable": { "cpu": "many" } } }));
        assert_eq!(odd.room.cpu, 0);
    }

    #[test]
    fn a_heartbeat_changes_nothing() {
        let at = |time: &str| {
            view(
                json!({ "metadata": { "name": "a", "resourceVersion": time }, "status": { "conditions": [
                { "type": "Ready", "status": "True", "lastHeartbeatTime": time } ] } }),
            )
        };
        assert_eq!(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:05:00Z"));
    }
}
