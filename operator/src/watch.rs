//! Feeds the world from the API server: one task a kind and namespace. What comes is reduced before
//! it is kept, and only what matters wakes a reconcile.

mod clusters;
mod definition;
mod homes;
mod kinds;
mod listed;
mod monitors;
mod redis;

use std::collections::BTreeSet;
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
use tokio::time::Instant;
use tracing::{debug, info, warn};

pub(crate) use clusters::changed;
pub(crate) use definition::Served;

use crate::api::chain;
use crate::build::Kind;
use crate::context::Context;

/// Events that come close together are one look. Long enough for the pods of a rollout to come in
/// bunches, short enough that nobody waits.
pub(crate) const TOGETHER: Duration = Duration::from_millis(100);

/// Which namespaces are looked at; `None` is all of them.
pub(crate) type Scope = Option<String>;

/// A namespace's first lists are waited for while they are refused, but no longer: an API server that
/// has just started refuses everybody until it has read the rights.
const BELIEVED: Duration = Duration::from_secs(5);

/// Starts all watches. The receiver tells which first lists are still missing.
pub(crate) fn start(
    context: &Arc<Context>,
    namespaces: &[String],
    tasks: &mut JoinSet<()>,
) -> watch::Receiver<Awaited> {
    let scopes = scopes(namespaces);
    let missing = Missing::default();
    let receiver = missing.0.subscribe();
    tasks.spawn(kinds::nodes(Arc::clone(context), missing.one_more(&None)));
    for scope in &scopes {
        let first = || missing.one_more(scope);
        tasks.spawn(clusters::clusters(Arc::clone(context), scope.clone(), first()));
        tasks.spawn(kinds::pods(Arc::clone(context), scope.clone(), first()));
        tasks.spawn(redis::redis(Arc::clone(context), scope.clone(), first()));
        tasks.spawn(kinds::refusals(Arc::clone(context), scope.clone(), first()));
        tasks.spawn(kinds::config_maps(Arc::clone(context), scope.clone(), first()));
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::ServiceMonitor) {
            tasks.spawn(kinds::owned(Arc::clone(context), kind, scope.clone(), first()));
        }
    }
    tasks.spawn(definition::definition(Arc::clone(context)));
    tasks.spawn(monitors::monitors(Arc::clone(context), scopes, missing.one_more(&None)));
    receiver
}

/// Each namespace once. An empty name is none: it comes of a comma too many, or of a variable that
/// is set to nothing.
fn scopes(namespaces: &[String]) -> Vec<Scope> {
    let names = namespaces.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    let names: BTreeSet<&str> = names.collect();
    match names.is_empty() {
        true => vec![None],
        false => names.into_iter().map(|name| Some(name.to_owned())).collect(),
    }
}

/// What is waited for at the beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Awaited {
    /// First lists that are still missing.
    pub(crate) lists: usize,
    /// Namespaces whose lists are refused, and not waited for: they would hold up all others.
    pub(crate) refused: BTreeSet<String>,
}

#[derive(Debug, Clone, Default)]
struct Missing(Arc<watch::Sender<Awaited>>);

/// A first list.
#[derive(Debug, Default)]
struct First {
    missing: Option<Missing>,
    scope: Scope,
    /// Since when it is refused, and nothing else has happened.
    refused: Option<Instant>,
}

impl Missing {
    fn one_more(&self, scope: &Scope) -> First {
        self.0.send_modify(|awaited| awaited.lists += 1);
        First { missing: Some(self.clone()), scope: scope.clone(), refused: None }
    }
}

impl First {
    /// It has come, or will not.
    fn done(&mut self) {
        if let Some(Missing(awaited)) = self.missing.take() {
            awaited.send_modify(|awaited| awaited.lists -= 1);
        }
    }

    /// It has not come. One namespace without rights, or one that is gone and its Role with it, is
    /// not waited for; it is tried on and on.
    fn broke(&mut self, error: &watcher::Error) {
        let (Some(Missing(awaited)), Some(namespace)) = (&self.missing, &self.scope) else {
            return;
        };
        if !is_refused(error) {
            self.refused = None;
            return;
        }
        if self.refused.get_or_insert_with(Instant::now).elapsed() >= BELIEVED {
            awaited.send_modify(|awaited| {
                awaited.refused.insert(namespace.clone());
            });
            self.done();
        }
    }
}

/// The operator may not watch this.
fn is_refused(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
            matches!(error, kube::Error::Api(status) if status.code == 403)
        }
        _ => false,
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
                first.broke(&error);
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

#[cfg(test)]
mod tests;
