//! What is done, and what is said, of a cluster that is paused.

use super::*;

#[tokio::test(start_paused = true)]
async fn paused_writes_nothing_but_the_status() {
    let scene = Scene::new(json!({ "paused": true }));
    scene.node("a", "4");
    scene.look().await.unwrap();
    let writes = scene.writes();
    assert!(writes.iter().all(|write| write.contains("judgeclusters/c/status")), "{writes:?}");
    assert_eq!(scene.status()["state"], "Paused");
    assert_eq!(scene.condition("Progressing"), ("False".to_owned(), "Paused".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_made_paused_is_drained_in_the_end_all_the_same() {
    let scene = Scene::new(json!({ "paused": true, "deletion": { "policy": "Drain" } }));
    let finalizers = || {
        let server = scene.server.lock().unwrap();
        server.objects[CLUSTER]["metadata"]["finalizers"].clone()
    };
    scene.look().await.unwrap();
    assert_eq!(finalizers(), json!(["evalx.dev/drain"]));
    assert!(!scene.server.lock().unwrap().objects.contains_key(DAEMON_SET));
    scene.writes();
    scene.look().await.unwrap();
    assert_eq!(scene.writes(), [""; 0]);
    scene.cluster(json!({ "paused": true }), 2);
    scene.look().await.unwrap();
    assert_eq!(finalizers(), json!([]));
}

#[tokio::test(start_paused = true)]
async fn whoever_pauses_and_then_changes_is_told_that_nothing_changes() {
    let scene = Scene::new(json!({}));
    scene.node("a", "4");
    scene.look().await.unwrap();
    let ready = json!({ "status": { "observedGeneration": 1, "desiredNumberScheduled": 1,
        "updatedNumberScheduled": 1, "numberReady": 1 } });
    scene.tamper(DAEMON_SET, Kind::DaemonSet, &ready);
    scene.cluster(json!({ "paused": true, "suspend": true, "image": "evalx:2" }), 2);
    scene.look().await.unwrap();
    assert_eq!(scene.condition("Progressing"), ("False".to_owned(), "Paused".to_owned()));
    assert_eq!(scene.condition("Available"), ("True".to_owned(), "WorkersReady".to_owned()));
    assert_eq!((scene.slots("a"), &scene.status()["slots"]["desired"]), (json!("4"), &json!(4)));
}
