//! Everything else that is watched: nodes, pods, our objects, refusals, ConfigMaps that specs name.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Event as CoreEvent};
use kube::core::{DynamicObject, NamespaceResourceScope, PartialObjectMeta};
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt as _};
use tokio::time::Instant;

use super::homes::{Homes, labelled, owner};
use super::listed::Listed;
use super::{First, Follower, Scope, TOGETHER, follow, is_refused};
use crate::build::{COMPONENT, Kind, MANAGED_BY, MANAGER};
use crate::context::Context;
use crate::world::{Key, Live, NodeView, PodView, Refusal, SlimNode, SlimPod};

pub(super) fn wake(context: &Context, keys: impl IntoIterator<Item = Key>) {
    for key in keys {
        context.work.add(&key, TOGETHER);
    }
}

pub(super) fn in_scope<K>(client: Client, scope: &Scope) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match scope {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    }
}

// Nodes ---------------------------------------------------------------------------------------

struct Nodes {
    context: Arc<Context>,
    listed: Listed<Arc<str>>,
    /// They have been listed once.
    known: bool,
    /// Since when they are refused, and nothing else has come.
    refused: Option<Instant>,
}

/// An API server that has just started refuses everybody until it has read the rights. Who was
/// allowed before takes a refusal for what it says only after this long: workers would be told to
/// count for themselves.
const BELIEVED: Duration = Duration::from_secs(60);

pub(super) async fn nodes(context: Arc<Context>, mut first: First) {
    let api: Api<SlimNode> = Api::all(context.client.clone());
    let mut follower = Nodes {
        context: Arc::clone(&context),
        listed: Listed::default(),
        known: false,
        refused: None,
    };
    follow(&context, api, watcher::Config::default(), &mut follower, &mut first).await;
}

impl Nodes {
    fn forbidden(&self, forbidden: bool) {
        let mut sight = self.context.world.sight();
        if sight.nodes_forbidden != forbidden {
            sight.nodes_forbidden = forbidden;
            wake(&self.context, sight.clusters());
        }
    }
}

impl Follower<SlimNode> for Nodes {
    fn what(&self) -> &'static str {
        "nodes"
    }

    fn put(&mut self, node: SlimNode) {
        // A watch that goes on after a refusal does not list again.
        if self.refused.take().is_some() {
            self.forbidden(false);
        }
        let name: Arc<str> = node.name_any().into();
        let concerned = self.context.world.sight().put_node(&name, NodeView::of(&node));
        self.listed.note(name);
        wake(&self.context, concerned);
    }

    fn gone(&mut self, node: SlimNode) {
        let concerned = self.context.world.sight().drop_node(&node.name_any());
        wake(&self.context, concerned);
    }

    fn begin(&mut self) {
        self.listed.begin();
    }

    fn complete(&mut self) {
        (self.known, self.refused) = (true, None);
        self.forbidden(false);
        let listed = self.listed.complete();
        let concerned = self.context.world.sight().retain_nodes(&listed);
        wake(&self.context, concerned);
    }

    fn broke(&mut self, error: &watcher::Error) -> bool {
        if !is_refused(error) {
            // Between two refusals nobody was there to refuse: a server that starts refuses, goes and
            // comes back has not refused all that time.
            self.refused = None;
            return false;
        }
        let since = *self.refused.get_or_insert_with(Instant::now);
        if !self.known || since.elapsed() >= BELIEVED {
            self.forbidden(true);
        }
        true
    }
}

// Pods ----------------------------------------------------------------------------------------

struct Pods {
    context: Arc<Context>,
    scope: Scope,
    homes: Homes,
    listed: Listed<(Key, Box<str>)>,
}

pub(super) async fn pods(context: Arc<Context>, scope: Scope, mut first: First) {
    let api: Api<SlimPod> = in_scope(context.client.clone(), &scope);
    let labels = format!("{MANAGED_BY}={MANAGER},{COMPONENT}=worker");
    let (homes, listed) = (Homes::default(), Listed::default());
    let mut follower = Pods { context: Arc::clone(&context), scope, homes, listed };
    let config = watcher::Config::default().labels(&labels);
    follow(&context, api, config, &mut follower, &mut first).await;
}

impl Pods {
    /// A pod is no more of this cluster.
    fn leave(&self, key: &Key, name: &str) {
        let concerned = self.context.world.sight().drop_pod(key, name);
        wake(&self.context, concerned);
    }
}

impl Follower<SlimPod> for Pods {
    fn what(&self) -> &'static str {
        "pods"
    }

    fn put(&mut self, pod: SlimPod) {
        let (key, name) = (labelled(&pod), pod.name_any());
        if let Some(other) = self.homes.put(&pod, key.as_ref()) {
            self.leave(&other, &name);
        }
        let Some(key) = key else { return };
        let concerned = self.context.world.sight().put_pod(&key, &name, PodView::of(&pod));
        self.listed.note((key, name.into()));
        wake(&self.context, concerned);
    }

    fn gone(&mut self, pod: SlimPod) {
        if let Some(key) = self.homes.gone(&pod) {
            self.leave(&key, &pod.name_any());
        }
    }

    fn begin(&mut self) {
        self.homes.begin();
        self.listed.begin();
    }

    fn complete(&mut self) {
        let listed = self.listed.complete();
        let concerned = self.context.world.sight().retain_pods(self.scope.as_deref(), &listed);
        wake(&self.context, concerned);
    }
}

// Our objects ---------------------------------------------------------------------------------

struct Owned {
    context: Arc<Context>,
    kind: Kind,
    scope: Scope,
    homes: Homes,
    listed: Listed<(Key, Box<str>)>,
}

pub(super) async fn owned(context: Arc<Context>, kind: Kind, scope: Scope, mut first: First) {
    let resource = kind.resource();
    let client = context.client.clone();
    let api: Api<DynamicObject> = match &scope {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let config = watcher::Config::default().labels(&format!("{MANAGED_BY}={MANAGER}"));
    let (homes, listed) = (Homes::default(), Listed::default());
    let mut follower = Owned { context: Arc::clone(&context), kind, scope, homes, listed };
    follow(&context, api, config, &mut follower, &mut first).await;
}

impl Owned {
    /// An object is no more of this cluster.
    fn leave(&self, key: Key, name: &str) {
        self.context.world.sight().drop_live(&key, self.kind, name);
        wake(&self.context, [key]);
    }
}

impl Follower<DynamicObject> for Owned {
    fn what(&self) -> &'static str {
        self.kind.as_str()
    }

    fn put(&mut self, object: DynamicObject) {
        let (key, name) = (owner(&object), object.name_any());
        if let Some(other) = self.homes.put(&object, key.as_ref()) {
            self.leave(other, &name);
        }
        let Some(key) = key else { return };
        self.listed.note((key.clone(), name.as_str().into()));
        let live = Live::of(object);
        if self.context.world.sight().put_live(&key, self.kind, &name, live) {
            wake(&self.context, [key]);
        }
    }

    fn gone(&mut self, object: DynamicObject) {
        if let Some(key) = self.homes.gone(&object) {
            self.leave(key, &object.name_any());
        }
    }

    fn begin(&mut self) {
        self.homes.begin();
        self.listed.begin();
    }

    fn complete(&mut self) {
        let listed = self.listed.complete();
        let scope = self.scope.as_deref();
        let concerned = self.context.world.sight().retain_live(self.kind, scope, &listed);
        wake(&self.context, concerned);
    }

    fn broke(&mut self, error: &watcher::Error) -> bool {
        // A ServiceMonitor's definition may be removed at any time (`monitors`).
        self.kind == Kind::ServiceMonitor && super::monitors::is_gone(error)
    }
}

// Refusals ------------------------------------------------------------------------------------

struct Refusals(Arc<Context>);

pub(super) async fn refusals(context: Arc<Context>, scope: Scope, mut first: First) {
    let api: Api<CoreEvent> = in_scope(context.client.clone(), &scope);
    let config =
        watcher::Config::default().fields("involvedObject.kind=DaemonSet,reason=FailedCreate");
    let mut follower = Refusals(Arc::clone(&context));
    follow(&context, api, config, &mut follower, &mut first).await;
}

impl Follower<CoreEvent> for Refusals {
    fn what(&self) -> &'static str {
        "events"
    }

    fn put(&mut self, event: CoreEvent) {
        let object = &event.involved_object;
        let (Some(namespace), Some(name)) = (&object.namespace, &object.name) else { return };
        let Some(cluster) = name.strip_suffix("-worker") else { return };
        let said = event.message.as_deref().unwrap_or_default();
        // The pod's name would make each one another message.
        let said = said.split_once(" is forbidden: ").map_or(said, |(_, why)| why);
        let refusal = Refusal { message: said.chars().take(600).collect() };
        let key = Key::new(namespace, cluster);
        if self.0.world.sight().put_refusal(&key, refusal) {
            wake(&self.0, [key]);
        }
    }

    fn gone(&mut self, _: CoreEvent) {}

    fn begin(&mut self) {}

    fn complete(&mut self) {}
}

// ConfigMaps that specs name --------------------------------------------------------------------

struct ConfigMaps {
    context: Arc<Context>,
    scope: Scope,
    listed: Listed<Key>,
}

pub(super) async fn config_maps(context: Arc<Context>, scope: Scope, mut first: First) {
    let api: Api<PartialObjectMeta<ConfigMap>> = in_scope(context.client.clone(), &scope);
    let mut follower =
        ConfigMaps { context: Arc::clone(&context), scope, listed: Listed::default() };
    follow(&context, api, watcher::Config::default(), &mut follower, &mut first).await;
}

impl Follower<PartialObjectMeta<ConfigMap>> for ConfigMaps {
    fn what(&self) -> &'static str {
        "configmaps"
    }

    fn put(&mut self, map: PartialObjectMeta<ConfigMap>) {
        let key = Key::new(&map.namespace().unwrap_or_default(), &map.name_any());
        let named_by = self.context.world.sight().put_config_map(&key, map.resource_version());
        if !named_by.is_empty() {
            self.listed.note(key);
        }
        wake(&self.context, named_by);
    }

    fn gone(&mut self, map: PartialObjectMeta<ConfigMap>) {
        let key = Key::new(&map.namespace().unwrap_or_default(), &map.name_any());
        let named_by = self.context.world.sight().put_config_map(&key, None);
        wake(&self.context, named_by);
    }

    fn begin(&mut self) {
        self.listed.begin();
    }

    fn complete(&mut self) {
        let listed = self.listed.complete();
        let named_by =
            self.context.world.sight().retain_config_maps(self.scope.as_deref(), &listed);
        wake(&self.context, named_by);
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use kube::core::response::StatusSummary;
    use serde_json::json;

    use super::*;
    use crate::metrics::Metrics;

    fn nodes() -> Nodes {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            std::future::pending::<Result<http::Response<kube::client::Body>, tower::BoxError>>()
                .await
        });
        let context = Context::new(Client::new(service, "ns"), Metrics::default(), "test");
        let (listed, context) = (Listed::default(), Arc::new(context));
        Nodes { context, listed, known: false, refused: None }
    }

    fn failed(code: u16) -> watcher::Error {
        let status = Status { status: Some(StatusSummary::Failure), code, ..Status::default() };
        watcher::Error::WatchStartFailed(kube::Error::Api(Box::new(status)))
    }

    fn node() -> SlimNode {
        serde_json::from_value(json!({ "metadata": { "name": "n" } })).unwrap()
    }

    fn believed(nodes: &Nodes) -> bool {
        nodes.context.world.sight().nodes_forbidden
    }

    async fn later(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_never_allowed_is_refused_at_once() {
        let mut nodes = nodes();
        assert!(nodes.broke(&failed(403)), "the first list need not be waited for");
        assert!(believed(&nodes));
        nodes.complete();
        assert!(!believed(&nodes), "until the right is there");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_lasts_is_believed() {
        let mut nodes = nodes();
        nodes.complete();
        for _ in 0..12 {
            nodes.broke(&failed(403));
            assert!(!believed(&nodes));
            later(5).await;
        }
        nodes.broke(&failed(403));
        assert!(believed(&nodes));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_before_an_outage_and_one_after_it_are_two_short_ones() {
        let mut nodes = nodes();
        nodes.complete();
        nodes.broke(&failed(403));
        for _ in 0..60 {
            later(5).await;
            nodes.broke(&failed(503));
        }
        nodes.broke(&failed(403));
        assert!(!believed(&nodes), "it has only just begun to refuse again");
        later(30).await;
        nodes.put(node());
        later(40).await;
        nodes.broke(&failed(403));
        assert!(!believed(&nodes), "a node came between the two");
        later(61).await;
        nodes.broke(&failed(403));
        assert!(believed(&nodes), "that one lasts");
    }
}
