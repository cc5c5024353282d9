//! Two `JudgeClusters`, each with a worker on the one node.

use std::collections::BTreeSet;
use std::sync::Arc;

use e2e::operator;
use e2e::scene::{SLOTS, Scene, annotation};
use e2e::wait::{secs, throughout, until};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::fleet::{Fleet, NAME, incarnation, python, sleeper};
use crate::loss::{no_operator, operator_again};

const SECOND: &str = "second";

/// Another cluster, younger and in a namespace of its own, with a queue of its own in the Redis of the
/// shared one. Waits until its worker is there.
async fn second(scene: &Scene) -> Fleet {
    let redis = format!("redis://{NAME}-redis.{}:6379", operator::JUDGES);
    let spec = json!({
        "image": "evalx:0.1.0",
        "queue": {"name": SECOND, "url": redis},
        "api": {"openToAll": true},
    });
    let object = scene.object(SECOND, &spec);
    let params = PatchParams::apply("e2e");
    scene.clusters().patch(SECOND, &params, &Patch::Apply(&object)).await.unwrap();
    let fleet = Fleet::of(scene.within(scene.namespace()), SECOND);
    fleet.ready("worker").await;
    fleet
}

async fn end(second: &Fleet) {
    let params = DeleteParams::default();
    second.scene.clusters().delete(SECOND, &params).await.unwrap();
    until(secs(60), "nothing of the other cluster is left", async || {
        match second.pod("worker").await {
            Err(none) if none == "0 pods" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

pub(crate) async fn older(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let before = incarnation(&fleet.ready("worker").await);
    let ids = fleet.submit_all("older", 16, &sleeper(1.0)).await;
    fleet.running(2).await;
    let second = second(&scene).await;
    let told = second.scene.condition(SECOND, "NodeConflict", "True", "").await;
    let message = told["message"].as_str().unwrap();
    assert!(message.contains(&format!("{}/{NAME}", operator::JUDGES)), "{message}");
    second.slots(0).await;
    let late = second.submit_all("older-late", 1, &python("print(3)")).await;
    throughout(secs(3), "nothing is begun by the younger", async || {
        let view = second.get(&format!("/v1/submissions/{}", late[0])).await?;
        if view["status"] == "queued" { Ok(()) } else { Err(view.to_string()) }
    })
    .await;
    for view in fleet.all_accepted(&ids).await {
        assert_eq!(view["attempts"], 1, "{view}");
    }
    fleet.slots(2).await;
    assert_eq!(incarnation(&fleet.ready("worker").await), before);
    end(&second).await;
}

/// Says who it is, eats some memory, and takes its time.
const WHO: &str = "import os, time\nall = bytearray(64 << 20)\ntime.sleep(1)\nprint(os.getuid())\n";

/// The users that submissions ran as. Each ran once.
async fn users(fleet: &Fleet, ids: &[String]) -> BTreeSet<u32> {
    let mut users = BTreeSet::new();
    for id in ids {
        let view = fleet.outcome(id).await;
        assert_eq!(view["attempts"], 1, "{view}");
        // Compared with what nobody can foresee: the answer is wrong, and what was said is told.
        let said = view["report"]["tests"][0]["stdout"].as_str();
        let user = said.and_then(|said| said.trim().parse().ok());
        users.insert(user.unwrap_or_else(|| panic!("no user: {view}")));
    }
    users
}

/// While no operator is there to forbid it, both run boxes.
pub(crate) async fn both(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let second = second(&scene).await;
    second.scene.condition(SECOND, "NodeConflict", "True", "").await;
    no_operator(&fleet).await;
    let (mine, theirs) = (fleet.ready("worker").await, second.ready("worker").await);
    assert_eq!(annotation(&theirs, SLOTS), "0");
    let pod = theirs.metadata.name.as_deref().unwrap();
    second.kubectl(&["annotate", "--overwrite", "pod", pod, &format!("{SLOTS}=2")]);
    second.slots(2).await;
    let who = python(WHO);
    let ids = fleet.submit_all("both", 8, &who).await;
    let others = second.submit_all("both", 8, &who).await;
    fleet.running(2).await;
    second.running(2).await;
    // What one's guests do to their own user's processes is nothing to the other's.
    let bomb = python("import os\nwhile True: os.fork()");
    second.submit_all("both-bomb", 2, &bomb).await;
    let (mine_are, theirs_are) = (users(&fleet, &ids).await, users(&second, &others).await);
    println!("users of one: {mine_are:?}, of the other: {theirs_are:?}");
    assert!(mine_are.is_disjoint(&theirs_are), "{mine_are:?} {theirs_are:?}");
    // One goes in the hardest way: the other does not notice.
    let ids = fleet.submit_all("both-alone", 6, &sleeper(1.0)).await;
    fleet.running(2).await;
    second.kubectl(&["delete", "pod", pod, "--grace-period=0", "--force", "--wait=false"]);
    for view in fleet.all_accepted(&ids).await {
        assert_eq!(view["attempts"], 1, "{view}");
    }
    assert_eq!(incarnation(&fleet.ready("worker").await), incarnation(&mine));
    operator_again(&fleet).await;
    end(&second).await;
    fleet.settled().await;
}
