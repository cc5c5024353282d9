//! Last step, its other half: writes the status when it differs, and tells events.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::events::{Event, EventType};
use serde_json::json;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::api::{self, call, chain};
use crate::build::MANAGER;
use crate::conditions::types;
use crate::context::{Context, reference};
use crate::crd::{JudgeCluster, JudgeClusterStatus};
use crate::status::{self, Findings, is_turn, number};
use crate::watch;
use crate::world::Seen;

/// Says how a cluster is. Returns when there is more to say.
///
/// # Errors
/// When the API server does not answer.
pub(crate) async fn report(
    context: &Context,
    findings: &Findings<'_>,
) -> Result<Option<Duration>, api::Error> {
    let seen = findings.seen;
    let new = status::status(findings, Timestamp::now());
    context.metrics.cluster(&seen.key, &new);
    let old = seen.status.as_ref();
    if old == Some(&new) {
        return Ok(None);
    }
    let (turn, now) = (is_turn(old, &new), Instant::now());
    let rest = context.memo(&seen.key, |memo| memo.pace.rest(new.is_reached(), now));
    if let (false, Some(rest)) = (turn, rest) {
        return Ok(Some(rest));
    }
    if write(context, seen, &new).await? {
        context.memo(&seen.key, |memo| memo.pace.wrote(turn, now));
    }
    tell(context, seen, old, &new).await;
    Ok(None)
}

/// Whether there was still a cluster to write it to.
async fn write(
    context: &Context,
    seen: &Seen,
    status: &JudgeClusterStatus,
) -> Result<bool, api::Error> {
    let resource = ApiResource::erase::<JudgeCluster>(&());
    let clusters: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), &seen.key.namespace, &resource);
    // With the uid: a status must not land on the next cluster of this name.
    let patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": { "name": &*seen.key.name, "uid": seen.uid },
        "status": status,
    });
    let params = PatchParams::apply(MANAGER).force();
    let patch = Patch::Apply(&patch);
    let patching = clusters.patch_status(&seen.key.name, &params, &patch);
    let patched = match call("write a status", patching).await {
        // It has just been deleted.
        Err(error) if error.is_not_found() || error.is_conflict() => return Ok(false),
        patched => patched?,
    };
    let changed = context.world.sight().answer_cluster(Seen::of(&patched));
    if changed {
        // Somebody wrote between the look and this write. The event of that is no newer than this
        // answer, so it will wake nobody.
        watch::changed(context, &seen.key);
    }
    Ok(true)
}

/// Events for what has turned. They are for people: one that cannot be written is no failure.
async fn tell(
    context: &Context,
    seen: &Seen,
    old: Option<&JudgeClusterStatus>,
    new: &JudgeClusterStatus,
) {
    let mut events = turns(old, new);
    events.extend(resized(context, seen, new));
    for event in events {
        let (reason, note) = (event.reason.clone(), event.note.clone().unwrap_or_default());
        info!(namespace = &*seen.key.namespace, judgecluster = &*seen.key.name, reason, "{note}");
        let about = reference(seen);
        let publishing = context.recorder.publish(&event, &about);
        match call("write an event", publishing).await {
            // Whatever turns bad there, it does because all of it is being deleted.
            Err(error) if error.is_leaving() => {
                debug!(reason, "the namespace is being deleted; no event is written in it");
                continue;
            }
            Err(error) => warn!(reason, error = chain(&error), "an event is lost"),
            Ok(()) => {}
        }
        if event.type_ == EventType::Warning {
            context.metrics.failure(&event.reason);
        }
    }
}

/// What has turned between two statuses.
fn turns(old: Option<&JudgeClusterStatus>, new: &JudgeClusterStatus) -> Vec<Event> {
    let before = |name: &str| {
        let conditions = old.into_iter().flat_map(|status| &status.conditions);
        let found = conditions.into_iter().find(|condition| condition.type_ == name);
        found.map(|condition| (condition.status.as_str(), condition.reason.as_str()))
    };
    let mut events = Vec::new();
    for condition in &new.conditions {
        let (name, status) = (condition.type_.as_str(), condition.status.as_str());
        let old = before(name);
        if old == Some((status, condition.reason.as_str())) {
            continue;
        }
        let type_ = match (name, status) {
            (types::DEGRADED | types::NODE_CONFLICT, "True") | (types::SIZED, "False") => {
                EventType::Warning
            }
            // What was wrong is told by its end, too.
            (types::DEGRADED | types::NODE_CONFLICT, "False") if old.is_some() => EventType::Normal,
            (types::AVAILABLE, "True") if old.is_none_or(|(status, _)| status != "True") => {
                EventType::Normal
            }
            _ => continue,
        };
        events.push(Event {
            type_,
            reason: condition.reason.clone(),
            note: Some(condition.message.chars().take(1000).collect()),
            action: name.to_owned(),
            secondary: None,
        });
    }
    events
}

/// The slots have settled at another number.
fn resized(context: &Context, seen: &Seen, new: &JudgeClusterStatus) -> Option<Event> {
    if new.state == "RollingOut" || new.slots.desired != new.slots.ready {
        return None;
    }
    let slots = new.slots.desired;
    let told = context.memo(&seen.key, |memo| memo.told.replace(slots));
    // After a start of the operator nothing has changed.
    let told = told?;
    (told != slots).then(|| Event {
        type_: EventType::Normal,
        reason: "SlotsChanged".to_owned(),
        note: Some(changed(slots, new.nodes.ready, told)),
        action: "Sizing".to_owned(),
        secondary: None,
    })
}

fn changed(slots: u32, nodes: u32, before: u32) -> String {
    let (slot, node) = (number(slots, "slot", "slots"), number(nodes, "node", "nodes"));
    format!("{slots} {slot} on {nodes} {node}, {before} before")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;

    fn status(conditions: &[(&str, &str, &str)]) -> JudgeClusterStatus {
        let condition = |(type_, status, reason): &(&str, &str, &str)| Condition {
            type_: (*type_).to_owned(),
            status: (*status).to_owned(),
            reason: (*reason).to_owned(),
            message: "why".to_owned(),
            observed_generation: None,
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        };
        let conditions = conditions.iter().map(condition).collect();
        JudgeClusterStatus { conditions, ..JudgeClusterStatus::default() }
    }

    #[test]
    fn one_slot_and_one_node_are_told_as_one() {
        assert_eq!(changed(1, 1, 4), "1 slot on 1 node, 4 before");
        assert_eq!(changed(16, 4, 1), "16 slots on 4 nodes, 1 before");
    }

    #[test]
    fn only_turns_are_events() {
        let fine = status(&[("Degraded", "False", "AsExpected"), ("Available", "True", "Ready")]);
        let bad =
            status(&[("Degraded", "True", "ImagePullFailed"), ("Available", "True", "Ready")]);
        let reasons = |old: Option<&JudgeClusterStatus>, new: &JudgeClusterStatus| {
            turns(old, new).into_iter().map(|event| event.reason).collect::<Vec<_>>()
        };
        assert_eq!(reasons(None, &fine), ["Ready"], "that nothing is wrong is no news at first");
        assert_eq!(reasons(Some(&fine), &fine), [""; 0]);
        assert_eq!(reasons(Some(&fine), &bad), ["ImagePullFailed"]);
        assert_eq!(reasons(Some(&bad), &fine), ["AsExpected"]);
    }
}
