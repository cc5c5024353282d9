//! What somebody else does between what a look sees and what it writes; and the end of a cluster.

use super::*;

const DELETED: &str = "2026-01-01T00:00:00Z";

fn image(scene: &Scene) -> Value {
    let server = scene.server.lock().unwrap();
    server.objects[DAEMON_SET]["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

/// Somebody writes the cluster, and the watch tells.
fn write(scene: &Scene, change: &Value) {
    let (_, object) = scene.server.lock().unwrap().patch(CLUSTER, change);
    let seen = Seen::of(&serde_json::from_value(object).unwrap());
    scene.context.world.sight().put_cluster(seen);
}

/// A user deletes it.
fn delete(scene: &Scene) {
    write(scene, &json!({ "metadata": { "deletionTimestamp": DELETED } }));
}

fn cluster(scene: &Scene, part: &str) -> Vec<Value> {
    let server = scene.server.lock().unwrap();
    server.objects[CLUSTER].pointer(part).and_then(Value::as_array).cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_changes_while_a_status_is_written_is_looked_at_at_once() {
    let scene = Scene::new(json!({}));
    let change = json!({ "metadata": { "generation": 2 }, "spec": { "image": "evalx:2" } });
    scene.server.lock().unwrap().meanwhile = Some(change);
    scene.work(5).await;
    assert_eq!(image(&scene), "evalx:2");
    assert_eq!(scene.status()["observedGeneration"], 2);
    // A status that is answered with nothing but itself is no reason to look again.
    assert!(scene.server.lock().unwrap().writes_to("/status") <= 3);
    scene.writes();
    scene.work(30).await;
    assert_eq!(scene.writes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_changes_while_it_is_looked_at_is_not_said_to_have_been() {
    let scene = Scene::new(json!({}));
    {
        let mut looking = std::pin::pin!(scene.look());
        std::future::poll_fn(|context| {
            assert!(looking.as_mut().poll(context).is_pending(), "it waits for the server");
            std::task::Poll::Ready(())
        })
        .await;
        // Nothing of this one can be used.
        scene.cluster(json!({ "sandbox": { "minPerNode": "two" } }), 2);
        assert_eq!(looking.await.unwrap(), Some(Duration::ZERO));
    }
    assert_eq!(scene.status(), Value::Null);
    scene.look().await.unwrap();
    assert_eq!(scene.status()["observedGeneration"], 2);
    assert_eq!(scene.degraded().0, "InvalidSpec");
}

#[tokio::test(start_paused = true)]
async fn a_condition_of_somebody_else_is_no_reason_to_write() {
    let scene = Scene::new(json!({}));
    scene.look().await.unwrap();
    let foreign = json!({ "type": "example.org/Audited", "status": "True", "reason": "Seen",
        "message": "", "lastTransitionTime": DELETED });
    let conditions = [vec![foreign], cluster(&scene, "/status/conditions")].concat();
    write(&scene, &json!({ "status": { "conditions": conditions } }));
    scene.writes();
    for _ in 0..20 {
        scene.look().await.unwrap();
        tokio::time::advance(Duration::from_secs(10)).await;
    }
    assert_eq!(scene.writes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_while_a_status_is_written_is_looked_at_at_once() {
    let scene = Scene::new(json!({ "deletion": { "policy": "Drain" } }));
    scene.node("a", "4");
    scene.work(5).await;
    let change = json!({ "metadata": { "deletionTimestamp": DELETED } });
    scene.server.lock().unwrap().meanwhile = Some(change);
    let ready = json!({ "status": { "observedGeneration": 1, "desiredNumberScheduled": 1,
        "updatedNumberScheduled": 1, "numberReady": 1 } });
    scene.tamper(DAEMON_SET, Kind::DaemonSet, &ready);
    scene.work(5).await;
    assert!(!scene.server.lock().unwrap().objects.contains_key(DAEMON_SET));
    assert_eq!(scene.status()["state"], "Deleting");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_the_end_brings_nothing_back() {
    let scene = Scene::new(json!({}));
    scene.node("a", "4");
    let mut sight = scene.context.world.sight();
    let pod = sight.pods(&scene.key).next().unwrap().1.clone();
    sight.drop_pod(&scene.key, "a");
    sight.answer_pod(&scene.key, "a", pod);
    assert_eq!(sight.pods(&scene.key).count(), 0);
    let seen = Seen::clone(&sight.cluster(&scene.key).unwrap());
    sight.drop_cluster(&scene.key);
    assert!(!sight.answer_cluster(seen) && sight.cluster(&scene.key).is_none());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_made_again_before_a_look_is_another_one() {
    let scene = Scene::new(json!({ "deletion": { "policy": "Drain", "timeoutSeconds": 60 } }));
    scene.node("a", "4");
    scene.look().await.unwrap();
    delete(&scene);
    scene.look().await.unwrap();
    tokio::time::advance(Duration::from_secs(61)).await;
    scene.server.lock().unwrap().objects.get_mut(CLUSTER).unwrap()["metadata"]["uid"] = "2".into();
    write(&scene, &json!({ "metadata": { "deletionTimestamp": null, "finalizers": null } }));
    scene.look().await.unwrap();
    delete(&scene);
    scene.look().await.unwrap();
    assert_eq!(cluster(&scene, "/metadata/finalizers"), ["evalx.dev/drain"], "it has its own time");
}

#[tokio::test(start_paused = true)]
async fn while_it_is_drained_it_is_said() {
    let scene = Scene::new(json!({ "deletion": { "policy": "Drain" } }));
    scene.node("a", "4");
    let ready = json!({ "status": { "observedGeneration": 1, "desiredNumberScheduled": 1,
        "updatedNumberScheduled": 1, "numberReady": 1 } });
    scene.look().await.unwrap();
    scene.tamper(DAEMON_SET, Kind::DaemonSet, &ready);
    scene.look().await.unwrap();
    assert_eq!(scene.status()["state"], "Running");
    delete(&scene);
    let again = scene.look().await.unwrap().unwrap();
    assert!(again <= Duration::from_secs(5), "{again:?}");
    let status = scene.status();
    assert_eq!((&status["state"], &status["slots"]["desired"]), (&json!("Deleting"), &json!(0)));
    for name in ["Available", "Progressing"] {
        assert_eq!(scene.condition(name), ("False".to_owned(), "Deleting".to_owned()), "{name}");
    }
    assert_eq!(scene.degraded().0, "AsExpected");
    scene.writes();
    for _ in 0..20 {
        scene.look().await.unwrap();
    }
    assert_eq!(scene.writes(), [""; 0], "it is said once");
}

#[tokio::test(start_paused = true)]
async fn what_a_finalizer_of_somebody_else_keeps_is_said_to_be_deleted() {
    let scene = Scene::new(json!({}));
    scene.look().await.unwrap();
    let foreign = json!({ "metadata": { "finalizers": ["foregroundDeletion"] } });
    scene.server.lock().unwrap().patch(CLUSTER, &foreign);
    delete(&scene);
    scene.look().await.unwrap();
    assert_eq!(scene.status()["state"], "Deleting");
    scene.writes();
    scene.server.lock().unwrap().patch(CLUSTER, &json!({ "metadata": { "finalizers": [] } }));
    delete(&scene);
    scene.look().await.unwrap();
    assert_eq!(scene.writes(), [""; 0], "it is gone as soon as nobody keeps it");
}

#[tokio::test(start_paused = true)]
async fn workers_that_are_to_outlive_it_are_neither_drained_nor_told_anything() {
    for policy in ["Background", "Drain"] {
        let scene = Scene::new(json!({ "deletion": { "policy": policy } }));
        scene.node("a", "4");
        scene.look().await.unwrap();
        assert_eq!(scene.slots("a"), "4");
        // As `kubectl delete --cascade=orphan` leaves it to the garbage collector.
        let mut finalizers = cluster(&scene, "/metadata/finalizers");
        finalizers.push(json!("orphan"));
        write(&scene, &json!({ "metadata": { "finalizers": finalizers } }));
        delete(&scene);
        scene.look().await.unwrap();
        assert_eq!(scene.slots("a"), "4");
        assert!(scene.server.lock().unwrap().objects.contains_key(DAEMON_SET));
        let left = cluster(&scene, "/metadata/finalizers");
        assert_eq!(left, ["orphan"], "with {policy} only others keep it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_refused_ends_in_time_all_the_same() {
    let drain = json!({ "deletion": { "policy": "Drain", "timeoutSeconds": 60 } });
    for code in [403, 422, 500] {
        let scene = Scene::new(drain.clone());
        scene.node("a", "4");
        scene.look().await.unwrap();
        scene.server.lock().unwrap().refused =
            Some(("daemonsets/c-worker", code, "it is protected"));
        delete(&scene);
        for _ in 0..12 {
            let again = scene.look().await.unwrap().unwrap();
            assert!(again <= Duration::from_secs(5), "{again:?}");
            assert_eq!(cluster(&scene, "/metadata/finalizers"), ["evalx.dev/drain"], "{code}");
            tokio::time::advance(Duration::from_secs(5)).await;
        }
        assert_eq!((scene.slots("a"), &scene.status()["state"]), (json!("0"), &json!("Deleting")));
        let (_, message) = scene.degraded();
        let parts = ["DaemonSet c-worker", "it is protected"];
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        scene.look().await.unwrap();
        assert_eq!(cluster(&scene, "/metadata/finalizers"), [""; 0], "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_pods_that_cannot_be_told() {
    let scene = Scene::new(json!({ "deletion": { "policy": "Drain", "timeoutSeconds": 60 } }));
    scene.node("a", "4");
    scene.look().await.unwrap();
    scene.server.lock().unwrap().refused = Some(("pods/a", 500, "a webhook is away"));
    delete(&scene);
    scene.work(59).await;
    assert!(scene.degraded().1.contains("a webhook is away"));
    assert_eq!(cluster(&scene, "/metadata/finalizers"), ["evalx.dev/drain"]);
    timeout(Duration::from_secs(6), work(&scene.context)).await.unwrap_err();
    assert_eq!(cluster(&scene, "/metadata/finalizers"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_finalizer_that_cannot_be_taken_away_is_said() {
    let scene = Scene::new(json!({ "deletion": { "policy": "Drain" } }));
    scene.look().await.unwrap();
    scene.server.lock().unwrap().refused = Some(("judgeclusters/c", 403, "it is protected"));
    delete(&scene);
    scene.look().await.unwrap();
    let (reason, message) = scene.degraded();
    assert_eq!(reason, "Forbidden");
    assert!(message.contains("spec.deletion.policy"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn what_was_left_behind_and_is_not_wanted_goes_but_for_a_redis() {
    let managed = json!({ "url": null, "managed": {} });
    let scene = Scene::new(json!({ "api": { "openToAll": true }, "queue": managed }));
    scene.look().await.unwrap();
    let objects = || {
        let server = scene.server.lock().unwrap();
        let objects = server.objects.iter().filter(|(path, _)| *path != CLUSTER);
        objects.map(|(path, object)| (path.clone(), object.clone())).collect::<Vec<_>>()
    };
    for (path, object) in objects() {
        let mut kinds = Kind::ALL.into_iter();
        let kind = kinds.find(|kind| object["kind"] == kind.as_str()).unwrap();
        scene.tamper(&path, kind, &json!({ "metadata": { "ownerReferences": null } }));
    }
    // The next of its name, with neither.
    {
        let mut server = scene.server.lock().unwrap();
        server.objects.get_mut(CLUSTER).unwrap()["metadata"]["uid"] = "next".into();
    }
    scene.cluster(json!({}), 1);
    scene.look().await.unwrap();
    let of_nobody = |(path, object): (String, Value)| {
        let owner = object["metadata"]["ownerReferences"][0]["uid"].clone();
        (owner != "next").then_some(path)
    };
    let left: Vec<_> = objects().into_iter().filter_map(of_nobody).collect();
    assert_eq!(left, ["/apis/apps/v1/namespaces/ns/statefulsets/c-redis"]);
    scene.writes();
    scene.look().await.unwrap();
    assert_eq!(scene.writes(), [""; 0]);
}
