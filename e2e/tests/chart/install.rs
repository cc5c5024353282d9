//! `helm install`, and what is left after `helm uninstall`.

use std::sync::Arc;

use e2e::audit::Mark;
use e2e::operator::{JUDGES, NAMESPACE, USER, may};
use e2e::scene::{self, Scene};
use e2e::wait::{secs, throughout, until};
use e2e::{document, helm, kubectl, programs};
use serde_json::json;

use crate::{RELEASE, clean, install, leave, monitored, operator, uid};

const DEFINITION: &str = "crd/judgeclusters.evalx.dev";

/// Fails when the operator was refused anything since then.
fn nothing_refused(scene: &Scene, mark: Mark) {
    let mut refused = scene.cluster().audit().since(mark).unwrap();
    refused.retain(|entry| entry.user == USER && entry.forbidden);
    assert!(refused.is_empty(), "{}", e2e::audit::summary(&refused));
}

fn uninstall(scene: &Scene) {
    let away = ["uninstall", RELEASE, "-n", NAMESPACE, "--wait", "--timeout=60s"];
    helm::run(scene.cluster(), &away).unwrap();
}

pub(crate) async fn whole(scene: Arc<Scene>) {
    clean(&scene).await;
    // The namespace is `restricted`: a pod that is there was found to be so.
    install(&scene, helm::CHART, &["--set=replicas=2"]).await;
    let mark = scene.cluster().audit().mark().unwrap();
    let operator = operator(&scene, "operator", &[]).await;
    let node = scene.node("a", "4", "64Gi").await.unwrap();
    let spec = json!({"queue": {"url": null, "managed": {}}, "api": {"openToAll": true}});
    scene.judge("fleet", &spec).await.unwrap();
    // The node for the operator's pod is of this scene, too.
    let system = format!("{}-system", scene.namespace());
    scene.slots_are(&[(&node, 4), (&system, 4)]).await;
    scene.condition("fleet", "Available", "True", "").await;
    for what in ["service/fleet-api", "statefulset/fleet-redis", "networkpolicy/fleet-worker"] {
        uid(&scene, what, scene.namespace()).unwrap();
    }
    leave(&scene).await;
    assert!(operator.stop().await.unwrap().success());
    nothing_refused(&scene, mark);
    // Users with the usual roles have rights on JudgeClusters.
    for (role, verb, expected) in
        [("view", "list", "yes"), ("view", "delete", "no"), ("edit", "create", "yes")]
    {
        let subject = format!("system:serviceaccount:{}:default", scene.namespace());
        let (name, role) = (
            format!("--serviceaccount={}:default", scene.namespace()),
            format!("--clusterrole={role}"),
        );
        let bind = ["create", "rolebinding", "trial", "-n", scene.namespace(), &role, &name];
        kubectl::run(scene.cluster(), &bind).unwrap();
        until(secs(20), &format!("{role} may {verb}: {expected}"), async || {
            let subject = format!("--as={subject}");
            let can = [
                "auth",
                "can-i",
                verb,
                "judgeclusters.evalx.dev",
                "-n",
                scene.namespace(),
                &subject,
            ];
            // The answer no is exit code 1.
            let answer = kubectl::run(scene.cluster(), &can).unwrap_or_else(|_| "no".to_owned());
            if answer.trim() == expected { Ok(()) } else { Err(answer) }
        })
        .await;
        kubectl::run(scene.cluster(), &["delete", "rolebinding", "trial", "-n", scene.namespace()])
            .unwrap();
    }
    uninstall(&scene);
}

pub(crate) async fn namespaced(scene: Arc<Scene>) {
    clean(&scene).await;
    scene::create_namespace(scene.client(), JUDGES, "privileged").await.unwrap();
    let narrow = format!("--set=watchNamespaces={{{JUDGES}}}");
    install(&scene, helm::CHART, &[&narrow]).await;
    let mark = scene.cluster().audit().mark().unwrap();
    let operator = operator(&scene, "operator", &[&format!("--watch-namespaces={JUDGES}")]).await;
    let judges = scene.within(JUDGES);
    let node = judges.node("a", "2", "64Gi").await.unwrap();
    judges.judge("fleet", &json!({})).await.unwrap();
    judges.slots_are(&[(&node, 2)]).await;
    judges.condition("fleet", "Sized", "True", "").await;
    for what in ["/pods", "apps/daemonsets", "evalx.dev/judgeclusters"] {
        assert!(may(scene.client(), "patch", what, JUDGES).await.unwrap(), "{what}");
        for elsewhere in [scene.namespace(), NAMESPACE, ""] {
            assert!(!may(scene.client(), "patch", what, elsewhere).await.unwrap(), "{what}");
        }
    }
    leave(&judges).await;
    assert!(operator.stop().await.unwrap().success());
    nothing_refused(&scene, mark);
    uninstall(&scene);
}

pub(crate) async fn notes(scene: Arc<Scene>) {
    clean(&scene).await;
    let made = ["--set=workerNamespace.create=true", "--set=workerNamespace.name=typed"];
    let said = install(&scene, helm::CHART, &made).await;
    assert!(said.contains("\n1. Wait for it:\n"), "{said}");
    assert!(said.contains(" It is made: typed."), "{said}");
    // What it says to apply is applied as it stands there.
    let (_, rest) = said.split_once("kubectl apply -f - <<'END'\n").unwrap();
    let (object, rest) = rest.split_once("     END\n").unwrap();
    let object: String =
        object.lines().map(|l| format!("{}\n", l.strip_prefix("     ").unwrap())).collect();
    kubectl::feed(scene.cluster(), &["apply", "-f", "-"], &object).unwrap();
    // What it says to look at is there, once an operator has made it.
    let operator = operator(&scene, "operator", &[]).await;
    assert!(rest.contains("port-forward service/judge-api 2358"), "{rest}");
    until(secs(60), "the service is there", async || {
        uid(&scene, "service/judge-api", "typed").map(drop)
    })
    .await;
    // The submission is that of the page, which is sent on a true node.
    let page = std::fs::read_to_string(programs::checkout().join("docs/cluster.md")).unwrap();
    let (_, block) = page.split_once("```sh\nkubectl -n judges port-forward").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let indented = format!("kubectl -n typed port-forward{block}").replace('\n', "\n     ");
    assert!(rest.contains(indented.trim_end()), "{indented} in {rest}");
    let (_, delete) = rest.split_once("kubectl delete judgeclusters").unwrap();
    let delete: Vec<&str> = delete.lines().next().unwrap().split_whitespace().collect();
    kubectl::run(scene.cluster(), &[&["delete", "judgeclusters"], &delete[..]].concat()).unwrap();
    let gone = ["wait", "--for=delete", "-n=typed", "daemonset/judge-worker", "--timeout=60s"];
    kubectl::run(scene.cluster(), &gone).unwrap();
    assert!(operator.stop().await.unwrap().success());
    uninstall(&scene);
    // The namespace was made by the release, and stays.
    uid(&scene, "namespace/typed", "").unwrap();
    kubectl::run(scene.cluster(), &["delete", "namespace", "typed", "--timeout=60s"]).unwrap();
}

pub(crate) async fn readme(scene: Arc<Scene>) {
    let cluster = scene.cluster();
    monitored(&scene);
    for (file, count) in [("README.md", 3), ("charts/evalx/README.md", 4)] {
        clean(&scene).await;
        let commands = document::commands(file).unwrap();
        assert_eq!(commands.len(), count, "{file}: {commands:?}");
        for command in commands {
            let said = document::type_in(cluster, &command);
            said.unwrap_or_else(|error| panic!("{file}: {error:#}"));
        }
    }
    let monitors = ["servicemonitor/evalx-operator", "deployment/evalx-operator"];
    for what in monitors {
        uid(&scene, what, NAMESPACE).unwrap();
    }
    uninstall(&scene);
}

pub(crate) async fn uninstalled(scene: Arc<Scene>) {
    clean(&scene).await;
    install(&scene, helm::CHART, &[]).await;
    let operator = operator(&scene, "operator", &[]).await;
    scene.judge("fleet", &json!({})).await.unwrap();
    scene.condition("fleet", "Available", "True", "").await;
    assert!(operator.stop().await.unwrap().success());
    let what = [
        (DEFINITION, ""),
        ("judgecluster/fleet", scene.namespace()),
        ("daemonset/fleet-worker", scene.namespace()),
    ];
    let before: Vec<_> = what.map(|(what, at)| uid(&scene, what, at)).into();
    uninstall(&scene);
    throughout(secs(3), "definition, JudgeCluster and workers are the same", async || {
        let now: Vec<_> = what.map(|(what, at)| uid(&scene, what, at)).into();
        if now == before { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    assert!(uid(&scene, "serviceaccount/evalx-operator", NAMESPACE).is_err());
    // Installed again, it takes the definition over, and goes on.
    let install = ["install", RELEASE, helm::CHART, "-n", NAMESPACE, "--wait", "--timeout=90s"];
    helm::run(scene.cluster(), &install).unwrap();
    let operator = crate::operator(&scene, "again", &[]).await;
    let now: Vec<_> = what.map(|(what, at)| uid(&scene, what, at)).into();
    assert_eq!(now, before);
    leave(&scene).await;
    assert!(operator.stop().await.unwrap().success());
    uninstall(&scene);
}

pub(crate) async fn not_kept(scene: Arc<Scene>) {
    clean(&scene).await;
    install(&scene, helm::CHART, &["--set=crds.keep=false"]).await;
    uid(&scene, DEFINITION, "").unwrap();
    uninstall(&scene);
    until(secs(30), "the definition is gone", async || match uid(&scene, DEFINITION, "") {
        Err(_) => Ok(()),
        Ok(uid) => Err(uid),
    })
    .await;
}
