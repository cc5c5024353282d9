//! A cluster that is being deleted. Owner references do it; only where the spec asks for draining
//! first is there a finalizer, and it never stays longer than the spec says.

use std::time::Duration;

use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use serde_json::json;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::api::{self, call};
use crate::apply;
use crate::build::{Kind, daemon_set_name};
use crate::context::Context;
use crate::crd::{DeletionPolicy, JudgeCluster};
use crate::setback::{Setback, named};
use crate::survey::is_orphaned;
use crate::world::Seen;

/// The finalizer.
pub(crate) const FINALIZER: &str = "evalx.dev/drain";

/// How often is looked whether the workers have gone; the watch usually tells sooner. So long, too,
/// the API server may fail to delete them before it is told.
const LOOK: Duration = Duration::from_secs(5);

/// How draining gets on.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    /// When to look again whether the workers have gone; `None` when they are not waited for.
    pub(crate) again: Option<Duration>,
    /// What the API server does not do of it.
    pub(crate) setback: Option<Setback>,
}

/// Sees to it that the finalizer is there exactly where draining is asked for, paused or not: nothing
/// but the cluster itself is touched. Where it cannot be, all the rest goes on.
///
/// # Errors
/// When the API server does not answer, or the cluster has changed.
pub(crate) async fn mark(context: &Context, seen: &Seen) -> Result<Option<Setback>, api::Error> {
    let Ok(spec) = &seen.spec else { return Ok(None) };
    let wanted = spec.deletion.policy == DeletionPolicy::Drain;
    let there = seen.finalizers.iter().any(|name| name == FINALIZER);
    if wanted == there {
        return Ok(None);
    }
    let others = seen.finalizers.iter().filter(|name| *name != FINALIZER).cloned();
    let ours = wanted.then(|| FINALIZER.to_owned());
    set(context, seen, others.chain(ours).collect()).await
}

/// Whether somebody else's finalizer keeps it, too.
pub(crate) fn is_held(seen: &Seen) -> bool {
    seen.finalizers.iter().any(|name| name != FINALIZER)
}

/// Drains: the workers go first and finish what they have; then all the rest. Workers that are to stay
/// are not drained.
///
/// # Errors
/// When the API server does not answer, or the cluster has changed.
pub(crate) async fn drain(context: &Context, seen: &Seen) -> Result<Drained, api::Error> {
    if !seen.finalizers.iter().any(|name| name == FINALIZER) {
        return Ok(Drained::default());
    }
    let name = daemon_set_name(&seen.key.name);
    let (orphaned, live, pods) = {
        let sight = context.world.sight();
        let live = sight.live(&seen.key, Kind::DaemonSet, &name).map(|live| live.uid.clone());
        (is_orphaned(seen, &sight), live, sight.pods(&seen.key).count())
    };
    if orphaned {
        return release(context, seen).await;
    }
    // By our own clock from when we saw it, not by the time that the object says: of two clocks that
    // differ by an hour, one would drain for nothing and the other keep the object an hour. Who leads
    // anew begins anew.
    let since = context.memo(&seen.key, |memo| *memo.draining.get_or_insert_with(Instant::now));
    let limit = seen.spec.as_ref().map_or(0, |spec| spec.deletion.timeout_seconds);
    let late = since.elapsed() >= Duration::from_secs(limit.into());
    if !late {
        let deleted = match &live {
            Some(uid) => apply::delete(context, seen, Kind::DaemonSet, &name, uid).await,
            None => Ok(()),
        };
        if let Err(error) = deleted {
            return undeleted(error, &name, since.elapsed());
        }
        if pods > 0 {
            return Ok(Drained { again: Some(LOOK), setback: None });
        }
    }
    let (namespace, judgecluster) = (&*seen.key.namespace, &*seen.key.name);
    if pods > 0 {
        warn!(namespace, judgecluster, pods, "the workers took too long; everything goes now");
    } else {
        info!(namespace, judgecluster, "the workers have gone; the rest goes now");
    }
    release(context, seen).await
}

/// The workers cannot be deleted: without slots they stay until they can, or the time is over.
fn undeleted(error: api::Error, name: &str, waited: Duration) -> Result<Drained, api::Error> {
    let tried = format!("cannot delete the workers, {}", named(Kind::DaemonSet, name));
    let setback = match Setback::of(error, tried)? {
        // What passes within seconds is nobody's to mend.
        Setback::Broken(broken) => (waited >= LOOK).then_some(Setback::Refused(broken.complaint)),
        refused => Some(refused),
    };
    Ok(Drained { again: Some(LOOK), setback })
}

/// Takes our finalizer away.
async fn release(context: &Context, seen: &Seen) -> Result<Drained, api::Error> {
    let others = seen.finalizers.iter().filter(|name| *name != FINALIZER).cloned();
    let setback = set(context, seen, others.collect()).await?;
    Ok(Drained { again: None, setback })
}

async fn set(
    context: &Context,
    seen: &Seen,
    finalizers: Vec<String>,
) -> Result<Option<Setback>, api::Error> {
    let resource = ApiResource::erase::<JudgeCluster>(&());
    let clusters: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), &seen.key.namespace, &resource);
    // With the version that it was read at, or a finalizer of somebody else could be lost.
    let patch = json!({ "metadata": {
        "uid": seen.uid,
        "resourceVersion": seen.version.to_string(),
        "finalizers": finalizers,
    }});
    let params = PatchParams {
        field_manager: Some(crate::build::MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(&patch);
    match call("set the finalizer", clusters.patch(&seen.key.name, &params, &patch)).await {
        Ok(patched) => {
            // Nobody's change is missed here: with another version there would be no answer.
            context.world.sight().answer_cluster(Seen::of(&patched));
            Ok(None)
        }
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => {
            let tried = "cannot set metadata.finalizers, as spec.deletion.policy asks";
            Setback::of(error, tried).map(Some)
        }
    }
}
