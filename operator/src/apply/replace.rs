//! An object whose fields of others are in the way. An apply leaves them: a key that was added to a
//! ConfigMap, or a field that excludes one of ours (`value` beside `valueFrom`, `minAvailable` beside
//! `maxUnavailable`), for which the API server refuses every apply.

use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Map, Value, json};
use tracing::info;

use super::is_ours;
use crate::api::{self, call};
use crate::build::{Kind, MANAGER, Object};
use crate::world::{Live, Seen};

/// Whether nothing of this kind is lost for good when it is made what is wanted. A Service has its
/// address in the spec, a StatefulSet what cannot be changed, a ServiceMonitor fields of versions
/// that we do not know. Of a NetworkPolicy an apply replaces everything.
pub(super) fn is_safe(kind: Kind) -> bool {
    match kind {
        Kind::ConfigMap | Kind::DaemonSet | Kind::Deployment | Kind::PodDisruptionBudget => true,
        Kind::Service | Kind::NetworkPolicy | Kind::StatefulSet | Kind::ServiceMonitor => false,
    }
}

/// Makes the object what is wanted, so that an apply is taken. Returns whether it was there, and ours.
///
/// # Errors
/// When the API server refuses it, or does not answer.
pub(super) async fn replace(
    api: &Api<DynamicObject>,
    seen: &Seen,
    wanted: &Object,
) -> Result<bool, api::Error> {
    let name = &wanted.name;
    let there = call("look for an object", api.get_opt(name)).await?.map(Live::of);
    let Some(there) = there.filter(|there| is_ours(there, seen)) else { return Ok(false) };
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(replacement(&there, wanted));
    let replaced = call("replace an object", api.patch(name, &params, &patch)).await?;
    if let Some(patch) = disowned(&replaced) {
        call("disown fields", api.patch(name, &params, &Patch::Merge(patch))).await?;
    }
    info!(
        namespace = &*seen.key.namespace,
        judgecluster = &*seen.key.name,
        kind = wanted.kind.as_str(),
        name,
        "replaced"
    );
    Ok(true)
}

/// A merge patch that leaves of `there` what is wanted. With the uid, so that none of the same name
/// is changed. Without our mark: that it was applied, the apply after it says.
fn replacement(there: &Live, wanted: &Object) -> Value {
    let mut patch = json!({ "metadata": { "uid": there.uid } });
    let parts: &[&str] = match wanted.kind {
        Kind::ConfigMap => &["data", "binaryData"],
        _ => &["spec"],
    };
    for part in parts {
        patch[part] = instead(&there.value[part], &wanted.value[part]);
    }
    patch
}

/// What is only in `live` goes. Labels and annotations of pods stay: `kubectl rollout restart` sets
/// one, and without it all pods would be made anew.
fn instead(live: &Value, wanted: &Value) -> Value {
    let (Value::Object(live), Value::Object(wanted)) = (live, wanted) else {
        return wanted.clone();
    };
    let more = live.keys().filter(|key| !wanted.contains_key(*key));
    let mut patch: Map<String, Value> = more.map(|key| (key.clone(), Value::Null)).collect();
    for (key, wanted) in wanted {
        let part = match live.get(key).filter(|_| key != "metadata") {
            Some(live) => instead(live, wanted),
            None => wanted.clone(),
        };
        patch.insert(key.clone(), part);
    }
    Value::Object(patch)
}

/// A patch by which the replacement owns no fields. What is owned by another operation than an apply
/// stays when a later apply leaves it out.
fn disowned(replaced: &DynamicObject) -> Option<Value> {
    let all = replaced.metadata.managed_fields.as_ref()?;
    let by_us = |manager: &Option<String>, operation: &Option<String>| {
        manager.as_deref() == Some(MANAGER) && operation.as_deref() == Some("Update")
    };
    let rest: Vec<_> = all.iter().filter(|f| !by_us(&f.manager, &f.operation)).collect();
    // Without any entry the API server keeps those that it has.
    let patch = json!({ "metadata": { "uid": replaced.metadata.uid, "managedFields": rest } });
    (!rest.is_empty() && rest.len() < all.len()).then_some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_goes_and_a_restart_by_hand_stays() {
        let variable = |more: Value| {
            let mut item = json!({ "name": "NODE_NAME" });
            item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!([{ "name": "worker", "env": [item] }])
        };
        let from = json!({ "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } } });
        let set = |surge: Value, meta: Value, containers: Value, more: Value| {
            let mut spec = json!({
                "updateStrategy": { "rollingUpdate": surge },
                "template": { "metadata": meta, "spec": { "containers": containers } },
            });
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "metadata": { "labels": {} }, "spec": spec })
        };
        let there = set(
            json!({ "maxUnavailable": 0, "maxSurge": 1 }),
            json!({ "annotations": { "kubectl.kubernetes.io/restartedAt": "now" } }),
            variable(json!({ "value": "x" })),
            json!({ "minReadySeconds": 5 }),
        );
        let wanted = set(
            json!({ "maxUnavailable": "10%" }),
            json!({ "labels": { "a": "b" } }),
            variable(from.clone()),
            json!({ "revisionHistoryLimit": 3 }),
        );
        let live =
            Live { uid: "u".to_owned(), version: 1, owner: None, value: there, settled: None };
        let wanted = Object { kind: Kind::DaemonSet, name: "c".to_owned(), value: wanted };
        let patch = json!({
            "metadata": { "uid": "u" },
            "spec": {
                "minReadySeconds": null,
                "revisionHistoryLimit": 3,
                "updateStrategy": { "rollingUpdate": { "maxUnavailable": "10%", "maxSurge": null } },
                "template": {
                    "metadata": { "labels": { "a": "b" } },
                    "spec": { "containers": variable(from) },
                },
            },
        });
        assert_eq!(replacement(&live, &wanted), patch);
    }

    #[test]
    fn a_replacement_owns_nothing() {
        let entry = |manager: &str, operation: &str| json!({ "manager": manager, "operation": operation, "fieldsV1": { "f:spec": {} } });
        let object = |entries: Value| {
            let meta = json!({ "name": "c", "uid": "u", "managedFields": entries });
            let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta });
            serde_json::from_value::<DynamicObject>(object).unwrap()
        };
        let others = json!([entry(MANAGER, "Apply"), entry("kubectl-patch", "Update")]);
        assert_eq!(disowned(&object(others.clone())), None);
        let mut all = others.clone();
        all.as_array_mut().unwrap().push(entry(MANAGER, "Update"));
        let patch = disowned(&object(all)).unwrap();
        assert_eq!(patch, json!({ "metadata": { "uid": "u", "managedFields": others } }));
    }
}
