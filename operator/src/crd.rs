//! The resource: what a user writes, and what the operator says of it. The custom resource
//! definition is made from these types; their comments are its descriptions.

mod amount;
mod queue;
mod spec;
mod status;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

pub use amount::{Amount, NotAnAmount};
pub use queue::{CaSource, KeyRef, ManagedRedis, ObjectName, Queue, Storage};
pub use spec::{
    Api, Deletion, DeletionPolicy, EngineChoice, JudgeCluster, JudgeClusterSpec, Languages,
    Monitoring, NetworkPolicySettings, Override, Placement, PullPolicy, Resources, Sandbox,
    ServiceMonitorMode, UpdateStrategy,
};
pub use status::{ClassSlots, JudgeClusterStatus, Nodes, Slots};

/// The group of the resource.
pub const GROUP: &str = "evalx.dev";

/// The definition, as `evalx-operator crd` prints it.
#[must_use]
pub fn definition() -> CustomResourceDefinition {
    JudgeCluster::crd()
}
