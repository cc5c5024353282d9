//! What reconciles share.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::apply::Refused;
use crate::ask::Word;
use crate::build::{Kind, MANAGER};
use crate::greet::Acquaintance;
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::progress::Progress;
use crate::work::Work;
use crate::world::{Key, Seen, World};

/// Annotations that are written at once, for all clusters: more would only queue up at the API
/// server, before those of others.
const PATCHES: usize = 32;

/// What reconciles share.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) world: World,
    pub(crate) work: Work,
    /// Clusters that may have workers who were never asked who they are.
    pub(crate) greetings: Work,
    pub(crate) metrics: Metrics,
    /// One for all, or repeats would not be counted together.
    pub(crate) recorder: Recorder,
    pub(crate) files: Files,
    pub(crate) patches: Semaphore,
    memos: Mutex<HashMap<Key, Memo>>,
}

/// What is remembered of a cluster between two looks. Losing it costs a write or two.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// Of which of several of this name.
    uid: String,
    /// How often its status is written.
    pub(crate) pace: Pace,
    /// How a change gets on.
    pub(crate) progress: Progress,
    /// The uid of a cluster whose namespace takes nothing new, and when that was said.
    pub(crate) leaving: Option<(String, Instant)>,
    /// Since when the API server fails at one of its objects.
    pub(crate) broken: Option<Instant>,
    /// What the API server did not take.
    pub(crate) refused: HashMap<(Kind, String), Refused>,
    /// Since when workers run without being ready.
    pub(crate) unwell: Option<Instant>,
    /// What one of them said of itself.
    pub(crate) word: Option<(Instant, Option<Word>)>,
    /// The slots that an event told.
    pub(crate) told: Option<u32>,
    /// What workers said of themselves.
    pub(crate) acquaintance: Acquaintance,
    /// Since when it is being deleted and its workers are drained.
    pub(crate) draining: Option<Instant>,
    /// Since when its Redis, or its HTTP service, has not been ready.
    pub(crate) down: HashMap<Kind, Instant>,
}

impl Context {
    pub(crate) fn new(client: Client, metrics: Metrics, identity: &str) -> Self {
        let reporter = Reporter { controller: MANAGER.into(), instance: Some(identity.to_owned()) };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            world: World::default(),
            work: Work::default(),
            greetings: Work::default(),
            metrics,
            files: Files::default(),
            patches: Semaphore::new(PATCHES),
            memos: Mutex::default(),
        }
    }

    fn memos(&self) -> MutexGuard<'_, HashMap<Key, Memo>> {
        // Every change is complete before anything in it could panic.
        self.memos.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what is remembered of a cluster, or changes it.
    pub(crate) fn memo<T>(&self, key: &Key, with: impl FnOnce(&mut Memo) -> T) -> T {
        with(self.memos().entry(key.clone()).or_default())
    }

    /// Forgets what another cluster of this name has left: one that is deleted and made again within
    /// a moment is never seen to be gone.
    pub(crate) fn meet(&self, seen: &Seen) {
        self.memo(&seen.key, |memo| {
            if memo.uid != seen.uid {
                *memo = Memo { uid: seen.uid.clone(), ..Memo::default() };
            }
        });
    }

    /// Forgets a cluster that is no more.
    pub(crate) fn forget(&self, key: &Key) {
        self.memos().remove(key);
        self.work.forget(key);
        self.greetings.forget(key);
        self.metrics.forget(key);
        self.forget_files(&key.namespace);
    }

    /// Forgets the files of ConfigMaps of a namespace that no cluster has a use for any more.
    pub(crate) fn forget_files(&self, namespace: &str) {
        // As long as clusters are listed for the first time: a look at all of them for each one.
        if self.files.is_empty() {
            return;
        }
        let used = self.world.sight().languages(namespace);
        self.files.retain(namespace, &used);
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

/// A cluster as events name it.
pub(crate) fn reference(seen: &Seen) -> ObjectReference {
    ObjectReference {
        api_version: Some("evalx.dev/v1alpha1".to_owned()),
        kind: Some("JudgeCluster".to_owned()),
        name: Some(seen.key.name.to_string()),
        namespace: Some(seen.key.namespace.to_string()),
        uid: Some(seen.uid.clone()),
        ..ObjectReference::default()
    }
}

/// ConfigMaps of languages, by version, so that a pod's event does not read them again.
#[derive(Debug, Default)]
pub(crate) struct Files(Mutex<HashMap<Key, Version>>);

/// A version, and what it holds.
type Version = (String, BTreeMap<String, String>);

impl Files {
    pub(crate) fn get(&self, map: &Key, version: &str) -> Option<BTreeMap<String, String>> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(map).filter(|(of, _)| of == version).map(|(_, files)| files.clone())
    }

    /// Those of the version that was put last.
    pub(crate) fn last(&self, map: &Key) -> Option<BTreeMap<String, String>> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(map).map(|(_, files)| files.clone())
    }

    pub(crate) fn put(&self, map: &Key, version: String, files: &BTreeMap<String, String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(map.clone(), (version, files.clone()));
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Keeps those of a namespace that are `used`.
    fn retain(&self, namespace: &str, used: &HashSet<Key>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|map, _| *map.namespace != *namespace || used.contains(map));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context() -> Context {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            std::future::pending::<Result<http::Response<kube::client::Body>, tower::BoxError>>()
                .await
        });
        Context::new(Client::new(service, "ns"), Metrics::default(), "test")
    }

    /// A cluster whose languages are in a ConfigMap.
    fn cluster(name: &str, map: &str) -> Seen {
        let object = json!({
            "apiVersion": "evalx.dev/v1alpha1", "kind": "JudgeCluster",
            "metadata": { "name": name, "namespace": "ns", "uid": name },
            "spec": { "image": "evalx:1", "queue": { "url": "redis://r" },
                "languages": { "configMapRef": { "name": map } } },
        });
        Seen::of(&serde_json::from_value(object).unwrap())
    }

    #[tokio::test]
    async fn files_are_kept_as_long_as_a_cluster_has_a_use_for_them() {
        let context = context();
        let put = |namespace: &str, name: &str| {
            context.files.put(&Key::new(namespace, name), "1".to_owned(), &BTreeMap::new());
        };
        let kept = || {
            let all = [("ns", "one"), ("ns", "two"), ("ns", "a-languages"), ("ns", "b-languages")];
            let all = all.into_iter().chain([("other", "one")]);
            let kept = all.filter(|(of, name)| context.files.last(&Key::new(of, name)).is_some());
            kept.map(|(_, name)| name).collect::<Vec<_>>()
        };
        for name in ["one", "two", "a-languages", "b-languages"] {
            put("ns", name);
        }
        put("other", "one");
        for (name, map) in [("a", "one"), ("b", "one")] {
            context.world.sight().put_cluster(cluster(name, map));
        }
        context.forget_files("ns");
        assert_eq!(kept(), ["one", "a-languages", "b-languages", "one"], "nobody names two");
        for (name, left) in [("a", &["one", "b-languages", "one"][..]), ("b", &["one"])] {
            let key = Key::new("ns", name);
            context.world.sight().drop_cluster(&key);
            context.forget(&key);
            assert_eq!(kept(), left, "{name}");
        }
    }
}
