//! What is to be done with a cluster's pods, and what is to be said of them: a pure function of what
//! was seen.

use std::collections::{BTreeMap, HashSet};

use crate::build::{Kind, daemon_set_name};
use crate::sizing::Bound;
use crate::validate::Fleet;
use crate::world::{Age, Key, NodeView, Phase, PodView, Seen, Sight, TroubleKind};

/// Classes of nodes in a status.
const CLASSES: usize = 32;
/// Names in a message.
const NAMES: usize = 3;

/// The finalizer of a deletion that leaves what is owned alone (`metav1.FinalizerOrphanDependents`).
const ORPHAN: &str = "orphan";

/// An annotation to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotOrder {
    /// The pod.
    pub pod: String,
    /// Which of several of this name.
    pub uid: String,
    /// What it is to say; `None` takes it away.
    pub slots: Option<u32>,
}

/// A cluster's pods and nodes, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// What is to be written.
    pub orders: Vec<SlotOrder>,
    /// Pods that are not over.
    pub pods: u32,
    /// Slots that all workers should have.
    pub slots: u32,
    /// Slots that ready workers have been told.
    pub slots_ready: u32,
    /// By class of node: nodes, slots.
    pub classes: BTreeMap<String, (u32, u32)>,
    /// Nodes about to be removed.
    pub draining: u32,
    /// Nodes that are cordoned.
    pub unschedulable: u32,
    /// Nodes that are not ready.
    pub not_ready: u32,
    /// Nodes that an older cluster has.
    pub conflicts: Names,
    /// Clusters that have them.
    pub rivals: Names,
    /// Nodes that do not say what they have.
    pub unknown: Names,
    /// Nodes that have room for fewer than the least.
    pub small: Names,
    /// Nodes that have room for more than one worker can run.
    pub large: Names,
    /// What is wrong with pods: how many, one of them, and what was said of it.
    pub troubles: BTreeMap<TroubleKind, (u32, String, String)>,
    /// Pods on a node whose container is not made yet, and nobody says why.
    pub waiting: u32,
    /// Ready workers.
    pub ready: u32,
    /// Workers that run and are not ready, with their addresses: they can be asked why.
    pub unwell: Vec<(String, std::net::IpAddr)>,
}

/// Some names, and how many there are in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// How many.
    pub count: u32,
    first: Vec<String>,
}

impl Names {
    /// Of some.
    #[cfg(test)]
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = Self::default();
        names.into_iter().for_each(|name| all.add(name));
        all
    }

    fn add(&mut self, name: &str) {
        self.count += 1;
        // The first in order, not in time: a message must not change by itself.
        let at = self.first.partition_point(|other| other.as_str() < name);
        if at < NAMES {
            self.first.insert(at, name.to_owned());
            self.first.truncate(NAMES);
        }
    }

    /// A name that may come again; beyond those that are shown nobody counts.
    fn add_once(&mut self, name: &str) {
        if self.first.len() < NAMES && !self.first.iter().any(|other| other == name) {
            self.add(name);
        }
    }
}

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.first.join(", "))?;
        match self.count as usize - self.first.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What a pod's annotation should say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Slots(u32),
    /// The worker counts for itself.
    Unset,
    /// Not known, or not worth a write yet.
    Leave,
}

/// Looks at a cluster. With `fleet` missing (its spec is wrong) pods keep what they have, but for those
/// on nodes that are to take nothing.
#[must_use]
pub fn survey(seen: &Seen, fleet: Option<&Fleet>, sight: &Sight) -> Survey {
    let mut survey = Survey::default();
    let suspended = seen.is_suspended() || seen.deleted.is_some();
    let (left, rivals) = (is_left(seen, sight), rivals(seen, sight));
    for (name, pod) in sight.pods(&seen.key) {
        if pod.phase == Phase::Over {
            continue;
        }
        survey.pods += 1;
        survey.health(name, pod);
        let Some(node_name) = &pod.node else { continue };
        if pod.stopping {
            continue;
        }
        let node = sight.node(node_name);
        survey.node(node);
        let rival = rivals.iter().find(|rival| rival.nodes.contains(&**node_name));
        if let Some(Rival { key, .. }) = rival {
            survey.conflicts.add(node_name);
            survey.rivals.add_once(&format!("{}/{}", key.namespace, key.name));
        }
        let wish = if suspended || rival.is_some() {
            Wish::Slots(0)
        } else if sight.nodes_forbidden {
            Wish::Unset
        } else {
            match (node, fleet) {
                (Some(node), Some(fleet)) => survey.wish(node_name, node, pod, fleet),
                (Some(node), None) => uncounted(seen, node, pod),
                (None, _) => Wish::Leave,
            }
        };
        survey.take(name, pod, node, if left { Wish::Leave } else { wish });
    }
    survey
}

/// Whether pods keep what they have been told, whatever they should have.
fn is_left(seen: &Seen, sight: &Sight) -> bool {
    match seen.deleted {
        Some(_) => is_orphaned(seen, sight),
        None => seen.is_paused(),
    }
}

/// Whether a cluster is being deleted without its workers (`--cascade=orphan`): they go on as they
/// are. Of the DaemonSet the garbage collector takes the owner away before the finalizer goes.
#[must_use]
pub fn is_orphaned(seen: &Seen, sight: &Sight) -> bool {
    let live = sight.live(&seen.key, Kind::DaemonSet, &daemon_set_name(&seen.key.name));
    let released = live.is_some_and(|live| live.owner.as_ref() != Some(&seen.uid));
    seen.deleted.is_some() && (released || seen.finalizers.iter().any(|name| name == ORPHAN))
}

/// Another cluster, and the nodes that it keeps from this one.
struct Rival<'a> {
    key: Key,
    /// `None` of one that has gone.
    age: Option<Age>,
    nodes: HashSet<&'a str>,
}

/// How a cluster keeps the nodes that it has pods on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// All of them.
    All,
    /// Those whose worker has slots: nobody takes them from it.
    Slots,
}

/// All clusters that keep nodes from this one, the oldest first. Made once a survey: for each node it
/// would be a look through all pods of each cluster there.
fn rivals<'a>(seen: &Seen, sight: &'a Sight) -> Vec<Rival<'a>> {
    let others = sight.neighbours(&seen.key).into_iter().filter(|key| *key != seen.key);
    let rivals = others.filter_map(|key| {
        let other = sight.cluster(&key);
        let hold = hold(seen, other.as_deref(), sight)?;
        let pods = sight.pods(&key).map(|(_, pod)| pod);
        let pods = pods.filter(|pod| hold == Hold::All || has_slots(pod));
        let nodes = pods.filter_map(|pod| pod.node.as_deref()).collect();
        Some(Rival { key, age: other.map(|other| other.age.clone()), nodes })
    });
    let mut rivals: Vec<Rival<'a>> = rivals.collect();
    rivals.sort_by(|a, b| a.age.cmp(&b.age));
    rivals
}

/// How another cluster keeps nodes from this one, if it does. Of workers that outlive their cluster
/// nobody can say which are older; they have what they have.
fn hold(seen: &Seen, other: Option<&Seen>, sight: &Sight) -> Option<Hold> {
    let Some(other) = other else { return Some(Hold::Slots) };
    if other.deleted.is_some() {
        return is_orphaned(other, sight).then_some(Hold::Slots);
    }
    let hold = match (other.is_paused(), other.is_suspended()) {
        (true, _) => Some(Hold::Slots),
        (false, true) => None,
        (false, false) => Some(Hold::All),
    };
    hold.filter(|_| other.age < seen.age)
}

/// Whether a worker claims jobs, or will. Without a word it counts for itself. One that was set aside
/// has another in its place.
fn has_slots(pod: &PodView) -> bool {
    let attended = pod.attended && !pod.stopping && pod.phase != Phase::Over;
    attended && pod.slots.as_deref() != Some("0")
}

/// The wish for a pod on a node that takes nothing.
fn nothing(node: &NodeView, pod: &PodView) -> Option<Wish> {
    if node.cordoned || node.leaving {
        return Some(Wish::Slots(0));
    }
    // Nothing starts on a node that is not ready, so what a pod without a word would be told now is
    // told again when the node is: a write a pod for nothing.
    let waits = pod.phase == Phase::Pending && pod.slots.is_none();
    (!node.ready).then_some(if waits { Wish::Leave } else { Wish::Slots(0) })
}

/// The wish while the spec is wrong, which says how slots are counted.
fn uncounted(seen: &Seen, node: &NodeView, pod: &PodView) -> Wish {
    // That the node took nothing is over. The worker has the last policy as a file, and counts by it:
    // else each node that is away for a moment would be lost until the spec is right. Not where the
    // spec cannot be read at all, and may say that the cluster is suspended.
    let back = seen.spec.is_ok() && pod.slots.as_deref() == Some("0");
    nothing(node, pod).unwrap_or(if back { Wish::Unset } else { Wish::Leave })
}

impl Survey {
    fn health(&mut self, name: &str, pod: &PodView) {
        if pod.ready {
            self.ready += 1;
        } else if let (Phase::Running, Some(address), None, false) =
            (pod.phase, pod.address, &pod.trouble, pod.stopping)
        {
            self.unwell.push((name.to_owned(), address));
        }
        let unmade = pod.phase == Phase::Pending && pod.node.is_some();
        self.waiting += u32::from(unmade && pod.trouble.is_none() && !pod.stopping);
        if let Some(trouble) = &pod.trouble {
            let first = || (0, name.to_owned(), trouble.message.clone());
            self.troubles.entry(trouble.kind).or_insert_with(first).0 += 1;
        }
    }

    fn node(&mut self, node: Option<&NodeView>) {
        let Some(node) = node else { return };
        self.draining += u32::from(node.leaving);
        self.unschedulable += u32::from(node.cordoned);
        self.not_ready += u32::from(!node.ready);
    }

    fn wish(&mut self, name: &str, node: &NodeView, pod: &PodView, fleet: &Fleet) -> Wish {
        let count = fleet.sizing.count(node.room, |key| node.label(key).map(str::to_owned));
        match count.bound {
            Bound::Unknown => self.unknown.add(name),
            Bound::Min => self.small.add(name),
            Bound::Worker => self.large.add(name),
            Bound::Cpu | Bound::Memory | Bound::Max => {}
        }
        nothing(node, pod).unwrap_or(Wish::Slots(count.slots))
    }

    fn take(&mut self, name: &str, pod: &PodView, node: Option<&NodeView>, wish: Wish) {
        let said: Option<u32> = pod.slots.as_ref().and_then(|slots| slots.parse().ok());
        let wanted = match wish {
            Wish::Slots(slots) => Some(slots),
            Wish::Unset => None,
            // A node that is gone, or not seen yet, has no slots.
            Wish::Leave => said.filter(|_| node.is_some()),
        };
        let differs = match wish {
            Wish::Leave => false,
            Wish::Slots(_) => said != wanted,
            Wish::Unset => pod.slots.is_some(),
        };
        if differs {
            let (pod, uid) = (name.to_owned(), pod.uid.to_string());
            self.orders.push(SlotOrder { pod, uid, slots: wanted });
        }
        let slots = wanted.unwrap_or(0);
        self.slots += slots;
        if pod.ready {
            self.slots_ready += said.unwrap_or(0).min(slots);
        }
        if let Some(node) = node {
            let class = node.class();
            let full = self.classes.len() >= CLASSES - 1 && !self.classes.contains_key(&class);
            let class = if full { "other".to_owned() } else { class };
            let entry = self.classes.entry(class).or_default();
            *entry = (entry.0 + 1, entry.1 + slots);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::dereference::{LanguageFiles, References};
    use crate::validate::validate;
    use crate::world::Live;

    const GIB: &str = "64Gi";

    fn seen(name: &str, created: &str, spec: Value) -> Seen {
        let mut base = json!({ "image": "evalx:1", "queue": { "url": "redis://r" } });
        base.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let object = json!({
            "apiVersion": "evalx.dev/v1alpha1", "kind": "JudgeCluster",
            "metadata": { "name": name, "namespace": "ns", "uid": name, "creationTimestamp": created },
            "spec": base,
        });
        Seen::of(&serde_json::from_value(object).unwrap())
    }

    fn node(cpu: &str, more: Value) -> NodeView {
        let mut node = json!({
            "metadata": { "name": "n", "labels": { "pool": "a" } },
            "spec": {},
            "status": {
                "allocatable": { "cpu": cpu, "memory": GIB },
                "conditions": [{ "type": "Ready", "status": "True" }],
            },
        });
        for (key, value) in more.as_object().unwrap() {
            node[key] = value.clone();
        }
        NodeView::of(&serde_json::from_value(node).unwrap())
    }

    fn pod(node: &str, slots: Option<&str>) -> PodView {
        PodView {
            uid: format!("uid-{node}").into(),
            version: 1,
            node: Some(node.into()),
            slots: slots.map(Box::from),
            phase: Phase::Running,
            ready: true,
            stopping: false,
            attended: true,
            address: None,
            trouble: None,
        }
    }

    struct Scene {
        sight: Sight,
        seen: Seen,
    }

    impl Scene {
        fn new(spec: Value) -> Self {
            let seen = seen("c", "2026-01-02T00:00:00Z", spec);
            let mut sight = Sight::default();
            sight.put_cluster(seen.clone());
            Self { sight, seen }
        }

        fn with(mut self, name: &str, node: NodeView, pod: PodView) -> Self {
            self.sight.put_node(&Arc::from(name), node);
            self.sight.put_pod(&self.seen.key, &format!("pod-{name}"), pod);
            self
        }

        fn survey(&self) -> Survey {
            let references =
                References { languages: LanguageFiles::NotAsked, service_monitors: false };
            let spec = self.seen.spec.as_ref().unwrap();
            let (fleet, _) = validate(&self.seen.identity(), spec, &references).unwrap();
            survey(&self.seen, Some(&fleet), &self.sight)
        }

        fn orders(&self) -> Vec<(String, Option<u32>)> {
            let orders = self.survey().orders.into_iter();
            orders.map(|SlotOrder { pod, slots, .. }| (pod, slots)).collect()
        }
    }

    /// The DaemonSet of the cluster of that uid, or of none.
    fn daemon_set(uid: Option<&str>) -> Live {
        let owner = |uid: &str| {
            json!({ "apiVersion": "evalx.dev/v1alpha1", "kind": "JudgeCluster", "name": "c",
                "uid": uid, "controller": true })
        };
        let owners: Vec<Value> = uid.map(owner).into_iter().collect();
        let object = json!({ "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": { "name": "c-worker", "uid": "ds", "ownerReferences": owners } });
        Live::of(serde_json::from_value(object).unwrap())
    }

    fn told(slots: u32) -> Vec<(String, Option<u32>)> {
        vec![("pod-n".to_owned(), Some(slots))]
    }

    #[test]
    fn slots_follow_the_cpu_and_what_is_right_is_not_written_again() {
        for (cpu, slots) in [("2", 2), ("4", 4), ("7910m", 7), ("16", 16)] {
            let scene = Scene::new(json!({})).with("n", node(cpu, json!({})), pod("n", None));
            assert_eq!(scene.orders(), told(slots), "{cpu}");
            let right = slots.to_string();
            let scene =
                Scene::new(json!({})).with("n", node(cpu, json!({})), pod("n", Some(&right)));
            assert_eq!(scene.orders(), [], "{cpu}");
            assert_eq!((scene.survey().slots, scene.survey().slots_ready), (slots, slots));
        }
    }

    #[test]
    fn one_worker_has_no_more_than_it_can_run() {
        let scene = Scene::new(json!({ "sandbox": { "memoryPerSlot": "1Mi" } }));
        let scene = scene.with("n", node("896", json!({})), pod("n", None));
        assert_eq!((scene.orders(), scene.survey().large.count), (told(512), 1));
    }

    #[test]
    fn while_paused_slots_are_what_they_were() {
        for spec in [json!({ "paused": true }), json!({ "paused": true, "suspend": true })] {
            let scene = Scene::new(spec).with("n", node("4", json!({})), pod("n", Some("3")));
            let survey = scene.survey();
            assert_eq!((survey.slots, survey.slots_ready, survey.orders), (3, 3, vec![]));
        }
    }

    #[test]
    fn workers_that_outlive_their_cluster_keep_their_slots() {
        let deleted = |finalizers: &[&str], owner: Option<&str>| {
            let mut scene =
                Scene::new(json!({})).with("n", node("4", json!({})), pod("n", Some("4")));
            scene.seen.deleted = Some(1);
            scene.seen.finalizers = finalizers.iter().map(|&name| name.to_owned()).collect();
            let live = daemon_set(owner);
            scene.sight.put_live(&scene.seen.key, Kind::DaemonSet, "c-worker", live);
            let orders = survey(&scene.seen, None, &scene.sight).orders.into_iter();
            orders.map(|order| (order.pod, order.slots)).collect::<Vec<_>>()
        };
        assert_eq!(deleted(&["foregroundDeletion"], Some("c")), told(0));
        assert_eq!(deleted(&["orphan"], Some("c")), [], "they are about to be orphaned");
        assert_eq!(deleted(&["example.org/x"], None), [], "they have been");
    }

    #[test]
    fn a_word_that_is_none_is_written_over() {
        for odd in ["", "many", "5", "-1"] {
            let scene = Scene::new(json!({})).with("n", node("4", json!({})), pod("n", Some(odd)));
            assert_eq!(scene.orders(), told(4), "{odd:?}");
        }
    }

    #[test]
    fn nodes_that_are_to_take_nothing() {
        let cordoned = json!({ "spec": { "unschedulable": true } });
        let taint =
            |key: &str| json!({ "spec": { "taints": [{ "key": key, "effect": "NoSchedule" }] } });
        let not_ready = json!({ "status": {
            "allocatable": { "cpu": "4", "memory": GIB },
            "conditions": [{ "type": "Ready", "status": "Unknown" }],
        } });
        let silent = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }] } });
        for more in [
            cordoned,
            taint("ToBeDeletedByClusterAutoscaler"),
            taint("karpenter.sh/disrupted"),
            not_ready,
            silent,
        ] {
            let scene =
                Scene::new(json!({})).with("n", node("4", more.clone()), pod("n", Some("4")));
            assert_eq!(scene.orders(), told(0), "{more}");
        }
        let other = Scene::new(json!({})).with("n", node("4", taint("other")), pod("n", None));
        assert_eq!(other.orders(), told(4));
    }

    #[test]
    fn a_wrong_spec_keeps_no_node_that_is_to_take_nothing() {
        let cordoned = json!({ "spec": { "unschedulable": true } });
        let leaving = json!({ "spec": { "taints": [
            { "key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule" },
        ] } });
        let not_ready = json!({ "status": { "allocatable": { "cpu": "4" }, "conditions": [] } });
        let wrong = |spec: Value, more: &Value, slots: Option<&str>| {
            let scene = Scene::new(spec).with("n", node("4", more.clone()), pod("n", slots));
            let orders = survey(&scene.seen, None, &scene.sight).orders.into_iter();
            orders.map(|order| (order.pod, order.slots)).collect::<Vec<_>>()
        };
        let unreadable = json!({ "suspend": "maybe" });
        for more in [cordoned, leaving, not_ready] {
            for spec in [json!({}), unreadable.clone()] {
                assert_eq!(wrong(spec.clone(), &more, Some("4")), told(0), "{more}");
                assert_eq!(wrong(spec, &more, Some("0")), [], "{more}");
            }
        }
        let well = json!({});
        assert_eq!(wrong(json!({}), &well, Some("4")), [], "it keeps what it has");
        let back = [("pod-n".to_owned(), None)];
        assert_eq!(wrong(json!({}), &well, Some("0")), back, "the worker counts again");
        assert_eq!(wrong(unreadable, &well, Some("0")), [], "it may be suspended");
        assert_eq!(wrong(json!({ "suspend": true }), &well, Some("0")), []);
    }

    #[test]
    fn a_pod_that_cannot_start_yet_is_told_once() {
        let not_ready = json!({ "status": { "allocatable": { "cpu": "4" }, "conditions": [] } });
        let waiting = PodView { phase: Phase::Pending, ready: false, ..pod("n", None) };
        let scene = Scene::new(json!({})).with("n", node("4", not_ready), waiting.clone());
        assert_eq!(scene.orders(), []);
        let ready = Scene::new(json!({})).with("n", node("4", json!({})), waiting);
        assert_eq!(ready.orders(), told(4), "the file is there when the worker starts");
    }

    #[test]
    fn suspended_is_zero_everywhere() {
        let scene = Scene::new(json!({ "suspend": true }));
        assert_eq!(scene.with("n", node("4", json!({})), pod("n", Some("4"))).orders(), told(0));
    }

    #[test]
    fn overrides_by_label_and_limits_count() {
        let by_label = json!({ "sandbox": { "overrides": [
            { "nodeSelector": { "pool": "b" }, "slots": 7 },
            { "nodeSelector": { "pool": "a" }, "cpuPerSlot": "2" },
        ] } });
        let scene = Scene::new(by_label).with("n", node("8", json!({})), pod("n", None));
        assert_eq!(scene.orders(), told(4));
        let limited = Scene::new(json!({ "resources": { "limits": { "cpu": "3" } } }));
        assert_eq!(limited.with("n", node("8", json!({})), pod("n", None)).orders(), told(3));
    }

    #[test]
    fn of_two_clusters_on_a_node_the_older_keeps_it() {
        let mut scene = Scene::new(json!({})).with("n", node("4", json!({})), pod("n", Some("4")));
        let older = seen("older", "2026-01-01T00:00:00Z", json!({}));
        scene.sight.put_cluster(older.clone());
        scene.sight.put_pod(&older.key, "other", pod("n", Some("4")));
        assert_eq!(scene.orders(), told(0));
        let survey = scene.survey();
        assert_eq!((survey.conflicts.count, survey.rivals.to_string()), (1, "ns/older".to_owned()));
        let of_older = super::survey(&older, None, &scene.sight);
        assert_eq!((of_older.conflicts.count, of_older.orders), (0, vec![]), "it notices nothing");
        let suspended = seen("older", "2026-01-01T00:00:00Z", json!({ "suspend": true }));
        scene.sight.put_cluster(suspended);
        assert_eq!(scene.orders(), [], "who gives its slots up gives the node up");
        scene.sight.drop_pod(&older.key, "other");
        assert_eq!(scene.orders(), []);
    }

    /// A cluster that is older than that of a scene.
    fn older(spec: Value) -> Seen {
        seen("other", "2026-01-01T00:00:00Z", spec)
    }

    /// Looks at a cluster on a node where this worker of another cluster is, which may have gone.
    fn beside(worker: PodView, other: Option<Seen>) -> Survey {
        let mut scene = Scene::new(json!({})).with("n", node("4", json!({})), pod("n", None));
        scene.sight.put_pod(&Key::new("ns", "other"), "other", worker);
        other.map(|other| scene.sight.put_cluster(other));
        scene.survey()
    }

    #[test]
    fn workers_that_nobody_tells_anything_keep_their_nodes_while_they_have_slots() {
        let orphaned = || {
            let finalizers = vec![ORPHAN.to_owned()];
            Seen { deleted: Some(1), finalizers, ..older(json!({})) }
        };
        let paused = || older(json!({ "paused": true }));
        let suspended = || older(json!({ "paused": true, "suspend": true }));
        for other in [None, Some(orphaned()), Some(paused()), Some(suspended())] {
            let beside = |worker| {
                let survey = beside(worker, other.clone());
                (survey.slots, survey.rivals.to_string())
            };
            for slots in [None, Some("4")] {
                let kept = (0, "ns/other".to_owned());
                assert_eq!(beside(pod("n", slots)), kept, "{slots:?} of {other:?}");
            }
            let free = (4, String::new());
            assert_eq!(beside(pod("n", Some("0"))), free, "{other:?}");
            let stopping = PodView { stopping: true, ..pod("n", Some("4")) };
            let over = PodView { phase: Phase::Over, ..pod("n", Some("4")) };
            assert_eq!((beside(stopping), beside(over)), (free.clone(), free.clone()), "{other:?}");
            let aside = PodView { attended: false, ..pod("n", Some("4")) };
            assert_eq!(beside(aside), free, "{other:?}");
        }
    }

    #[test]
    fn who_is_told_to_have_no_slots_keeps_no_node() {
        let deleted = Seen { deleted: Some(1), ..older(json!({})) };
        let younger = seen("other", "2026-01-03T00:00:00Z", json!({ "paused": true }));
        for other in [deleted, younger, older(json!({ "suspend": true }))] {
            assert_eq!(beside(pod("n", Some("4")), Some(other.clone())).slots, 4, "{other:?}");
        }
        let cordoned = beside(pod("n", Some("0")), Some(older(json!({}))));
        assert_eq!(cordoned.slots, 0, "it has slots again when that is over");
    }

    #[test]
    fn clusters_of_one_second_are_ordered_by_name() {
        let a = seen("a", "2026-01-01T00:00:00Z", json!({}));
        let b = seen("b", "2026-01-01T00:00:00Z", json!({}));
        assert!(a.age < b.age);
    }

    #[test]
    fn where_nodes_may_not_be_read_workers_count_themselves() {
        let mut scene = Scene::new(json!({}));
        scene.sight.put_pod(&scene.seen.key, "pod-n", pod("n", Some("0")));
        scene.sight.nodes_forbidden = true;
        assert_eq!(scene.orders(), [("pod-n".to_owned(), None)]);
        scene.sight.put_pod(&scene.seen.key, "pod-n", pod("n", None));
        assert_eq!(scene.orders(), []);
    }

    #[test]
    fn a_node_that_is_gone_has_no_slots_and_its_pod_is_not_told() {
        let mut scene = Scene::new(json!({})).with("n", node("4", json!({})), pod("n", Some("4")));
        assert_eq!(scene.survey().slots, 4);
        scene.sight.drop_node("n");
        assert_eq!((scene.survey().slots, scene.orders()), (0, vec![]));
    }

    #[test]
    fn pods_that_end_or_have_no_node_are_left_alone() {
        let stopping = PodView { stopping: true, ..pod("n", None) };
        let over = PodView { phase: Phase::Over, ..pod("n", None) };
        let nowhere = PodView { node: None, ..pod("n", None) };
        for pod in [stopping, over, nowhere] {
            let scene = Scene::new(json!({})).with("n", node("4", json!({})), pod);
            assert_eq!(scene.orders(), []);
        }
    }
}
