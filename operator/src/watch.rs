//! Feeds the world from the API server: one task a kind and namespace. What comes is reduced before
//! it is kept, and only what matters wakes a reconcile.

mod clusters;
mod definition;
mod kinds;
mod monitors;
mod redis;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt as _, utils::Backoff};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

pub(crate) use definition::Served;

use crate::api::chain;
use crate::build::Kind;
use crate::context::Context;

/// Events that come close together are one look. Long enough for the pods of a rollout to come in
/// bunches, short enough that nobody waits.
pub(crate) const TOGETHER: Duration = Duration::from_millis(100);

/// Which namespaces are looked at; `None` is all of them.
pub(crate) type Scope = Option<String>;

/// Starts all watches. The receiver counts down the first lists that are still missing.
pub(crate) fn start(
    context: &Arc<Context>,
    namespaces: &[String],
    tasks: &mut JoinSet<()>,
) -> watch::Receiver<usize> {
    let scopes: Vec<Scope> = match namespaces {
        [] => vec![None],
        some => some.iter().cloned().map(Some).collect(),
    };
    let missing = Missing(Arc::new(watch::Sender::new(0)));
    let receiver = missing.0.subscribe();
    tasks.spawn(kinds::nodes(Arc::clone(context), missing.one_more()));
    for scope in &scopes {
        tasks.spawn(clusters::clusters(Arc::clone(context), scope.clone(), missing.one_more()));
        tasks.spawn(kinds::pods(Arc::clone(context), scope.clone(), missing.one_more()));
        tasks.spawn(redis::redis(Arc::clone(context), scope.clone(), missing.one_more()));
        tasks.spawn(kinds::refusals(Arc::clone(context), scope.clone(), missing.one_more()));
        tasks.spawn(kinds::config_maps(Arc::clone(context), scope.clone(), missing.one_more()));
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::ServiceMonitor) {
            let missing = missing.one_more();
            tasks.spawn(kinds::owned(Arc::clone(context), kind, scope.clone(), missing));
        }
    }
    tasks.spawn(definition::definition(Arc::clone(context)));
    tasks.spawn(monitors::monitors(Arc::clone(context), scopes, missing.one_more()));
    receiver
}

/// Counts first lists that are still missing.
#[derive(Clone)]
struct Missing(Arc<watch::Sender<usize>>);

/// One of them.
struct First(Option<Missing>);

impl Missing {
    fn one_more(&self) -> First {
        self.0.send_modify(|count| *count += 1);
        First(Some(self.clone()))
    }
}

impl First {
    /// It has come, or will not.
    fn done(&mut self) {
        if let Some(Missing(count)) = self.0.take() {
            count.send_modify(|count| *count -= 1);
        }
    }
}

/// What a watch does with what it gets.
trait Follower<K> {
    /// Of what, for logs and metrics.
    fn what(&self) -> &'static str;
    /// An object is there.
    fn put(&mut self, object: K);
    /// An object is gone.
    fn gone(&mut self, object: K);
    /// The list has begun.
    fn begin(&mut self);
    /// The list is complete: what was not in it is gone.
    fn complete(&mut self);
    /// It broke off. Returns whether the first list need not be waited for.
    fn broke(&mut self, _error: &watcher::Error) -> bool {
        false
    }
}

/// Follows for ever.
async fn follow<K, F>(
    context: &Context,
    api: Api<K>,
    config: watcher::Config,
    follower: &mut F,
    first: &mut First,
) where
    K: Resource<DynamicType: Clone> + Clone + DeserializeOwned + Debug + Send + 'static,
    F: Follower<K>,
{
    let what = follower.what();
    context.metrics.watches(what);
    let events = watcher(api, config).backoff(Patience::default());
    let mut events = std::pin::pin!(events);
    let mut said = None;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => follower.begin(),
            Ok(Event::Apply(object)) => follower.put(object),
            Ok(Event::InitApply(object)) => follower.put(object),
            Ok(Event::Delete(object)) => follower.gone(object),
            Ok(Event::InitDone) => {
                follower.complete();
                first.done();
                if said.take().is_some() {
                    info!(what, "watched again");
                }
                debug!(what, "listed");
            }
            Err(error) => {
                context.metrics.watch_broke(what);
                let text = chain(&error);
                if said.as_ref() != Some(&text) {
                    warn!(what, error = text, "a watch broke off; tried again");
                }
                said = Some(text);
                if follower.broke(&error) {
                    first.done();
                }
            }
        }
    }
}

/// Between attempts to watch: an API server that restarts is back within seconds.
#[derive(Debug, Default)]
struct Patience(u32);

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let doubled = Duration::from_millis(250).saturating_mul(1 << self.0.min(5));
        self.0 += 1;
        Some(doubled.min(Duration::from_secs(5)).mul_f64(0.75 + fastrand::f64() / 2.0))
    }
}

impl Backoff for Patience {
    fn reset(&mut self) {
        self.0 = 0;
    }
}
