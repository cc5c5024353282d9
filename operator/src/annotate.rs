//! Fifth step: tells pods their slots.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tracing::debug;

use crate::api::{self, call};
use crate::build::{MANAGER, SLOTS};
use crate::context::Context;
use crate::setback::Setback;
use crate::survey::SlotOrder;
use crate::world::{Key, PodView, SlimPod};

/// Annotations of one cluster that are written at once.
pub(crate) const AT_ONCE: usize = 16;

/// Pods in a row that cannot be told, after which no more are tried: one pod is one pod, but where a
/// right is lacking all are alike.
const IN_A_ROW: usize = 2;

/// Writes all orders, so many at once, whatever becomes of one of them. Returns the first that could
/// not be written. In their order, so that of the same pods always the same is said.
///
/// # Errors
/// When the API server does not answer, or is busy: the rest is for later.
pub(crate) async fn annotate(
    context: &Context,
    key: &Key,
    orders: &[SlotOrder],
    at_once: usize,
) -> Result<Option<Setback>, api::Error> {
    let pods: Api<SlimPod> = Api::namespaced(context.client.clone(), &key.namespace);
    let (mut first, mut in_a_row) = (None, 0);
    let mut waiting = orders.iter();
    let mut writes = FuturesOrdered::new();
    for order in waiting.by_ref().take(at_once) {
        writes.push_back(write(context, &pods, key, order));
    }
    while let Some(written) = writes.next().await {
        match written {
            Ok(()) => in_a_row = 0,
            // Gone, or another of the same name: the watch tells.
            Err(error) if error.is_not_found() || error.is_conflict() => {}
            Err(error) => {
                let setback = Setback::of(error, "cannot tell pods their slots")?;
                first.get_or_insert(setback);
                in_a_row += 1;
            }
        }
        if in_a_row < IN_A_ROW
            && let Some(order) = waiting.next()
        {
            writes.push_back(write(context, &pods, key, order));
        }
    }
    Ok(first)
}

async fn write(
    context: &Context,
    pods: &Api<SlimPod>,
    key: &Key,
    order: &SlotOrder,
) -> Result<(), api::Error> {
    let SlotOrder { pod, uid, slots } = order;
    let _permit = context.patches.acquire().await.expect("it is never closed");
    // A merge patch: an apply would make a pod that has gone meanwhile. With the uid, so that the
    // next one of the same name is not told what was meant for another node.
    let value = slots.map(|slots| slots.to_string());
    let patch = json!({ "metadata": { "uid": uid, "annotations": { SLOTS: value } } });
    let patch = Patch::Merge(&patch);
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let patched = call("tell a pod its slots", pods.patch(pod, &params, &patch)).await?;
    debug!(namespace = &*key.namespace, pod, ?slots, "told a pod its slots");
    context.metrics.told();
    context.world.sight().answer_pod(key, pod, PodView::of(&patched));
    Ok(())
}
