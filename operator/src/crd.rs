//! The resource: what a user writes, and what the operator says of it. The custom resource
//! definition is made from these types; their comments are its descriptions.

mod amount;
mod queue;
mod spec;
mod status;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use serde_json::{Value, json};

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
    let mut definition = serde_json::to_value(JudgeCluster::crd()).expect("it is made of JSON");
    let formats = known_formats(&mut definition);
    debug_assert!(formats > 0, "there are unsigned numbers");
    serde_json::from_value(definition).expect("only formats have changed")
}

/// The formats of unsigned numbers are not Kubernetes'; each `kubectl apply` would warn of each of
/// them. What they say, the bounds say, too. Returns how many there were.
fn known_formats(schema: &mut Value) -> usize {
    match schema {
        Value::Object(map) => {
            // A property may be called so; then it is a schema and no text.
            let format = map.get("format").and_then(Value::as_str).unwrap_or_default();
            let most = match format {
                "uint8" => u8::MAX.into(),
                "uint16" => u16::MAX.into(),
                "uint32" => u32::MAX,
                _ => return map.values_mut().map(known_formats).sum(),
            };
            map.remove("format");
            map.entry("maximum").or_insert_with(|| json!(f64::from(most)));
            map.entry("minimum").or_insert_with(|| json!(0.0));
            1
        }
        Value::Array(list) => list.iter_mut().map(known_formats).sum(),
        _ => 0,
    }
}
