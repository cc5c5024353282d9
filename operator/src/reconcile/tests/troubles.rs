//! Objects that the API server refuses, or fails at, for a while.

use super::*;

const WEBHOOK: &str = "Internal error occurred: failed calling webhook \"policy.example.org\"";

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_tried_again_by_itself() {
    let scene = Scene::new(json!({}));
    scene.server.lock().unwrap().refused = Some(("daemonsets/c-worker", 403, "exceeded quota: q"));
    scene.work(59).await;
    assert_eq!(scene.degraded().0, "QuotaExceeded");
    assert_eq!(scene.server.lock().unwrap().writes_to("daemonsets"), 1);
    scene.server.lock().unwrap().refused = None;
    // Nobody tells that the quota was raised.
    timeout(Duration::from_secs(5), work(&scene.context)).await.unwrap_err();
    assert_eq!(scene.degraded().0, "AsExpected");
    assert!(scene.server.lock().unwrap().objects.contains_key(DAEMON_SET));
}

#[tokio::test(start_paused = true)]
async fn pods_that_could_not_be_told_their_slots_are_told_when_it_is_allowed() {
    let scene = Scene::new(json!({}));
    scene.node("a", "4");
    scene.server.lock().unwrap().refused = Some(("pods/a", 403, "no right"));
    scene.work(30).await;
    assert_eq!(scene.degraded().0, "Forbidden");
    scene.server.lock().unwrap().refused = None;
    timeout(Duration::from_secs(70), work(&scene.context)).await.unwrap_err();
    assert_eq!((scene.slots("a"), scene.degraded().0), (json!("4"), "AsExpected".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_free_as_soon_as_what_had_it_is_collected() {
    let scene = Scene::new(json!({}));
    let before = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {
            "name": "c-worker", "namespace": "ns", "uid": "old", "resourceVersion": "1",
            "ownerReferences": [{ "apiVersion": "evalx.dev/v1alpha1", "kind": "JudgeCluster",
                "name": "c", "uid": "the cluster before", "controller": true }],
        },
    });
    let live = crate::world::Live::of(serde_json::from_value(before.clone()).unwrap());
    scene.context.world.sight().put_live(&scene.key, Kind::DaemonSet, "c-worker", live);
    scene.server.lock().unwrap().objects.insert(DAEMON_SET.to_owned(), before);
    for _ in 0..3 {
        scene.look().await.unwrap();
        assert_eq!(scene.degraded().0, "NameTaken");
    }
    scene.server.lock().unwrap().objects.remove(DAEMON_SET);
    scene.context.world.sight().drop_live(&scene.key, Kind::DaemonSet, "c-worker");
    scene.look().await.unwrap();
    assert_eq!(scene.degraded().0, "AsExpected");
    assert!(scene.server.lock().unwrap().objects.contains_key(DAEMON_SET));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_the_server_fails_at_hides_nothing_else() {
    let scene = Scene::new(json!({}));
    scene.node("a", "4");
    scene.server.lock().unwrap().refused = Some(("daemonsets/c-worker", 500, WEBHOOK));
    let failed = |looked: Result<_, api::Error>| {
        assert_eq!(looked.unwrap_err().status().map(|status| status.code), Some(500));
    };
    failed(scene.look().await);
    assert_eq!(scene.slots("a"), json!("4"));
    assert_eq!(scene.status(), Value::Null, "what passes within seconds is nobody's to mend");
    tokio::time::advance(LASTS).await;
    failed(scene.look().await);
    let (reason, message) = scene.degraded();
    assert_eq!(reason, "Rejected");
    assert!(message.starts_with("DaemonSet c-worker: ") && message.contains(WEBHOOK), "{message}");
    let cordoned: SlimNode = serde_json::from_value(json!({
        "metadata": { "name": "a" }, "spec": { "unschedulable": true },
        "status": { "allocatable": { "cpu": "4" }, "conditions": [{ "type": "Ready", "status": "True" }] },
    }))
    .unwrap();
    scene.context.world.sight().put_node(&"a".into(), NodeView::of(&cordoned));
    failed(scene.look().await);
    assert_eq!(scene.slots("a"), json!("0"));
    scene.server.lock().unwrap().refused = None;
    scene.look().await.unwrap();
    assert_eq!(scene.degraded().0, "AsExpected");
    // The next failure is another one.
    let drift =
        json!({ "spec": { "template": { "spec": { "terminationGracePeriodSeconds": 1 } } } });
    scene.tamper(DAEMON_SET, Kind::DaemonSet, &drift);
    scene.server.lock().unwrap().refused = Some(("daemonsets/c-worker", 500, WEBHOOK));
    tokio::time::advance(Duration::from_secs(60)).await;
    failed(scene.look().await);
    assert_eq!(scene.degraded().0, "AsExpected");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_removed_is_said() {
    let scene = Scene::new(json!({ "api": { "openToAll": true } }));
    scene.look().await.unwrap();
    scene.cluster(json!({ "api": null }), 2);
    scene.server.lock().unwrap().refused = Some(("deployments/c-api", 403, "it is protected"));
    scene.look().await.unwrap_err();
    tokio::time::advance(LASTS).await;
    scene.look().await.unwrap_err();
    let (_, message) = scene.degraded();
    assert!(message.contains("it is protected"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_at_everything_is_asked_little() {
    let scene = Scene::new(json!({}));
    for index in 0..50 {
        scene.node(&format!("n{index}"), "4");
    }
    scene.server.lock().unwrap().storm = Some((503, u32::MAX));
    for _ in 0..10 {
        scene.look().await.unwrap_err();
        assert!(scene.writes().len() <= 3, "two pods and a status");
        tokio::time::advance(LASTS).await;
    }
    scene.server.lock().unwrap().storm = None;
    scene.look().await.unwrap();
    assert_eq!((scene.slots("n0"), scene.degraded().0), (json!("4"), "AsExpected".to_owned()));
}

fn statuses(scene: &Scene) -> [(String, String); 2] {
    ["Degraded", "Progressing"].map(|name| scene.condition(name))
}

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[tokio::test(start_paused = true)]
async fn pods_that_the_server_fails_at_hide_nothing_else() {
    let scene = Scene::new(json!({}));
    for name in ["a", "b", "c"] {
        scene.node(name, "4");
    }
    scene.server.lock().unwrap().refused = Some(("pods/b", 500, WEBHOOK));
    scene.look().await.unwrap_err();
    assert_eq!((scene.slots("a"), scene.slots("c")), (json!("4"), json!("4")));
    assert_eq!(scene.status(), Value::Null, "what passes within seconds is nobody's to mend");
    tokio::time::advance(LASTS).await;
    scene.look().await.unwrap_err();
    let (reason, message) = scene.degraded();
    assert_eq!(reason, "Rejected");
    assert!(message.contains("slots") && message.contains(WEBHOOK), "{message}");
    scene.server.lock().unwrap().refused = None;
    scene.look().await.unwrap();
    assert_eq!((scene.slots("b"), scene.degraded().0), (json!("4"), "AsExpected".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn one_pod_that_is_refused_keeps_nothing_from_those_behind_it() {
    let scene = Scene::new(json!({}));
    let names: Vec<String> = (0..3 * AT_ONCE).map(|index| format!("n{index:02}")).collect();
    for name in &names {
        scene.node(name, "4");
    }
    scene.server.lock().unwrap().refused = Some(("pods/n03", 403, "no right"));
    scene.look().await.unwrap();
    for name in names.iter().filter(|name| *name != "n03") {
        assert_eq!(scene.slots(name), json!("4"), "{name}");
    }
    assert_eq!(scene.degraded().0, "Forbidden");
    // Where all are refused few are tried.
    let all = Scene::new(json!({}));
    for name in &names {
        all.node(name, "4");
    }
    all.look().await.unwrap();
    all.cluster(json!({ "suspend": true }), 2);
    all.writes();
    all.server.lock().unwrap().refused = Some(("", 403, "no right"));
    all.look().await.unwrap_err();
    assert!(all.server.lock().unwrap().writes_to("/pods/") <= AT_ONCE + 1);
}

#[tokio::test(start_paused = true)]
async fn a_finalizer_that_cannot_be_set_holds_up_nothing() {
    for (code, again) in [(403, Duration::ZERO), (500, LASTS)] {
        let scene = Scene::new(json!({ "deletion": { "policy": "Drain" } }));
        scene.node("a", "4");
        scene.server.lock().unwrap().refused = Some(("judgeclusters/c", code, WEBHOOK));
        let _told_later = scene.look().await;
        assert!(scene.server.lock().unwrap().objects.contains_key(DAEMON_SET));
        assert_eq!(scene.slots("a"), json!("4"));
        tokio::time::advance(again).await;
        let _failed = scene.look().await;
        let (_, message) = scene.degraded();
        assert!(message.contains("spec.deletion.policy") && message.contains(WEBHOOK), "{message}");
        scene.server.lock().unwrap().refused = None;
        scene.look().await.unwrap();
        let finalizers =
            scene.server.lock().unwrap().objects[CLUSTER]["metadata"]["finalizers"].clone();
        assert_eq!(finalizers, json!(["evalx.dev/drain"]));
        assert_eq!(scene.degraded().0, "AsExpected");
    }
}

/// A fleet of no node whose workers are all as they should be.
async fn settled() -> Scene {
    let scene = Scene::new(json!({}));
    scene.look().await.unwrap();
    let status = json!({ "status": { "observedGeneration": 1 } });
    scene.tamper(DAEMON_SET, Kind::DaemonSet, &status);
    scene.look().await.unwrap();
    assert_eq!(scene.condition("Progressing"), pair("False", "RolledOut"));
    scene
}

#[tokio::test(start_paused = true)]
async fn what_holds_the_workers_is_why_nothing_progresses() {
    let scene = settled().await;
    scene.server.lock().unwrap().refused = Some(("configmaps/c-sizing", 403, "no right"));
    scene.cluster(json!({ "image": "evalx:2", "sandbox": { "cpuPerSlot": "2" } }), 2);
    scene.look().await.unwrap();
    assert_eq!(statuses(&scene), [pair("True", "Forbidden"), pair("False", "Forbidden")]);
    scene.server.lock().unwrap().refused = None;
    tokio::time::advance(AGAIN).await;
    scene.look().await.unwrap();
    assert_eq!(scene.condition("Progressing"), pair("False", "RolledOut"));
}

#[tokio::test(start_paused = true)]
async fn workers_that_were_not_reached_are_not_as_the_spec_says() {
    let scene = settled().await;
    let policy = "/apis/networking.k8s.io/v1/namespaces/ns/networkpolicies/c-worker";
    scene.server.lock().unwrap().refused = Some(("networkpolicies/c-worker", 500, WEBHOOK));
    let drift = json!({ "spec": { "egress": [{}] } });
    scene.tamper(policy, Kind::NetworkPolicy, &drift);
    let look = async || {
        scene.look().await.unwrap_err();
        tokio::time::advance(LASTS).await;
        scene.look().await.unwrap_err();
        statuses(&scene)
    };
    // The workers need nothing.
    assert_eq!(look().await, [pair("True", "Rejected"), pair("False", "RolledOut")]);
    scene.cluster(json!({ "image": "evalx:2" }), 2);
    assert_eq!(look().await, [pair("True", "Rejected"), pair("False", "Rejected")]);
    scene.server.lock().unwrap().refused = None;
    scene.look().await.unwrap();
    assert_eq!(statuses(&scene), [pair("False", "AsExpected"), pair("False", "RolledOut")]);
}
