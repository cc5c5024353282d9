//! One of several operators leads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::audit;
use e2e::node;
use e2e::operator::{NAMESPACE, Operator, USER};
use e2e::scene::Scene;
use e2e::wait::{secs, throughout, until};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::ListParams;
use rustix::process::Signal;
use serde_json::json;

/// Who holds the lease; empty: nobody.
async fn holder(scene: &Scene) -> Result<String, String> {
    let leases = Api::<Lease>::namespaced(scene.client().clone(), NAMESPACE);
    let leases = leases.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
    let holders = leases.items.into_iter().filter_map(|lease| lease.spec?.holder_identity);
    Ok(holders.collect::<Vec<_>>().join(","))
}

/// Waits until somebody else holds the lease, and says how long that took.
async fn handed_over(scene: &Scene, from: &str) -> Duration {
    let began = Instant::now();
    until(secs(40), "somebody else leads", async || {
        let holder = holder(scene).await?;
        if holder.is_empty() || holder == from { Err(holder) } else { Ok(()) }
    })
    .await;
    began.elapsed()
}

/// A leader and who stands by, and a fleet of one node that the leader has made.
async fn pair(scene: &Arc<Scene>, name: &str) -> (Operator, Operator, String) {
    let leader = crate::operator(scene, &crate::named(scene, "a")).await;
    until(secs(30), "the first leads", async || {
        let holder = holder(scene).await?;
        if holder.is_empty() { Err("nobody does".to_owned()) } else { Ok(()) }
    })
    .await;
    let other = crate::operator(scene, &crate::named(scene, "b")).await;
    let node = scene.node("a", "4", "64Gi").await.unwrap();
    scene.judge(name, &json!({})).await.unwrap();
    scene.slots_are(&[(&node, 4)]).await;
    (leader, other, node)
}

/// The fleet is still followed.
async fn follows(scene: &Scene, node: &str) {
    node::patch(scene.client(), node, &json!({"spec": {"unschedulable": true}})).await.unwrap();
    scene.slots_are(&[(node, 0)]).await;
    node::patch(scene.client(), node, &json!({"spec": {"unschedulable": false}})).await.unwrap();
    scene.slots_are(&[(node, 4)]).await;
}

pub(crate) async fn started_again(scene: Arc<Scene>) {
    let first = crate::operator(&scene, &crate::named(&scene, "a")).await;
    let names = scene.nodes("n", 3, "2").await.unwrap();
    scene.judge("again", &json!({})).await.unwrap();
    scene.slots_are(&names.iter().map(|name| (name, 2)).collect::<Vec<_>>()).await;
    scene.condition("again", "Available", "True", "").await;
    let audit = scene.cluster().audit();
    until(secs(60), "it has nothing to say for 5 s", async || {
        let mark = audit.mark().map_err(|error| error.to_string())?;
        tokio::time::sleep(secs(5)).await;
        let writes = audit.writes(mark, USER).map_err(|error| error.to_string())?;
        if writes.is_empty() { Ok(()) } else { Err(audit::summary(&writes)) }
    })
    .await;
    assert!(first.stop().await.unwrap().success());
    let mark = audit.mark().unwrap();
    let second = crate::operator(&scene, &crate::named(&scene, "b")).await;
    // It leads and has seen everything: a change is followed, and that is all that is written.
    let node = scene.node("later", "8", "64Gi").await.unwrap();
    until(secs(30), "the new node has its slots", async || {
        let slots = scene.slots().await?;
        if slots.get(&node).is_some_and(|slots| slots == "8") {
            Ok(())
        } else {
            Err(format!("{slots:?}"))
        }
    })
    .await;
    let writes = audit.writes(mark, USER).unwrap();
    let other = writes.iter().filter(|entry| {
        !matches!(entry.resource.as_str(), "pods" | "judgeclusters/status" | "events")
    });
    let other: Vec<_> = other.cloned().collect();
    assert!(other.is_empty(), "{}", audit::summary(&other));
    let pods = writes.iter().filter(|entry| entry.resource == "pods").count();
    assert_eq!(pods, 1, "only the new pod is told: {}", audit::summary(&writes));
    assert!(second.stop().await.unwrap().success());
}

pub(crate) async fn stopped(scene: Arc<Scene>) {
    let (leader, other, node) = pair(&scene, "stopped").await;
    let name = holder(&scene).await.unwrap();
    assert!(leader.stop().await.unwrap().success());
    let took = handed_over(&scene, &name).await;
    assert!(took < secs(6), "the lease was released, and taken after {took:?}");
    println!("released and taken over in {took:?}");
    follows(&scene, &node).await;
    assert!(other.stop().await.unwrap().success());
}

pub(crate) async fn killed(scene: Arc<Scene>) {
    let (mut leader, other, node) = pair(&scene, "killed").await;
    let name = holder(&scene).await.unwrap();
    leader.process().kill();
    let took = handed_over(&scene, &name).await;
    // The lease runs 15 s, and is looked at every two.
    assert!(took < secs(25), "taken over after {took:?}");
    println!("killed and taken over in {took:?}");
    follows(&scene, &node).await;
    assert!(other.stop().await.unwrap().success());
}

pub(crate) async fn paused(scene: Arc<Scene>) {
    let (mut leader, other, node) = pair(&scene, "paused").await;
    let name = holder(&scene).await.unwrap();
    leader.process().signal(Signal::STOP).unwrap();
    let took = handed_over(&scene, &name).await;
    println!("paused and taken over in {took:?}");
    // The other has cordoned what the first believes to be free.
    node::patch(scene.client(), &node, &json!({"spec": {"unschedulable": true}})).await.unwrap();
    scene.slots_are(&[(&node, 0)]).await;
    leader.process().signal(Signal::CONT).unwrap();
    let status = leader.process().wait(secs(20)).await.unwrap();
    assert!(!status.success(), "a lost lease is a failure: {status}");
    throughout(secs(3), "what the other has done stays", async || {
        let slots = scene.slots().await?;
        if slots[&node] == "0" { Ok(()) } else { Err(format!("{slots:?}")) }
    })
    .await;
    node::patch(scene.client(), &node, &json!({"spec": {"unschedulable": false}})).await.unwrap();
    scene.slots_are(&[(&node, 4)]).await;
    assert!(other.stop().await.unwrap().success());
}
