//! ServiceMonitors, whose definition is there or not, and may come and go.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::watcher;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, info};

use super::{First, Scope, TOGETHER, kinds};
use crate::api::{call, chain};
use crate::build::Kind;
use crate::context::Context;

/// How often is looked for the definition: one small request that finds nothing.
const LOOK: Duration = Duration::from_secs(5);

/// Looks whether the definition is there, and watches while it is.
pub(super) async fn monitors(context: Arc<Context>, scopes: Vec<Scope>, mut first: First) {
    let mut watches = JoinSet::new();
    loop {
        let there = is_there(&context).await;
        if let Some(there) = there {
            if there && watches.is_empty() {
                for scope in &scopes {
                    let (context, scope) = (Arc::clone(&context), scope.clone());
                    let watch =
                        kinds::owned(context, Kind::ServiceMonitor, scope, First::default());
                    watches.spawn(watch);
                }
            } else if !there {
                watches.shutdown().await;
            }
            turn(&context, there);
        }
        first.done();
        sleep(LOOK).await;
    }
}

fn turn(context: &Context, there: bool) {
    let mut sight = context.world.sight();
    if sight.service_monitors == there {
        return;
    }
    sight.service_monitors = there;
    info!(there, "the definition of ServiceMonitor has come or gone");
    for key in sight.clusters() {
        context.work.add(&key, TOGETHER);
    }
}

/// `None` when the API server does not answer.
async fn is_there(context: &Context) -> Option<bool> {
    let listing = context.client.list_api_group_resources("monitoring.coreos.com/v1");
    match call("look for ServiceMonitor", listing).await {
        Ok(list) => Some(list.resources.iter().any(|resource| resource.kind == "ServiceMonitor")),
        Err(error) if error.is_not_found() => Some(false),
        Err(error) => {
            debug!(error = chain(&error), "not known whether there are ServiceMonitors");
            None
        }
    }
}

/// The definition was removed.
pub(super) fn is_gone(error: &watcher::Error) -> bool {
    let missing = |error: &kube::Error| matches!(error, kube::Error::Api(s) if s.code == 404);
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
            missing(error)
        }
        _ => false,
    }
}
