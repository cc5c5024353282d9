//! Fifth step: tells pods their slots.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tracing::{debug, warn};

use crate::api::{self, call};
use crate::build::{MANAGER, SLOTS};
use crate::conditions::reasons;
use crate::context::Context;
use crate::survey::SlotOrder;
use crate::validate::Complaint;
use crate::world::{Key, PodView, SlimPod};

/// Annotations of one cluster that are written at once.
pub(crate) const AT_ONCE: usize = 16;

/// Writes all orders, so many at once.
///
/// # Errors
/// At the first answer that says that the API server is not well: the rest is for later.
pub(crate) async fn annotate(
    context: &Context,
    key: &Key,
    orders: &[SlotOrder],
    at_once: usize,
) -> Result<Option<Complaint>, api::Error> {
    let pods: Api<SlimPod> = Api::namespaced(context.client.clone(), &key.namespace);
    let mut complaint = None;
    let mut waiting = orders.iter();
    let mut writes = FuturesUnordered::new();
    for order in waiting.by_ref().take(at_once) {
        writes.push(write(context, &pods, key, order));
    }
    while let Some(written) = writes.next().await {
        match written {
            Ok(()) => {}
            // Gone, or another of the same name: the watch tells.
            Err(error) if error.is_not_found() || error.is_conflict() => {}
            Err(error) if error.is_refusal() => {
                let said = error.status().map(|status| status.message.clone()).unwrap_or_default();
                let message = format!("cannot tell pods their slots: {said}");
                warn!(namespace = &*key.namespace, judgecluster = &*key.name, "{message}");
                complaint = Some(Complaint { reason: reasons::FORBIDDEN, message });
                break;
            }
            Err(error) => return Err(error),
        }
        if let Some(order) = waiting.next() {
            writes.push(write(context, &pods, key, order));
        }
    }
    Ok(complaint)
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
