//! Objects that are ours, as they are; and whether they are as they should be.

use kube::ResourceExt as _;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::version;
use crate::build::{APPLIED, INSTANCE, Kind, MANAGED_BY, MANAGER, Object, digest};
use crate::crd::Amount;

/// Fields that are ours with all that is below them. Kubernetes' types say of them that an apply
/// replaces them as one (`x-kubernetes-map-type` and `-list-type: atomic`), so that what others put
/// there is drift, and mended by the write. But for `data`: whoever mounts a ConfigMap has all of
/// it.
const WHOLE: [&str; 10] = [
    "data",
    "selector",
    "podSelector",
    "namespaceSelector",
    "nodeSelector",
    "egress",
    "ingress",
    "tolerations",
    // Of an affinity. Itself it is none of them: another kind of affinity beside ours is others'.
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
];

/// An object that is ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// Which of several of this name.
    pub uid: String,
    /// Of the object.
    pub version: u64,
    /// The cluster that owns it, by uid.
    pub owner: Option<String>,
    /// All of it but what the API server keeps for itself.
    pub value: Value,
    /// What it looked like right after it was applied, and which digest that was of: the API server
    /// may write things in another way than we do, and that must not be taken for a change.
    pub settled: Option<(String, String)>,
}

impl Live {
    /// Of an object as it came.
    #[must_use]
    pub fn of(mut object: DynamicObject) -> Self {
        object.metadata.managed_fields = None;
        let uid = object.uid().unwrap_or_default();
        let version = version(object.metadata.resource_version.as_deref());
        let owners = object.metadata.owner_references.iter().flatten();
        let owner = owners.into_iter().find(|owner| owner.controller == Some(true));
        let owner = owner.map(|owner| owner.uid.clone());
        let value = serde_json::to_value(&object).unwrap_or_default();
        Self { uid, version, owner, value, settled: None }
    }

    /// Remembers that this is what `wanted` looks like here.
    pub fn settle(&mut self, wanted: &Object) {
        self.settled = Some((applied(&wanted.value).to_owned(), self.content()));
    }

    /// Whether it is of a cluster of this name that has gone and left it behind, as `kubectl delete
    /// --cascade=orphan` does: the API server has taken the owner out of it, and nobody else has it.
    #[must_use]
    pub fn is_orphan_of(&self, cluster: &str) -> bool {
        let labels = &self.value["metadata"]["labels"];
        let ours = labels[MANAGED_BY] == MANAGER && !applied(&self.value).is_empty();
        ours && labels[INSTANCE] == cluster && self.owner.is_none()
    }

    /// Whether nothing is to be written.
    #[must_use]
    pub fn is(&self, wanted: &Object) -> bool {
        let mark = applied(&wanted.value);
        if applied(&self.value) != mark {
            return false;
        }
        // Items of a list come without their kind.
        let told = |key: &&String| !matches!(key.as_str(), "apiVersion" | "kind");
        let wanted_parts = wanted.value.as_object().into_iter().flatten();
        let mut wanted_parts = wanted_parts.filter(|(key, _)| told(key));
        let covered = wanted_parts
            .all(|(key, part)| covers_as(&self.value[key], part, Manner::default().below(key)));
        // It is mounted beside `data`, and we never write one.
        let binary = wanted.kind == Kind::ConfigMap && !is_nothing(&self.value["binaryData"]);
        let settled = || {
            self.settled
                .as_ref()
                .is_some_and(|(of, content)| of == mark && *content == self.content())
        };
        (covered && !binary) || settled()
    }

    fn content(&self) -> String {
        let meta = &self.value["metadata"];
        let meta = json!([meta["labels"], meta["annotations"], meta["ownerReferences"]]);
        digest(&json!([meta, self.value["spec"], self.value["data"], self.value["binaryData"]]))
    }
}

fn applied(value: &Value) -> &str {
    value["metadata"]["annotations"][APPLIED].as_str().unwrap_or_default()
}

/// How a field is compared: as those above it say.
#[derive(Debug, Clone, Copy, Default)]
struct Manner {
    /// Texts are amounts.
    amounts: bool,
    /// Nobody else has anything here.
    whole: bool,
}

impl Manner {
    fn below(self, key: &str) -> Self {
        Self {
            amounts: self.amounts || matches!(key, "requests" | "limits" | "divisor"),
            whole: self.whole || WHOLE.contains(&key),
        }
    }

    /// Whether `wanted` may be absent. What is whole has maps in which an empty text is a value, and
    /// selectors that select everything when they are empty: there only an empty list is left out.
    fn may_be_absent(self, wanted: &Value) -> bool {
        match self.whole {
            true => wanted.is_null() || wanted.as_array().is_some_and(Vec::is_empty),
            false => is_nothing(wanted),
        }
    }
}

/// Whether everything that `wanted` says holds in `live`, which may say more: defaults, and fields
/// of others.
#[must_use]
pub fn covers(live: &Value, wanted: &Value) -> bool {
    covers_as(live, wanted, Manner::default())
}

fn covers_as(live: &Value, wanted: &Value, manner: Manner) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            let more = manner.whole && live.keys().any(|key| !wanted.contains_key(key));
            !more
                && wanted.iter().all(|(key, wanted)| {
                    let manner = manner.below(key);
                    match live.get(key) {
                        Some(live) => covers_as(live, wanted, manner),
                        None => manner.may_be_absent(wanted),
                    }
                })
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live.iter().zip(wanted).all(|(live, wanted)| covers_as(live, wanted, manner))
        }
        (Value::String(live), Value::String(wanted)) if manner.amounts => {
            Amount::same(live, wanted)
        }
        (live, wanted) => live == wanted,
    }
}

/// What the API server leaves out when it is written.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_nothing),
        Value::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_fields_of_others_are_no_drift() {
        let wanted = json!({ "a": { "b": [1, { "c": "x" }] }, "empty": "", "off": false });
        assert!(covers(
            &json!({ "a": { "b": [1, { "c": "x", "d": 2 }], "e": 3 }, "f": 4 }),
            &wanted
        ));
        assert!(!covers(&json!({ "a": { "b": [1, { "c": "y" }] } }), &wanted));
        assert!(!covers(&json!({ "a": { "b": [1, { "c": "x" }, 3] } }), &wanted), "one more");
        assert!(!covers(&json!({}), &wanted));
    }

    #[test]
    fn amounts_are_compared_as_amounts_and_only_they() {
        let of = |key: &str, text: &str| json!({ key: { "cpu": text } });
        assert!(covers(&of("requests", "1"), &of("requests", "1000m")));
        assert!(!covers(&of("labels", "1"), &of("labels", "1000m")));
    }

    fn object(kind: Kind, body: Value) -> Object {
        let mut value = json!({ "metadata": { "annotations": { APPLIED: "digest" } } });
        value.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        Object { kind, name: "c".to_owned(), value }
    }

    /// Whether what `there` says is as it should be.
    fn is(kind: Kind, there: Value, wanted: Value) -> bool {
        let Object { value, .. } = object(kind, there);
        let live = Live { uid: String::new(), version: 1, owner: None, value, settled: None };
        live.is(&object(kind, wanted))
    }

    #[test]
    fn what_is_ours_whole_has_nothing_of_others() {
        let port = json!({ "protocol": "TCP", "port": 53 });
        let policy = |port: Value, selector: Value, from: Value| {
            json!({ "spec": {
                "podSelector": { "matchLabels": selector },
                "ingress": [{ "from": [from] }],
                "egress": [{ "ports": [port] }],
            } })
        };
        let (labels, from) =
            (json!({ "a": "b" }), json!({ "podSelector": { "matchLabels": { "a": "b" } } }));
        let wanted = policy(port.clone(), labels.clone(), from.clone());
        let fits = |there| is(Kind::NetworkPolicy, there, wanted.clone());
        assert!(fits(wanted.clone()));
        let range = json!({ "protocol": "TCP", "port": 53, "endPort": 65535 });
        assert!(!fits(policy(range, labels.clone(), from.clone())));
        for more in [json!({ "a": "b", "x": "y" }), json!({ "a": "b", "x": "" })] {
            assert!(!fits(policy(port.clone(), more, from.clone())));
        }
        // Pods of that kind in every namespace.
        let mut anywhere = from;
        anywhere["namespaceSelector"] = json!({});
        assert!(!fits(policy(port, labels, anywhere)));
    }

    #[test]
    fn selectors_and_lists_of_pods_are_ours_whole() {
        let service = |selector: Value| json!({ "spec": { "selector": selector } });
        let wanted = service(json!({ "a": "b" }));
        assert!(!is(Kind::Service, service(json!({ "a": "b", "x": "y" })), wanted));
        let pods = |spec: Value| json!({ "spec": { "template": { "spec": spec } } });
        let fits = |there: Value, wanted: Value| is(Kind::DaemonSet, pods(there), pods(wanted));
        let pool = json!({ "nodeSelector": { "pool": "", "zone": "a" } });
        let more = json!({ "nodeSelector": { "pool": "", "zone": "a", "x": "y" } });
        assert!(fits(pool.clone(), pool.clone()) && !fits(more, pool.clone()));
        assert!(!fits(json!({ "nodeSelector": { "zone": "a" } }), pool), "an empty text is one");
        let some = json!({ "tolerations": [{ "key": "a", "operator": "Exists", "effect": "NoSchedule" }] });
        let all = json!({ "tolerations": [{ "key": "a", "operator": "Exists" }] });
        assert!(!fits(some, all), "another effect is tolerated");
        let required = |terms: Value| json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": terms } });
        let term = json!({ "matchExpressions": [{ "key": "a", "operator": "Exists" }] });
        let wanted = json!({ "affinity": required(json!({ "nodeSelectorTerms": [term] })) });
        let mut there = wanted.clone();
        there["affinity"]["podAffinity"] = json!({});
        assert!(fits(there.clone(), wanted.clone()), "another kind of affinity is not ours");
        let terms = &mut there["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        terms["nodeSelectorTerms"][0]["matchFields"] = json!([{ "key": "metadata.name" }]);
        assert!(!fits(there, wanted));
    }

    #[test]
    fn what_a_server_adds_or_leaves_out_there_is_written_once() {
        let closed = json!({ "spec": { "egress": [] } });
        assert!(is(Kind::NetworkPolicy, json!({ "spec": {} }), closed.clone()));
        assert!(!is(Kind::NetworkPolicy, json!({ "spec": { "egress": [{}] } }), closed));
        let wanted =
            object(Kind::NetworkPolicy, json!({ "spec": { "egress": [{ "ports": [{}] }] } }));
        let mut live = Live {
            uid: String::new(),
            version: 1,
            owner: None,
            value: json!({
                "metadata": { "annotations": { APPLIED: "digest" } },
                "spec": { "egress": [{ "ports": [{ "protocol": "TCP" }] }] },
            }),
            settled: None,
        };
        assert!(!live.is(&wanted));
        live.settle(&wanted);
        assert!(live.is(&wanted));
        live.value["spec"]["egress"][0]["ports"][0]["endPort"] = 9.into();
        assert!(!live.is(&wanted));
    }

    #[test]
    fn a_config_map_has_what_is_wanted_and_nothing_else() {
        let wanted = json!({ "data": { "a.yaml": "a" } });
        let fits = |there| is(Kind::ConfigMap, there, wanted.clone());
        assert!(fits(wanted.clone()));
        assert!(!fits(json!({ "data": { "a.yaml": "a", "b.yaml": "b" } })));
        assert!(!fits(json!({ "data": { "a.yaml": "a", "b.yaml": "" } })));
        assert!(!fits(json!({ "data": { "a.yaml": "a" }, "binaryData": { "b.yaml": "Yg==" } })));
    }

    #[test]
    fn an_orphan_is_one_of_our_own_making() {
        let ours = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "c-sizing",
                "labels": { MANAGED_BY: MANAGER, INSTANCE: "c" },
                "annotations": { APPLIED: "digest" },
            },
        });
        let orphan = |change: Value| {
            let mut object = ours.clone();
            for (key, value) in change.as_object().unwrap() {
                object["metadata"][key] = value.clone();
            }
            Live::of(serde_json::from_value(object).unwrap()).is_orphan_of("c")
        };
        assert!(orphan(json!({})));
        assert!(!orphan(json!({ "annotations": {} })));
        assert!(!orphan(json!({ "labels": { MANAGED_BY: MANAGER, INSTANCE: "d" } })));
        assert!(!orphan(json!({ "labels": { MANAGED_BY: "Helm", INSTANCE: "c" } })));
        let owner = |controller: bool| {
            json!({ "ownerReferences": [{
                "apiVersion": "v1", "kind": "X", "name": "x", "uid": "x", "controller": controller,
            }] })
        };
        assert!(!orphan(owner(true)));
        assert!(orphan(owner(false)));
    }
}
