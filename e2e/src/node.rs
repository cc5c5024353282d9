//! Nodes that kwok plays.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Node;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

/// The label with which the cases of a suite keep to their own nodes.
pub const OWNER: &str = "e2e.evalx.dev/owner";

/// A node as it is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// Allocatable, as Kubernetes writes it.
    pub cpu: String,
    /// Allocatable, as Kubernetes writes it.
    pub memory: String,
    /// Labels beside the owner.
    pub labels: Vec<(String, String)>,
}

impl Plan {
    /// The object. Capacity is what is allocatable.
    #[must_use]
    pub fn object(&self) -> Value {
        // A label's value must be shorter than a name may be.
        let host: String = self.name.chars().take(63).collect();
        let mut labels = json!({
            (OWNER): self.owner,
            "kubernetes.io/hostname": host,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
        });
        for (key, value) in &self.labels {
            labels[key] = json!(value);
        }
        let size = json!({"cpu": self.cpu, "memory": self.memory, "pods": "110"});
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": labels},
            "status": {"allocatable": size, "capacity": size},
        })
    }
}

/// Creates it. kwok makes it ready.
pub async fn create(client: &Client, plan: &Plan) -> Result<()> {
    let node: Node = serde_json::from_value(plan.object()).context("the node is malformed")?;
    let nodes = Api::<Node>::all(client.clone());
    nodes.create(&PostParams::default(), &node).await.context("the node is refused")?;
    Ok(())
}

/// Deletes it. One that is not there is as good.
pub async fn delete(client: &Client, name: &str) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    match nodes.delete(name, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map(drop).context("the node cannot be deleted"),
    }
}

/// Changes its spec or metadata, as a merge patch does.
pub async fn patch(client: &Client, name: &str, change: &Value) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    let patch = Patch::Merge(change);
    nodes.patch(name, &PatchParams::default(), &patch).await.context("the node is not patched")?;
    Ok(())
}

/// Changes its status, as a strategic merge patch does: conditions are told apart by their type.
pub async fn patch_status(client: &Client, name: &str, change: &Value) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    let (params, patch) = (PatchParams::default(), Patch::Strategic(change));
    nodes.patch_status(name, &params, &patch).await.context("the status is not patched")?;
    Ok(())
}

/// Whether it is ready.
#[must_use]
pub fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}
