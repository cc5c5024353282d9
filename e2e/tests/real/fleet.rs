//! The one `JudgeCluster` that the cases share, that of the examples: managed Redis, HTTP service,
//! workers; and a client that reaches it as a user does, through `kubectl port-forward`.

use std::net::SocketAddr;
use std::sync::Arc;

use e2e::cluster::Cluster;
use e2e::scene::{Scene, is_ready};
use e2e::wait::{secs, until};
use e2e::{http, kubectl, operator};
use hyper::Method;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::forward;

/// Its name.
pub(crate) const NAME: &str = "judge";

/// A `JudgeCluster`, as a case sees it.
pub(crate) struct Fleet {
    /// In the namespace that it is in.
    pub(crate) scene: Scene,
    name: &'static str,
}

impl Fleet {
    /// The shared one. Waits until everything of it is ready.
    pub(crate) async fn join(scene: &Scene) -> Self {
        let fleet = Self::of(scene.within(operator::JUDGES), NAME);
        fleet.settled().await;
        fleet
    }

    /// The one of that name in that scene's namespace.
    pub(crate) fn of(scene: Scene, name: &'static str) -> Self {
        Self { scene, name }
    }

    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        self.scene.cluster()
    }

    /// Waits until every pod is ready and the queue knows the worker.
    pub(crate) async fn settled(&self) {
        for component in ["redis", "worker"] {
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
        let mut found = self.pods(component).await?;
        match (found.pop(), found.len()) {
            (Some(pod), 0) => Ok(pod),
            (last, more) => Err(format!("{} pods", more + usize::from(last.is_some()))),
        }
    }

    /// The pods of a component that are not being deleted.
    pub(crate) async fn pods(&self, component: &str) -> Result<Vec<Pod>, String> {
        let pods: Api<Pod> = self.scene.api();
        let name = self.name;
        let labels =
            format!("app.kubernetes.io/instance={name},app.kubernetes.io/component={component}");
        let found = pods.list(&ListParams::default().labels(&labels)).await;
        let mut found = found.map_err(|error| error.to_string())?.items;
        found.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        Ok(found)
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
        let mut all = vec!["-n", self.scene.namespace()];
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

    /// Where the service is reached.
    pub(crate) async fn forward(&self) -> Result<SocketAddr, String> {
        let service = format!("service/{}-api", self.name);
        forward::to(self.cluster(), self.scene.namespace(), &service, 2358).await
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
