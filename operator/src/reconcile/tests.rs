//! Whole looks against an API server that a closure plays: what is written, what is not, and what
//! happens when the server refuses, storms or says nothing. On paused time.

mod meanwhile;
mod paused;
mod troubles;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;
use crate::build::SLOTS;
use crate::metrics::Metrics;
use crate::world::{NodeView, PodView, SlimNode, SlimPod};

/// An API server that keeps what it is sent.
#[derive(Debug, Default)]
struct Server {
    objects: BTreeMap<String, Value>,
    version: u64,
    /// Writes that were sent, by method and path.
    writes: Vec<String>,
    /// So many requests are answered with this code.
    storm: Option<(u16, u32)>,
    /// Writes to paths that end so are refused with this code and message.
    refused: Option<(&'static str, u16, &'static str)>,
    /// What somebody writes to the cluster just before the next status is.
    meanwhile: Option<Value>,
    /// The namespace is being deleted: what is there can be changed, and nothing made.
    leaving: bool,
    /// It has gone.
    gone: bool,
    silent: bool,
}

type Shared = Arc<Mutex<Server>>;

fn failure(code: u16, message: &str) -> (u16, Value) {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        _ => "Other",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code, "reason": reason, "message": message,
    });
    (code, status)
}

/// How Kubernetes 1.36 refuses what is made in a namespace that is being deleted.
fn leaving(path: &str) -> (u16, Value) {
    let said = "unable to create new content in namespace ns because it is being terminated";
    let cause = json!({
        "reason": "NamespaceTerminating", "field": "metadata.namespace",
        "message": "namespace ns is being terminated",
    });
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403,
        "reason": "Forbidden", "message": format!("{path} is forbidden: {said}"),
        "details": { "causes": [cause] },
    });
    (403, status)
}

/// How it refuses what is made in a namespace that is not there.
fn gone() -> (u16, Value) {
    let (code, mut status) = failure(404, "namespaces \"ns\" not found");
    status["details"] = json!({ "name": "ns", "kind": "namespaces" });
    (code, status)
}

/// Puts all of `new` into `old`, deeply; null removes.
fn merge(old: &mut Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                if value.is_null() {
                    old.remove(key);
                } else {
                    merge(old.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (old, new) => *old = new.clone(),
    }
}

impl Server {
    fn answer(&mut self, method: &Method, path: &str, sent: Option<Value>) -> (u16, Value) {
        if method != Method::GET {
            self.writes.push(format!("{method} {path}"));
        }
        if let Some((code, left)) = &mut self.storm
            && *left > 0
        {
            *left -= 1;
            return failure(*code, "come back later");
        }
        if let Some((end, code, message)) = self.refused
            && path.ends_with(end)
            && method != Method::GET
        {
            return failure(code, message);
        }
        let object = path.strip_suffix("/status").unwrap_or(path);
        let writes = matches!(*method, Method::PATCH | Method::POST);
        if self.leaving && writes && !self.objects.contains_key(object) {
            return if self.gone { gone() } else { leaving(path) };
        }
        match (method.as_str(), sent) {
            ("GET", _) => {
                self.objects.get(path).map_or_else(|| failure(404, "no"), |o| (200, o.clone()))
            }
            ("DELETE", _) => match self.objects.remove(path) {
                Some(_) => (200, json!({ "kind": "Status", "status": "Success" })),
                None => failure(404, "no"),
            },
            ("PATCH", Some(sent)) => self.patch(path, &sent),
            ("POST", Some(sent)) => (201, sent),
            _ => failure(405, "no"),
        }
    }

    fn patch(&mut self, path: &str, sent: &Value) -> (u16, Value) {
        let object = path.strip_suffix("/status").unwrap_or(path).to_owned();
        let pods = object.contains("/pods/");
        let uid = &sent["metadata"]["uid"];
        match self.objects.get(&object) {
            None if pods || path.ends_with("/status") => return failure(404, "no"),
            Some(there) if uid.is_string() && there["metadata"]["uid"] != *uid => {
                return failure(409, "another uid");
            }
            _ => {}
        }
        if path.ends_with("/status")
            && let Some(change) = self.meanwhile.take()
        {
            merge(self.objects.get_mut(&object).unwrap(), &change);
        }
        self.version += 1;
        let version = self.version;
        let there = self.objects.entry(object.clone()).or_insert_with(
            || json!({ "metadata": { "uid": format!("uid-{version}"), "generation": 1 } }),
        );
        merge(there, sent);
        there["metadata"]["resourceVersion"] = version.to_string().into();
        (200, there.clone())
    }

    fn writes_to(&self, what: &str) -> usize {
        self.writes.iter().filter(|write| write.contains(what)).count()
    }
}

fn client(server: &Shared) -> Client {
    let server = Arc::clone(server);
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = Arc::clone(&server);
        async move {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let bytes = request.into_body().collect_bytes().await.unwrap();
            if server.lock().unwrap().silent {
                std::future::pending::<()>().await;
            }
            let sent = serde_json::from_slice(&bytes).ok();
            let (code, value) = server.lock().unwrap().answer(&method, &path, sent);
            let body = Body::from(serde_json::to_vec(&value).unwrap());
            Ok::<_, tower::BoxError>(Response::builder().status(code).body(body).unwrap())
        }
    });
    Client::new(service, "ns")
}

struct Scene {
    server: Shared,
    context: Context,
    key: Key,
}

const CLUSTER: &str = "/apis/evalx.dev/v1alpha1/namespaces/ns/judgeclusters/c";
const DAEMON_SET: &str = "/apis/apps/v1/namespaces/ns/daemonsets/c-worker";

impl Scene {
    fn new(spec: Value) -> Self {
        let server = Shared::default();
        let context = Context::new(client(&server), Metrics::default(), "test");
        let scene = Self { server, context, key: Key::new("ns", "c") };
        scene.cluster(spec, 1);
        scene
    }

    /// A user writes the cluster.
    fn cluster(&self, spec: Value, generation: i64) {
        let mut base = json!({ "image": "evalx:1", "queue": { "url": "redis://r" } });
        merge(&mut base, &spec);
        let mut server = self.server.lock().unwrap();
        server.version += 1;
        let version = server.version.to_string();
        let there = server.objects.entry(CLUSTER.to_owned()).or_insert_with(|| {
            json!({
                "apiVersion": "evalx.dev/v1alpha1", "kind": "JudgeCluster",
                "metadata": { "name": "c", "namespace": "ns", "uid": "cluster" },
            })
        });
        there["spec"] = base;
        there["metadata"]["generation"] = generation.into();
        there["metadata"]["resourceVersion"] = version.into();
        let object = serde_json::from_value(there.clone()).unwrap();
        drop(server);
        self.context.world.sight().put_cluster(Seen::of(&object));
    }

    /// A node with a pod on it, as the watches would tell.
    fn node(&self, name: &str, cpu: &str) {
        let node: SlimNode = serde_json::from_value(json!({
            "metadata": { "name": name },
            "status": {
                "allocatable": { "cpu": cpu, "memory": "64Gi" },
                "conditions": [{ "type": "Ready", "status": "True" }],
            },
        }))
        .unwrap();
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "namespace": "ns", "uid": format!("pod-{name}"), "resourceVersion": "1" },
            "spec": { "nodeName": name },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        let slim: SlimPod = serde_json::from_value(pod.clone()).unwrap();
        let path = format!("/api/v1/namespaces/ns/pods/{name}");
        self.server.lock().unwrap().objects.insert(path, pod);
        let mut sight = self.context.world.sight();
        sight.put_node(&name.into(), NodeView::of(&node));
        sight.put_pod(&self.key, name, PodView::of(&slim));
    }

    /// Somebody else changes an object of ours, and the watch tells.
    fn tamper(&self, path: &str, kind: Kind, change: &Value) {
        let mut server = self.server.lock().unwrap();
        let (_, object) = server.patch(path, change);
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let live = crate::world::Live::of(serde_json::from_value(object).unwrap());
        drop(server);
        self.context.world.sight().put_live(&self.key, kind, &name, live);
    }

    /// Looks as the operator does, beginning at once, for so long.
    async fn work(&self, seconds: u64) {
        self.context.work.add_at_once(&self.key);
        let working = timeout(Duration::from_secs(seconds), work(&self.context));
        working.await.expect_err("the queue is open");
    }

    async fn look(&self) -> Result<Option<Duration>, api::Error> {
        look(&self.context, &self.key).await
    }

    fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.server.lock().unwrap().writes)
    }

    fn status(&self) -> Value {
        self.server.lock().unwrap().objects[CLUSTER]["status"].clone()
    }

    fn degraded(&self) -> (String, String) {
        let status = self.status();
        let conditions = status["conditions"].as_array().unwrap();
        let found = conditions.iter().find(|condition| condition["type"] == "Degraded").unwrap();
        let text = |field: &str| found[field].as_str().unwrap().to_owned();
        (text("reason"), text("message"))
    }

    fn condition(&self, name: &str) -> (String, String) {
        let status = self.status();
        let mut conditions = status["conditions"].as_array().unwrap().iter();
        let found = conditions.find(|condition| condition["type"] == name).unwrap();
        let text = |field: &str| found[field].as_str().unwrap().to_owned();
        (text("status"), text("reason"))
    }

    fn slots(&self, pod: &str) -> Value {
        let server = self.server.lock().unwrap();
        let path = format!("/api/v1/namespaces/ns/pods/{pod}");
        server.objects[&path]["metadata"]["annotations"][SLOTS].clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_is_made_and_then_nothing_is_written() {
    let scene = Scene::new(json!({}));
    for (name, cpu) in [("a", "2"), ("b", "16")] {
        scene.node(name, cpu);
    }
    scene.look().await.unwrap();
    assert_eq!((scene.slots("a"), scene.slots("b")), (json!("2"), json!("16")));
    let writes = scene.writes();
    assert!(writes.contains(&format!("PATCH {DAEMON_SET}")), "{writes:?}");
    assert!(writes.len() < 12, "{writes:?}");
    // The DaemonSet's controller says that all is done.
    let status = json!({ "status": { "observedGeneration": 1, "desiredNumberScheduled": 2,
        "updatedNumberScheduled": 2, "numberReady": 2 } });
    scene.tamper(DAEMON_SET, Kind::DaemonSet, &status);
    tokio::time::advance(Duration::from_secs(10)).await;
    scene.look().await.unwrap();
    scene.writes();
    for _ in 0..20 {
        tokio::time::advance(Duration::from_secs(60)).await;
        scene.look().await.unwrap();
    }
    assert_eq!(scene.writes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn drift_is_mended_and_fields_of_others_are_left() {
    let scene = Scene::new(json!({}));
    scene.look().await.unwrap();
    scene.writes();
    let foreign = json!({ "metadata": { "annotations": { "example.org/x": "y" } },
        "spec": { "template": { "metadata": { "annotations": { "kubectl.kubernetes.io/restartedAt": "now" } } } } });
    scene.tamper(DAEMON_SET, Kind::DaemonSet, &foreign);
    scene.look().await.unwrap();
    assert_eq!(
        scene.server.lock().unwrap().writes_to("daemonsets"),
        0,
        "a restart by hand survives"
    );
    let drift =
        json!({ "spec": { "template": { "spec": { "terminationGracePeriodSeconds": 1 } } } });
    scene.tamper(DAEMON_SET, Kind::DaemonSet, &drift);
    scene.look().await.unwrap();
    assert_eq!(scene.server.lock().unwrap().writes_to("daemonsets"), 1);
    scene.context.world.sight().drop_live(&scene.key, Kind::DaemonSet, "c-worker");
    scene.server.lock().unwrap().objects.remove(DAEMON_SET);
    scene.look().await.unwrap();
    assert!(scene.server.lock().unwrap().objects.contains_key(DAEMON_SET), "made again");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_more_wanted_is_removed() {
    let scene = Scene::new(json!({ "api": { "openToAll": true } }));
    scene.look().await.unwrap();
    let deployment = "/apis/apps/v1/namespaces/ns/deployments/c-api";
    assert!(scene.server.lock().unwrap().objects.contains_key(deployment));
    scene.cluster(json!({ "api": null }), 2);
    scene.look().await.unwrap();
    let server = scene.server.lock().unwrap();
    assert!(!server.objects.contains_key(deployment));
    assert_eq!(server.writes_to("DELETE"), 3, "deployment, service and budget");
}

#[tokio::test(start_paused = true)]
async fn an_object_of_somebody_else_is_not_taken() {
    let scene = Scene::new(json!({}));
    let stranger = json!({ "metadata": { "name": "c-worker", "namespace": "ns", "uid": "other" } });
    scene.server.lock().unwrap().objects.insert(DAEMON_SET.to_owned(), stranger);
    scene.look().await.unwrap();
    assert_eq!(scene.degraded().0, "NameTaken");
    assert_eq!(scene.server.lock().unwrap().writes_to("daemonsets"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_refuses_is_said_and_not_sent_again_and_again() {
    let scene = Scene::new(json!({}));
    scene.server.lock().unwrap().refused = Some(("c-worker", 422, "spec.x: Invalid value"));
    for _ in 0..5 {
        scene.look().await.unwrap();
    }
    let (reason, message) = scene.degraded();
    assert_eq!(reason, "Rejected");
    assert!(message.contains("spec.x: Invalid value"), "{message}");
    assert_eq!(scene.condition("Progressing"), ("False".to_owned(), "Rejected".to_owned()));
    assert_eq!(scene.server.lock().unwrap().writes_to("daemonsets"), 1);
    scene.server.lock().unwrap().refused = None;
    tokio::time::advance(Duration::from_secs(61)).await;
    scene.look().await.unwrap();
    assert_eq!(scene.degraded().0, "AsExpected");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_429_ends_in_the_same_fleet() {
    let scene = Scene::new(json!({}));
    for index in 0..50 {
        scene.node(&format!("n{index}"), "4");
    }
    let mut failures = 0;
    for round in 0..40 {
        scene.server.lock().unwrap().storm = (round < 20).then_some((429, 3));
        match scene.look().await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.status().map(|status| status.code), Some(429));
                failures += 1;
            }
        }
    }
    assert!(failures > 0);
    for index in 0..50 {
        assert_eq!(scene.slots(&format!("n{index}")), json!("4"));
    }
    // One that got through is not written twice.
    let server = scene.server.lock().unwrap();
    assert!(server.writes_to("/pods/") <= 50 + 60, "{}", server.writes_to("/pods/"));
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_conflicts_ends_in_the_same_fleet() {
    let scene = Scene::new(json!({}));
    scene.node("a", "4");
    for round in 0..30 {
        scene.server.lock().unwrap().storm = (round % 3 != 2).then_some((409, 2));
        let _conflict = scene.look().await;
    }
    scene.look().await.unwrap();
    assert_eq!(scene.slots("a"), json!("4"));
    assert_eq!(scene.degraded().0, "AsExpected");
    assert!(scene.server.lock().unwrap().objects.contains_key(DAEMON_SET));
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_being_deleted_is_left_alone() {
    let scene = Scene::new(json!({}));
    scene.node("a", "4");
    scene.look().await.unwrap();
    let (before, _) = (scene.status(), scene.writes());
    let lose = || {
        scene.server.lock().unwrap().objects.remove(DAEMON_SET);
        scene.context.world.sight().drop_live(&scene.key, Kind::DaemonSet, "c-worker");
    };
    // What is in it goes one by one, and each is an event.
    scene.server.lock().unwrap().leaving = true;
    lose();
    for _ in 0..50 {
        assert!(scene.look().await.unwrap().is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(scene.writes(), [format!("PATCH {DAEMON_SET}")], "tried once a minute");
    assert_eq!(scene.status(), before, "there is nothing to mend");
    // It has gone, and what was in it is still to be told of.
    tokio::time::advance(Duration::from_secs(60)).await;
    scene.server.lock().unwrap().gone = true;
    assert!(scene.look().await.unwrap().is_some());
    assert_eq!(scene.writes().len(), 1);
    scene.server.lock().unwrap().gone = false;
    // What turns bad is told to nobody, and is no failure.
    tokio::time::advance(Duration::from_secs(60)).await;
    scene.cluster(json!({ "sandbox": { "minPerNode": "two" } }), 2);
    scene.look().await.unwrap();
    assert_eq!(scene.degraded().0, "InvalidSpec");
    assert!(scene.writes().iter().any(|write| write.starts_with("POST ")), "an event was tried");
    let metrics = scene.context.metrics.text(0);
    let failures = metrics.lines().filter(|line| line.starts_with("evalx_operator_failures_total"));
    assert!(failures.into_iter().all(|line| line.ends_with(" 0")), "{metrics}");
    // A namespace that was made anew has another cluster of this name.
    scene.cluster(json!({}), 3);
    scene.look().await.unwrap();
    {
        let mut server = scene.server.lock().unwrap();
        server.leaving = false;
        server.objects.retain(|path, _| path == CLUSTER);
        server.objects.get_mut(CLUSTER).unwrap()["metadata"]["uid"] = "next".into();
    }
    scene.cluster(json!({}), 1);
    scene.look().await.unwrap();
    assert!(scene.server.lock().unwrap().objects.contains_key(DAEMON_SET), "it is made at once");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_holds_nobody_up_for_long() {
    let scene = Scene::new(json!({}));
    scene.server.lock().unwrap().silent = true;
    let looked = timeout(Duration::from_secs(60), scene.look()).await.expect("it ends");
    assert!(matches!(looked, Err(api::Error::Silent { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_was_replaced_is_not_told_what_was_meant_for_another() {
    let scene = Scene::new(json!({}));
    scene.node("a", "4");
    let path = "/api/v1/namespaces/ns/pods/a";
    scene.server.lock().unwrap().objects.get_mut(path).unwrap()["metadata"]["uid"] = "next".into();
    scene.look().await.unwrap();
    assert_eq!(scene.slots("a"), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn suspended_is_zero_slots_and_back() {
    let scene = Scene::new(json!({ "suspend": true }));
    scene.node("a", "4");
    scene.look().await.unwrap();
    assert_eq!(scene.slots("a"), json!("0"));
    scene.cluster(json!({}), 2);
    scene.look().await.unwrap();
    assert_eq!(scene.slots("a"), json!("4"));
}

#[tokio::test(start_paused = true)]
async fn a_malformed_cluster_gets_a_condition_and_keeps_its_workers() {
    let scene = Scene::new(json!({}));
    scene.look().await.unwrap();
    scene.writes();
    scene.cluster(json!({ "sandbox": { "minPerNode": "two" } }), 2);
    scene.look().await.unwrap();
    let (reason, message) = scene.degraded();
    assert_eq!(reason, "InvalidSpec");
    assert!(message.contains("spec.sandbox.minPerNode"), "{message}");
    assert_eq!(scene.condition("Progressing"), ("False".to_owned(), "InvalidSpec".to_owned()));
    let server = scene.server.lock().unwrap();
    assert_eq!((server.writes_to("daemonsets"), server.writes_to("DELETE")), (0, 0));
}

const TOY: &str = "- {id: toy, name: Toy, tier: full, extensions: [toy], source: a.toy, needs: [toy], \
                   version: [toy, -v], run: {argv: [toy]}}\n";

#[tokio::test(start_paused = true)]
async fn languages_that_are_wrong_keep_the_ones_before() {
    let languages = json!({ "languages": { "configMapRef": { "name": "mine" } } });
    let scene = Scene::new(languages);
    let path = "/api/v1/namespaces/ns/configmaps/mine".to_owned();
    let copy = "/api/v1/namespaces/ns/configmaps/c-languages";
    let map = |text: &str| json!({ "metadata": { "name": "mine" }, "data": { "a.yaml": text } });
    scene.look().await.unwrap();
    assert_eq!(scene.degraded().0, "LanguagesInvalid", "it is not there");
    scene.server.lock().unwrap().objects.insert(path.clone(), map(TOY));
    scene.look().await.unwrap();
    assert_eq!(scene.server.lock().unwrap().objects[copy]["data"]["a.yaml"], TOY);
    scene.server.lock().unwrap().objects.insert(path, map("a: ["));
    scene.look().await.unwrap();
    let (reason, message) = scene.degraded();
    assert_eq!(reason, "LanguagesInvalid");
    assert!(message.contains("a.yaml is not YAML") && message.contains("mine"), "{message}");
    assert_eq!(scene.server.lock().unwrap().objects[copy]["data"]["a.yaml"], TOY);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_workers_that_become_ready_are_few_writes() {
    let scene = Scene::new(json!({}));
    scene.look().await.unwrap();
    scene.writes();
    for ready in 0..1000_u32 {
        let status = json!({ "status": { "observedGeneration": 1, "desiredNumberScheduled": 1000,
            "updatedNumberScheduled": 1000, "numberReady": ready } });
        scene.tamper(DAEMON_SET, Kind::DaemonSet, &status);
        tokio::time::advance(Duration::from_millis(20)).await;
        scene.look().await.unwrap();
    }
    let writes = scene.writes();
    assert!(writes.len() < 20, "{} writes in 20 s", writes.len());
}

#[tokio::test(start_paused = true)]
async fn draining_on_deletion_waits_for_the_workers_but_not_for_ever() {
    let drain = json!({ "deletion": { "policy": "Drain", "timeoutSeconds": 60 } });
    let scene = Scene::new(drain);
    scene.node("a", "4");
    scene.look().await.unwrap();
    let finalizers = |scene: &Scene| {
        scene.server.lock().unwrap().objects[CLUSTER]["metadata"]["finalizers"].clone()
    };
    assert_eq!(finalizers(&scene), json!(["evalx.dev/drain"]));
    // Whatever the clocks say: theirs is a day off, to either side.
    let deleted = |scene: &Scene, hours_ago: i64| {
        let at = k8s_openapi::jiff::Timestamp::now().as_second() - hours_ago * 3600;
        let at = k8s_openapi::jiff::Timestamp::from_second(at).unwrap().to_string();
        let mut server = scene.server.lock().unwrap();
        let (_, object) =
            server.patch(CLUSTER, &json!({ "metadata": { "deletionTimestamp": at } }));
        drop(server);
        let seen = Seen::of(&serde_json::from_value(object).unwrap());
        scene.context.world.sight().put_cluster(seen);
    };
    deleted(&scene, 24);
    assert!(scene.look().await.unwrap().is_some(), "a worker is still there");
    assert!(!scene.server.lock().unwrap().objects.contains_key(DAEMON_SET));
    assert_eq!(finalizers(&scene), json!(["evalx.dev/drain"]));
    scene.context.world.sight().drop_pod(&scene.key, "a");
    scene.look().await.unwrap();
    assert_eq!(finalizers(&scene), json!([]));

    let late = Scene::new(json!({ "deletion": { "policy": "Drain", "timeoutSeconds": 60 } }));
    late.node("a", "4");
    late.look().await.unwrap();
    deleted(&late, -24);
    late.look().await.unwrap();
    tokio::time::advance(Duration::from_secs(59)).await;
    late.look().await.unwrap();
    assert_eq!(finalizers(&late), json!(["evalx.dev/drain"]));
    tokio::time::advance(Duration::from_secs(1)).await;
    late.look().await.unwrap();
    assert_eq!(finalizers(&late), json!([]), "a worker that hangs does not keep it");
}

#[tokio::test(start_paused = true)]
async fn a_managed_redis_is_an_alarm_only_when_it_does_not_start() {
    let scene = Scene::new(json!({ "queue": { "url": null, "managed": {} } }));
    let queue = |scene: &Scene| {
        let status = scene.status();
        let conditions = status["conditions"].as_array().unwrap().clone();
        let found = conditions.into_iter().find(|condition| condition["type"] == "QueueReady");
        found.unwrap()["reason"].as_str().unwrap().to_owned()
    };
    let again = scene.look().await.unwrap().unwrap();
    assert_eq!((&*queue(&scene), &*scene.degraded().0), ("RedisNotReady", "AsExpected"));
    assert!(again <= Duration::from_secs(30), "looked at again when it is late: {again:?}");
    tokio::time::advance(Duration::from_secs(30)).await;
    scene.look().await.unwrap();
    assert_eq!(scene.degraded().0, "RedisNotReady");
    let ready = json!({ "status": { "readyReplicas": 1 } });
    let path = "/apis/apps/v1/namespaces/ns/statefulsets/c-redis";
    scene.tamper(path, Kind::StatefulSet, &ready);
    scene.look().await.unwrap();
    assert_eq!((&*queue(&scene), &*scene.degraded().0), ("NotStarted", "AsExpected"));
    scene.tamper(path, Kind::StatefulSet, &json!({ "status": { "readyReplicas": null } }));
    scene.look().await.unwrap();
    assert_eq!(scene.degraded().0, "AsExpected", "it may be starting again");
}

#[tokio::test(start_paused = true)]
async fn without_draining_there_is_no_finalizer() {
    let scene = Scene::new(json!({}));
    scene.look().await.unwrap();
    assert_eq!(
        scene.server.lock().unwrap().objects[CLUSTER]["metadata"]["finalizers"],
        Value::Null
    );
}
