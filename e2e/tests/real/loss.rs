//! Parts of the fleet go, each in the hardest way, while submissions run. None of those is lost, none
//! is there twice.

use std::sync::Arc;
use std::time::Instant;

use e2e::scene::Scene;
use e2e::wait::{secs, until};
use e2e::{document, kubectl, operator};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use rustix::process::{Pid, Signal, kill_process};

use crate::fleet::{Fleet, incarnation, python, sleeper};

const NOW: [&str; 3] = ["--grace-period=0", "--force", "--wait=false"];

/// Deletes a pod at once.
fn delete(fleet: &Fleet, pod: &Pod) {
    let name = pod.metadata.name.as_deref().unwrap();
    let mut arguments = vec!["delete", "pod", name];
    arguments.extend(NOW);
    fleet.kubectl(&arguments);
}

/// Waits until a component has another pod, and that is ready.
pub(crate) async fn replaced(fleet: &Fleet, component: &str, old: &Pod) -> Pod {
    until(secs(120), &format!("the {component} has another pod"), async || {
        let pod = fleet.pod(component).await?;
        if pod.metadata.uid == old.metadata.uid { Err("the same".to_owned()) } else { Ok(()) }
    })
    .await;
    fleet.ready(component).await
}

pub(crate) async fn worker(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let counted = fleet.finished().await;
    let ids = fleet.submit_all("loss-worker", 8, &sleeper(2.0)).await;
    fleet.running(2).await;
    let old = fleet.ready("worker").await;
    delete(&fleet, &old);
    let began = Instant::now();
    let new = replaced(&fleet, "worker", &old).await;
    assert_ne!(incarnation(&new).0, incarnation(&old).0);
    println!("another worker is ready after {:?}", began.elapsed());
    // Those that were running: elsewhere or again within 8 s, and then they take their 2.
    for id in &ids[..2] {
        fleet.outcome(id).await;
    }
    assert!(began.elapsed() < secs(10), "{:?}", began.elapsed());
    let views = fleet.all_accepted(&ids).await;
    // Two were running, and no other was begun before.
    let again: Vec<_> = views.iter().filter(|view| view["attempts"] != 1).collect();
    assert!(again.len() <= 2 && again.iter().all(|view| view["attempts"] == 2), "{again:?}");
    println!("all are over after {:?}, {} of them in a second run", began.elapsed(), again.len());
    assert_eq!(fleet.finished().await, counted + 8);
}

/// What the kernel does to a process that cannot be given more memory, and a power cut to all.
pub(crate) async fn killed(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let counted = fleet.finished().await;
    let ids = fleet.submit_all("loss-killed", 6, &sleeper(2.0)).await;
    fleet.running(2).await;
    let (uid, restarts) = incarnation(&fleet.ready("worker").await);
    kill_process(worker_process(&fleet, &uid), Signal::KILL).unwrap();
    let began = Instant::now();
    for id in &ids[..2] {
        fleet.outcome(id).await;
    }
    // A lease of 6 s that is looked at each second, and the run of 2 s.
    assert!(began.elapsed() < secs(10), "{:?}", began.elapsed());
    let views = fleet.all_accepted(&ids).await;
    let again: Vec<_> = views.iter().filter(|view| view["attempts"] == 2).collect();
    println!("all are over after {:?}, {} of them in a second run", began.elapsed(), again.len());
    // The two that were running are the only ones that ran again.
    assert_eq!(again.len(), 2, "{views:?}");
    assert_eq!(fleet.finished().await, counted + 6);
    assert_eq!(incarnation(&fleet.ready("worker").await), (uid, restarts + 1));
}

/// Pid 1 of the worker's container, as this machine counts.
fn worker_process(fleet: &Fleet, uid: &str) -> Pid {
    let group = fleet.cluster().machine().unwrap().group();
    let read = |id: &str, file: &str| {
        std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default()
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let all = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let found = all.filter(|id| {
        let groups = read(id, "cgroup");
        groups.contains(group)
            && groups.contains(uid)
            && read(id, "cmdline").starts_with("evalx\0worker\0")
    });
    let found: Vec<i32> = found.filter_map(|id| id.parse().ok()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    Pid::from_raw(found[0]).unwrap()
}

pub(crate) async fn redis(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let counted = fleet.finished().await;
    let worker = incarnation(&fleet.ready("worker").await);
    let ids = fleet.submit_all("loss-redis", 10, &sleeper(1.0)).await;
    fleet.running(2).await;
    let old = fleet.ready("redis").await;
    delete(&fleet, &old);
    let began = Instant::now();
    // What is acknowledged from now on is acknowledged by the next one.
    let later = fleet.submit_all("loss-redis-later", 4, &sleeper(0.1)).await;
    replaced(&fleet, "redis", &old).await;
    println!("another Redis is ready after {:?}", began.elapsed());
    fleet.all_accepted(&ids).await;
    fleet.all_accepted(&later).await;
    println!("all are over after {:?}", began.elapsed());
    assert_eq!(fleet.finished().await, counted + 14);
    assert_eq!(incarnation(&fleet.ready("worker").await), worker);
}

pub(crate) async fn operator(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let worker = incarnation(&fleet.ready("worker").await);
    no_operator(&fleet).await;
    let ids = fleet.submit_all("loss-operator", 20, &python("print(3)")).await;
    for view in fleet.all_accepted(&ids).await {
        assert_eq!(view["attempts"], 1, "{view}");
    }
    // A worker that goes while there is no operator comes back: the DaemonSet is Kubernetes' own.
    assert_eq!(incarnation(&fleet.ready("worker").await), worker);
    fleet.slots(2).await;
    operator_again(&fleet).await;
    // Nothing of the fleet is made anew by one that has just come.
    fleet.settled().await;
    assert_eq!(incarnation(&fleet.ready("worker").await), worker);
}

fn scale_operator(fleet: &Fleet, replicas: &str) {
    let replicas = format!("--replicas={replicas}");
    let arguments = ["-n", operator::NAMESPACE, "scale", "deploy/evalx-operator", &replicas];
    kubectl::run(fleet.cluster(), &arguments).unwrap();
}

/// Ends the operator at once, and waits until there is none.
pub(crate) async fn no_operator(fleet: &Fleet) {
    scale_operator(fleet, "0");
    let mut delete = vec!["-n", operator::NAMESPACE, "delete", "pod", "--all"];
    delete.extend(NOW);
    kubectl::run(fleet.cluster(), &delete).unwrap();
    let pods = Api::<Pod>::namespaced(fleet.scene.client().clone(), operator::NAMESPACE);
    until(secs(60), "no operator is left", async || {
        let left = pods.list(&ListParams::default()).await.map(|pods| pods.items.len());
        if let Ok(0) = left { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}

/// Starts the operator, and waits until it is ready.
pub(crate) async fn operator_again(fleet: &Fleet) {
    scale_operator(fleet, "1");
    let client = fleet.scene.client().clone();
    let deployments = Api::<Deployment>::namespaced(client, operator::NAMESPACE);
    until(secs(60), "the operator is back", async || {
        let one = deployments.get("evalx-operator").await.map_err(|error| error.to_string())?;
        let ready = one.status.and_then(|status| status.ready_replicas);
        if ready == Some(1) { Ok(()) } else { Err(format!("{ready:?}")) }
    })
    .await;
}

pub(crate) async fn restarted(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let counted = fleet.finished().await;
    let ids = fleet.submit_all("restarted", 10, &sleeper(1.5)).await;
    fleet.running(2).await;
    let old = fleet.ready("worker").await;
    fleet.kubectl(&["rollout", "restart", "daemonset/judge-worker"]);
    replaced(&fleet, "worker", &old).await;
    // What ran was finished before the end, so no run was for nothing.
    for view in fleet.all_accepted(&ids).await {
        assert_eq!(view["attempts"], 1, "{view}");
    }
    assert_eq!(fleet.finished().await, counted + 10);
}

/// What the page says to type, while submissions run: another operator comes, and the one before again.
pub(crate) async fn upgraded(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let (counted, worker) = (fleet.finished().await, incarnation(&fleet.ready("worker").await));
    let commands = document::commands("docs/upgrade.md").unwrap();
    let [upgrade, rollback, _] = &commands[..] else { panic!("{commands:?}") };
    // One that rolls the operator's pod.
    let other = ["--set".to_owned(), "concurrency=5".to_owned()];
    let wait = ["--wait".to_owned(), "--timeout=90s".to_owned()];
    let upgrade = [&upgrade[..], &other, &wait].concat();
    let rollback = [&rollback[..], &wait].concat();
    let ids = fleet.submit_all("upgraded", 30, &sleeper(1.0)).await;
    fleet.running(2).await;
    for command in [upgrade, rollback] {
        document::type_in(fleet.cluster(), &command).unwrap();
    }
    for view in fleet.all_accepted(&ids).await {
        assert_eq!(view["attempts"], 1, "{view}");
    }
    assert_eq!(fleet.finished().await, counted + 30);
    assert_eq!(incarnation(&fleet.ready("worker").await), worker);
}
