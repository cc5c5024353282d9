//! The HTTP service: no privilege, no token, as many as were asked for.

use serde_json::{Value, json};

use super::object::{Kind, Object, labels_of, selector_of};
use super::worker;
use crate::crd::KeyRef;
use crate::validate::{ApiFleet, Fleet};

const PORT: u16 = 2358;
pub(super) const PORT_NAME: &str = "http";

/// The name of a cluster's Deployment of the HTTP service, and of what belongs to it.
#[must_use]
pub fn name(cluster: &str) -> String {
    format!("{cluster}-api")
}

pub(super) fn objects(fleet: &Fleet) -> Vec<Object> {
    let Some(api) = &fleet.api else { return Vec::new() };
    let name = name(&fleet.id.name);
    let selector = selector_of(&fleet.id, "api");
    let service = json!({ "spec": {
        "selector": selector,
        "ports": [{ "name": PORT_NAME, "port": PORT, "targetPort": PORT_NAME, "protocol": "TCP" }],
    }});
    let deployment = json!({ "spec": {
        "replicas": api.replicas,
        "revisionHistoryLimit": 3,
        "selector": { "matchLabels": selector },
        "template": {
            "metadata": metadata(fleet),
            "spec": pod(fleet, api),
        },
    }});
    let object = |kind, body| Object::new(fleet, kind, "api", name.clone(), body);
    let mut objects = vec![object(Kind::Service, service), object(Kind::Deployment, deployment)];
    // A budget for one replica would only hold up a drain.
    if api.replicas > 1 {
        let budget = json!({ "spec": {
            "maxUnavailable": 1,
            "selector": { "matchLabels": selector },
        }});
        objects.push(object(Kind::PodDisruptionBudget, budget));
    }
    objects
}

fn metadata(fleet: &Fleet) -> Value {
    let mut metadata = json!({ "labels": labels_of(&fleet.id, "api") });
    // Without languages there are no annotations at all: what is absent rolls no pod.
    if let Some((key, digest)) = worker::languages_mark(fleet) {
        metadata["annotations"] = json!({ key: digest });
    }
    metadata
}

fn pod(fleet: &Fleet, api: &ApiFleet) -> Value {
    let mut env: Vec<Value> = fleet.env.iter().map(|var| json!(var)).collect();
    env.extend([
        json!({ "name": "EVALX_LISTEN", "value": format!("0.0.0.0:{PORT}") }),
        json!({ "name": "EVALX_LOG_FORMAT", "value": "json" }),
    ]);
    env.extend(worker::queue_env(fleet));
    env.extend(worker::languages_env(fleet));
    let mut volumes = vec![json!({ "name": "tmp", "emptyDir": {} })];
    let mut mounts = vec![json!({ "name": "tmp", "mountPath": "/tmp" })];
    volumes.extend(worker::shared_volumes(fleet));
    mounts.extend(worker::shared_mounts(fleet));
    match &api.tokens {
        Some(KeyRef { name, key }) => {
            let source =
                json!({ "secretName": name, "items": [{ "key": key, "path": "tokens.yaml" }] });
            volumes.push(json!({ "name": "tokens", "secret": source }));
            mounts.push(
                json!({ "name": "tokens", "mountPath": "/etc/evalx/tokens", "readOnly": true }),
            );
            env.push(json!({ "name": "EVALX_TOKENS", "value": "/etc/evalx/tokens/tokens.yaml" }));
        }
        None => env.push(json!({ "name": "EVALX_OPEN_TO_ALL", "value": "true" })),
    }
    let probe = |path: &str, period: u32, failures: u32| {
        json!({
            "httpGet": { "path": path, "port": PORT_NAME },
            "periodSeconds": period,
            "timeoutSeconds": 5,
            "failureThreshold": failures,
        })
    };
    let secrets: Vec<Value> =
        fleet.pull_secrets.iter().map(|name| json!({ "name": name })).collect();
    let mut pod = json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            // Who may read the tokens.
            "fsGroup": 65532,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "containers": [{
            "name": "api",
            "image": api.image,
            "imagePullPolicy": fleet.pull_policy,
            "command": ["evalx", "server"],
            "env": env,
            "ports": [{ "name": PORT_NAME, "containerPort": PORT, "protocol": "TCP" }],
            "resources": api.resources,
            // The port opens when the queue is there, which a managed Redis may take its time for.
            "startupProbe": probe("/healthz", 2, 90),
            "livenessProbe": probe("/healthz", 5, 3),
            "readinessProbe": probe("/readyz", 5, 3),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": { "drop": ["ALL"] },
                "readOnlyRootFilesystem": true,
            },
            "volumeMounts": mounts,
        }],
        "volumes": volumes,
    });
    if !secrets.is_empty() {
        pod["imagePullSecrets"] = json!(secrets);
    }
    pod
}
