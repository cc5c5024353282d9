//! Objects that are ours, as they are; and whether they are as they should be.

use kube::ResourceExt as _;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::version;
use crate::build::{APPLIED, Object, digest};
use crate::crd::Amount;

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
        wanted_parts.filter(|(key, _)| told(key)).all(|(key, part)| covers(&self.value[key], part))
            || self
                .settled
                .as_ref()
                .is_some_and(|(of, content)| of == mark && *content == self.content())
    }

    fn content(&self) -> String {
        let meta = &self.value["metadata"];
        let meta = json!([meta["labels"], meta["annotations"], meta["ownerReferences"]]);
        digest(&json!([meta, self.value["spec"], self.value["data"]]))
    }
}

fn applied(value: &Value) -> &str {
    value["metadata"]["annotations"][APPLIED].as_str().unwrap_or_default()
}

/// Whether everything that `wanted` says holds in `live`, which may say more: defaults, and fields
/// of others.
#[must_use]
pub fn covers(live: &Value, wanted: &Value) -> bool {
    covers_as(live, wanted, false)
}

fn covers_as(live: &Value, wanted: &Value, amounts: bool) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| {
            let amounts = amounts || matches!(key.as_str(), "requests" | "limits" | "divisor");
            match live.get(key) {
                Some(live) => covers_as(live, wanted, amounts),
                None => is_nothing(wanted),
            }
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live.iter().zip(wanted).all(|(live, wanted)| covers_as(live, wanted, amounts))
        }
        (Value::String(live), Value::String(wanted)) if amounts => Amount::same(live, wanted),
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
}
