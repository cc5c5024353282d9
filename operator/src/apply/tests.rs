//! Against an API server that a closure plays: an apply leaves what others have set, and a budget
//! with two limits is refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;
use crate::build::{APPLIED, build};
use crate::dereference::{LanguageFiles, References};
use crate::metrics::Metrics;
use crate::validate::validate;

const BUDGET: &str = "/apis/policy/v1/namespaces/ns/poddisruptionbudgets/c-api";
const LANGUAGES: &str = "/api/v1/namespaces/ns/configmaps/c-languages";

/// What is there, by path.
#[derive(Debug, Default)]
struct Server {
    objects: BTreeMap<String, Value>,
    version: u64,
    writes: Vec<String>,
    /// Writes to paths that end so are refused.
    refused: Option<&'static str>,
}

/// Puts `new` into `old`, deeply; null removes.
fn merge(old: &mut Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                match value {
                    Value::Null => drop(old.remove(key)),
                    value => merge(old.entry(key.clone()).or_insert(Value::Null), value),
                }
            }
        }
        (old, new) => *old = new.clone(),
    }
}

fn failure(code: u16, message: &str) -> (u16, Value) {
    let reason = if code == 404 { "NotFound" } else { "Invalid" };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code, "reason": reason, "message": message,
    });
    (code, status)
}

impl Server {
    fn answer(&mut self, method: &Method, path: &str, sent: Option<&Value>) -> (u16, Value) {
        let there = self.objects.get(path);
        let Some(sent) = sent else {
            return there.map_or_else(|| failure(404, "no"), |there| (200, there.clone()));
        };
        self.writes.push(format!("{method} {path}"));
        if self.refused.is_some_and(|end| path.ends_with(end)) {
            return failure(422, "it is refused");
        }
        let mut object = there.cloned().unwrap_or_else(|| json!({ "metadata": { "uid": path } }));
        merge(&mut object, sent);
        let limits = ["minAvailable", "maxUnavailable"].map(|limit| object["spec"].get(limit));
        if limits.iter().all(Option::is_some) {
            return failure(422, "minAvailable and maxUnavailable cannot be both set");
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(path.to_owned(), object.clone());
        (200, object)
    }
}

struct Scene {
    server: Arc<Mutex<Server>>,
    context: Context,
    seen: Seen,
    objects: Vec<Object>,
}

fn client(server: &Arc<Mutex<Server>>) -> Client {
    let server = Arc::clone(server);
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = Arc::clone(&server);
        async move {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let bytes = request.into_body().collect_bytes().await.unwrap();
            let sent: Option<Value> = serde_json::from_slice(&bytes).ok();
            let (code, value) = server.lock().unwrap().answer(&method, &path, sent.as_ref());
            let body = Body::from(serde_json::to_vec(&value).unwrap());
            Ok::<_, tower::BoxError>(Response::builder().status(code).body(body).unwrap())
        }
    });
    Client::new(service, "ns")
}

impl Scene {
    /// A cluster with an HTTP service and languages.
    fn new() -> Self {
        let server = Arc::<Mutex<Server>>::default();
        let context = Context::new(client(&server), Metrics::default(), "test");
        let mut scene = Self { server, context, seen: cluster("before"), objects: Vec::new() };
        scene.made_by("cluster");
        scene
    }

    /// The cluster is one of that uid.
    fn made_by(&mut self, uid: &str) {
        self.seen = cluster(uid);
        let files = BTreeMap::from([("a.yaml".to_owned(), TOY.to_owned())]);
        let languages = LanguageFiles::Found { name: "mine".to_owned(), files, kept: None };
        let references = References { languages, service_monitors: false };
        let spec = self.seen.spec.as_ref().unwrap();
        let (fleet, complaints) = validate(&self.seen.identity(), spec, &references).unwrap();
        assert_eq!(complaints, []);
        self.objects = build(&fleet);
    }

    async fn apply(&self) -> Vec<Refused> {
        match apply(&self.context, &self.seen, &self.objects).await.unwrap() {
            Applied::Sent(Sent { refused, broken: None, .. }) => refused,
            other => panic!("{other:?}"),
        }
    }

    /// Somebody else changes an object, and the watch tells.
    fn tamper(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut server = self.server.lock().unwrap();
        server.version += 1;
        let version = server.version.to_string();
        let object = server.objects.get_mut(path).unwrap();
        change(object);
        object["metadata"]["resourceVersion"] = version.into();
        let object = object.clone();
        drop(server);
        let kind = Kind::ALL.into_iter().find(|kind| object["kind"] == kind.as_str()).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let live = Live::of(serde_json::from_value(object).unwrap());
        self.context.world.sight().put_live(&self.seen.key, kind, &name, live);
    }

    fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.server.lock().unwrap().writes)
    }

    fn paths(&self) -> Vec<String> {
        self.server.lock().unwrap().objects.keys().cloned().collect()
    }

    fn there(&self, path: &str) -> Value {
        self.server.lock().unwrap().objects[path].clone()
    }
}

const TOY: &str = "- {id: toy, name: Toy, tier: full, extensions: [toy], source: a.toy, needs: [toy], \
                   version: [toy, -v], run: {argv: [toy]}}\n";

fn cluster(uid: &str) -> Seen {
    let object = json!({
        "apiVersion": "evalx.dev/v1alpha1", "kind": "JudgeCluster",
        "metadata": { "name": "c", "namespace": "ns", "uid": uid },
        "spec": {
            "image": "evalx:1", "queue": { "url": "redis://r" }, "api": { "openToAll": true },
            "languages": { "configMapRef": { "name": "mine" } },
        },
    });
    Seen::of(&serde_json::from_value(object).unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_excludes_a_field_of_ours_is_taken_away() {
    let scene = Scene::new();
    scene.apply().await;
    let before = scene.there(BUDGET)["spec"].clone();
    scene.writes();
    scene.tamper(BUDGET, |budget| {
        budget["spec"].as_object_mut().unwrap().remove("maxUnavailable");
        budget["spec"]["minAvailable"] = 2.into();
    });
    assert!(scene.apply().await.is_empty());
    assert_eq!(scene.there(BUDGET)["spec"], before);
    assert_eq!(scene.writes(), vec![format!("PATCH {BUDGET}"); 3], "apply, replace, apply");
    scene.apply().await;
    assert_eq!(scene.writes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_all_the_same_is_tried_once_more_and_told() {
    let scene = Scene::new();
    scene.apply().await;
    scene.writes();
    scene.tamper(BUDGET, |budget| budget["spec"]["maxUnavailable"] = 2.into());
    scene.server.lock().unwrap().refused = Some("c-api");
    for _ in 0..3 {
        let refused = scene.apply().await;
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].complaint.reason, reasons::REJECTED);
        assert!(refused[0].complaint.message.contains("it is refused"));
    }
    assert_eq!(scene.writes().len(), 2);
    // A Service would lose its address.
    let service = "/api/v1/namespaces/ns/services/c-api";
    scene.tamper(service, |service| service["spec"]["selector"]["x"] = "y".into());
    let refused = scene.apply().await;
    assert_eq!(refused.len(), 2);
    assert_eq!(scene.writes(), [format!("PATCH {service}")]);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_added_to_a_config_map_goes() {
    let scene = Scene::new();
    scene.apply().await;
    scene.writes();
    scene.tamper(LANGUAGES, |map| {
        map["data"]["b.yaml"] = "- {}".into();
        map["binaryData"] = json!({ "c.yaml": "LSB7fQ==" });
    });
    scene.apply().await;
    let there = scene.there(LANGUAGES);
    assert_eq!((&there["data"], &there["binaryData"]), (&json!({ "a.yaml": TOY }), &Value::Null));
    assert_eq!(scene.writes().len(), 3);
    scene.apply().await;
    assert_eq!(scene.writes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn pods_wait_for_what_they_mount() {
    let mut scene = Scene::new();
    scene.server.lock().unwrap().refused = Some("c-languages");
    assert_eq!(scene.apply().await.len(), 1);
    let mounts = |path: &String| path.contains("daemonsets") || path.contains("deployments");
    assert!(!scene.paths().iter().any(mounts), "{:?}", scene.paths());
    assert!(scene.paths().iter().any(|path| path.contains("services")), "the rest is made");
    scene.server.lock().unwrap().refused = None;
    tokio::time::advance(AGAIN).await;
    assert!(scene.apply().await.is_empty());
    assert_eq!(scene.paths().into_iter().filter(mounts).count(), 2);
    // What runs already is left as it is, and is no orphan.
    scene.tamper(LANGUAGES, |map| map["data"]["a.yaml"] = "".into());
    scene.server.lock().unwrap().refused = Some("c-languages");
    for object in scene.objects.iter_mut().filter(|object| object.kind == Kind::DaemonSet) {
        object.value["metadata"]["annotations"][APPLIED] = "another".into();
    }
    scene.writes();
    assert_eq!(scene.apply().await.len(), 1);
    assert_eq!(scene.paths().into_iter().filter(mounts).count(), 2);
    assert!(!scene.writes().iter().any(mounts));
}

#[tokio::test(start_paused = true)]
async fn what_a_cluster_of_this_name_left_behind_is_taken_over() {
    let mut scene = Scene::new();
    scene.apply().await;
    let paths = scene.paths();
    for path in &paths {
        scene.tamper(path, |object| {
            drop(object["metadata"].as_object_mut().unwrap().remove("ownerReferences"))
        });
    }
    // What is called as one of ours, and is none.
    scene.tamper(BUDGET, |budget| budget["metadata"]["annotations"] = json!({}));
    scene.made_by("next");
    let refused = scene.apply().await;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].complaint.reason, reasons::NAME_TAKEN);
    for path in &paths {
        let owner = scene.there(path)["metadata"]["ownerReferences"][0]["uid"].clone();
        let wanted = if path == BUDGET { Value::Null } else { "next".into() };
        assert_eq!(owner, wanted, "{path}");
    }
    assert_eq!(scene.paths(), paths);
}
