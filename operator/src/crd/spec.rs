//! What a user writes.
#![expect(
    unreachable_pub,
    reason = "the derive of the schema hides a copy of each type, as visible as the type"
)]

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, EnvVar, Toleration};
use k8s_openapi::api::networking::v1::NetworkPolicyEgressRule;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::queue::{KeyRef, ObjectName, Queue};
use super::status::JudgeClusterStatus;

/// A fleet of workers that judge what is in one queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "evalx.dev",
    version = "v1alpha1",
    kind = "JudgeCluster",
    plural = "judgeclusters",
    shortname = "jc",
    category = "evalx",
    namespaced,
    status = "JudgeClusterStatus",
    derive = "PartialEq",
    doc = "A fleet of workers that judge what is in one queue: one worker on each selected node, with as many sandboxes at once as the node has room for.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.ready", description = "Workers that are ready, of those there should be"),
    printcolumn(name = "Slots", type_ = "integer", json_path = ".status.slots.desired", description = "Sandboxes at once, of all workers"),
    printcolumn(name = "Engine", type_ = "string", json_path = ".status.engine", description = "The sandbox engine that the workers use"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.state", description = "The state in one word"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", description = "Why"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 40").message(
        "a JudgeCluster's name has at most 40 characters: names of its objects are longer"
    ),
    // Not of one that is there already: a name cannot be mended, and an update that is refused would
    // keep its finalizer from being removed.
    validation = Rule::new(
        "oldSelf.hasValue() || self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')"
    ).optional_old_self(true).message(
        "a JudgeCluster's name begins with a letter a-z and goes on with a-z, 0-9 and -, the last no -: its Services are named after it"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct JudgeClusterSpec {
    /// The workers' image: evalX and the toolchains of the languages.
    #[schemars(length(min = 1, max = 512))]
    pub image: String,
    /// When the image is pulled.
    #[serde(default)]
    pub image_pull_policy: PullPolicy,
    /// Secrets of the image's registry, in the cluster's namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<ObjectName>,
    /// Where the jobs come from.
    pub queue: Queue,
    /// How programs are run, and how many at once.
    #[serde(default)]
    pub sandbox: Sandbox,
    /// The HTTP service, if the operator is to run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    /// The nodes that get a worker.
    #[serde(default)]
    pub placement: Placement,
    /// CPU and memory that the workers ask for. Without a limit on CPU a worker sees the whole node,
    /// which is what slots are counted by; a limit is honoured.
    #[serde(default = "default_resources")]
    pub resources: Resources,
    /// How a change reaches the workers.
    #[serde(default)]
    pub update_strategy: UpdateStrategy,
    /// Languages beyond those that are built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub languages: Option<Languages>,
    /// How the workers are scraped.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// What may reach the workers, and what they may reach.
    #[serde(default)]
    pub network_policy: NetworkPolicySettings,
    /// Leave everything as it is: nothing is created, changed or sized until this is false again.
    #[serde(default)]
    pub paused: bool,
    /// No slots on any node: what runs is finished, nothing is claimed.
    #[serde(default)]
    pub suspend: bool,
    /// What happens when the JudgeCluster is deleted.
    #[serde(default)]
    pub deletion: Deletion,
    /// Labels that the workers' pods get besides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(validation = Rule::new("self.size() <= 64").message("at most 64 labels"))]
    #[schemars(extend("maxProperties" = 64))]
    pub pod_labels: BTreeMap<String, String>,
    /// Annotations that the workers' pods get besides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(validation = Rule::new("self.size() <= 64").message("at most 64 annotations"))]
    #[schemars(extend("maxProperties" = 64))]
    pub pod_annotations: BTreeMap<String, String>,
    /// Environment of the workers and of the HTTP service, before what the operator sets. Settings of
    /// evalX are listed in `docs/configuration.md`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub env: Vec<EnvVar>,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// At each start.
    Always,
    /// When it is not there.
    #[default]
    IfNotPresent,
    /// Never: it has to be there.
    Never,
}

/// How programs are run, and how many at once on each node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.maxPerNode) || self.minPerNode <= self.maxPerNode").message(
    "minPerNode must not be greater than maxPerNode"
))]
pub struct Sandbox {
    /// Which engine runs the boxes.
    #[serde(default)]
    pub engine: EngineChoice,
    /// CPU of one slot. Whole CPUs judge times best.
    #[serde(default = "default_cpu_per_slot")]
    #[x_kube(validation = Rule::new("quantity(string(self)).isGreaterThan(quantity('0'))").message(
        "must be greater than zero"
    ))]
    pub cpu_per_slot: Amount,
    /// Memory of one slot.
    #[serde(default = "default_memory_per_slot")]
    #[x_kube(validation = Rule::new("quantity(string(self)).isGreaterThan(quantity('0'))").message(
        "must be greater than zero"
    ))]
    pub memory_per_slot: Amount,
    /// CPU of each node that is left to others.
    #[serde(default = "default_reserved")]
    pub reserved_cpu: Amount,
    /// Memory of each node that is left to others.
    #[serde(default = "default_reserved")]
    pub reserved_memory: Amount,
    /// Slots of a node at least, however small it is.
    #[serde(default = "default_min")]
    #[schemars(range(min = 1, max = 512))]
    pub min_per_node: u32,
    /// Slots of a node at most. One worker runs no more than 512, however large its node is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_per_node: Option<u32>,
    /// Other numbers for some nodes; the first whose labels a node has counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub overrides: Vec<Override>,
    /// The longest that one job may run. A worker that is stopped has this long to finish, and a
    /// margin.
    #[serde(default = "default_longest_run")]
    #[schemars(range(min = 1, max = 86_400))]
    pub longest_run_seconds: u32,
}

/// Numbers for the nodes that have certain labels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "!has(self.maxPerNode) || !has(self.minPerNode) || self.minPerNode <= self.maxPerNode"
).message("minPerNode must not be greater than maxPerNode"))]
pub struct Override {
    /// Labels that a node has to have.
    #[x_kube(validation = Rule::new("self.size() > 0").message("name at least one label"))]
    #[schemars(extend("maxProperties" = 16))]
    pub node_selector: BTreeMap<String, String>,
    /// Exactly so many slots; the other numbers do not count then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 512))]
    pub slots: Option<u32>,
    /// CPU of one slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("quantity(string(self)).isGreaterThan(quantity('0'))").message(
        "must be greater than zero"
    ))]
    pub cpu_per_slot: Option<Amount>,
    /// Memory of one slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("quantity(string(self)).isGreaterThan(quantity('0'))").message(
        "must be greater than zero"
    ))]
    pub memory_per_slot: Option<Amount>,
    /// CPU that is left to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_cpu: Option<Amount>,
    /// Memory that is left to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_memory: Option<Amount>,
    /// Slots at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 512))]
    pub min_per_node: Option<u32>,
    /// Slots at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_per_node: Option<u32>,
}

/// Which engine runs the boxes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// The native one where it works, else isolate.
    #[default]
    Auto,
    /// evalX' own.
    Native,
    /// The isolate program, which the image has to have.
    Isolate,
}

/// The HTTP service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.tokenSecretRef) != (has(self.openToAll) && self.openToAll)").message(
    "name the secret with the tokens in tokenSecretRef, or set openToAll for a service that lets everybody in"
))]
pub struct Api {
    /// How many.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = 1_000))]
    pub replicas: u32,
    /// The secret with the file of tokens. The operator never reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<KeyRef>,
    /// Let everybody who reaches the service run programs.
    #[serde(default)]
    pub open_to_all: bool,
    /// Their image; without one that of the workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// CPU and memory that they ask for.
    #[serde(default = "default_resources")]
    pub resources: Resources,
}

/// The nodes that get a worker: as in a pod.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Labels that a node has to have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that do not keep workers away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub tolerations: Vec<Toleration>,
    /// Rules that are finer than labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// The workers' priority class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// The workers' runtime class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
}

/// CPU and memory of a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// That the scheduler keeps for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub requests: BTreeMap<String, Amount>,
    /// That it cannot go beyond.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub limits: BTreeMap<String, Amount>,
}

/// How a change reaches the workers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateStrategy {
    /// Workers that may be away at once: a number or a share of all. Never two on one node.
    #[serde(default = "default_max_unavailable")]
    #[x_kube(validation = Rule::new(
        "type(self) == int ? int(self) >= 1 : string(self).matches('^(100|[1-9][0-9]?)%$')"
    ).message("must be a number of at least 1, or a share like 10%"))]
    pub max_unavailable: IntOrString,
    /// After so many seconds without progress a change is said to be stalled.
    #[serde(default = "default_stalled_after")]
    #[schemars(range(min = 1, max = 86_400))]
    pub stalled_after_seconds: u32,
}

/// Languages beyond those that are built in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Languages {
    /// A ConfigMap whose keys end in `.yaml`: languages to add, or to replace by their id. It is looked
    /// through first; while it is wrong the workers keep what they have.
    pub config_map_ref: ObjectName,
}

/// How the workers are scraped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring {
    /// Whether there is a ServiceMonitor.
    #[serde(default)]
    pub service_monitor: ServiceMonitorMode,
    /// Labels of the ServiceMonitor, by which Prometheus finds it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub labels: BTreeMap<String, String>,
    /// How often is scraped.
    #[serde(default = "default_interval")]
    // As the Prometheus operator takes it: from hours down, each unit once.
    #[schemars(length(min = 2, max = 16), pattern(r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"))]
    pub interval: String,
}

/// Whether there is a ServiceMonitor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServiceMonitorMode {
    /// Where the Prometheus operator is installed.
    #[default]
    Auto,
    /// It has to be; where it cannot be, a condition says so.
    Always,
    /// No.
    Never,
}

/// What may reach the workers, and what they may reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicySettings {
    /// Whether the operator makes network policies: workers reach the queue and DNS and nothing else.
    #[serde(default = "default_true")]
    pub enabled: bool,
    /// The queue's ports, where its address is in a secret and so not known. Others than 6379 are
    /// open beside those of an address that is known, too: sentinels may name a server on any port.
    #[serde(default = "default_queue_ports")]
    #[schemars(length(max = 16), inner(range(min = 1, max = 65_535)))]
    pub queue_ports: Vec<u16>,
    /// What the workers may reach besides, as a store of problems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub extra_egress: Vec<NetworkPolicyEgressRule>,
}

/// What happens when the JudgeCluster is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// In which order its objects go.
    #[serde(default)]
    pub policy: DeletionPolicy,
    /// How long the workers may take with `Drain`; after it everything goes.
    #[serde(default = "default_drain_timeout")]
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_seconds: u32,
}

/// In which order a deleted cluster's objects go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// All at once, by Kubernetes itself; no operator is needed. Each worker still finishes what it has.
    #[default]
    Background,
    /// First the workers, which finish what they have, then the rest: the queue stays until they are
    /// done. It takes a finalizer, so the operator has to be there.
    Drain,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            engine: EngineChoice::default(),
            cpu_per_slot: default_cpu_per_slot(),
            memory_per_slot: default_memory_per_slot(),
            reserved_cpu: default_reserved(),
            reserved_memory: default_reserved(),
            min_per_node: default_min(),
            max_per_node: None,
            overrides: Vec::new(),
            longest_run_seconds: default_longest_run(),
        }
    }
}

impl Default for UpdateStrategy {
    fn default() -> Self {
        Self {
            max_unavailable: default_max_unavailable(),
            stalled_after_seconds: default_stalled_after(),
        }
    }
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            service_monitor: ServiceMonitorMode::default(),
            labels: BTreeMap::new(),
            interval: default_interval(),
        }
    }
}

impl Default for NetworkPolicySettings {
    fn default() -> Self {
        Self {
            enabled: default_true(),
            queue_ports: default_queue_ports(),
            extra_egress: Vec::new(),
        }
    }
}

impl Default for Deletion {
    fn default() -> Self {
        Self { policy: DeletionPolicy::default(), timeout_seconds: default_drain_timeout() }
    }
}

// Each field has a default of its own, and the defaults of structs are made of them: a schema
// default of a struct would not hold for one that is given in part.

fn default_cpu_per_slot() -> Amount {
    Amount::from("1")
}

/// A test of the usual limit and a compiler beside it: as `evalx worker --memory-per-slot`.
fn default_memory_per_slot() -> Amount {
    Amount::from("512Mi")
}

fn default_reserved() -> Amount {
    Amount::from("0")
}

fn default_min() -> u32 {
    1
}

fn default_longest_run() -> u32 {
    120
}

/// What a worker needs by itself; its boxes are counted by slots.
fn default_resources() -> Resources {
    let requests = [("cpu", "100m"), ("memory", "128Mi")];
    let requests = requests.map(|(name, amount)| (name.to_owned(), Amount::from(amount)));
    Resources { requests: requests.into(), limits: BTreeMap::new() }
}

fn default_replicas() -> u32 {
    2
}

/// One node that is not ready would stop a change of one at a time (kubernetes#117204).
fn default_max_unavailable() -> IntOrString {
    IntOrString::String("10%".to_owned())
}

fn default_stalled_after() -> u32 {
    600
}

fn default_interval() -> String {
    "30s".to_owned()
}

fn default_true() -> bool {
    true
}

fn default_queue_ports() -> Vec<u16> {
    vec![6379]
}

fn default_drain_timeout() -> u32 {
    600
}
