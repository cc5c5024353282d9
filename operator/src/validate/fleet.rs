//! A fleet: what a spec means, with every choice made.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::EnvVar;
use serde_json::{Value, json};

use crate::build::digest;
use crate::crd::{
    CaSource, EngineChoice, KeyRef, ManagedRedis, Placement, PullPolicy, Resources, UpdateStrategy,
};
use crate::sizing::{BOXES, Bound, Count, Policy, Room, slots};

/// Who a cluster is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Its namespace, which is that of all its objects.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which of several that had this name.
    pub uid: String,
}

/// A fleet as it is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// Whose it is.
    pub id: Identity,
    /// The workers' image.
    pub image: String,
    /// When it is pulled.
    pub pull_policy: PullPolicy,
    /// With which secrets.
    pub pull_secrets: Vec<String>,
    /// Where the jobs come from.
    pub queue: QueueSource,
    /// By which name.
    pub queue_name: String,
    /// Certificates to trust.
    pub ca: Option<CaSource>,
    /// How slots are counted.
    pub sizing: Policies,
    /// Which engine.
    pub engine: EngineChoice,
    /// The longest run, in seconds.
    pub longest_run: u32,
    /// The HTTP service.
    pub api: Option<ApiFleet>,
    /// Which nodes.
    pub placement: Placement,
    /// What a worker asks for.
    pub resources: Resources,
    /// How changes reach the workers.
    pub update: UpdateStrategy,
    /// Languages beside those that are built in.
    pub languages: Option<LanguageTable>,
    /// The ServiceMonitor, if there is to be one.
    pub monitor: Option<Monitor>,
    /// Network policies, if there are to be some.
    pub network: Option<Network>,
    /// Labels that users want on pods.
    pub pod_labels: BTreeMap<String, String>,
    /// Annotations that users want on pods.
    pub pod_annotations: BTreeMap<String, String>,
    /// Environment that users want.
    pub env: Vec<EnvVar>,
}

/// Where the jobs come from.
#[derive(Debug, Clone, PartialEq)]
pub enum QueueSource {
    /// An address.
    Url {
        /// As it was written.
        url: String,
        /// The ports in it.
        ports: Vec<u16>,
        /// The host, when it is an address and not a name.
        ip: Option<IpAddr>,
    },
    /// An address in a secret.
    Secret(KeyRef),
    /// A Redis of its own.
    Managed(ManagedRedis),
}

/// How slots are counted on which nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// On those for which nothing else is said.
    pub base: Policy,
    /// On others; the first that matches counts.
    pub overrides: Vec<Patch>,
    /// The workers' limit on CPU, in thousandths.
    pub cpu_limit: Option<u64>,
    /// The workers' limit on memory, in bytes.
    pub memory_limit: Option<u64>,
}

/// What is said for some nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The labels that they have.
    pub labels: BTreeMap<String, String>,
    /// Exactly so many.
    pub slots: Option<u32>,
    /// Otherwise by this.
    pub policy: Policy,
}

impl Policies {
    /// The slots of a node with these labels.
    #[must_use]
    pub fn count(&self, room: Room, label: impl Fn(&str) -> Option<String>) -> Count {
        let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        let Room { cpu, memory } = room;
        let cpu = least(Some(cpu), self.cpu_limit).unwrap_or(cpu);
        let room = Room { cpu, memory: least(memory, self.memory_limit) };
        let has = |(key, value): (&String, &String)| label(key).as_ref() == Some(value);
        match self.overrides.iter().find(|patch| patch.labels.iter().all(has)) {
            Some(Patch { slots: Some(fixed), .. }) => {
                Count { slots: (*fixed).min(BOXES), bound: Bound::Max }
            }
            Some(Patch { policy, .. }) => slots(room, policy),
            None => slots(room, &self.base),
        }
    }
}

/// The HTTP service.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiFleet {
    /// Its image.
    pub image: String,
    /// How many.
    pub replicas: u32,
    /// The secret with the tokens; none lets everybody in.
    pub tokens: Option<KeyRef>,
    /// What it asks for.
    pub resources: Resources,
}

/// Languages beside those that are built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanguageTable {
    /// Files by name.
    pub files: BTreeMap<String, String>,
    /// Tells them from others.
    pub digest: String,
}

impl LanguageTable {
    pub(crate) fn new(files: BTreeMap<String, String>) -> Self {
        let digest = digest(&json!(files));
        Self { files, digest }
    }
}

/// How the workers are scraped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// Labels by which Prometheus finds the ServiceMonitor.
    pub labels: BTreeMap<String, String>,
    /// How often.
    pub interval: String,
}

/// What the workers may reach beside DNS and the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The queue's ports, where nobody knows its address.
    pub queue_ports: Vec<u16>,
    /// Rules of the user's.
    pub extra_egress: Vec<Value>,
}
