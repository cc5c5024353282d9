//! Types and reasons of conditions: constants, as dashboards and scripts compare them.

/// Types, one a family of failures.
pub mod types {
    /// At least one worker takes jobs.
    pub const AVAILABLE: &str = "Available";
    /// A change is on its way to the workers.
    pub const PROGRESSING: &str = "Progressing";
    /// Something is wrong; the first thing to look at.
    pub const DEGRADED: &str = "Degraded";
    /// Every node's slots could be counted.
    pub const SIZED: &str = "Sized";
    /// The sandbox works where workers run.
    pub const SANDBOX_READY: &str = "SandboxReady";
    /// The workers reach the queue.
    pub const QUEUE_READY: &str = "QueueReady";
    /// The workers are scraped as asked for.
    pub const MONITORING_READY: &str = "MonitoringReady";
    /// Nothing is changed for now.
    pub const PAUSED: &str = "Paused";
    /// An older cluster has a worker on one of the nodes.
    pub const NODE_CONFLICT: &str = "NodeConflict";

    /// All of them, in the order in which they are written.
    pub const ALL: [&str; 9] = [
        AVAILABLE,
        PROGRESSING,
        DEGRADED,
        SIZED,
        SANDBOX_READY,
        QUEUE_READY,
        MONITORING_READY,
        PAUSED,
        NODE_CONFLICT,
    ];
}

/// Reasons.
pub mod reasons {
    /// Nothing is wrong.
    pub const AS_EXPECTED: &str = "AsExpected";
    /// Not known yet.
    pub const NOT_STARTED: &str = "NotStarted";
    /// Workers are ready.
    pub const WORKERS_READY: &str = "WorkersReady";
    /// None is.
    pub const NO_WORKER_READY: &str = "NoWorkerReady";
    /// No node is selected.
    pub const NO_NODES: &str = "NoNodes";
    /// All slots are taken away on purpose.
    pub const SUSPENDED: &str = "Suspended";
    /// The cluster is being deleted.
    pub const DELETING: &str = "Deleting";
    /// A change is on its way.
    pub const ROLLING_OUT: &str = "RollingOut";
    /// All workers are as they should be.
    pub const ROLLED_OUT: &str = "RolledOut";
    /// A change does not get on.
    pub const ROLLOUT_STALLED: &str = "RolloutStalled";
    /// The spec cannot be used.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// The API server does not take an object.
    pub const REJECTED: &str = "Rejected";
    /// The operator lacks a right.
    pub const FORBIDDEN: &str = "Forbidden";
    /// An object of somebody else has a name that is needed.
    pub const NAME_TAKEN: &str = "NameTaken";
    /// The namespace does not allow privileged pods.
    pub const POD_SECURITY: &str = "PodSecurityForbidden";
    /// The namespace's quota is used up.
    pub const QUOTA: &str = "QuotaExceeded";
    /// Pods are refused for another reason.
    pub const PODS_REJECTED: &str = "PodsRejected";
    /// An image cannot be pulled.
    pub const IMAGE_PULL: &str = "ImagePullFailed";
    /// A secret or ConfigMap that pods need is missing.
    pub const CONFIG_MISSING: &str = "ConfigMissing";
    /// A worker's node has no room for it.
    pub const UNSCHEDULABLE: &str = "WorkerUnschedulable";
    /// Workers refuse their settings.
    pub const MISCONFIGURED: &str = "WorkerMisconfigured";
    /// Workers end with an error.
    pub const CRASHING: &str = "WorkerCrashing";
    /// The sandbox does not work on a node.
    pub const SELF_CHECK_FAILED: &str = "SelfCheckFailed";
    /// It does.
    pub const SELF_CHECK_PASSED: &str = "SelfCheckPassed";
    /// Workers do not reach the queue.
    pub const QUEUE_UNREACHABLE: &str = "QueueUnreachable";
    /// They do.
    pub const QUEUE_REACHED: &str = "QueueReached";
    /// The managed Redis waits for its volume or a node.
    pub const REDIS_PENDING: &str = "RedisPending";
    /// Its image cannot be pulled.
    pub const REDIS_IMAGE: &str = "RedisImagePullFailed";
    /// It ends with an error.
    pub const REDIS_CRASHING: &str = "RedisCrashing";
    /// It does not answer, and its pod does not tell why.
    pub const REDIS_NOT_READY: &str = "RedisNotReady";
    /// No replica of the HTTP service answers.
    pub const API_NOT_READY: &str = "ApiNotReady";
    /// The ConfigMap of languages is missing or wrong.
    pub const LANGUAGES_INVALID: &str = "LanguagesInvalid";
    /// A node does not say what it has.
    pub const ALLOCATABLE_UNKNOWN: &str = "AllocatableUnknown";
    /// A node has room for fewer slots than the least.
    pub const NODE_TOO_SMALL: &str = "NodeTooSmall";
    /// A node has room for more slots than one worker can run.
    pub const WORKER_FULL: &str = "WorkerFull";
    /// Nodes cannot be read.
    pub const NODES_FORBIDDEN: &str = "NodesForbidden";
    /// A ServiceMonitor is there.
    pub const MONITORED: &str = "Monitored";
    /// The Prometheus operator is not installed.
    pub const CRD_MISSING: &str = "CRDMissing";
    /// It was not asked for.
    pub const DISABLED: &str = "Disabled";
    /// Nothing is changed for now.
    pub const PAUSED: &str = "Paused";
    /// It is not.
    pub const ACTIVE: &str = "Active";
    /// An older cluster has a worker there.
    pub const OLDER_CLUSTER: &str = "OlderCluster";
    /// No other has.
    pub const NONE: &str = "None";

    /// Those by which a cluster turns bad: an event warns, and they are counted. The others say that
    /// something is well, not known yet, or as somebody wanted it.
    pub const FAILURES: [&str; 25] = [
        ROLLOUT_STALLED,
        INVALID_SPEC,
        REJECTED,
        FORBIDDEN,
        NAME_TAKEN,
        POD_SECURITY,
        QUOTA,
        PODS_REJECTED,
        IMAGE_PULL,
        CONFIG_MISSING,
        UNSCHEDULABLE,
        MISCONFIGURED,
        CRASHING,
        SELF_CHECK_FAILED,
        QUEUE_UNREACHABLE,
        REDIS_PENDING,
        REDIS_IMAGE,
        REDIS_CRASHING,
        REDIS_NOT_READY,
        API_NOT_READY,
        LANGUAGES_INVALID,
        ALLOCATABLE_UNKNOWN,
        NODE_TOO_SMALL,
        NODES_FORBIDDEN,
        OLDER_CLUSTER,
    ];
}

#[cfg(test)]
mod tests {
    use super::reasons::{self, FAILURES};

    /// The reasons that are no failures.
    const FINE: [&str; 18] = [
        reasons::AS_EXPECTED,
        reasons::NOT_STARTED,
        reasons::WORKERS_READY,
        reasons::NO_WORKER_READY,
        reasons::NO_NODES,
        reasons::SUSPENDED,
        reasons::DELETING,
        reasons::ROLLING_OUT,
        reasons::ROLLED_OUT,
        reasons::SELF_CHECK_PASSED,
        reasons::QUEUE_REACHED,
        reasons::WORKER_FULL,
        reasons::MONITORED,
        reasons::CRD_MISSING,
        reasons::DISABLED,
        reasons::PAUSED,
        reasons::ACTIVE,
        reasons::NONE,
    ];

    #[test]
    fn each_reason_is_a_failure_or_is_none() {
        let (_, all) = include_str!("conditions.rs").split_once("pub mod reasons {").unwrap();
        let (all, _) = all.split_once("pub const FAILURES").unwrap();
        let constants = all.split("pub const ").skip(1);
        let mut all: Vec<&str> = constants.map(|text| text.split('"').nth(1).unwrap()).collect();
        let mut sorted = [&FAILURES[..], &FINE[..]].concat();
        all.sort_unstable();
        sorted.sort_unstable();
        assert_eq!(sorted, all);
    }
}
