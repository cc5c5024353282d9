//! Clocks that jump: those of others are in the record of who leads, and are not believed.

use std::sync::Arc;
use std::time::Instant;

use e2e::operator::{NAMESPACE, Operator, USER};
use e2e::scene::Scene;
use e2e::wait::{secs, throughout, until};
use e2e::{audit, http};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const LEASE: &str = "evalx-operator";
/// Shorter than usual, and in the same proportions.
const TIMES: [&str; 3] = ["--lease-duration=6", "--renew-deadline=4", "--retry-period=0.5"];
/// Long enough for a lease to run out twice.
const WHILE: std::time::Duration = secs(12);
const PAST: &str = "1999-12-31T23:59:59.000000Z";
const FUTURE: &str = "2099-12-31T23:59:59.000000Z";

fn leases(scene: &Scene) -> Api<Lease> {
    Api::namespaced(scene.client().clone(), NAMESPACE)
}

async fn write(scene: &Scene, spec: Value) {
    let patch = Patch::Merge(json!({"spec": spec}));
    leases(scene).patch(LEASE, &PatchParams::default(), &patch).await.unwrap();
}

async fn holder(scene: &Scene) -> Result<String, String> {
    let lease = leases(scene).get(LEASE).await.map_err(|error| error.to_string())?;
    Ok(lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default())
}

async fn leads(operator: &Operator) -> Result<bool, String> {
    let metrics = operator.metrics().await.map_err(|error| format!("{error:#}"))?;
    Ok(http::sample(&metrics, "evalx_operator_leader", &[]) == Some(1.0))
}

pub(crate) async fn jumps(scene: Arc<Scene>) {
    let (first, second) = (crate::named(&scene, "a"), crate::named(&scene, "b"));
    let mut a = crate::operator_with(&scene, &first, &TIMES).await;
    until(secs(30), "the first leads", async || {
        if leads(&a).await? { Ok(()) } else { Err(holder(&scene).await?) }
    })
    .await;
    let b = crate::operator_with(&scene, &second, &TIMES).await;
    let node = scene.node("n", "4", "64Gi").await.unwrap();
    scene.judge("clock", &json!({})).await.unwrap();
    scene.slots_are(&[(&node, 4)]).await;

    // The leader's clock jumps, by decades and both ways: it goes on leading, and nobody else does.
    let mut past = false;
    throughout(WHILE, "the first leads, and only it", async || {
        past = !past;
        write(&scene, json!({"renewTime": if past { PAST } else { FUTURE }})).await;
        match (leads(&a).await?, leads(&b).await?, holder(&scene).await?) {
            (true, false, holder) if holder == first => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;

    // Somebody else takes the lease, whose clock is in another century. The first ends, and the
    // second does not take for over what is renewed.
    let other = |time: &str| json!({"holderIdentity": "other", "leaseDurationSeconds": 6, "renewTime": time});
    write(&scene, other(PAST)).await;
    let status = a.process().wait(secs(20)).await.unwrap();
    assert!(!status.success(), "a lost lease is a failure: {status}");
    let mark = scene.cluster().audit().mark().unwrap();
    let mut second_of = 0_u32;
    throughout(WHILE, "the other leads, and nobody else", async || {
        // Each renewal is another time, whatever time that is.
        second_of += 1;
        write(&scene, other(&format!("1999-12-31T23:59:59.{second_of:06}Z"))).await;
        match (leads(&b).await?, holder(&scene).await?) {
            (false, holder) if holder == "other" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let writes = scene.cluster().audit().writes(mark, USER).unwrap();
    assert!(writes.is_empty(), "who does not lead writes nothing: {}", audit::summary(&writes));

    // It falls silent, with a last word from the future: that keeps nobody waiting for decades.
    write(&scene, other(FUTURE)).await;
    let began = Instant::now();
    until(secs(30), "the second leads", async || {
        if leads(&b).await? { Ok(()) } else { Err(holder(&scene).await?) }
    })
    .await;
    let took = began.elapsed();
    assert!(took > secs(5) && took < secs(20), "taken over after {took:?}");
    let change = json!({"spec": {"unschedulable": true}});
    e2e::node::patch(scene.client(), &node, &change).await.unwrap();
    scene.slots_are(&[(&node, 0)]).await;
    assert!(b.stop().await.unwrap().success());
}
