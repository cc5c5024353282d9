//! The Redis that the operator runs, when it is away.

use std::sync::Arc;

use e2e::scene::Scene;
use e2e::wait::{secs, until};
use k8s_openapi::api::core::v1::{PersistentVolume, Pod};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::failures::{complains, ended, set_state_of};
use crate::install::ready;

pub(crate) async fn away(scene: Arc<Scene>) {
    scene.node("a", "4", "64Gi").await.unwrap();
    let managed = json!({"storage": {"size": "1Gi"}});
    scene.judge("own", &json!({"queue": {"url": null, "managed": managed}})).await.unwrap();
    // Nobody makes volumes here.
    let words = ["storageClassName", "PersistentVolumeClaim", "own-redis-0"];
    let told = complains(&scene, "own", "QueueReady", "False", &words).await;
    assert_eq!(told["reason"], "RedisPending");
    let told = complains(&scene, "own", "Degraded", "True", &words).await;
    assert_eq!(told["reason"], "RedisPending");

    let volume = json!({
        "metadata": {"name": scene.namespace()},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/nowhere"},
            "claimRef": {"namespace": scene.namespace(), "name": "data-own-redis-0"},
        },
    });
    let volumes = Api::<PersistentVolume>::all(scene.client().clone());
    let volume: PersistentVolume = serde_json::from_value(volume).unwrap();
    volumes.create(&PostParams::default(), &volume).await.unwrap();
    ready(&scene, "own", "1/1").await;
    scene.condition("own", "QueueReady", "True", "QueueReached").await;
    scene.condition("own", "Degraded", "False", "").await;

    let pod = scene.api::<Pod>().get("own-redis-0").await.unwrap();
    let why = "Bad file format reading the append only file";
    set_state_of(&scene, pod, &ended(1, why)).await;
    let cure = format!("kubectl logs --previous -n {} own-redis-0", scene.namespace());
    let told = complains(&scene, "own", "QueueReady", "False", &[&cure, why]).await;
    assert_eq!(told["reason"], "RedisCrashing");

    // What was pulled down is put up again by its StatefulSet, and all is well.
    scene.api::<Pod>().delete("own-redis-0", &DeleteParams::default()).await.unwrap();
    scene.condition("own", "QueueReady", "True", "QueueReached").await;
    scene.clusters().delete("own", &DeleteParams::default()).await.unwrap();
    until(secs(60), "nothing holds the volume", async || {
        let pod = scene.api::<Pod>().get_opt("own-redis-0").await;
        match pod.map_err(|error| error.to_string())? {
            None => Ok(()),
            Some(_) => Err("the pod is still there".to_owned()),
        }
    })
    .await;
    volumes.delete(scene.namespace(), &DeleteParams::default()).await.unwrap();
}
