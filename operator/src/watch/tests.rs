//! Watches against an API server that lists what it has, tells what changes, and refuses namespaces.
//! On paused time.

use std::collections::BTreeMap;
use std::sync::Mutex;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::metrics::Metrics;
use crate::world::Key;

/// An API server. Objects and events are kept by the path of their list.
#[derive(Default)]
struct Server {
    objects: Mutex<BTreeMap<String, Vec<Value>>>,
    events: Mutex<BTreeMap<String, Vec<Value>>>,
    refused: Mutex<Option<&'static str>>,
    /// Lists whose path ends so are not answered yet.
    late: Mutex<Option<&'static str>>,
    changed: Notify,
}

fn clusters(namespace: &str) -> String {
    format!("/apis/evalx.dev/v1alpha1/namespaces/{namespace}/judgeclusters")
}

fn cluster(namespace: &str, name: &str, version: u32, spec: &Value) -> Value {
    json!({
        "apiVersion": "evalx.dev/v1alpha1", "kind": "JudgeCluster", "spec": spec,
        "metadata": { "name": name, "namespace": namespace, "uid": name, "generation": version,
            "resourceVersion": version.to_string() },
    })
}

fn good() -> Value {
    json!({ "image": "evalx:1", "queue": { "url": "redis://r" },
        "languages": { "configMapRef": { "name": "mine" } } })
}

fn failure(code: u16) -> (u16, String) {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": if code == 403 { "Forbidden" } else { "Other" }, "message": "no" });
    (code, status.to_string())
}

/// Several watches have one path: behind it is which of our objects are asked for.
fn selected(path: &str, query: &str) -> String {
    let part = ["worker", "redis"].into_iter().find(|part| query.contains(&format!("%3D{part}")));
    match query.contains("labelSelector") {
        true => format!("{path}?{}", part.unwrap_or_default()),
        false => path.to_owned(),
    }
}

/// An object that another one may own, with a label that names its cluster.
fn labelled(kind: &str, name: &str, version: u32, cluster: Option<&str>) -> Value {
    let labels = cluster.map(|cluster| json!({ "app.kubernetes.io/instance": cluster }));
    json!({ "apiVersion": if kind == "Pod" { "v1" } else { "apps/v1" }, "kind": kind,
        "metadata": { "name": name, "namespace": "a", "uid": name, "labels": labels,
            "resourceVersion": version.to_string() } })
}

fn told(how: &str, object: Value) -> Vec<Value> {
    vec![json!({ "type": how, "object": object })]
}

impl Server {
    async fn answer(&self, path: &str, query: &str) -> (u16, String) {
        let refused = *self.refused.lock().unwrap();
        if refused.is_some_and(|namespace| path.contains(&format!("/namespaces/{namespace}/"))) {
            return failure(403);
        }
        if path.starts_with("/openapi") || path.ends_with("/monitoring.coreos.com/v1") {
            return failure(404);
        }
        let path = &selected(path, query);
        while self.late.lock().unwrap().is_some_and(|end| path.ends_with(end)) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if query.contains("watch=true") {
            return (200, self.told(path).await);
        }
        let items = self.objects.lock().unwrap().get(path).cloned().unwrap_or_default();
        let list = json!({ "apiVersion": "v1", "kind": "List",
            "metadata": { "resourceVersion": "1" }, "items": items });
        (200, list.to_string())
    }

    /// Waits for events. Then the watch ends, as each one does now and then.
    async fn told(&self, path: &str) -> String {
        loop {
            let changed = self.changed.notified();
            if let Some(events) = self.events.lock().unwrap().remove(path) {
                return events.iter().map(|event| format!("{event}\n")).collect();
            }
            changed.await;
        }
    }

    fn has(&self, path: &str, object: Value) {
        self.objects.lock().unwrap().entry(path.to_owned()).or_default().push(object);
    }

    fn tell(&self, path: &str, events: Vec<Value>) {
        self.events.lock().unwrap().insert(path.to_owned(), events);
        self.changed.notify_waiters();
    }
}

struct Scene {
    server: Arc<Server>,
    context: Arc<Context>,
    tasks: JoinSet<()>,
}

impl Scene {
    fn new() -> Self {
        let server = Arc::new(Server::default());
        let answering = Arc::clone(&server);
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = Arc::clone(&answering);
            async move {
                let uri = request.uri();
                let (code, text) = server.answer(uri.path(), uri.query().unwrap_or_default()).await;
                let body = Body::from(text.into_bytes());
                Ok::<_, tower::BoxError>(Response::builder().status(code).body(body).unwrap())
            }
        });
        let context = Context::new(Client::new(service, "ns"), Metrics::default(), "test");
        Self { server, context: Arc::new(context), tasks: JoinSet::new() }
    }

    /// Starts, and waits for what there is to be waited for.
    async fn start(&mut self, namespaces: &[&str]) -> Awaited {
        let namespaces: Vec<String> = namespaces.iter().map(|&name| name.to_owned()).collect();
        let mut missing = start(&self.context, &namespaces, &mut self.tasks);
        let all = timeout(Duration::from_secs(60), missing.wait_for(|awaited| awaited.lists == 0));
        all.await.expect("it begins").unwrap().clone()
    }

    fn knows(&self, namespace: &str, name: &str) -> bool {
        self.context.world.sight().cluster(&Key::new(namespace, name)).is_some()
    }

    /// The clusters that are to be looked at, in order.
    async fn woken(&self) -> Vec<Key> {
        let mut woken = Vec::new();
        let next = || timeout(Duration::from_secs(10), self.context.work.next());
        while let Ok(Some(key)) = next().await {
            self.context.work.done(&key, crate::work::Ended::Well(None));
            woken.push(key);
        }
        woken.sort();
        woken.dedup();
        woken
    }
}

fn keys(of: &[(&str, &str)]) -> Vec<Key> {
    of.iter().map(|(namespace, name)| Key::new(namespace, name)).collect()
}

#[test]
fn each_namespace_is_watched_once_and_an_empty_name_is_none() {
    let of = |names: &[&str]| scopes(&names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>());
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(of(&[]), [None]);
    assert_eq!(of(&[""]), [None], "a variable that is set to nothing");
    assert_eq!(of(&["a", ""]), [some("a")], "a comma too many");
    assert_eq!(of(&["b", "a", "b", " a"]), [some("a"), some("b")]);
}

#[tokio::test(start_paused = true)]
async fn clusters_of_all_namespaces_that_are_named_are_seen_and_no_others() {
    let mut scene = Scene::new();
    for namespace in ["a", "b", "c"] {
        scene.server.has(&clusters(namespace), cluster(namespace, "x", 1, &good()));
    }
    assert_eq!(scene.start(&["a", "b"]).await, Awaited::default());
    assert_eq!(scene.woken().await, keys(&[("a", "x"), ("b", "x")]));
    let more = cluster("b", "y", 2, &good());
    scene.server.tell(&clusters("b"), vec![json!({ "type": "ADDED", "object": more })]);
    assert_eq!(scene.woken().await, keys(&[("b", "y")]));
    let gone = cluster("a", "x", 3, &good());
    scene.server.tell(&clusters("a"), vec![json!({ "type": "DELETED", "object": gone })]);
    assert_eq!(scene.woken().await, keys(&[("a", "x")]));
    assert!(!scene.knows("a", "x") && scene.knows("b", "x"), "of one name, in two namespaces");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_without_rights_holds_up_no_other() {
    let mut scene = Scene::new();
    for namespace in ["a", "b"] {
        scene.server.has(&clusters(namespace), cluster(namespace, "x", 1, &good()));
    }
    *scene.server.refused.lock().unwrap() = Some("b");
    let awaited = scene.start(&["a", "b"]).await;
    assert_eq!(awaited.refused, BTreeSet::from(["b".to_owned()]));
    assert!(scene.knows("a", "x") && !scene.knows("b", "x"));
    *scene.server.refused.lock().unwrap() = None;
    assert_eq!(scene.woken().await, keys(&[("a", "x"), ("b", "x")]), "it is tried on and on");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_as_it_starts_is_waited_for() {
    let mut scene = Scene::new();
    scene.server.has(&clusters("a"), cluster("a", "x", 1, &good()));
    *scene.server.refused.lock().unwrap() = Some("a");
    let server = Arc::clone(&scene.server);
    scene.tasks.spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        *server.refused.lock().unwrap() = None;
        std::future::pending().await
    });
    assert_eq!(scene.start(&["a"]).await, Awaited::default());
    assert!(scene.knows("a", "x"));
}

#[tokio::test(start_paused = true)]
async fn a_malformed_cluster_beside_a_good_one_stops_no_watch() {
    let mut scene = Scene::new();
    let malformed = json!({ "image": 5, "queue": [], "sandbox": "none" });
    scene.server.has(&clusters("a"), cluster("a", "bad", 1, &malformed));
    scene.server.has(&clusters("a"), cluster("a", "good", 1, &good()));
    scene.start(&["a"]).await;
    assert_eq!(scene.woken().await, keys(&[("a", "bad"), ("a", "good")]));
    let told = |cluster: Value| json!({ "type": "MODIFIED", "object": cluster });
    let nothing = Value::Null;
    let events =
        vec![told(cluster("a", "bad", 2, &nothing)), told(cluster("a", "good", 3, &good()))];
    scene.server.tell(&clusters("a"), events);
    assert_eq!(scene.woken().await, keys(&[("a", "bad"), ("a", "good")]));
    let sight = scene.context.world.sight();
    let seen = |name: &str| sight.cluster(&Key::new("a", name)).unwrap();
    assert!(seen("bad").spec.is_err() && seen("good").spec.is_ok());
    assert_eq!((seen("bad").generation, seen("good").generation), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_config_map_that_goes_while_nobody_watches_is_missed() {
    let mut scene = Scene::new();
    let maps = "/api/v1/namespaces/a/configmaps";
    let map = |version: &str| {
        let metadata = json!({ "name": "mine", "namespace": "a", "resourceVersion": version });
        json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": metadata })
    };
    scene.server.has(&clusters("a"), cluster("a", "x", 1, &good()));
    scene.start(&["a"]).await;
    let version = |scene: &Scene| {
        let sight = scene.context.world.sight();
        sight.config_map_version(&Key::new("a", "mine")).map(str::to_owned)
    };
    scene.server.tell(maps, vec![json!({ "type": "ADDED", "object": map("7") })]);
    scene.woken().await;
    assert_eq!(version(&scene).as_deref(), Some("7"));
    // The watch is too old to go on, and lists again.
    let expired = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "reason": "Expired", "message": "too old resource version", "code": 410 });
    scene.server.tell(maps, vec![json!({ "type": "ERROR", "object": expired })]);
    assert_eq!(scene.woken().await, keys(&[("a", "x")]));
    assert_eq!(version(&scene), None);
}

#[tokio::test(start_paused = true)]
async fn languages_that_nobody_names_any_more_are_forgotten() {
    let mut scene = Scene::new();
    scene.server.has(&clusters("a"), cluster("a", "x", 1, &good()));
    scene.start(&["a"]).await;
    scene.woken().await;
    let mine = Key::new("a", "mine");
    scene.context.files.put(&mine, "1".to_owned(), &BTreeMap::new());
    let mut other = good();
    other["languages"]["configMapRef"]["name"] = "other".into();
    scene.server.tell(&clusters("a"), told("MODIFIED", cluster("a", "x", 2, &other)));
    scene.woken().await;
    assert!(scene.context.files.last(&mine).is_none());
}

/// A watch tells of an object of x that is given to others, to nobody and back, and goes.
async fn is_given_away(
    path: &str,
    of: impl Fn(u32, Option<&str>) -> Value,
    has: fn(&Scene) -> bool,
) {
    let mut scene = Scene::new();
    scene.server.has(&clusters("a"), cluster("a", "x", 1, &good()));
    scene.server.has(path, of(1, Some("x")));
    scene.start(&["a"]).await;
    scene.woken().await;
    assert!(has(&scene));
    let x = Key::new("a", "x");
    let mut version = 1;
    for label in [Some("debug"), None] {
        version += 2;
        scene.server.tell(path, told("MODIFIED", of(version, label)));
        assert!(scene.woken().await.contains(&x), "{label:?}");
        assert!(!has(&scene), "{label:?}");
        scene.server.tell(path, told("MODIFIED", of(version + 1, Some("x"))));
        assert!(scene.woken().await.contains(&x));
        assert!(has(&scene));
    }
    // What is selected no more is told as gone, however it is labelled by then.
    scene.server.tell(path, told("DELETED", of(9, Some("debug"))));
    assert!(scene.woken().await.contains(&x));
    assert!(!has(&scene));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_given_another_label_is_counted_once() {
    let of = |version, label: Option<&str>| labelled("Pod", "x-worker-1", version, label);
    is_given_away("/api/v1/namespaces/a/pods?worker", of, |scene| {
        scene.context.world.sight().pods(&Key::new("a", "x")).count() > 0
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_redis_that_is_given_another_label_is_no_more_of_its_cluster() {
    let of = |version, label: Option<&str>| labelled("Pod", "x-redis-0", version, label);
    is_given_away("/api/v1/namespaces/a/pods?redis", of, |scene| {
        scene.context.world.sight().redis(&Key::new("a", "x")).is_some()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_object_of_ours_that_is_given_another_label_is_still_its_owners() {
    let mut scene = Scene::new();
    let (path, x) = ("/apis/apps/v1/namespaces/a/daemonsets?", Key::new("a", "x"));
    let of = |version, label: Option<&str>, owned: bool| {
        let mut object = labelled("DaemonSet", "x-worker", version, label);
        let owner = json!({ "apiVersion": "evalx.dev/v1alpha1", "kind": "JudgeCluster",
            "name": "x", "uid": "x", "controller": true });
        object["metadata"]["ownerReferences"] = owned.then_some(owner).into_iter().collect();
        object
    };
    scene.server.has(&clusters("a"), cluster("a", "x", 1, &good()));
    scene.server.has(path, of(1, Some("x"), true));
    scene.start(&["a"]).await;
    scene.woken().await;
    let version = |scene: &Scene| {
        let sight = scene.context.world.sight();
        sight.live(&x, Kind::DaemonSet, "x-worker").map(|live| live.version)
    };
    assert_eq!(version(&scene), Some(1));
    for (seen, label) in [(2, None), (3, Some("debug"))] {
        scene.server.tell(path, told("MODIFIED", of(seen, label, true)));
        assert_eq!(scene.woken().await, keys(&[("a", "x")]), "it is to be mended");
        assert_eq!(version(&scene), Some(u64::from(seen)));
    }
    // Without an owner its label says whose it is.
    scene.server.tell(path, told("MODIFIED", of(4, Some("debug"), false)));
    assert_eq!(scene.woken().await, keys(&[("a", "debug"), ("a", "x")]));
    assert_eq!(version(&scene), None);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_is_told_before_its_cluster_is_kept_and_no_other() {
    let mut scene = Scene::new();
    let path = "/api/v1/namespaces/a/events";
    let refusal = |set: &str| {
        json!({ "apiVersion": "v1", "kind": "Event",
            "metadata": { "name": set, "namespace": "a", "resourceVersion": "1" },
            "involvedObject": { "kind": "DaemonSet", "namespace": "a", "name": set },
            "message": "Error creating: pods \"p\" is forbidden: exceeded quota: q" })
    };
    let knows = |scene: &Scene, name: &str| {
        scene.context.world.sight().refusal(&Key::new("a", name)).is_some()
    };
    scene.server.has(&clusters("a"), cluster("a", "x", 1, &good()));
    scene.server.has(path, refusal("x-worker"));
    scene.server.has(path, refusal("others-worker"));
    *scene.server.late.lock().unwrap() = Some("/judgeclusters");
    let server = Arc::clone(&scene.server);
    scene.tasks.spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        *server.late.lock().unwrap() = None;
        std::future::pending().await
    });
    scene.start(&["a"]).await;
    assert!(knows(&scene, "x") && !knows(&scene, "others"));
    assert_eq!(scene.woken().await, keys(&[("a", "x")]));
    scene.server.tell(path, told("ADDED", refusal("others-worker")));
    scene.woken().await;
    assert!(!knows(&scene, "others"), "all clusters are known by now");
}
