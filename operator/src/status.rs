//! Last step, its pure half: from what was seen to what is said. Each condition is a function; what
//! is wrong says what to do.

mod conditions;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use crate::conditions::{reasons, types};
use crate::crd::{
    ClassSlots, EngineChoice, JudgeClusterSpec, JudgeClusterStatus, Nodes, ServiceMonitorMode,
    Slots,
};
use crate::greet::Manner;
use crate::survey::Survey;
use crate::validate::Complaint;
use crate::world::{RedisTrouble, Refusal, Seen};

/// What was found out about a cluster.
#[derive(Debug, Clone)]
pub struct Findings<'a> {
    /// The cluster.
    pub seen: &'a Seen,
    /// Why its spec cannot be used.
    pub invalid: Option<String>,
    /// What else is wrong with it, or was refused.
    pub complaints: Vec<Complaint>,
    /// Why the workers are not made as it says, if something was refused.
    pub held: Option<Complaint>,
    /// Its pods and nodes.
    pub survey: &'a Survey,
    /// Its DaemonSet, once it is there.
    pub rollout: Option<Rollout>,
    /// Why pods cannot be made.
    pub refusal: Option<Refusal>,
    /// Nodes may not be read.
    pub nodes_forbidden: bool,
    /// ServiceMonitors can be made.
    pub service_monitors: bool,
    /// A change has stood still for too long.
    pub stalled: bool,
    /// What a worker that is not ready said of the queue.
    pub queue_trouble: Option<String>,
    /// The managed Redis, where there is to be one.
    pub redis: Option<Redis>,
    /// The HTTP service, where there is to be one.
    pub service: Option<Service>,
    /// What workers that are ready say of themselves.
    pub manner: Option<Manner>,
}

/// How the managed Redis is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// It answers.
    pub ready: bool,
    /// It has not for longer than a start takes.
    pub late: bool,
    /// Why, if its pod tells.
    pub trouble: Option<RedisTrouble>,
}

/// How the HTTP service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Replicas that answer.
    pub ready: u32,
    /// Replicas there should be.
    pub wanted: u32,
    /// None has answered for longer than a start takes.
    pub late: bool,
}

/// How a DaemonSet's controller sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Of its spec.
    pub generation: i64,
    /// That its controller has seen.
    pub observed: i64,
    /// Workers there should be.
    pub desired: u32,
    /// Workers that are ready.
    pub ready: u32,
    /// Workers of the newest template.
    pub updated: u32,
    /// Workers where none should be.
    pub misscheduled: u32,
}

impl Rollout {
    /// Reads it.
    #[must_use]
    pub fn of(daemon_set: &Value) -> Self {
        let status = &daemon_set["status"];
        let count = |field: &str| {
            status[field].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
        };
        Self {
            generation: daemon_set["metadata"]["generation"].as_i64().unwrap_or(0),
            observed: status["observedGeneration"].as_i64().unwrap_or(0),
            desired: count("desiredNumberScheduled"),
            ready: count("numberReady"),
            updated: count("updatedNumberScheduled"),
            misscheduled: count("numberMisscheduled"),
        }
    }

    /// Whether its controller has seen its newest spec.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        self.observed >= self.generation
    }

    /// Whether all workers are of the newest template and ready, but for those whose node is not.
    #[must_use]
    pub fn is_done(&self, not_ready: u32) -> bool {
        let all = self.ready.saturating_add(not_ready) >= self.desired;
        self.is_observed() && self.updated >= self.desired && all
    }
}

/// One condition's word.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    status: &'static str,
    reason: &'static str,
    message: String,
}

fn yes(reason: &'static str, message: impl Into<String>) -> Verdict {
    Verdict { status: "True", reason, message: message.into() }
}

fn no(reason: &'static str, message: impl Into<String>) -> Verdict {
    Verdict { status: "False", reason, message: message.into() }
}

fn unknown(message: impl Into<String>) -> Verdict {
    Verdict { status: "Unknown", reason: reasons::NOT_STARTED, message: message.into() }
}

/// A word in the number that a count asks for.
pub(crate) fn number<'a>(count: u32, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

/// What is to be said. Times change only where a condition's status does.
#[must_use]
pub fn status(findings: &Findings<'_>, now: Timestamp) -> JudgeClusterStatus {
    let Findings { seen, survey, rollout, .. } = findings;
    let verdicts = conditions::all(findings);
    let (state, reason) = summary(findings, &verdicts);
    let old = seen.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let conditions = types::ALL.iter().zip(verdicts);
    let conditions =
        conditions.map(|(name, verdict)| condition(name, verdict, seen.generation, old, now));
    let rollout = rollout.unwrap_or_default();
    let Manner { engine, version } = manner(findings);
    JudgeClusterStatus {
        observed_generation: seen.generation,
        state: state.to_owned(),
        reason: reason.to_owned(),
        ready: format!("{}/{}", rollout.ready, rollout.desired),
        engine,
        version,
        nodes: Nodes {
            desired: rollout.desired,
            ready: rollout.ready,
            updated: rollout.updated,
            draining: survey.draining,
            unschedulable: survey.unschedulable,
        },
        slots: Slots {
            desired: survey.slots,
            ready: survey.slots_ready,
            by_class: classes(survey),
        },
        conditions: conditions.collect(),
    }
}

fn condition(
    name: &str,
    verdict: Verdict,
    generation: i64,
    old: &[Condition],
    now: Timestamp,
) -> Condition {
    let Verdict { status, reason, message } = verdict;
    let before = old.iter().find(|condition| condition.type_ == name && condition.status == status);
    // The API keeps whole seconds; anything finer would come back as another time.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    Condition {
        type_: name.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        // As long as the API allows (metav1.Condition).
        message: message.chars().take(2000).collect(),
        observed_generation: Some(generation),
        last_transition_time: before
            .map_or(Time(now), |before| before.last_transition_time.clone()),
    }
}

/// The state in one word, and the reason of the condition that says most.
fn summary(findings: &Findings<'_>, verdicts: &[Verdict; 9]) -> (&'static str, &'static str) {
    let [available, progressing, degraded, sized, _, _, monitoring, paused, conflict] = verdicts;
    let spec = findings.seen.spec.as_ref().ok();
    if findings.seen.deleted.is_some() {
        return ("Deleting", reasons::DELETING);
    }
    if findings.invalid.is_some() {
        return ("Invalid", degraded.reason);
    }
    if paused.status == "True" {
        return ("Paused", paused.reason);
    }
    if degraded.status == "True" {
        return ("Degraded", degraded.reason);
    }
    if spec.is_some_and(|spec| spec.suspend) {
        return ("Suspended", reasons::SUSPENDED);
    }
    if conflict.status == "True" {
        return ("Running", conflict.reason);
    }
    if available.reason == reasons::NO_NODES {
        return ("Empty", available.reason);
    }
    if progressing.status == "True" {
        return ("RollingOut", progressing.reason);
    }
    if available.status != "True" {
        return ("Degraded", available.reason);
    }
    let always = spec.is_some_and(|s| s.monitoring.service_monitor == ServiceMonitorMode::Always);
    if sized.status == "False" {
        return ("Running", sized.reason);
    }
    if always && monitoring.status == "False" {
        return ("Running", monitoring.reason);
    }
    ("Running", available.reason)
}

/// What the workers say of themselves. While none has said anything: what was said of the same spec
/// before, or else what was asked for.
fn manner(findings: &Findings<'_>) -> Manner {
    if let Some(manner) = &findings.manner {
        return manner.clone();
    }
    let seen = findings.seen;
    let spec = seen.spec.as_ref().ok();
    match &seen.status {
        Some(old) if old.observed_generation == seen.generation && !old.engine.is_empty() => {
            Manner { engine: old.engine.clone(), version: old.version.clone() }
        }
        _ => Manner {
            engine: engine(spec).to_owned(),
            version: spec.map(|spec| version(&spec.image)).unwrap_or_default(),
        },
    }
}

fn engine(spec: Option<&JudgeClusterSpec>) -> &'static str {
    match spec.map(|spec| spec.sandbox.engine) {
        Some(EngineChoice::Auto) => "auto",
        Some(EngineChoice::Native) => "native",
        Some(EngineChoice::Isolate) => "isolate",
        None => "",
    }
}

/// The tag or digest of an image.
fn version(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    let tag = name.split_once('@').or_else(|| name.split_once(':')).map(|(_, tag)| tag);
    tag.unwrap_or("latest").to_owned()
}

fn classes(survey: &Survey) -> Vec<ClassSlots> {
    let classes = survey.classes.iter();
    let class = |(class, (nodes, slots)): (&String, &(u32, u32))| ClassSlots {
        class: class.clone(),
        nodes: *nodes,
        slots: *slots,
    };
    classes.map(class).collect()
}

/// Whether two statuses differ in more than counts and words: that is told at once, the rest when
/// there is time.
#[must_use]
pub fn is_turn(old: Option<&JudgeClusterStatus>, new: &JudgeClusterStatus) -> bool {
    let Some(old) = old else { return true };
    let gist = |status: &JudgeClusterStatus| {
        let conditions = status.conditions.iter();
        let conditions = conditions.map(|c| (c.type_.clone(), c.status.clone(), c.reason.clone()));
        let conditions: Vec<_> = conditions.collect();
        (status.observed_generation, status.state.clone(), status.reason.clone(), conditions)
    };
    gist(old) != gist(new)
}

#[cfg(test)]
mod tests;
