//! What all objects have in common: names, labels, the owner, the mark of what was applied.

use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::validate::{Fleet, Identity};

/// The one field manager, and who manages the objects.
pub const MANAGER: &str = "evalx-operator";
/// Who manages an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The cluster that an object is of.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// The part of the cluster that it is.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// The digest of what was applied last: what is no more in it has to be applied away.
pub const APPLIED: &str = "evalx.dev/applied";

const NAME: &str = "app.kubernetes.io/name";

/// The kinds of objects that a cluster consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Languages.
    ConfigMap,
    /// Of workers, of the HTTP service, of Redis.
    Service,
    /// Of workers and of Redis.
    NetworkPolicy,
    /// The workers.
    DaemonSet,
    /// The HTTP service.
    Deployment,
    /// The managed Redis.
    StatefulSet,
    /// Of the HTTP service.
    PodDisruptionBudget,
    /// Of the Prometheus operator; not everywhere.
    ServiceMonitor,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ConfigMap,
        Self::Service,
        Self::NetworkPolicy,
        Self::DaemonSet,
        Self::Deployment,
        Self::StatefulSet,
        Self::PodDisruptionBudget,
        Self::ServiceMonitor,
    ];

    /// Its name, as in `kind`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.names().2
    }

    /// Where the API has it.
    #[must_use]
    pub fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = self.names();
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    fn names(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::ConfigMap => ("", "v1", "ConfigMap", "configmaps"),
            Self::Service => ("", "v1", "Service", "services"),
            Self::NetworkPolicy => ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
            Self::DaemonSet => ("apps", "v1", "DaemonSet", "daemonsets"),
            Self::Deployment => ("apps", "v1", "Deployment", "deployments"),
            Self::StatefulSet => ("apps", "v1", "StatefulSet", "statefulsets"),
            Self::PodDisruptionBudget => {
                ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
            }
            Self::ServiceMonitor => {
                ("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors")
            }
        }
    }
}

/// An object as it is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its name, in the cluster's namespace.
    pub name: String,
    /// All of it.
    pub value: Value,
}

impl Object {
    /// Makes one of `body`, the fields beside `apiVersion`, `kind` and `metadata`.
    pub(super) fn new(
        fleet: &Fleet,
        kind: Kind,
        component: &str,
        name: String,
        body: Value,
    ) -> Self {
        let labels = labels_of(&fleet.id, component);
        Self::labelled(fleet, kind, labels, name, body)
    }

    /// The same with labels of its own.
    pub(super) fn labelled(
        fleet: &Fleet,
        kind: Kind,
        labels: Map<String, Value>,
        name: String,
        body: Value,
    ) -> Self {
        let Identity { namespace, name: owner, uid } = &fleet.id;
        let resource = kind.resource();
        let mut value = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": labels,
                "ownerReferences": [{
                    "apiVersion": "evalx.dev/v1alpha1",
                    "kind": "JudgeCluster",
                    "name": owner,
                    "uid": uid,
                    "controller": true,
                }],
            },
        });
        if let (Value::Object(all), Value::Object(body)) = (&mut value, body) {
            all.extend(body);
        }
        let digest = digest(&value);
        value["metadata"]["annotations"] = json!({ APPLIED: digest });
        Self { kind, name, value }
    }
}

/// The labels of a part of a cluster, pods included.
#[must_use]
pub fn labels_of(id: &Identity, component: &str) -> Map<String, Value> {
    let mut labels = selector_of(id, component);
    labels.insert(MANAGED_BY.to_owned(), MANAGER.into());
    labels.insert("app.kubernetes.io/part-of".to_owned(), "evalx".into());
    labels
}

/// What pods of a part are selected by. It cannot be changed later, so there is no version in it.
pub(super) fn selector_of(id: &Identity, component: &str) -> Map<String, Value> {
    let pairs = [(NAME, "evalx"), (INSTANCE, &*id.name), (COMPONENT, component)];
    pairs.map(|(key, value)| (key.to_owned(), Value::from(value))).into_iter().collect()
}

/// A short digest of a document that does not depend on the order of its keys.
pub(crate) fn digest(value: &Value) -> String {
    fn feed(hash: &mut Sha256, value: &Value) {
        match value {
            Value::Object(map) => {
                let mut keys: Vec<&String> = map.keys().collect();
                keys.sort();
                hash.update(b"{");
                for key in keys {
                    feed(hash, &Value::from(key.as_str()));
                    feed(hash, &map[key]);
                }
                hash.update(b"}");
            }
            Value::Array(list) => {
                hash.update(b"[");
                list.iter().for_each(|item| feed(hash, item));
                hash.update(b"]");
            }
            leaf => {
                hash.update(leaf.to_string());
                hash.update(b",");
            }
        }
    }
    let mut hash = Sha256::new();
    feed(&mut hash, value);
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
