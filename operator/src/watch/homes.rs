//! Of which cluster an object is, and of which it was: anybody may change labels.

use std::collections::HashMap;

use kube::{Resource, ResourceExt as _};

use crate::build::INSTANCE;
use crate::crd::JudgeCluster;
use crate::world::Key;

/// The cluster that a pod is of, by its label: by that the pod's controller takes it and lets it go.
pub(super) fn labelled(object: &impl Resource) -> Option<Key> {
    let name = object.labels().get(INSTANCE)?;
    Some(Key::new(&object.namespace()?, name))
}

/// The cluster that an object of ours is of, by its owner: a label that was changed is to be seen and
/// mended. Without one, by its label.
pub(super) fn owner(object: &impl Resource) -> Option<Key> {
    let kind = JudgeCluster::kind(&());
    let mut owners = object.owner_references().iter();
    let owner = owners.find(|owner| owner.controller == Some(true) && owner.kind == kind);
    match owner {
        Some(owner) => Some(Key::new(&object.namespace()?, &owner.name)),
        None => labelled(object),
    }
}

/// The clusters of the objects that a watch has told of.
#[derive(Debug, Default)]
pub(super) struct Homes(HashMap<Key, Key>);

impl Homes {
    /// An object is there, of that cluster or of none. Returns of which it was, if that is another.
    pub(super) fn put(&mut self, object: &impl Resource, home: Option<&Key>) -> Option<Key> {
        let id = id(object);
        if self.0.get(&id) == home {
            return None;
        }
        match home {
            Some(home) => self.0.insert(id, home.clone()),
            None => self.0.remove(&id),
        }
    }

    /// An object has gone, or is selected no more. Returns of which cluster it was: what is told of it
    /// now may have other labels.
    pub(super) fn gone(&mut self, object: &impl Resource) -> Option<Key> {
        self.0.remove(&id(object))
    }

    /// A list begins. What is not in it is gone from each cluster, whichever it was of.
    pub(super) fn begin(&mut self) {
        self.0.clear();
    }
}

fn id(object: &impl Resource) -> Key {
    Key::new(&object.namespace().unwrap_or_default(), &object.name_any())
}
