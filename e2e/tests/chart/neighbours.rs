//! Two releases in one cluster: one brings the definition, both look after namespaces of their own.

use std::sync::Arc;

use e2e::operator::{Account, JUDGES, NAMESPACE, Operator, USER};
use e2e::programs::{self, Profile};
use e2e::scene::{self, Scene};
use e2e::wait::{secs, throughout};
use e2e::{audit, helm, kubectl};
use serde_json::json;

use crate::{RELEASE, clean, install, leave, operator, uid};

/// The other release.
const OTHER: &str = "second";
const OTHER_ACCOUNT: &str = "second-evalx-operator";

/// The cluster-wide objects of a release, but for the definition.
fn wide(scene: &Scene, release: &str) -> Vec<String> {
    let of = format!("-l=app.kubernetes.io/instance={release}");
    let ask = ["get", "clusterrole,clusterrolebinding,priorityclass", &of, "-o", "name"];
    let names = kubectl::run(scene.cluster(), &ask).unwrap();
    names.lines().map(str::to_owned).collect()
}

pub(crate) async fn apart(scene: Arc<Scene>) {
    clean(&scene).await;
    let cluster = scene.cluster();
    scene::create_namespace(scene.client(), JUDGES, "privileged").await.unwrap();
    let home = format!("{}-home", scene.namespace());
    scene::create_namespace(scene.client(), &home, "restricted").await.unwrap();
    install(&scene, helm::CHART, &[&format!("--set=watchNamespaces={{{JUDGES}}}")]).await;
    let first_has = wide(&scene, RELEASE);
    assert_eq!(first_has.len(), 4, "{first_has:?}");
    // By the same name it is refused before anything of the first is touched.
    let watch = format!("--set=watchNamespaces={{{}}}", scene.namespace());
    let more = ["-n", &home, "--set=crds.enabled=false", &watch, "--wait", "--timeout=90s"];
    let same = [&["install", RELEASE, helm::CHART], &more[..]].concat();
    let said = helm::run(cluster, &same).unwrap_err().to_string();
    let owned = "cannot be imported into the current release";
    assert!(said.contains("ClusterRole ") && said.contains(owned), "{said}");
    helm::run(cluster, &[&["install", OTHER, helm::CHART], &more[..]].concat()).unwrap();
    let other_has = wide(&scene, OTHER);
    let renamed: Vec<String> =
        first_has.iter().map(|name| name.replace("/evalx-", "/second-evalx-")).collect();
    assert_eq!(other_has, renamed);
    assert_eq!(wide(&scene, RELEASE), first_has);

    let mark = cluster.audit().mark().unwrap();
    let first = operator(&scene, "first", &[&format!("--watch-namespaces={JUDGES}")]).await;
    let account = Account { namespace: &home, name: OTHER_ACCOUNT };
    let program = programs::operator(Profile::Debug).unwrap();
    let (name, watch) = (
        format!("{}-second", scene.namespace()),
        format!("--watch-namespaces={}", scene.namespace()),
    );
    let second = Operator::start_as(account, cluster, &program, &name, &[&watch]).await;
    let mut second = second.unwrap();
    second.ready().await.unwrap();
    let judges = scene.within(JUDGES);
    let (here, there) =
        (scene.node("a", "4", "64Gi").await.unwrap(), judges.node("a", "2", "64Gi").await.unwrap());
    scene.judge("fleet", &json!({})).await.unwrap();
    judges.judge("fleet", &json!({})).await.unwrap();
    let system = format!("{}-system", scene.namespace());
    scene.slots_are(&[(&here, 4), (&system, 4)]).await;
    judges.slots_are(&[(&there, 2)]).await;
    // Without its own operator nobody looks after it.
    assert!(second.stop().await.unwrap().success());
    let fewer = json!({"sandbox": {"maxPerNode": 1}});
    scene.change("fleet", &fewer).await.unwrap();
    judges.change("fleet", &fewer).await.unwrap();
    judges.slots_are(&[(&there, 1)]).await;
    throughout(secs(2), "the first operator does nothing for the second", async || {
        let slots = scene.slots().await?;
        if slots.values().all(|slots| slots == "4") { Ok(()) } else { Err(format!("{slots:?}")) }
    })
    .await;
    let mut refused = cluster.audit().since(mark).unwrap();
    let users = [USER.to_owned(), format!("system:serviceaccount:{home}:{OTHER_ACCOUNT}")];
    let asked = |user: &String| refused.iter().any(|entry| entry.user == *user);
    assert!(users.iter().all(asked), "both operators ask");
    refused.retain(|entry| users.contains(&entry.user) && entry.forbidden);
    assert!(refused.is_empty(), "{}", audit::summary(&refused));

    // One goes, and nothing of the other with it.
    helm::run(cluster, &["uninstall", OTHER, "-n", &home, "--wait", "--timeout=60s"]).unwrap();
    assert_eq!((wide(&scene, RELEASE), wide(&scene, OTHER)), (first_has, vec![]));
    for what in ["deployment/evalx-operator", "lease/evalx-operator"] {
        uid(&scene, what, NAMESPACE).unwrap();
    }
    uid(&scene, "crd/judgeclusters.evalx.dev", "").unwrap();
    leave(&judges).await;
    leave(&scene).await;
    assert!(first.stop().await.unwrap().success());
    helm::run(cluster, &["uninstall", RELEASE, "-n", NAMESPACE, "--wait"]).unwrap();
    kubectl::run(cluster, &["delete", "namespace", &home, "--wait=false"]).unwrap();
}
