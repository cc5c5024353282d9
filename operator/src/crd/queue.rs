//! Where a cluster's jobs come from.
#![expect(
    unreachable_pub,
    reason = "the derive of the schema hides a copy of each type, as visible as the type"
)]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::spec::Resources;

/// The queue that the workers serve: exactly one of `url`, `urlSecretRef` and `managed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "(has(self.url) ? 1 : 0) + (has(self.urlSecretRef) ? 1 : 0) + (has(self.managed) ? 1 : 0) == 1"
).message("exactly one of url, urlSecretRef and managed must be set"))]
#[x_kube(validation = Rule::new("!(has(self.ca) && has(self.managed))").message(
    "ca is for servers of others; the managed one has no TLS"
))]
pub struct Queue {
    /// The queue's name on its server. Cannot be changed: jobs would be left behind.
    #[serde(default = "default_name")]
    #[schemars(length(min = 1, max = 64), pattern(r"^[a-zA-Z0-9_-]+$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message(
        "the queue's name is immutable; make another JudgeCluster for another queue"
    ))]
    pub name: String,
    /// The address of Redis 7 or Valkey, as `redis://redis:6379`, `rediss://…` or
    /// `redis+sentinel://…`. For one with a password take `urlSecretRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), pattern(r"^(rediss?|redis\+sentinel)://[^@]+$"))]
    pub url: Option<String>,
    /// The secret that holds the address. The operator never reads it; pods get it by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_secret_ref: Option<KeyRef>,
    /// A Redis of this cluster's own, run by the operator: one replica on a volume, with every
    /// answer on the disk before it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedRedis>,
    /// Certificates (PEM) to trust instead of the system's, for a `rediss://` address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<CaSource>,
}

/// Where certificates come from: one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.configMapRef) != has(self.secretRef)").message(
    "one of configMapRef and secretRef must be set"
))]
pub struct CaSource {
    /// A ConfigMap and the key in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<KeyRef>,
    /// A secret and the key in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<KeyRef>,
}

/// A key of an object in the cluster's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// The object's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// An object in the cluster's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectName {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A Redis that the operator runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedRedis {
    /// The image: Redis 7 or Valkey 7 and later.
    #[serde(default = "default_image")]
    #[schemars(length(min = 1, max = 512))]
    pub image: String,
    /// The volume that holds the jobs. It stays when the JudgeCluster is deleted.
    #[serde(default)]
    pub storage: Storage,
    /// CPU and memory of the server.
    #[serde(default)]
    pub resources: Resources,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// How large it is. Cannot be changed: a claim that was made is not made anew. A claim can be
    /// enlarged by itself, where its storage class allows that.
    #[serde(default = "default_size")]
    #[x_kube(validation = Rule::new("quantity(string(self)).isGreaterThan(quantity('0'))").message(
        "must be greater than zero"
    ))]
    // Kubernetes refuses the change of a StatefulSet that follows, for ever. By amount: who writes
    // 8192Mi for 8Gi changes nothing.
    #[x_kube(validation = Rule::new(
        "quantity(string(self)).compareTo(quantity(string(oldSelf))) == 0"
    ).message(
        "the size of the volume is immutable; enlarge the claim data-NAME-redis-0 itself, where its storage class allows that, and leave this as it is, or make another JudgeCluster"
    ))]
    pub size: Amount,
    /// Its storage class; without one the default of the Kubernetes cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
}

impl Default for Storage {
    fn default() -> Self {
        Self { size: default_size(), storage_class_name: None }
    }
}

fn default_name() -> String {
    "default".to_owned()
}

fn default_image() -> String {
    "redis:7-bookworm".to_owned()
}

fn default_size() -> Amount {
    Amount::from("8Gi")
}
