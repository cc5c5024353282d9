//! The chart, by Helm as it is: what it renders, what it refuses, and what becomes of running work when
//! it is installed, upgraded, rolled back and uninstalled. And `manifests/`, which is made of it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod install;
mod manifests;
mod monitoring;
mod neighbours;
mod oldest;
mod refusals;
mod render;
mod schemas;
mod service;
mod takeover;
mod upgrade;

use std::process::ExitCode;
use std::sync::Arc;

use e2e::operator::{NAMESPACE, Operator};
use e2e::programs::{self, Profile};
use e2e::scene::{self, Scene};
use e2e::suite::{Case, Need, Pace, run};
use e2e::{helm, kubectl};

/// The release's name in all cases: with it the operator's account is the one that the harness asks for.
const RELEASE: &str = "evalx";

fn main() -> ExitCode {
    let cases = vec![
        Case::new("Helm has nothing to say of the chart", render::lint),
        Case::new("every object of every set of values is taken", render::taken),
        Case::new("with a namespace's rights all is in that namespace", render::own_namespace),
        Case::new(
            "the oldest Kubernetes takes every object, an older one is refused",
            oldest::refused,
        ),
        Case::new("values that are wrong are refused by name", refusals::named),
        Case::new("values that contradict each other are refused", refusals::together),
        Case::new("names that look like numbers and those that are long are names", render::names),
        Case::new("a chart that has this one may switch it off", render::part),
        Case::new("its service and Redis are as the operator's", service::as_the_operators),
        Case::new("its Redis outlives an upgrade, its volume an uninstall", service::whole),
        Case::new("alerts and dashboards are installed as asked for", monitoring::content),
        Case::new("manifests are what the chart makes", manifests::same),
        Case::new("manifests applied by kubectl are an operator", manifests::applied),
        Case::new("installed, the operator makes a fleet with its rights", install::whole),
        Case::new("installed for a namespace, it has no rights elsewhere", install::namespaced),
        Case::new("what Helm prints can be typed", install::notes),
        Case::new("what the READMEs say can be typed", install::readme),
        Case::new("upgraded and rolled back, the fleet goes on", upgrade::there_and_back),
        Case::new("what kubectl has applied, a release takes over", takeover::taken_over),
        Case::new("two releases have namespaces of their own", neighbours::apart),
        Case::new("uninstalled, JudgeClusters and workers stay", install::uninstalled),
        Case::new("a definition that is not kept goes", install::not_kept),
    ];
    run(Need::Nothing, Pace::Apart, cases)
}

/// A cluster in which nothing of evalX is installed, with a namespace for the operator.
async fn clean(scene: &Scene) {
    let cluster = scene.cluster();
    helm::run(cluster, &["uninstall", RELEASE, "-n", NAMESPACE, "--ignore-not-found"]).unwrap();
    let ours = "-l=app.kubernetes.io/part-of=evalx";
    let all = "crd,clusterrole,clusterrolebinding";
    kubectl::run(cluster, &["delete", all, "--ignore-not-found", ours]).unwrap();
    let mine = "deployment,service,serviceaccount,role,rolebinding,networkpolicy";
    kubectl::run(cluster, &["delete", mine, "-n", NAMESPACE, "--ignore-not-found", ours]).unwrap();
    scene::create_namespace(scene.client(), NAMESPACE, "restricted").await.unwrap();
    // A pod whose node has gone with the case before would stay for a minute.
    let pods = ["delete", "pods", "--all", "-n", NAMESPACE, "--force", "--grace-period=0"];
    kubectl::run(cluster, &pods).unwrap();
}

/// Installs two resources of Prometheus' operator.
fn monitored(scene: &Scene) {
    for file in ["servicemonitors.yaml", "prometheusrules.yaml"] {
        let path = scene.cluster().programs().join(file);
        let apply = ["apply", "--server-side", "-f", path.to_str().unwrap()];
        kubectl::run(scene.cluster(), &apply).unwrap();
    }
    let ready = ["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"];
    kubectl::run(scene.cluster(), &ready).unwrap();
}

/// Installs the chart and waits for its operator's pod, which a simulated node only plays. Hands out
/// what Helm prints.
async fn install(scene: &Scene, chart: &str, more: &[&str]) -> String {
    // Where the pod may run.
    let node = scene.node("system", "4", "8Gi").await.unwrap();
    scene.nodes_ready(&[node]).await;
    let mut arguments = vec!["install", RELEASE, chart, "-n", NAMESPACE, "--wait", "--timeout=90s"];
    arguments.extend(more);
    helm::run(scene.cluster(), &arguments).unwrap()
}

/// The operator itself, as the account that was installed.
async fn operator(scene: &Scene, name: &str, more: &[&str]) -> Operator {
    let program = programs::operator(Profile::Debug).unwrap();
    let name = format!("{}-{name}", scene.namespace());
    let mut operator = Operator::start(scene.cluster(), &program, &name, more).await.unwrap();
    operator.ready().await.unwrap();
    operator
}

/// Ends the fleets of a scene. That a definition is new Kubernetes' garbage collector notices when it
/// looks next, within 30 s, and here it is new in each case: what it would collect is deleted.
async fn leave(scene: &Scene) {
    for what in ["judgeclusters", "daemonsets,deployments,statefulsets"] {
        let delete = ["delete", what, "--all", "-n", scene.namespace()];
        kubectl::run(scene.cluster(), &delete).unwrap();
    }
    scene.leave().await.unwrap();
}

/// The uid of an object, as kubectl calls it.
fn uid(scene: &Arc<Scene>, what: &str, namespace: &str) -> Result<String, String> {
    let ask = ["get", what, "-n", namespace, "-o", "jsonpath={.metadata.uid}"];
    let uid = kubectl::run(scene.cluster(), &ask).map_err(|error| error.to_string())?;
    if uid.is_empty() { Err(format!("no {what}")) } else { Ok(uid) }
}
