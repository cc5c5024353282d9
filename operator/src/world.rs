//! What was seen of the cluster last, in projections: fed by the watches, read by reconciles. Only
//! what a decision needs is kept, so that thousands of nodes and pods fit.

mod cluster;
mod config_maps;
mod node;
mod owned;
mod pod;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use cluster::{Age, Seen};
pub use node::{NodeView, SlimNode};
pub use owned::{Live, covers};
pub use pod::{
    Phase, PodView, RedisTrouble, RedisTroubleKind, RedisView, SlimPod, Trouble, TroubleKind,
};

use crate::build::Kind;

/// A cluster's namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Key {
    /// Of two texts.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// Whether it is in this namespace; `None` is all of them.
    #[must_use]
    pub fn is_in(&self, scope: Option<&str>) -> bool {
        scope.is_none_or(|scope| *self.namespace == *scope)
    }
}

/// A refusal of pods, as an event of the DaemonSet controller tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it says.
    pub message: String,
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub struct Sight {
    clusters: HashMap<Key, Arc<Seen>>,
    nodes: HashMap<Arc<str>, NodeView>,
    pods: HashMap<Key, BTreeMap<Box<str>, PodView>>,
    by_node: HashMap<Arc<str>, BTreeSet<Key>>,
    owned: HashMap<Key, BTreeMap<(Kind, String), Live>>,
    /// Pods of managed Redis, one a cluster.
    redis: HashMap<Key, RedisView>,
    refusals: HashMap<Key, Refusal>,
    /// Where all clusters are known; `None` is everywhere.
    listed: HashSet<Option<Box<str>>>,
    /// Resource versions of ConfigMaps that specs name, as far as they are known.
    config_maps: HashMap<Key, String>,
    /// Nodes may not be read.
    pub nodes_forbidden: bool,
    /// The Prometheus operator is installed.
    pub service_monitors: bool,
}

/// `Sight` behind a lock that is never held across an await.
#[derive(Debug, Default)]
pub struct World(Mutex<Sight>);

impl World {
    /// Everything, for a moment.
    pub fn sight(&self) -> MutexGuard<'_, Sight> {
        // Every change is complete before anything in it could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `new` is not older than `old`. Versions are numbers that grow (KEP-5504); one that is none
/// is 0 and taken for new.
fn fresh(new: u64, old: u64) -> bool {
    new == 0 || new >= old
}

/// The number of a resource version.
pub(crate) fn version(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl Sight {
    /// A cluster.
    #[must_use]
    pub fn cluster(&self, key: &Key) -> Option<Arc<Seen>> {
        self.clusters.get(key).cloned()
    }

    /// All clusters.
    #[must_use]
    pub fn clusters(&self) -> Vec<Key> {
        self.clusters.keys().cloned().collect()
    }

    /// Puts a cluster. Returns whether anything but its status has changed.
    pub fn put_cluster(&mut self, seen: Seen) -> bool {
        let old = self.clusters.get(&seen.key);
        if old.is_some_and(|old| old.uid == seen.uid && !fresh(seen.version, old.version)) {
            return false;
        }
        let news = old.is_none_or(|old| !old.is_same_order(&seen));
        self.clusters.insert(seen.key.clone(), Arc::new(seen));
        news
    }

    /// Puts a cluster as a write of ours was answered. Returns what `put_cluster` does. One that the
    /// watch has seen go is not put again: no event would ever remove it.
    pub fn answer_cluster(&mut self, seen: Seen) -> bool {
        let is_there = self.clusters.get(&seen.key).is_some_and(|there| there.uid == seen.uid);
        is_there && self.put_cluster(seen)
    }

    /// Removes a cluster.
    pub fn drop_cluster(&mut self, key: &Key) {
        self.clusters.remove(key);
        self.refusals.remove(key);
    }

    /// All clusters of a scope have been put. Refusals of pods of others there are nobody's.
    pub fn know_clusters(&mut self, scope: Option<&str>) {
        self.listed.insert(scope.map(Box::from));
        self.refusals.retain(|key, _| !key.is_in(scope) || self.clusters.contains_key(key));
    }

    /// Clusters that have a worker on a node on which this one has, itself included.
    #[must_use]
    pub fn neighbours(&self, key: &Key) -> BTreeSet<Key> {
        let nodes = self.pods.get(key).into_iter().flat_map(|pods| pods.values());
        let nodes = nodes.filter_map(|pod| pod.node.as_ref());
        nodes.filter_map(|node| self.by_node.get(node)).flatten().cloned().collect()
    }

    /// A node.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeView> {
        self.nodes.get(name)
    }

    /// Puts a node. Returns the clusters that it concerns: none when nothing that matters changed.
    pub fn put_node(&mut self, name: &Arc<str>, node: NodeView) -> Vec<Key> {
        if self.nodes.get(name) == Some(&node) {
            return Vec::new();
        }
        self.nodes.insert(Arc::clone(name), node);
        self.on_node(name)
    }

    /// Removes a node.
    pub fn drop_node(&mut self, name: &str) -> Vec<Key> {
        self.nodes.remove(name);
        self.on_node(name)
    }

    /// Keeps the nodes that are in a complete list.
    pub fn retain_nodes(&mut self, names: &HashSet<Arc<str>>) -> Vec<Key> {
        let gone: Vec<_> = self.nodes.keys().filter(|n| !names.contains(*n)).cloned().collect();
        gone.iter().flat_map(|name| self.drop_node(name)).collect()
    }

    /// Clusters that have a worker on a node.
    #[must_use]
    pub fn on_node(&self, name: &str) -> Vec<Key> {
        self.by_node.get(name).into_iter().flatten().cloned().collect()
    }

    /// The pods of a cluster, by name.
    pub fn pods(&self, key: &Key) -> impl Iterator<Item = (&str, &PodView)> {
        self.pods.get(key).into_iter().flatten().map(|(name, pod)| (&**name, pod))
    }

    /// Puts a pod. Returns the clusters that it concerns.
    pub fn put_pod(&mut self, key: &Key, name: &str, pod: PodView) -> Vec<Key> {
        let pods = self.pods.entry(key.clone()).or_default();
        if let Some(old) = pods.get(name) {
            let older = old.uid == pod.uid && !fresh(pod.version, old.version);
            if older || old.is_alike(&pod) {
                if !older {
                    pods.insert(name.into(), pod);
                }
                return Vec::new();
            }
        }
        let node = pod.node.clone();
        let moved = pods.insert(name.into(), pod).and_then(|old| old.node);
        if let Some(node) = moved.filter(|moved| Some(moved) != node.as_ref()) {
            self.leave(&node, key);
        }
        let mut concerned = vec![key.clone()];
        if let Some(node) = node {
            let there = self.by_node.entry(node).or_default();
            there.insert(key.clone());
            concerned.extend(there.iter().filter(|other| *other != key).cloned());
        }
        concerned
    }

    /// Puts a pod as a write of ours was answered. One that the watch has seen go is not put again.
    pub fn answer_pod(&mut self, key: &Key, name: &str, pod: PodView) {
        let there = self.pods.get(key).and_then(|pods| pods.get(name));
        if there.is_some_and(|there| there.uid == pod.uid) {
            self.put_pod(key, name, pod);
        }
    }

    /// Removes a pod.
    pub fn drop_pod(&mut self, key: &Key, name: &str) -> Vec<Key> {
        let Some(pods) = self.pods.get_mut(key) else { return Vec::new() };
        let old = pods.remove(name);
        if pods.is_empty() {
            self.pods.remove(key);
        }
        let Some(node) = old.and_then(|old| old.node) else { return vec![key.clone()] };
        let mut concerned = self.on_node(&node);
        self.leave(&node, key);
        if !concerned.contains(key) {
            concerned.push(key.clone());
        }
        concerned
    }

    /// Keeps the pods that are in a complete list.
    pub fn retain_pods(
        &mut self,
        scope: Option<&str>,
        names: &HashSet<(Key, Box<str>)>,
    ) -> Vec<Key> {
        let all = self.pods.iter().filter(|(key, _)| key.is_in(scope));
        let all = all.flat_map(|(key, pods)| pods.keys().map(|name| (key.clone(), name.clone())));
        let gone: Vec<_> = all.filter(|pod| !names.contains(pod)).collect();
        gone.iter().flat_map(|(key, name)| self.drop_pod(key, name)).collect()
    }

    /// A cluster has no worker on a node any more, unless another pod of it is there.
    fn leave(&mut self, node: &Arc<str>, key: &Key) {
        let others = self.pods.get(key).into_iter().flat_map(BTreeMap::values);
        if others.into_iter().any(|pod| pod.node.as_ref() == Some(node)) {
            return;
        }
        if let Some(there) = self.by_node.get_mut(node) {
            there.remove(key);
            if there.is_empty() {
                self.by_node.remove(node);
            }
        }
    }

    /// An object of a cluster.
    #[must_use]
    pub fn live(&self, key: &Key, kind: Kind, name: &str) -> Option<&Live> {
        self.owned.get(key)?.get(&(kind, name.to_owned()))
    }

    /// All objects of a cluster.
    pub fn all_live(&self, key: &Key) -> impl Iterator<Item = (&(Kind, String), &Live)> {
        self.owned.get(key).into_iter().flatten()
    }

    /// Puts an object. Returns whether it is news.
    pub fn put_live(&mut self, key: &Key, kind: Kind, name: &str, mut live: Live) -> bool {
        let objects = self.owned.entry(key.clone()).or_default();
        if let Some(old) = objects.get(&(kind, name.to_owned())) {
            if old.uid == live.uid && !fresh(live.version, old.version) {
                return false;
            }
            if old.version == live.version && live.version != 0 {
                return false;
            }
            live.settled = live.settled.or_else(|| old.settled.clone());
        }
        objects.insert((kind, name.to_owned()), live);
        true
    }

    /// Removes an object.
    pub fn drop_live(&mut self, key: &Key, kind: Kind, name: &str) {
        if let Some(objects) = self.owned.get_mut(key) {
            objects.remove(&(kind, name.to_owned()));
            if objects.is_empty() {
                self.owned.remove(key);
            }
        }
    }

    /// Keeps the objects of a kind that are in a complete list.
    pub fn retain_live(
        &mut self,
        kind: Kind,
        scope: Option<&str>,
        names: &HashSet<(Key, Box<str>)>,
    ) -> Vec<Key> {
        let all =
            self.owned.iter().filter(|(key, _)| key.is_in(scope)).flat_map(|(key, objects)| {
                let of_kind = objects.keys().filter(|(k, _)| *k == kind);
                of_kind.map(|(_, name)| (key.clone(), Box::from(name.as_str())))
            });
        let gone: Vec<(Key, Box<str>)> = all.filter(|object| !names.contains(object)).collect();
        for (key, name) in &gone {
            self.drop_live(key, kind, name);
        }
        gone.into_iter().map(|(key, _)| key).collect()
    }

    /// The pod of a cluster's managed Redis.
    #[must_use]
    pub fn redis(&self, key: &Key) -> Option<&RedisView> {
        self.redis.get(key)
    }

    /// Puts one. Returns whether it is news.
    pub fn put_redis(&mut self, key: &Key, view: RedisView) -> bool {
        match self.redis.get(key) {
            Some(old) if old.uid == view.uid && !fresh(view.version, old.version) => false,
            old => {
                let news = old.is_none_or(|old| !old.is_alike(&view));
                self.redis.insert(key.clone(), view);
                news
            }
        }
    }

    /// Removes one, unless another has come in its place.
    pub fn drop_redis(&mut self, key: &Key, uid: &str) {
        if self.redis.get(key).is_some_and(|there| *there.uid == *uid) {
            self.redis.remove(key);
        }
    }

    /// Keeps those that are in a complete list. Returns the clusters whose is gone.
    pub fn retain_redis(&mut self, scope: Option<&str>, listed: &HashSet<Key>) -> Vec<Key> {
        let ours = self.redis.keys().filter(|key| key.is_in(scope));
        let gone: Vec<Key> = ours.filter(|key| !listed.contains(*key)).cloned().collect();
        for key in &gone {
            self.redis.remove(key);
        }
        gone
    }

    /// The last refusal of a cluster's pods.
    #[must_use]
    pub fn refusal(&self, key: &Key) -> Option<&Refusal> {
        self.refusals.get(key)
    }

    /// Puts a refusal. Returns whether it is news of a cluster. One of a cluster that may still be listed
    /// is kept: the DaemonSet's controller says it again after up to a quarter of an hour.
    pub fn put_refusal(&mut self, key: &Key, refusal: Refusal) -> bool {
        let is_there = self.clusters.contains_key(key);
        if !is_there && self.listed.iter().any(|scope| key.is_in(scope.as_deref())) {
            return false;
        }
        let before = self.refusals.insert(key.clone(), refusal.clone());
        is_there && before != Some(refusal)
    }

    /// Forgets it: all pods are there.
    pub fn drop_refusal(&mut self, key: &Key) {
        self.refusals.remove(key);
    }
}
