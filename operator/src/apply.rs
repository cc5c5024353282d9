//! Fourth step: writes what differs from what is there, and removes what is ours and no more wanted.

mod replace;

use std::time::Duration;

use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::DynamicObject;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::api::{self, call};
use crate::build::{APPLIED, Kind, MANAGER, Object};
use crate::conditions::reasons;
use crate::context::Context;
use crate::setback::{Broken, named, objection};
use crate::validate::Complaint;
use crate::world::{Live, Seen};

/// How long what was refused is not tried again, unless it has changed. No event tells of a quota
/// that was raised, or a right that was given.
pub(crate) const AGAIN: Duration = Duration::from_secs(60);

/// An object that the API server did not take: it is the user's to mend.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    /// Of what was sent.
    digest: String,
    /// The object of this name that the watch knew then, by uid. With another one, or none, there is
    /// another answer.
    there: Option<String>,
    at: Instant,
    /// What is said of it.
    pub(crate) complaint: Complaint,
}

impl Refused {
    /// How long it is not tried again.
    pub(crate) fn rest(&self) -> Duration {
        AGAIN.saturating_sub(self.at.elapsed())
    }
}

/// What writing came to.
#[derive(Debug)]
pub(crate) enum Applied {
    /// What could be sent was.
    Sent(Sent),
    /// The namespace is being deleted, and takes nothing new.
    Leaving,
}

/// What became of the objects.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Those that the API server did not take.
    pub(crate) refused: Vec<Refused>,
    /// What it says of that for which the workers are not made as the spec says: the first of the
    /// DaemonSet and what it mounts.
    pub(crate) held: Option<Complaint>,
    /// That at which it broke off; what comes after it waits.
    pub(crate) broken: Option<Broken>,
}

impl Sent {
    fn refuse(&mut self, kind: Kind, refused: Refused) {
        if makes_workers(kind) {
            self.held.get_or_insert_with(|| refused.complaint.clone());
        }
        self.refused.push(refused);
    }
}

/// Whether the workers are made of objects of this kind.
fn makes_workers(kind: Kind) -> bool {
    matches!(kind, Kind::ConfigMap | Kind::DaemonSet)
}

/// Writes all objects of a cluster, in their order.
///
/// # Errors
/// When the API server does not answer, or is busy: later more.
///
/// An object that it fails at is no such error: the others are looked after all the same.
pub(crate) async fn apply(
    context: &Context,
    seen: &Seen,
    objects: &[Object],
) -> Result<Applied, api::Error> {
    let (mut sent, mut unmounted) = (Sent::default(), false);
    for object in objects {
        // Their pods would start without what they mount, or with what it was before. Those that run
        // stay as they are.
        if unmounted && matches!(object.kind, Kind::DaemonSet | Kind::Deployment) {
            continue;
        }
        match one(context, seen, object).await {
            Ok(None) => {}
            Ok(Some(refusal)) => {
                unmounted |= object.kind == Kind::ConfigMap;
                sent.refuse(object.kind, refusal);
            }
            // The Prometheus operator has just been removed: the next look knows.
            Err(error) if object.kind == Kind::ServiceMonitor && error.is_not_found() => {
                context.world.sight().service_monitors = false;
            }
            Err(error) if error.is_leaving() => return Ok(Applied::Leaving),
            // Order: what comes after may mount this one. And when it is the API server that is ill,
            // the rest would only be more requests.
            Err(error) if error.is_fault() => {
                let broken = Broken::at(object.kind, &object.name, error);
                if !are_workers_made(context, seen, objects) {
                    sent.held.get_or_insert_with(|| broken.complaint.clone());
                }
                sent.broken = Some(broken);
                return Ok(Applied::Sent(sent));
            }
            Err(error) => return Err(error),
        }
    }
    sent.broken = remove_orphans(context, seen, objects).await?;
    Ok(Applied::Sent(sent))
}

/// Whether all that the workers are made of is there as it should be.
fn are_workers_made(context: &Context, seen: &Seen, objects: &[Object]) -> bool {
    let sight = context.world.sight();
    let mut parts = objects.iter().filter(|object| makes_workers(object.kind));
    parts.all(|part| {
        let live = sight.live(&seen.key, part.kind, &part.name);
        live.is_some_and(|live| live.owner.as_ref() == Some(&seen.uid) && live.is(part))
    })
}

async fn one(
    context: &Context,
    seen: &Seen,
    object: &Object,
) -> Result<Option<Refused>, api::Error> {
    let (known, there) = {
        let sight = context.world.sight();
        match sight.live(&seen.key, object.kind, &object.name) {
            Some(live) if live.owner.as_ref() == Some(&seen.uid) && live.is(object) => {
                return Ok(None);
            }
            live => {
                let known = live.is_some_and(|live| live.owner.as_ref() == Some(&seen.uid));
                (known, live.map(|live| live.uid.clone()))
            }
        }
    };
    let slot = (object.kind, object.name.clone());
    let digest = object.value["metadata"]["annotations"][APPLIED].as_str().unwrap_or_default();
    let before = context.memo(&seen.key, |memo| memo.refused.get(&slot).cloned());
    let same = |r: &Refused| r.digest == digest && r.there == there;
    if let Some(refused) = before.filter(|refused| same(refused) && !refused.rest().is_zero()) {
        return Ok(Some(refused));
    }
    let refuse = |complaint| {
        let digest = digest.to_owned();
        let refused = Refused { digest, there: there.clone(), at: Instant::now(), complaint };
        refuse(context, seen, &slot, refused)
    };
    let written = match known || is_free(context, seen, object).await? {
        true => write(context, seen, object).await,
        false => return Ok(Some(refuse(taken(object)))),
    };
    match written {
        Ok(()) => {
            context.memo(&seen.key, |memo| memo.refused.remove(&slot));
            Ok(None)
        }
        Err(error) if error.is_refusal() => {
            Ok(Some(refuse(objection(named(object.kind, &object.name), &error))))
        }
        Err(error) => Err(error),
    }
}

/// Whether an object that the watch does not know as ours is not there, or may be taken. An apply
/// would take it from whoever made it.
async fn is_free(context: &Context, seen: &Seen, object: &Object) -> Result<bool, api::Error> {
    let api = api_of(context, seen, object.kind);
    match call("look for an object", api.get_opt(&object.name)).await {
        Ok(None) => Ok(true),
        Ok(Some(found)) => Ok(is_ours(&Live::of(found), seen)),
        // Then the write says what is missing.
        Err(error) if error.is_forbidden() || error.is_not_found() => Ok(true),
        Err(error) => Err(error),
    }
}

/// Whether an object is this cluster's, or was that of one of its name and is nobody's now.
fn is_ours(live: &Live, seen: &Seen) -> bool {
    live.owner.as_ref() == Some(&seen.uid) || live.is_orphan_of(&seen.key.name)
}

async fn write(context: &Context, seen: &Seen, object: &Object) -> Result<(), api::Error> {
    let api = api_of(context, seen, object.kind);
    let sent = send(&api, object).await;
    let in_the_way = match &sent {
        Err(error) => error.is_invalid() && replace::is_safe(object.kind),
        // An apply leaves the keys of others.
        Ok(live) => object.kind == Kind::ConfigMap && !live.is(object),
    };
    let sent = match in_the_way && replace::replace(&api, seen, object).await? {
        true => send(&api, object).await,
        false => sent,
    };
    let mut live = sent?;
    if !live.is(object) {
        live.settle(object);
    }
    info!(
        namespace = &*seen.key.namespace,
        judgecluster = &*seen.key.name,
        kind = object.kind.as_str(),
        name = object.name,
        "applied"
    );
    context.world.sight().put_live(&seen.key, object.kind, &object.name, live);
    Ok(())
}

async fn send(api: &Api<DynamicObject>, object: &Object) -> Result<Live, api::Error> {
    let params = PatchParams::apply(MANAGER).force();
    let patch = Patch::Apply(&object.value);
    call("write an object", api.patch(&object.name, &params, &patch)).await.map(Live::of)
}

fn refuse(context: &Context, seen: &Seen, slot: &(Kind, String), refused: Refused) -> Refused {
    let Complaint { reason, message } = &refused.complaint;
    warn!(namespace = &*seen.key.namespace, judgecluster = &*seen.key.name, reason, "{message}");
    context.memo(&seen.key, |memo| memo.refused.insert(slot.clone(), refused.clone()));
    refused
}

fn taken(object: &Object) -> Complaint {
    let (kind, name) = (object.kind.as_str(), &object.name);
    let message = format!(
        "there is a {kind} {name} that is not this JudgeCluster's; rename or delete one of the two"
    );
    Complaint { reason: reasons::NAME_TAKEN, message }
}

/// Removes objects of this cluster, and what one of its name has left behind, that are not wanted, up
/// to the first that cannot be.
async fn remove_orphans(
    context: &Context,
    seen: &Seen,
    objects: &[Object],
) -> Result<Option<Broken>, api::Error> {
    let orphans: Vec<(Kind, String, String)> = {
        let sight = context.world.sight();
        let ours = sight.all_live(&seen.key).filter(|(_, live)| is_ours(live, seen));
        // A Redis that was left behind has what was in its queue: that is for people to delete.
        let ours = ours.filter(|((kind, _), l)| *kind != Kind::StatefulSet || l.owner.is_some());
        let orphans = ours.filter(|((kind, name), _)| {
            !objects.iter().any(|object| object.kind == *kind && object.name == *name)
        });
        orphans.map(|((kind, name), live)| (*kind, name.clone(), live.uid.clone())).collect()
    };
    for (kind, name, uid) in orphans {
        match delete(context, seen, kind, &name, &uid).await {
            Err(error) if error.is_fault() || error.is_refusal() => {
                return Ok(Some(Broken::at(kind, &name, error)));
            }
            deleted => deleted?,
        }
    }
    Ok(None)
}

/// Deletes an object of a cluster; one that has gone already is as good.
pub(crate) async fn delete(
    context: &Context,
    seen: &Seen,
    kind: Kind,
    name: &str,
    uid: &str,
) -> Result<(), api::Error> {
    let precise = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    let params = DeleteParams { preconditions: Some(precise), ..DeleteParams::background() };
    let api = api_of(context, seen, kind);
    match call("delete an object", api.delete(name, &params)).await {
        Ok(_) => {
            let namespace = &*seen.key.namespace;
            info!(namespace, judgecluster = &*seen.key.name, kind = kind.as_str(), name, "deleted");
        }
        Err(error) if error.is_not_found() || error.is_conflict() => {}
        Err(error) => return Err(error),
    }
    context.world.sight().drop_live(&seen.key, kind, name);
    Ok(())
}

fn api_of(context: &Context, seen: &Seen, kind: Kind) -> Api<DynamicObject> {
    Api::namespaced_with(context.client.clone(), &seen.key.namespace, &kind.resource())
}

#[cfg(test)]
mod tests;
