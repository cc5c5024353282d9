//! A worker's pod, reduced to what decides on its slots and to what is wrong with it.

mod affinity;
mod redis;

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use affinity::Affinity;
pub use redis::{RedisTrouble, RedisTroubleKind, RedisView};

use super::version;
use crate::build::SLOTS;

/// What a message may be long: conditions are read by people.
const MESSAGE: usize = 400;

/// What is read of a pod.
#[derive(Debug, Clone, Deserialize, Resource)]
#[resource(inherit = Pod)]
pub struct SlimPod {
    /// The usual.
    pub metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    node_name: Option<String>,
    /// In it the DaemonSet's controller says for which node a pod is.
    #[serde(default)]
    affinity: Option<Affinity>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    phase: Option<String>,
    #[serde(default, rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(default)]
    conditions: Option<Vec<Condition>>,
    #[serde(default)]
    container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Condition {
    #[serde(default, rename = "type")]
    type_: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    #[serde(default)]
    name: String,
    #[serde(default)]
    state: State,
    #[serde(default)]
    last_state: State,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct State {
    #[serde(default)]
    waiting: Option<Waiting>,
    #[serde(default)]
    terminated: Option<Terminated>,
}

#[derive(Debug, Clone, Deserialize)]
struct Waiting {
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terminated {
    #[serde(default)]
    exit_code: i32,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// What is kept of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodView {
    /// Which of several of this name.
    pub uid: Box<str>,
    /// Of the object.
    pub version: u64,
    /// Where it is.
    pub node: Option<Arc<str>>,
    /// What its annotation says.
    pub slots: Option<Box<str>>,
    /// How far it is.
    pub phase: Phase,
    /// It takes jobs, by its own word.
    pub ready: bool,
    /// It is being stopped.
    pub stopping: bool,
    /// Its DaemonSet has it. One that is given another label is let go, for people to look at.
    pub attended: bool,
    /// Where its probes are.
    pub address: Option<IpAddr>,
    /// What is wrong with it.
    pub trouble: Option<Box<Trouble>>,
}

/// How far a pod is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its container has not started.
    Pending,
    /// It has.
    Running,
    /// It will not run any more.
    Over,
}

/// What is wrong with a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Of which kind.
    pub kind: TroubleKind,
    /// What was said.
    pub message: String,
}

/// Kinds of trouble, from the first that a start meets to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TroubleKind {
    /// Its node has no room for it.
    Room,
    /// The image cannot be pulled.
    Image,
    /// A secret or ConfigMap is missing.
    Config,
    /// The worker refuses its settings (exit code 2).
    Settings,
    /// The sandbox does not work (4).
    Sandbox,
    /// The queue is out of reach (3).
    Queue,
    /// Something else.
    Crash,
}

impl PodView {
    /// Reduces one.
    #[must_use]
    pub fn of(pod: &SlimPod) -> Self {
        let SlimPod { metadata, spec, status } = pod;
        let mut conditions = status.conditions.iter().flatten();
        let ready = conditions.any(|c| c.type_ == "Ready" && c.status == "True");
        let mut containers = status.container_statuses.iter().flatten();
        let worker = containers.find(|container| container.name == "worker");
        let annotations = metadata.annotations.as_ref();
        Self {
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            version: version(metadata.resource_version.as_deref()),
            node: spec.node_name.as_deref().map(Arc::from),
            slots: annotations.and_then(|all| all.get(SLOTS)).map(|slots| Box::from(&**slots)),
            phase: match status.phase.as_deref() {
                Some("Running") => Phase::Running,
                Some("Succeeded" | "Failed") => Phase::Over,
                _ => Phase::Pending,
            },
            ready,
            stopping: metadata.deletion_timestamp.is_some(),
            attended: metadata
                .owner_references
                .iter()
                .flatten()
                .any(|o| o.controller == Some(true)),
            address: status.pod_ip.as_ref().and_then(|ip| ip.parse().ok()),
            trouble: worker
                .and_then(|worker| worker.trouble(ready))
                .or_else(|| pod.unscheduled())
                .map(Box::new),
        }
    }

    /// Whether two views differ in nothing but the object's version.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        *self == Self { version: self.version, ..other.clone() }
    }
}

impl SlimPod {
    /// Why no node takes it: the scheduler's words about all nodes, behind the one that it is for.
    fn unscheduled(&self) -> Option<Trouble> {
        let Self { metadata: _, spec: Spec { node_name, affinity }, status } = self;
        let conditions = status.conditions.iter().flatten();
        let mut waits = conditions.filter(|c| c.type_ == "PodScheduled" && c.status == "False");
        let said = waits.next()?.message.as_deref()?;
        // Of other nodes it only says that they are others, and how many: that changes all the time.
        let parts = reasons(said).split(", ").filter(|part| !part.contains("NodeAffinity"));
        let why = parts.collect::<Vec<_>>().join(", ");
        let of = affinity.as_ref().and_then(Affinity::node).unwrap_or("its node");
        node_name.is_none().then(|| Trouble::new(TroubleKind::Room, &format!("{of}: {why}")))
    }
}

/// The reasons in the scheduler's words: without the number of nodes, and what it could evict.
fn reasons(said: &str) -> &str {
    let why = said.split(" preemption:").next().unwrap_or(said);
    let why = why.split_once(" available: ").map_or(why, |(_, why)| why);
    why.trim_end_matches([',', ' '])
}

impl ContainerStatus {
    fn trouble(&self, ready: bool) -> Option<Trouble> {
        if let Some(Waiting { reason: Some(reason), message }) = &self.state.waiting {
            let message = message.as_deref().unwrap_or(reason);
            match reason.as_str() {
                "ErrImagePull"
                | "ImagePullBackOff"
                | "InvalidImageName"
                | "ErrImageNeverPull"
                | "ImageInspectError"
                | "RegistryUnavailable" => {
                    return Some(Trouble::new(TroubleKind::Image, message));
                }
                "CreateContainerConfigError" => {
                    return Some(Trouble::new(TroubleKind::Config, message));
                }
                "CreateContainerError" | "RunContainerError" => {
                    return Some(Trouble::new(TroubleKind::Crash, message));
                }
                _ => {}
            }
        }
        if ready {
            return None;
        }
        let ended = self.state.terminated.as_ref().or(self.last_state.terminated.as_ref());
        ended.filter(|ended| ended.exit_code != 0).map(Terminated::trouble)
    }
}

impl Terminated {
    fn trouble(&self) -> Trouble {
        // The exit codes of `evalx` (its --help).
        let kind = match self.exit_code {
            2 => TroubleKind::Settings,
            3 => TroubleKind::Queue,
            4 => TroubleKind::Sandbox,
            _ => TroubleKind::Crash,
        };
        // With FallbackToLogsOnError it is the end of the log: what was said last says why.
        let said = self.message.as_deref().unwrap_or_default();
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        let Self { exit_code, reason, .. } = self;
        let fallback = || {
            let reason = reason.as_deref().unwrap_or("Error");
            format!("it ended with code {exit_code} ({reason})")
        };
        Trouble::new(kind, &last.map_or_else(fallback, str::to_owned))
    }
}

impl Trouble {
    fn new(kind: TroubleKind, message: &str) -> Self {
        Self { kind, message: message.chars().take(MESSAGE).collect() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn view(status: &Value) -> PodView {
        let pod = json!({
            "metadata": { "name": "x", "uid": "u", "resourceVersion": "7", "annotations": { SLOTS: "4" } },
            "spec": { "nodeName": "n" },
            "status": status,
        });
        PodView::of(&serde_json::from_value(pod).unwrap())
    }

    fn worker(state: &Value) -> Value {
        let mut status = json!({ "name": "worker" });
        status.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
        json!({ "phase": "Running", "containerStatuses": [status] })
    }

    fn trouble(state: Value) -> Option<(TroubleKind, String)> {
        let trouble = view(&worker(&state)).trouble?;
        Some((trouble.kind, trouble.message))
    }

    #[test]
    fn a_pod_that_is_well() {
        let status = json!({
            "phase": "Running", "podIP": "10.0.0.7",
            "conditions": [{ "type": "Ready", "status": "True" }],
            "containerStatuses": [{ "name": "worker", "state": { "running": {} },
                "lastState": { "terminated": { "exitCode": 3 } } }],
        });
        let pod = view(&status);
        assert!(pod.ready && pod.phase == Phase::Running && pod.trouble.is_none());
        assert_eq!(
            (pod.version, pod.slots.as_deref(), pod.node.as_deref()),
            (7, Some("4"), Some("n"))
        );
    }

    #[test]
    fn what_holds_up_a_start() {
        let waiting = |reason: &str| {
            trouble(json!({ "state": { "waiting": { "reason": reason, "message": "why" } } }))
        };
        assert_eq!(waiting("ImagePullBackOff"), Some((TroubleKind::Image, "why".to_owned())));
        let missing = Some((TroubleKind::Config, "why".to_owned()));
        assert_eq!(waiting("CreateContainerConfigError"), missing);
        assert_eq!(waiting("ContainerCreating"), None);
    }

    #[test]
    fn a_node_without_room_is_named() {
        let said = "0/9 nodes are available: 1 Insufficient cpu, 8 node(s) didn't satisfy plugin(s) \
                    [NodeAffinity]. preemption: 0/9 nodes are available: 9 Preemption is not helpful.";
        let for_node = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchFields": [
                { "key": "metadata.name", "operator": "In", "values": ["full"] },
            ] }],
        } } });
        let pod = |spec: Value| {
            let status = json!({ "phase": "Pending", "conditions": [
                { "type": "PodScheduled", "status": "False", "message": said },
            ] });
            let pod = json!({ "metadata": { "name": "x" }, "spec": spec, "status": status });
            PodView::of(&serde_json::from_value(pod).unwrap()).trouble
        };
        let trouble = pod(json!({ "affinity": for_node })).unwrap();
        assert_eq!(trouble.kind, TroubleKind::Room);
        assert_eq!(trouble.message, "full: 1 Insufficient cpu");
        assert!(pod(json!({})).unwrap().message.starts_with("its node: "));
        assert_eq!(pod(json!({ "nodeName": "n" })), None, "old news");
    }

    #[test]
    fn an_exit_code_says_whose_fault_it_is() {
        let ended = |code: i32, message: &str| {
            trouble(json!({
                "state": { "waiting": { "reason": "CrashLoopBackOff" } },
                "lastState": { "terminated": { "exitCode": code, "message": message } },
            }))
        };
        let log = "{\"level\":\"INFO\"}\nevalx: cannot judge on this machine: no control group\n\n";
        let (kind, message) = ended(4, log).unwrap();
        assert_eq!(kind, TroubleKind::Sandbox);
        assert_eq!(message, "evalx: cannot judge on this machine: no control group");
        assert_eq!(ended(3, "").unwrap().0, TroubleKind::Queue);
        assert_eq!(ended(2, "").unwrap().0, TroubleKind::Settings);
        assert_eq!(ended(137, "").unwrap().1, "it ended with code 137 (Error)");
        assert_eq!(ended(0, ""), None);
    }
}
