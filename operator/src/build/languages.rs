//! The languages: a copy of the user's ConfigMap, so that a wrong edit never reaches a worker.

use serde_json::json;

use super::object::{Kind, Object};
use crate::validate::Fleet;

pub(super) fn config_map(fleet: &Fleet) -> Option<Object> {
    let table = fleet.languages.as_ref()?;
    let body = json!({ "data": table.files });
    Some(Object::new(fleet, Kind::ConfigMap, "worker", name(&fleet.id.name), body))
}

/// The name of a cluster's copy of its languages.
pub(crate) fn name(cluster: &str) -> String {
    format!("{cluster}-languages")
}
