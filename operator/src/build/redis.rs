//! The managed Redis: one replica, and an answer is given when it is on the disk.

use serde_json::{Value, json};

use super::object::{Kind, Object, labels_of, selector_of};
use crate::crd::ManagedRedis;
use crate::validate::{Fleet, QueueSource};

pub(super) const PORT: u16 = 6379;

/// The strict profile: nothing that was answered is lost to a power cut, and nothing is thrown away
/// when memory is short. First, a file that a power cut has torn is mended: Redis does not start with
/// a second tear (`queue/`, Mechanisms).
const START: &str = r#"set -eu
manifest=/data/appendonlydir/appendonly.aof.manifest
if [ -f "$manifest" ]; then
  echo y | redis-check-aof --fix "$manifest"
fi
exec redis-server --dir /data --appendonly yes --appendfsync always --save "" \
  --maxmemory-policy noeviction --protected-mode no
"#;

/// The name of a cluster's StatefulSet of Redis, and of what belongs to it.
#[must_use]
pub fn name(cluster: &str) -> String {
    format!("{cluster}-redis")
}

/// Its address, for those in the same namespace.
pub(super) fn url(cluster: &str) -> String {
    format!("redis://{}:{PORT}", name(cluster))
}

pub(super) fn objects(fleet: &Fleet) -> Vec<Object> {
    let QueueSource::Managed(redis) = &fleet.queue else { return Vec::new() };
    let service = json!({ "spec": {
        "clusterIP": "None",
        "selector": selector_of(&fleet.id, "redis"),
        "ports": [{ "name": "redis", "port": PORT, "targetPort": "redis", "protocol": "TCP" }],
    }});
    let name = name(&fleet.id.name);
    vec![
        Object::new(fleet, Kind::Service, "redis", name.clone(), service),
        Object::new(fleet, Kind::StatefulSet, "redis", name, stateful_set(fleet, redis)),
    ]
}

fn stateful_set(fleet: &Fleet, redis: &ManagedRedis) -> Value {
    let ManagedRedis { image, storage, resources } = redis;
    let mut claim = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": storage.size } },
    });
    if let Some(class) = &storage.storage_class_name {
        claim["storageClassName"] = class.as_str().into();
    }
    json!({ "spec": {
        "replicas": 1,
        "serviceName": name(&fleet.id.name),
        "selector": { "matchLabels": selector_of(&fleet.id, "redis") },
        "template": {
            "metadata": { "labels": labels_of(&fleet.id, "redis") },
            "spec": {
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "terminationGracePeriodSeconds": 60,
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": 999,
                    "runAsGroup": 999,
                    "fsGroup": 999,
                    "seccompProfile": { "type": "RuntimeDefault" },
                },
                "containers": [{
                    "name": "redis",
                    "image": image,
                    "command": ["sh", "-c", START],
                    "ports": [{ "name": "redis", "containerPort": PORT, "protocol": "TCP" }],
                    "readinessProbe": {
                        "exec": { "command": ["sh", "-c", "redis-cli ping | grep -q PONG"] },
                        "periodSeconds": 5,
                        "timeoutSeconds": 5,
                    },
                    // What it says last, when it ends with an error, is the pod's message.
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "resources": resources,
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "capabilities": { "drop": ["ALL"] },
                        "readOnlyRootFilesystem": true,
                    },
                    "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
                }],
            },
        },
        "volumeClaimTemplates": [{
            "metadata": { "name": "data" },
            "spec": claim,
        }],
    }})
}
