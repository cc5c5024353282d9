//! The managed Redis' pod, reduced to whether it is ready and why it is not.

use super::{SlimPod, TroubleKind, version};

/// What is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisView {
    /// Which of several of this name: the next one is called alike.
    pub uid: Box<str>,
    /// Of the object.
    pub version: u64,
    /// It answers.
    pub ready: bool,
    /// What is wrong with it, as far as its pod tells.
    pub trouble: Option<RedisTrouble>,
}

/// What is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisTrouble {
    /// Of which kind.
    pub kind: RedisTroubleKind,
    /// What was said.
    pub message: String,
}

/// Kinds of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisTroubleKind {
    /// Its volume is not there.
    Volume,
    /// No node takes it.
    Node,
    /// Its image cannot be pulled.
    Image,
    /// It ends with an error, or is not even started.
    Crash,
}

impl RedisView {
    /// Reduces one.
    #[must_use]
    pub fn of(pod: &SlimPod) -> Self {
        let SlimPod { metadata, spec: _, status } = pod;
        let conditions = || status.conditions.iter().flatten();
        let ready = conditions().any(|c| c.type_ == "Ready" && c.status == "True");
        let mut containers = status.container_statuses.iter().flatten();
        let container = containers.find(|container| container.name == "redis");
        let of_container =
            container.and_then(|container| container.trouble(ready)).map(|trouble| {
                let kind = match trouble.kind {
                    TroubleKind::Image => RedisTroubleKind::Image,
                    _ => RedisTroubleKind::Crash,
                };
                RedisTrouble { kind, message: trouble.message }
            });
        let unscheduled = || {
            let waits = conditions().find(|c| c.type_ == "PodScheduled" && c.status == "False");
            waits?.message.as_deref().map(RedisTrouble::unscheduled)
        };
        Self {
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            version: version(metadata.resource_version.as_deref()),
            ready,
            trouble: of_container.or_else(unscheduled),
        }
    }

    /// Whether two views differ in nothing but the object's version.
    pub(in crate::world) fn is_alike(&self, other: &Self) -> bool {
        *self == Self { version: self.version, ..other.clone() }
    }
}

impl RedisTrouble {
    /// Of the scheduler's words.
    fn unscheduled(said: &str) -> Self {
        let kind = match said.to_lowercase() {
            said if said.contains("persistentvolumeclaim") => RedisTroubleKind::Volume,
            said if said.contains("persistent volume") => RedisTroubleKind::Volume,
            _ => RedisTroubleKind::Node,
        };
        Self { kind, message: super::reasons(said).chars().take(super::MESSAGE).collect() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn view(status: &Value) -> RedisView {
        let pod = json!({
            "metadata": { "name": "c-redis-0", "uid": "u", "resourceVersion": "7" },
            "spec": {}, "status": status,
        });
        RedisView::of(&serde_json::from_value(pod).unwrap())
    }

    fn trouble(status: Value) -> (RedisTroubleKind, String) {
        let trouble = view(&status).trouble.unwrap();
        (trouble.kind, trouble.message)
    }

    #[test]
    fn one_that_is_well() {
        let view = view(&json!({
            "conditions": [{ "type": "PodScheduled", "status": "True" },
                { "type": "Ready", "status": "True" }],
            "containerStatuses": [{ "name": "redis", "lastState": { "terminated": { "exitCode": 1 } } }],
        }));
        assert!(view.ready && view.trouble.is_none());
    }

    #[test]
    fn what_the_scheduler_waits_for() {
        let waits = |said: &str| {
            trouble(json!({ "conditions": [
                { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said },
            ] }))
        };
        let unbound = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. \
                       preemption: 0/3 nodes are available: 3 Preemption is not helpful.";
        let (kind, said) = waits(unbound);
        assert_eq!(kind, RedisTroubleKind::Volume);
        assert!(said.ends_with("unbound immediate PersistentVolumeClaims."), "{said}");
        let none =
            "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind.";
        assert_eq!(waits(none).0, RedisTroubleKind::Volume);
        assert_eq!(waits("0/3 nodes are available: 3 Insufficient cpu.").0, RedisTroubleKind::Node);
    }

    #[test]
    fn what_its_container_says_counts_before() {
        let ended = json!({ "containerStatuses": [{
            "name": "redis",
            "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } },
            "lastState": { "terminated": { "exitCode": 3, "reason": "Error" } },
        }] });
        let said = "it ended with code 3 (Error)".to_owned();
        assert_eq!(trouble(ended), (RedisTroubleKind::Crash, said));
        let image = json!({ "containerStatuses": [{
            "name": "redis", "state": { "waiting": { "reason": "ErrImagePull", "message": "no" } },
        }] });
        assert_eq!(trouble(image), (RedisTroubleKind::Image, "no".to_owned()));
    }
}
