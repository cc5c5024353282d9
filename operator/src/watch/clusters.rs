//! The clusters themselves. Read without their types: one that does not fit stops nobody else.

use std::sync::Arc;

use kube::core::{ApiResource, DynamicObject};
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};

use super::listed::Listed;
use super::{First, Follower, Scope, TOGETHER, follow};
use crate::context::Context;
use crate::crd::JudgeCluster;
use crate::world::{Key, Seen};

struct Clusters {
    context: Arc<Context>,
    scope: Scope,
    listed: Listed<Key>,
}

pub(super) async fn clusters(context: Arc<Context>, scope: Scope, mut first: First) {
    let resource = ApiResource::erase::<JudgeCluster>(&());
    let client = context.client.clone();
    let api: Api<DynamicObject> = match &scope {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let mut follower = Clusters { context: Arc::clone(&context), scope, listed: Listed::default() };
    follow(&context, api, watcher::Config::default(), &mut follower, &mut first).await;
}

/// Something else is asked of a cluster, or it has gone. Those that share nodes with it may have won
/// or lost them, and it may have named another ConfigMap of languages before.
pub(crate) fn changed(context: &Context, key: &Key) {
    context.work.add_at_once(key);
    let neighbours = context.world.sight().neighbours(key);
    for neighbour in neighbours.iter().filter(|neighbour| *neighbour != key) {
        context.work.add(neighbour, TOGETHER);
    }
    context.forget_files(&key.namespace);
}

impl Follower<DynamicObject> for Clusters {
    fn what(&self) -> &'static str {
        "judgeclusters"
    }

    fn put(&mut self, object: DynamicObject) {
        let seen = Seen::of(&object);
        let key = seen.key.clone();
        self.listed.note(key.clone());
        let news = self.context.world.sight().put_cluster(seen);
        if news {
            changed(&self.context, &key);
        }
    }

    fn gone(&mut self, object: DynamicObject) {
        let key = Key::new(&object.namespace().unwrap_or_default(), &object.name_any());
        self.context.world.sight().drop_cluster(&key);
        changed(&self.context, &key);
    }

    fn begin(&mut self) {
        self.listed.begin();
    }

    fn complete(&mut self) {
        let listed = self.listed.complete();
        let all = self.context.world.sight().clusters();
        let ours = all.into_iter().filter(|key| key.is_in(self.scope.as_deref()));
        let gone: Vec<Key> = ours.filter(|key| !listed.contains(key)).collect();
        for key in gone {
            self.context.world.sight().drop_cluster(&key);
            changed(&self.context, &key);
        }
        self.context.world.sight().know_clusters(self.scope.as_deref());
    }
}
