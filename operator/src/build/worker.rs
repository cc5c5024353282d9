//! The workers: one DaemonSet, and the headless Service by which they are scraped.

use serde_json::{Value, json};

use super::object::{Kind, Object, labels_of, selector_of};
use super::{languages, redis, sizing};
use crate::crd::{CaSource, EngineChoice, KeyRef, Placement};
use crate::validate::{Fleet, QueueSource};

/// The annotation of a pod that says how many slots it has.
pub const SLOTS: &str = "evalx.dev/slots";
/// The annotation of a pod template that tells its languages from others.
pub(crate) const LANGUAGES: &str = "evalx.dev/languages";

pub(super) const PORT: u16 = 9464;
pub(super) const PORT_NAME: &str = "metrics";

/// Between the end of the longest run and the kill: results are delivered, boxes removed.
const MARGIN: u32 = 15;

/// The name of a cluster's DaemonSet, and of what belongs to it.
#[must_use]
pub fn daemon_set_name(cluster: &str) -> String {
    format!("{cluster}-worker")
}

pub(super) fn service(fleet: &Fleet) -> Object {
    let body = json!({ "spec": {
        "clusterIP": "None",
        // A worker that is not ready is scraped, too: then most of all.
        "publishNotReadyAddresses": true,
        "selector": selector_of(&fleet.id, "worker"),
        "ports": [{ "name": PORT_NAME, "port": PORT, "targetPort": PORT_NAME, "protocol": "TCP" }],
    }});
    Object::new(fleet, Kind::Service, "worker", daemon_set_name(&fleet.id.name), body)
}

pub(super) fn daemon_set(fleet: &Fleet) -> Object {
    let body = json!({ "spec": {
        "selector": { "matchLabels": selector_of(&fleet.id, "worker") },
        "revisionHistoryLimit": 3,
        "updateStrategy": {
            "type": "RollingUpdate",
            // The surge is never more than none: two workers on one node would both count it. It is
            // said because a surge of somebody else's beside `maxUnavailable` makes what we write
            // invalid.
            "rollingUpdate": { "maxUnavailable": fleet.update.max_unavailable, "maxSurge": 0 },
        },
        "template": template(fleet),
    }});
    Object::new(fleet, Kind::DaemonSet, "worker", daemon_set_name(&fleet.id.name), body)
}

fn template(fleet: &Fleet) -> Value {
    let mut labels = labels_of(&fleet.id, "worker");
    for (key, value) in &fleet.pod_labels {
        labels.insert(key.clone(), value.as_str().into());
    }
    let mut annotations = json!({
        // An autoscaler that removes a node lets its worker finish.
        "cluster-autoscaler.kubernetes.io/enable-ds-eviction": "true",
    });
    for (key, value) in &fleet.pod_annotations {
        annotations[key.as_str()] = value.as_str().into();
    }
    if let Some((key, digest)) = languages_mark(fleet) {
        annotations[key] = digest.into();
    }
    let mut spec = json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": fleet.longest_run + MARGIN,
        "containers": [container(fleet)],
        "volumes": volumes(fleet),
    });
    let Placement { node_selector, tolerations, affinity, priority_class_name, runtime_class_name } =
        &fleet.placement;
    let secrets: Vec<Value> =
        fleet.pull_secrets.iter().map(|name| json!({ "name": name })).collect();
    let optional = [
        ("nodeSelector", (!node_selector.is_empty()).then(|| json!(node_selector))),
        ("tolerations", (!tolerations.is_empty()).then(|| json!(tolerations))),
        ("affinity", affinity.as_ref().map(|affinity| json!(affinity))),
        ("priorityClassName", priority_class_name.as_ref().map(|name| json!(name))),
        ("runtimeClassName", runtime_class_name.as_ref().map(|name| json!(name))),
        ("imagePullSecrets", (!secrets.is_empty()).then(|| json!(secrets))),
    ];
    for (field, value) in optional {
        if let Some(value) = value {
            spec[field] = value;
        }
    }
    json!({ "metadata": { "labels": labels, "annotations": annotations }, "spec": spec })
}

fn container(fleet: &Fleet) -> Value {
    let probe = |path: &str, period: u32, failures: u32| {
        json!({
            "httpGet": { "path": path, "port": PORT_NAME },
            "periodSeconds": period,
            "timeoutSeconds": 5,
            "failureThreshold": failures,
        })
    };
    json!({
        "name": "worker",
        "image": fleet.image,
        "imagePullPolicy": fleet.pull_policy,
        "command": ["evalx", "worker"],
        "env": env(fleet),
        "ports": [{ "name": PORT_NAME, "containerPort": PORT, "protocol": "TCP" }],
        "resources": fleet.resources,
        // Namespaces, control groups and mounts of the boxes.
        "securityContext": { "privileged": true, "runAsUser": 0 },
        // Never by a command: a command would enter a control group that holds groups, which v2
        // refuses. The port opens when the engine has passed its self-check.
        "startupProbe": probe("/healthz", 2, 90),
        "livenessProbe": probe("/healthz", 10, 6),
        "readinessProbe": probe("/readyz", 5, 2),
        // What the worker says last, when it ends with an error, is the pod's message.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts(fleet),
    })
}

/// The user's first, then ours; no name is there twice (`validate`).
fn env(fleet: &Fleet) -> Vec<Value> {
    let engine = match fleet.engine {
        EngineChoice::Auto => "auto",
        EngineChoice::Native => "native",
        EngineChoice::Isolate => "isolate",
    };
    let field = |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": path } } });
    let resource = |name: &str, resource: &str, divisor: &str| {
        let source = json!({ "resource": resource, "divisor": divisor });
        json!({ "name": name, "valueFrom": { "resourceFieldRef": source } })
    };
    let set = |name: &str, value: String| json!({ "name": name, "value": value });
    let mut env: Vec<Value> = fleet.env.iter().map(|var| json!(var)).collect();
    env.extend([
        field("NODE_NAME", "spec.nodeName"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("POD_NAME", "metadata.name"),
        field("EVALX_UID_SEED", "metadata.uid"),
        // Without a limit these are the node's allocatable; a divisor of 1 would round CPUs up.
        resource("NODE_ALLOCATABLE_CPU_M", "limits.cpu", "1m"),
        resource("NODE_ALLOCATABLE_MEMORY", "limits.memory", "1"),
        set("EVALX_NODE_CPU", "$(NODE_ALLOCATABLE_CPU_M)m".to_owned()),
        set("EVALX_NODE_MEMORY", "$(NODE_ALLOCATABLE_MEMORY)B".to_owned()),
        // Files and no values: another policy must not restart a worker.
        set("EVALX_SLOTS_FILE", "/etc/evalx/sizing/slots".to_owned()),
        set("EVALX_SIZING_FILE", "/etc/evalx/sizing/policy".to_owned()),
        set("EVALX_PLACE", "$(POD_NAMESPACE).$(POD_NAME)".to_owned()),
        set("EVALX_WORKER_LISTEN", format!("0.0.0.0:{PORT}")),
        set("EVALX_ENGINE", engine.to_owned()),
        set("EVALX_GRACE", format!("{}s", fleet.longest_run)),
        set("EVALX_CACHE_DIR", "/var/cache/evalx".to_owned()),
        set("EVALX_LOG_FORMAT", "json".to_owned()),
    ]);
    env.extend(queue_env(fleet));
    env.extend(languages_env(fleet));
    env
}

/// Where the queue is: workers and the HTTP service have it alike.
pub(super) fn queue_env(fleet: &Fleet) -> Vec<Value> {
    let url = match &fleet.queue {
        QueueSource::Url { url, .. } => json!({ "name": "REDIS_URL", "value": url }),
        QueueSource::Managed(_) => {
            json!({ "name": "REDIS_URL", "value": redis::url(&fleet.id.name) })
        }
        QueueSource::Secret(KeyRef { name, key }) => json!({
            "name": "REDIS_URL",
            "valueFrom": { "secretKeyRef": { "name": name, "key": key } },
        }),
    };
    let mut env = vec![url, json!({ "name": "EVALX_QUEUE", "value": fleet.queue_name })];
    if fleet.ca.is_some() {
        env.push(json!({ "name": "EVALX_REDIS_CA", "value": "/etc/evalx/ca/ca.pem" }));
    }
    env
}

pub(super) fn languages_env(fleet: &Fleet) -> Option<Value> {
    fleet.languages.as_ref()?;
    Some(json!({ "name": "EVALX_LANGUAGES", "value": "/etc/evalx/languages" }))
}

/// Workers and the HTTP service read languages when they start, so other ones are another template.
pub(super) fn languages_mark(fleet: &Fleet) -> Option<(&'static str, &str)> {
    fleet.languages.as_ref().map(|table| (LANGUAGES, &*table.digest))
}

fn volumes(fleet: &Fleet) -> Vec<Value> {
    let field =
        json!({ "apiVersion": "v1", "fieldPath": format!("metadata.annotations['{SLOTS}']") });
    let slots = json!({ "downwardAPI": { "items": [{ "path": "slots", "fieldRef": field }] } });
    let policy = json!({ "configMap": {
        "name": sizing::name(&fleet.id.name),
        "items": [{ "key": sizing::KEY, "path": "policy" }],
    }});
    let mut volumes = vec![
        json!({ "name": "sizing", "projected": { "sources": [slots, policy] } }),
        json!({ "name": "cache", "emptyDir": {} }),
    ];
    volumes.extend(shared_volumes(fleet));
    volumes
}

fn mounts(fleet: &Fleet) -> Vec<Value> {
    let mut mounts = vec![
        // The folder and not the file: a file that is mounted by itself is never updated.
        json!({ "name": "sizing", "mountPath": "/etc/evalx/sizing", "readOnly": true }),
        json!({ "name": "cache", "mountPath": "/var/cache/evalx" }),
    ];
    mounts.extend(shared_mounts(fleet));
    mounts
}

/// Certificates and languages: workers and the HTTP service have them alike.
pub(super) fn shared_volumes(fleet: &Fleet) -> Vec<Value> {
    let mut volumes = Vec::new();
    if let Some(CaSource { config_map_ref, secret_ref }) = &fleet.ca {
        let item = |key: &str| json!([{ "key": key, "path": "ca.pem" }]);
        if let Some(KeyRef { name, key }) = config_map_ref {
            let source = json!({ "name": name, "items": item(key) });
            volumes.push(json!({ "name": "ca", "configMap": source }));
        } else if let Some(KeyRef { name, key }) = secret_ref {
            let source = json!({ "secretName": name, "items": item(key) });
            volumes.push(json!({ "name": "ca", "secret": source }));
        }
    }
    if fleet.languages.is_some() {
        let source = json!({ "name": languages::name(&fleet.id.name) });
        volumes.push(json!({ "name": "languages", "configMap": source }));
    }
    volumes
}

pub(super) fn shared_mounts(fleet: &Fleet) -> Vec<Value> {
    let mount = |name: &str| json!({ "name": name, "mountPath": format!("/etc/evalx/{name}"), "readOnly": true });
    let ca = fleet.ca.iter().map(|_| mount("ca"));
    ca.chain(fleet.languages.iter().map(|_| mount("languages"))).collect()
}
