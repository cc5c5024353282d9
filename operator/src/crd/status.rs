//! What the operator says of a cluster.
#![expect(
    unreachable_pub,
    reason = "the derive of the schema hides a copy of each type, as visible as the type"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What was seen of the cluster last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct JudgeClusterStatus {
    /// The generation of the spec that this status is of.
    #[serde(default)]
    pub observed_generation: i64,
    /// The state in one word: `Running`, `RollingOut`, `Degraded`, `Suspended`, `Paused`, `Empty`
    /// (no node is selected), `Invalid`, `Deleting`.
    #[serde(default)]
    pub state: String,
    /// Why, as the reason of the condition that says most.
    #[serde(default)]
    pub reason: String,
    /// Workers that are ready, and how many there should be: `3/4`.
    #[serde(default)]
    pub ready: String,
    /// The engine that the workers use, by their own word (`isolate,native` where nodes differ).
    /// Until one has answered: the one that was asked for, where `auto` is what each node can do.
    #[serde(default)]
    pub engine: String,
    /// The workers' version, by their own word; several while they are changed. Until one has
    /// answered: the tag or digest of their image.
    #[serde(default)]
    pub version: String,
    /// The nodes that have a worker.
    #[serde(default)]
    pub nodes: Nodes,
    /// The slots on them.
    #[serde(default)]
    pub slots: Slots,
    /// One condition a family of failures; its message says what to do.
    #[serde(default)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl JudgeClusterStatus {
    /// Whether every count is what it should be.
    pub(crate) fn is_reached(&self) -> bool {
        let Self { nodes, slots, .. } = self;
        let all = [nodes.ready, nodes.updated] == [nodes.desired; 2];
        all && slots.ready == slots.desired
    }
}

/// Nodes, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Nodes {
    /// That should have a worker.
    #[serde(default)]
    pub desired: u32,
    /// Whose worker is ready.
    #[serde(default)]
    pub ready: u32,
    /// Whose worker is of the newest template.
    #[serde(default)]
    pub updated: u32,
    /// That are about to be removed by an autoscaler, and take no jobs any more.
    #[serde(default)]
    pub draining: u32,
    /// That are cordoned, and take no jobs.
    #[serde(default)]
    pub unschedulable: u32,
}

/// Slots, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Slots {
    /// That all workers should have.
    #[serde(default)]
    pub desired: u32,
    /// That ready workers have been told to have.
    #[serde(default)]
    pub ready: u32,
    /// By class of node, sorted; at most 32 classes.
    #[serde(default)]
    pub by_class: Vec<ClassSlots>,
}

/// The slots of nodes of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassSlots {
    /// The class: the node's `node.kubernetes.io/instance-type`, else its CPUs, as `8-cpu`.
    #[serde(default)]
    pub class: String,
    /// How many nodes.
    #[serde(default)]
    pub nodes: u32,
    /// How many slots on all of them.
    #[serde(default)]
    pub slots: u32,
}
