//! The one `JudgeCluster` that the cases share: managed Redis, HTTP service, workers; and a client
//! that reaches it as a user does, through `kubectl port-forward`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e::cluster::Cluster;
use e2e::process::{Plan, Process};
use e2e::scene::{Scene, is_ready};
use e2e::wait::{secs, until};
use e2e::{http, kubectl, machine, operator};
use hyper::Method;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

/// Its name.
pub(crate) const NAME: &str = "judge";

/// Found by all cases. A forward lives as long as the process that runs the suite.
static FORWARD: Mutex<Option<(Process, SocketAddr)>> = Mutex::new(None);

/// The shared cluster, as a case sees it.
pub(crate) struct Fleet {
    /// In the namespace that all cases share.
    pub(crate) scene: Scene,
}

impl Fleet {
    /// Applies it where it is not there yet, and waits until everything of it is ready.
    pub(crate) async fn join(scene: &Scene) -> Self {
        let fleet = Self { scene: scene.within(operator::JUDGES) };
        let cluster = fleet.cluster();
        let folder = cluster.machine().unwrap().folder().join("redis");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, object) in [("volume.json", volume(&folder)), ("judge.json", judge_cluster())] {
            let path = cluster.folder().join(name);
            std::fs::write(&path, object.to_string()).unwrap();
            kubectl::run(cluster, &["apply", "-f", &path.to_string_lossy()]).unwrap();
        }
        fleet.settled().await;
        fleet
    }

    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        self.scene.cluster()
    }

    /// Waits until every pod is ready and the queue knows the worker.
    pub(crate) async fn settled(&self) {
        for component in ["redis", "worker", "api"] {
            self.ready(component).await;
        }
        until(secs(60), "one worker is there, and has nothing to do", async || {
            let fleet = self.get("/v1/fleet").await?;
            let members = fleet["members"].as_array().map_or(0, Vec::len);
            let idle = fleet["workers"] == 1 && members == 1 && fleet["running"] == 0;
            if idle { Ok(()) } else { Err(fleet.to_string()) }
        })
        .await;
    }

    /// Waits until the one pod of a component is ready, and hands it out.
    pub(crate) async fn ready(&self, component: &str) -> Pod {
        until(secs(120), &format!("the {component} is ready"), async || {
            let pod = self.pod(component).await?;
            if is_ready(&pod) { Ok(pod) } else { Err(format!("{:?}", pod.status)) }
        })
        .await
    }

    /// The one pod of a component that is not being deleted.
    pub(crate) async fn pod(&self, component: &str) -> Result<Pod, String> {
        let pods: Api<Pod> = self.scene.api();
        let labels =
            format!("app.kubernetes.io/instance={NAME},app.kubernetes.io/component={component}");
        let found = pods.list(&ListParams::default().labels(&labels)).await;
        let mut found = found.map_err(|error| error.to_string())?.items;
        found.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        match (found.pop(), found.len()) {
            (Some(pod), 0) => Ok(pod),
            (last, more) => Err(format!("{} pods", more + usize::from(last.is_some()))),
        }
    }

    /// What the service answers, as JSON.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, String> {
        self.ask(Method::GET, path, String::new()).await
    }

    /// What the service answers to that document, as JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.ask(Method::POST, path, body.to_string()).await
    }

    /// Submits, waits, and hands out what has become of it.
    pub(crate) async fn judge(&self, submission: &Value) -> Value {
        let id = self.submit(submission).await;
        self.outcome(&id).await
    }

    /// Submits, and hands out the id.
    pub(crate) async fn submit(&self, submission: &Value) -> String {
        let view = self.post("/v1/submissions", submission).await.unwrap();
        view["id"].as_str().unwrap_or_else(|| panic!("no id: {view}")).to_owned()
    }

    /// Waits until a submission is over.
    pub(crate) async fn outcome(&self, id: &str) -> Value {
        until(secs(120), &format!("submission {id} is over"), async || {
            let view = self.get(&format!("/v1/submissions/{id}")).await?;
            let over = ["finished", "refused", "failed", "cancelled"];
            let over = view["status"].as_str().is_some_and(|status| over.contains(&status));
            if over { Ok(view) } else { Err(view.to_string()) }
        })
        .await
    }

    /// Submits `count` of them under keys of this case, and hands out the ids. A key makes that a
    /// submission that was answered late is not there twice.
    pub(crate) async fn submit_all(
        &self,
        case: &str,
        count: usize,
        submission: &Value,
    ) -> Vec<String> {
        let mut ids = Vec::with_capacity(count);
        for index in 0..count {
            let mut submission = submission.clone();
            submission["idempotency_key"] = json!(format!("{case}-{index}"));
            let what = format!("submission {index} is acknowledged");
            let view =
                until(secs(60), &what, async || self.post("/v1/submissions", &submission).await);
            ids.push(view.await["id"].as_str().unwrap().to_owned());
        }
        ids
    }

    /// Waits until all are over, and checks that each was accepted.
    pub(crate) async fn all_accepted(&self, ids: &[String]) -> Vec<Value> {
        let mut views = Vec::with_capacity(ids.len());
        for id in ids {
            let view = self.outcome(id).await;
            assert_eq!(view["report"]["verdict"], "AC", "{view}");
            views.push(view);
        }
        views
    }

    /// How many jobs the queue has ever counted as finished.
    pub(crate) async fn finished(&self) -> u64 {
        let what = "the service tells what is finished";
        until(secs(60), what, async || {
            let fleet = self.get("/v1/fleet").await?;
            fleet["totals"]["finished"].as_u64().ok_or_else(|| fleet.to_string())
        })
        .await
    }

    /// Waits until so many submissions run.
    pub(crate) async fn running(&self, count: u64) {
        until(secs(60), &format!("{count} submissions run"), async || {
            let fleet = self.get("/v1/fleet").await?;
            if fleet["running"] == count { Ok(()) } else { Err(fleet.to_string()) }
        })
        .await;
    }

    /// Waits until the worker says that it has so many slots.
    pub(crate) async fn slots(&self, count: u64) {
        until(secs(60), &format!("the worker has {count} slots"), async || {
            let fleet = self.get("/v1/fleet").await?;
            let slots = &fleet["members"][0]["slots"];
            if *slots == count { Ok(()) } else { Err(fleet.to_string()) }
        })
        .await;
    }

    /// kubectl in the namespace of the fleet.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let mut all = vec!["-n", operator::JUDGES];
        all.extend(arguments);
        kubectl::run(self.cluster(), &all).unwrap()
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> Result<Value, String> {
        let address = self.forward().await?;
        let answer = http::request(method, address, path, body).await;
        let (status, body) = answer.map_err(|error| format!("{error:#}"))?;
        if !(200..300).contains(&status) {
            return Err(format!("{path} answers {status}: {body}"));
        }
        serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))
    }

    /// Where the service is reached, by a forward that is made when there is none.
    pub(crate) async fn forward(&self) -> Result<SocketAddr, String> {
        if let Some((process, address)) = FORWARD.lock().unwrap().as_mut()
            && process.ended().is_ok_and(|ended| ended.is_none())
        {
            return Ok(*address);
        }
        let cluster = self.cluster();
        let log = cluster.folder().join("port-forward.log");
        drop(std::fs::remove_file(&log));
        let plan = Plan::new(cluster.programs().join("kubectl"), &log)
            .args(["-n", operator::JUDGES, "port-forward", "service/judge-api", ":2358"])
            .env("KUBECONFIG", cluster.kubeconfig().to_string_lossy())
            .env("HOME", cluster.folder().to_string_lossy());
        let mut process = cluster.nursery().spawn(&plan).map_err(|error| format!("{error:#}"))?;
        let address = loop {
            process.expect_alive().map_err(|error| format!("{error:#}"))?;
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let port =
                said.split("Forwarding from ").nth(1).and_then(|rest| rest.split(' ').next());
            if let Some(address) = port.and_then(|address| address.parse().ok()) {
                break address;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        *FORWARD.lock().unwrap() = Some((process, address));
        Ok(address)
    }
}

/// Which process a pod's container is: its pod's uid, and how often it was restarted.
pub(crate) fn incarnation(pod: &Pod) -> (String, i32) {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let restarts = statuses.map_or(0, |all| all.iter().map(|one| one.restart_count).sum());
    (pod.metadata.uid.clone().unwrap_or_default(), restarts)
}

/// A program that takes that long, most of it asleep, and is accepted.
pub(crate) fn sleeper(seconds: f64) -> Value {
    let mut submission = python(&format!("import time\ntime.sleep({seconds})\nprint(3)\n"));
    submission["limits"] = json!({"wall_ms": 15_000});
    submission
}

/// A program in Python with one test, `1 2` → `3`.
pub(crate) fn python(source: &str) -> Value {
    json!({
        "language": "python3",
        "source": source,
        "tests": [{"name": "1", "input": "1 2\n", "answer": "3\n"}],
    })
}

/// Where Redis keeps its data: a folder of the node.
fn volume(folder: &std::path::Path) -> Value {
    let here =
        json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [machine::NAME]});
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "redis"},
        "spec": {
            "capacity": {"storage": "8Gi"},
            "accessModes": ["ReadWriteOnce"],
            "local": {"path": folder},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    })
}

/// As `examples/judgecluster.yaml`, with the HTTP service, and with runs that end soon.
fn judge_cluster() -> Value {
    json!({
        "apiVersion": "evalx.dev/v1alpha1",
        "kind": "JudgeCluster",
        "metadata": {"name": NAME, "namespace": operator::JUDGES},
        "spec": {
            "image": "evalx:0.1.0",
            "queue": {"managed": {}},
            "api": {"replicas": 1, "openToAll": true},
            "sandbox": {"longestRunSeconds": 20},
        },
    })
}
