//! A JudgeCluster as it was seen. Read leniently: one that does not fit the types is kept with what
//! is wrong with it, so that it gets a condition and stops nobody else.

use std::cmp::Ordering;

use kube::ResourceExt as _;
use kube::core::DynamicObject;

use super::{Key, version};
use crate::conditions::types;
use crate::crd::{JudgeClusterSpec, JudgeClusterStatus};
use crate::validate::Identity;

/// A JudgeCluster.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its namespace and name.
    pub key: Key,
    /// Which of several of this name.
    pub uid: String,
    /// Of its spec.
    pub generation: i64,
    /// Of the object.
    pub version: u64,
    /// How old it is, among others.
    pub age: Age,
    /// Since when it is being deleted, in seconds of the epoch.
    pub deleted: Option<i64>,
    /// What holds up its deletion.
    pub finalizers: Vec<String>,
    /// The spec, or what is wrong with it.
    pub spec: Result<JudgeClusterSpec, String>,
    /// What we said of it last.
    pub status: Option<JudgeClusterStatus>,
}

/// The older of two clusters keeps a node: by creation, then by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Age {
    created: i64,
    key: Key,
}

impl PartialOrd for Age {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Age {
    fn cmp(&self, other: &Self) -> Ordering {
        self.created.cmp(&other.created).then_with(|| self.key.cmp(&other.key))
    }
}

/// A status without conditions of others, who may have their own there: an apply leaves them alone.
fn ours(mut status: JudgeClusterStatus) -> JudgeClusterStatus {
    status.conditions.retain(|condition| types::ALL.contains(&condition.type_.as_str()));
    status
}

impl Seen {
    /// Reads one.
    #[must_use]
    pub fn of(object: &DynamicObject) -> Self {
        let key = Key::new(&object.namespace().unwrap_or_default(), &object.name_any());
        let meta = &object.metadata;
        let seconds = |time: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| {
            time.as_ref().map(|time| time.0.as_second())
        };
        let spec = object.data.get("spec").cloned().unwrap_or_default();
        let spec = serde_path_to_error::deserialize(spec).map_err(|error| {
            match error.path().to_string() {
                path if path == "." => format!("spec: {}", error.inner()),
                path => format!("spec.{path}: {}", error.inner()),
            }
        });
        let status = object.data.get("status").cloned();
        Self {
            uid: object.uid().unwrap_or_default(),
            generation: meta.generation.unwrap_or(0),
            version: version(meta.resource_version.as_deref()),
            age: Age { created: seconds(&meta.creation_timestamp).unwrap_or(0), key: key.clone() },
            deleted: seconds(&meta.deletion_timestamp),
            finalizers: meta.finalizers.clone().unwrap_or_default(),
            spec,
            // One of another version is written anew.
            status: status.and_then(|status| serde_json::from_value(status).ok()).map(ours),
            key,
        }
    }

    /// Who it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            namespace: self.key.namespace.to_string(),
            name: self.key.name.to_string(),
            uid: self.uid.clone(),
        }
    }

    /// Whether nothing of it is to be changed.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.spec.as_ref().is_ok_and(|spec| spec.paused)
    }

    /// Whether no node is to have a slot of it.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.spec.as_ref().is_ok_and(|spec| spec.suspend)
    }

    /// The ConfigMap of languages that its spec names.
    pub(super) fn languages(&self) -> Option<&str> {
        let languages = self.spec.as_ref().ok()?.languages.as_ref()?;
        Some(&languages.config_map_ref.name)
    }

    /// Whether its spec names this ConfigMap.
    pub(super) fn names(&self, map: &Key) -> bool {
        map.namespace == self.key.namespace && self.languages() == Some(&*map.name)
    }

    /// Whether the same is asked for: all but the status.
    pub(super) fn is_same_order(&self, other: &Self) -> bool {
        self.uid == other.uid
            && self.generation == other.generation
            && self.deleted == other.deleted
            && self.finalizers == other.finalizers
    }
}
