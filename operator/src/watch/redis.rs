//! The pods of managed Redis: what holds one up is told by its pod alone.

use std::sync::Arc;

use kube::ResourceExt as _;
use kube::runtime::watcher;

use super::homes::{Homes, labelled};
use super::kinds::{in_scope, wake};
use super::listed::Listed;
use super::{First, Follower, Scope, follow};
use crate::build::{COMPONENT, MANAGED_BY, MANAGER};
use crate::context::Context;
use crate::world::{Key, RedisView, SlimPod};

struct Redis {
    context: Arc<Context>,
    scope: Scope,
    homes: Homes,
    listed: Listed<Key>,
}

pub(super) async fn redis(context: Arc<Context>, scope: Scope, mut first: First) {
    let api = in_scope::<SlimPod>(context.client.clone(), &scope);
    let labels = format!("{MANAGED_BY}={MANAGER},{COMPONENT}=redis");
    let (homes, listed) = (Homes::default(), Listed::default());
    let mut follower = Redis { context: Arc::clone(&context), scope, homes, listed };
    let config = watcher::Config::default().labels(&labels);
    follow(&context, api, config, &mut follower, &mut first).await;
}

impl Redis {
    /// A pod is no more of this cluster.
    fn leave(&self, key: Key, pod: &SlimPod) {
        self.context.world.sight().drop_redis(&key, &pod.uid().unwrap_or_default());
        wake(&self.context, [key]);
    }
}

impl Follower<SlimPod> for Redis {
    fn what(&self) -> &'static str {
        "pods of redis"
    }

    fn put(&mut self, pod: SlimPod) {
        let key = labelled(&pod);
        if let Some(other) = self.homes.put(&pod, key.as_ref()) {
            self.leave(other, &pod);
        }
        let Some(key) = key else { return };
        self.listed.note(key.clone());
        if self.context.world.sight().put_redis(&key, RedisView::of(&pod)) {
            wake(&self.context, [key]);
        }
    }

    fn gone(&mut self, pod: SlimPod) {
        if let Some(key) = self.homes.gone(&pod) {
            self.leave(key, &pod);
        }
    }

    fn begin(&mut self) {
        self.homes.begin();
        self.listed.begin();
    }

    fn complete(&mut self) {
        let listed = self.listed.complete();
        let gone = self.context.world.sight().retain_redis(self.scope.as_deref(), &listed);
        wake(&self.context, gone);
    }
}
