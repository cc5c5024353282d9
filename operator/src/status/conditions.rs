//! The conditions, one by one.

mod field;
mod progress;
mod redis;

use super::{Findings, Verdict, no, number, unknown, yes};
use crate::build::{COMPONENT, INSTANCE, Kind, daemon_set_name};
use crate::conditions::reasons;
use crate::crd::ServiceMonitorMode;
use crate::sizing::BOXES;
use crate::survey::Survey;
use crate::validate::Complaint;
use crate::world::TroubleKind;

/// What is said of a paused cluster.
const HELD: &str = "nothing is changed until spec.paused is false";

/// In the order of `conditions::types::ALL`.
pub(super) fn all(findings: &Findings<'_>) -> [Verdict; 9] {
    let degraded = degraded(findings);
    [
        available(findings, &degraded),
        progress::progressing(findings),
        degraded,
        sized(findings),
        sandbox(findings),
        queue(findings),
        monitoring(findings),
        paused(findings),
        conflict(findings.survey),
    ]
}

fn available(findings: &Findings<'_>, degraded: &Verdict) -> Verdict {
    if findings.seen.deleted.is_some() {
        return no(reasons::DELETING, "the cluster is being deleted");
    }
    if is_suspended(findings) {
        return no(reasons::SUSPENDED, "all slots are 0; set spec.suspend to false to go on");
    }
    // After each change there is a moment in which its controller has not seen it; workers that are
    // ready are so all the same.
    let Some(rollout) = findings.rollout.filter(|r| r.is_observed() || r.ready > 0) else {
        return no(reasons::NO_WORKER_READY, wrong(degraded, "no worker has been started yet"));
    };
    let (ready, desired) = (rollout.ready, rollout.desired);
    if desired == 0 {
        let message =
            "no node matches spec.placement; see its nodeSelector, affinity and tolerations";
        return no(reasons::NO_NODES, message);
    }
    if ready == 0 {
        let message = none_ready(desired, "worker", "workers");
        return no(reasons::NO_WORKER_READY, wrong(degraded, &message));
    }
    yes(reasons::WORKERS_READY, format!("{} ready", share(ready, desired)))
}

/// Whether the slots are taken away. While the cluster is paused they stay as they were, whatever
/// the spec says.
fn is_suspended(findings: &Findings<'_>) -> bool {
    let suspend = findings.seen.spec.as_ref().is_ok_and(|spec| spec.suspend);
    suspend && (!findings.seen.is_paused() || findings.survey.slots == 0)
}

/// That none of so many is ready.
fn none_ready(count: u32, one: &str, many: &str) -> String {
    match count {
        1 => format!("the one {one} is not ready"),
        _ => format!("none of {count} {many} is ready"),
    }
}

/// So many of all workers, and their verb.
fn share(part: u32, all: u32) -> String {
    let (workers, are) = (number(all, "worker", "workers"), number(part, "is", "are"));
    format!("{part} of {all} {workers} {are}")
}

/// What is wrong, where something is.
fn wrong(degraded: &Verdict, otherwise: &str) -> String {
    match degraded.status {
        "True" => format!("{otherwise}: {}", degraded.message),
        _ => otherwise.to_owned(),
    }
}

/// The first thing that is wrong, from the cause that lies deepest.
fn degraded(findings: &Findings<'_>) -> Verdict {
    if let Some(problem) = &findings.invalid {
        return yes(reasons::INVALID_SPEC, format!("{problem}; nothing is changed until then"));
    }
    let is_languages = |reason: &str| reason == reasons::LANGUAGES_INVALID;
    let mut complaints = findings.complaints.iter();
    if let Some(complaint) = complaints.find(|complaint| !is_languages(complaint.reason)) {
        return yes(complaint.reason, complaint.message.clone());
    }
    if let Some(refused) = refused(findings) {
        return refused;
    }
    let first = findings.survey.troubles.first_key_value();
    // Workers whose queue is away end, or are not ready, because of that.
    if first.is_none_or(|(kind, _)| *kind >= TroubleKind::Queue)
        && let Some(redis) = redis::degraded(findings)
    {
        return redis;
    }
    if let Some((kind, (count, pod, said))) = first {
        return yes(reason_of(*kind), trouble(findings, *kind, *count, pod, said));
    }
    if let Some(said) = &findings.queue_trouble {
        return yes(reasons::QUEUE_UNREACHABLE, unreachable(said));
    }
    if findings.stalled {
        return yes(reasons::ROLLOUT_STALLED, stalled(findings));
    }
    if let Some(complaint) = findings.complaints.first() {
        return yes(complaint.reason, complaint.message.clone());
    }
    if let Some(service) = service(findings) {
        return service;
    }
    no(reasons::AS_EXPECTED, "nothing is wrong")
}

/// A container is not made before its volumes are there. That one of them is missing the node only
/// tells by events, which the operator does not read.
fn stalled(findings: &Findings<'_>) -> String {
    let count = findings.survey.waiting;
    if count == 0 {
        return "see the condition Progressing".to_owned();
    }
    let namespace = &findings.seen.key.namespace;
    let ca = findings.seen.spec.as_ref().ok().and_then(|spec| field::of_volumes(&spec.queue));
    let ca = ca.map_or_else(String::new, |(field, name)| {
        format!("; create {name:?}, which {field} names, if it is missing or lacks that key")
    });
    let wait = match count {
        1 => "worker waits for its volumes, its network or its image",
        _ => "workers wait for their volumes, their network or their image",
    };
    format!("{count} {wait}; see `kubectl describe pod -n {namespace}`{ca}")
}

/// Pods that cannot be made at all: they are missing, and the DaemonSet's controller says why.
fn refused(findings: &Findings<'_>) -> Option<Verdict> {
    let (rollout, refusal) = (findings.rollout?, findings.refusal.as_ref()?);
    if findings.survey.pods >= rollout.desired {
        return None;
    }
    let said = &refusal.message;
    let namespace = &findings.seen.key.namespace;
    if said.contains("PodSecurity") {
        let message = format!(
            "the namespace does not allow the workers' privileged pods; run: kubectl label \
             namespace {namespace} pod-security.kubernetes.io/enforce=privileged --overwrite ({said})"
        );
        return Some(yes(reasons::POD_SECURITY, message));
    }
    if said.contains("exceeded quota") || said.contains("failed quota") {
        let message = format!(
            "the quota of namespace {namespace} has no room for the workers; raise it, or lower \
             spec.resources ({said})"
        );
        return Some(yes(reasons::QUOTA, message));
    }
    Some(yes(reasons::PODS_REJECTED, format!("pods of the workers are refused: {said}")))
}

fn reason_of(kind: TroubleKind) -> &'static str {
    match kind {
        TroubleKind::Room => reasons::UNSCHEDULABLE,
        TroubleKind::Image => reasons::IMAGE_PULL,
        TroubleKind::Config => reasons::CONFIG_MISSING,
        TroubleKind::Settings => reasons::MISCONFIGURED,
        TroubleKind::Sandbox => reasons::SELF_CHECK_FAILED,
        TroubleKind::Queue => reasons::QUEUE_UNREACHABLE,
        TroubleKind::Crash => reasons::CRASHING,
    }
}

fn trouble(
    findings: &Findings<'_>,
    kind: TroubleKind,
    count: u32,
    pod: &str,
    said: &str,
) -> String {
    let correct;
    let (one, many, cure) = match kind {
        TroubleKind::Room => (
            "finds no room on its node",
            "find no room on their nodes",
            "make room, lower spec.resources.requests, or leave the node out by spec.placement",
        ),
        TroubleKind::Image => (
            "cannot pull the image",
            "cannot pull the image",
            "see spec.image and spec.imagePullSecrets",
        ),
        TroubleKind::Config => {
            let field = field::that_names(findings.seen.spec.as_ref().ok(), said);
            let field = field.unwrap_or_else(|| "the spec".to_owned());
            correct = format!("create it, or correct its name in {field}");
            ("lacks a secret or ConfigMap", "lack a secret or ConfigMap", &*correct)
        }
        TroubleKind::Settings => {
            correct = field::of_settings(findings.seen.spec.as_ref().ok());
            ("refuses its settings", "refuse their settings", &*correct)
        }
        TroubleKind::Sandbox => (
            "has no working sandbox",
            "have no working sandbox",
            // Its own container has ended, so nothing can be asked there.
            "`evalx doctor` in a copy of the pod tells what cures it, see the runbook \
             EvalxSandboxFailing",
        ),
        TroubleKind::Queue => (
            "does not reach the queue",
            "do not reach the queue",
            "see spec.queue and the network policies",
        ),
        TroubleKind::Crash => {
            ("ends with an error", "end with an error", "see `kubectl logs --previous`")
        }
    };
    let (workers, fail) = (number(count, "worker", "workers"), number(count, one, many));
    format!("{count} {workers} {fail}; {cure} ({pod}: {said})")
}

/// The HTTP service is what users see, but workers judge without it: it is the last thing to say.
fn service(findings: &Findings<'_>) -> Option<Verdict> {
    let service = findings.service.filter(|service| service.late)?;
    let key = &findings.seen.key;
    let api = findings.seen.spec.as_ref().ok()?.api.as_ref()?;
    let tokens = api.token_secret_ref.as_ref().map_or_else(String::new, |secret| {
        format!(", and whether the secret of spec.api.tokenSecretRef ({}) is there", secret.name)
    });
    let none =
        none_ready(service.wanted, "replica of the HTTP service", "replicas of the HTTP service");
    let message = format!(
        "{none}; see `kubectl describe pod -n {} -l {INSTANCE}={},{COMPONENT}=api`{tokens}",
        key.namespace, key.name
    );
    Some(yes(reasons::API_NOT_READY, message))
}

fn unreachable(said: &str) -> String {
    format!("a worker says: {said}; see spec.queue and the server")
}

fn sized(findings: &Findings<'_>) -> Verdict {
    let Survey { unknown: silent, small, large, .. } = findings.survey;
    if findings.nodes_forbidden {
        let message = "nodes cannot be read, so each worker counts its slots itself when it starts; \
                       give the operator get, list and watch on nodes (manifests/rbac.yaml)";
        return no(reasons::NODES_FORBIDDEN, message);
    }
    if silent.count > 0 {
        let nodes = nodes(silent.count);
        let message =
            format!("no slots on {nodes} whose status.allocatable.cpu says nothing: {silent}");
        return no(reasons::ALLOCATABLE_UNKNOWN, message);
    }
    if small.count > 0 {
        let message = format!(
            "{} with room for fewer slots than spec.sandbox.minPerNode, which {} all the same: \
             {small}",
            nodes(small.count),
            number(small.count, "it has", "they have")
        );
        return no(reasons::NODE_TOO_SMALL, message);
    }
    if findings.survey.pods == 0 {
        return unknown("there is no worker yet");
    }
    if large.count > 0 {
        // Nothing is wrong and nothing is to be mended: it is said, lest somebody counts and wonders.
        let message = format!(
            "{BOXES} slots, as many as one worker can run, on {} with room for more: {large}; \
             smaller nodes, or a greater spec.sandbox.cpuPerSlot, use all of it",
            nodes(large.count)
        );
        return yes(reasons::WORKER_FULL, message);
    }
    yes(reasons::AS_EXPECTED, "each worker has been told its slots")
}

fn nodes(count: u32) -> &'static str {
    number(count, "a node", "nodes")
}

fn sandbox(findings: &Findings<'_>) -> Verdict {
    let (survey, kind) = (findings.survey, TroubleKind::Sandbox);
    if let Some((count, pod, said)) = survey.troubles.get(&kind) {
        return no(reasons::SELF_CHECK_FAILED, trouble(findings, kind, *count, pod, said));
    }
    match survey.ready {
        0 => unknown("no worker has passed its self-check yet"),
        1 => yes(reasons::SELF_CHECK_PASSED, "1 worker has passed its self-check"),
        ready => {
            yes(reasons::SELF_CHECK_PASSED, format!("{ready} workers have passed their self-check"))
        }
    }
}

fn queue(findings: &Findings<'_>) -> Verdict {
    if let Some(away) = redis::away(findings) {
        return away;
    }
    let survey = findings.survey;
    for kind in [TroubleKind::Config, TroubleKind::Queue] {
        if let Some((count, pod, said)) = survey.troubles.get(&kind) {
            return no(reason_of(kind), trouble(findings, kind, *count, pod, said));
        }
    }
    if let Some(said) = &findings.queue_trouble {
        return no(reasons::QUEUE_UNREACHABLE, unreachable(said));
    }
    match survey.ready {
        0 => unknown("no worker has reached the queue yet"),
        1 => yes(reasons::QUEUE_REACHED, "1 worker reaches the queue"),
        ready => yes(reasons::QUEUE_REACHED, format!("{ready} workers reach the queue")),
    }
}

fn monitoring(findings: &Findings<'_>) -> Verdict {
    let spec = findings.seen.spec.as_ref().ok();
    let mode = spec.map_or(ServiceMonitorMode::Auto, |spec| spec.monitoring.service_monitor);
    if let Some(refused) = complaint(findings, Kind::ServiceMonitor) {
        return no(refused.reason, refused.message.clone());
    }
    match (mode, findings.service_monitors) {
        (ServiceMonitorMode::Never, _) => no(reasons::DISABLED, "spec.monitoring says never"),
        (_, true) => yes(reasons::MONITORED, "a ServiceMonitor is there"),
        (ServiceMonitorMode::Auto, false) => {
            no(reasons::CRD_MISSING, "the Prometheus operator is not installed, so none is made")
        }
        (ServiceMonitorMode::Always, false) => {
            let message = "servicemonitors.monitoring.coreos.com is missing; install the Prometheus \
                           operator, or set spec.monitoring.serviceMonitor to auto";
            no(reasons::CRD_MISSING, message)
        }
    }
}

/// What is said of the workers' object of a kind: `apply` names what was refused, or what has its
/// name, by kind and name.
fn complaint<'a>(findings: &'a Findings<'_>, kind: Kind) -> Option<&'a Complaint> {
    let ours = format!("{} {}", kind.as_str(), daemon_set_name(&findings.seen.key.name));
    findings.complaints.iter().find(|complaint| complaint.message.contains(&ours))
}

fn paused(findings: &Findings<'_>) -> Verdict {
    match findings.seen.is_paused() {
        true => yes(reasons::PAUSED, HELD),
        false => no(reasons::ACTIVE, "the cluster is looked after"),
    }
}

fn conflict(survey: &Survey) -> Verdict {
    let Survey { conflicts, rivals, .. } = survey;
    if conflicts.count == 0 {
        return no(reasons::NONE, "no other cluster has these nodes");
    }
    let message = format!(
        "no slots on {} that {} ({rivals}): {conflicts}; give them different nodes by \
         spec.placement",
        nodes(conflicts.count),
        number(rivals.count, "an older cluster has", "older clusters have")
    );
    yes(reasons::OLDER_CLUSTER, message)
}
