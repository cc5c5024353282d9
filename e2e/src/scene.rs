//! What one case has for itself: a namespace, nodes, and words to ask about them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::node::{self, OWNER};
use crate::wait::{secs, until};
use crate::{http, kubectl};

/// The annotation of a worker's pod that says how many slots it may have.
pub const SLOTS: &str = "evalx.dev/slots";

/// The scene of a case.
pub struct Scene {
    cluster: Arc<Cluster>,
    client: Client,
    namespace: String,
    /// Where the operator that all cases share shows its metrics.
    operator: Option<SocketAddr>,
    nodes: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// Numbers the scenes of this process.
static COUNT: AtomicUsize = AtomicUsize::new(0);

impl Scene {
    /// A namespace in which pods may be privileged.
    pub async fn open(cluster: Arc<Cluster>, operator: Option<SocketAddr>) -> Result<Self> {
        let client = cluster.client().await?;
        let namespace = format!("case-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        create_namespace(&client, &namespace, "privileged").await?;
        Ok(Self { cluster, client, namespace, operator, nodes: Mutex::default() })
    }

    /// The same in a namespace that is there already. It has to be left in the end.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        let (cluster, client) = (Arc::clone(&self.cluster), self.client.clone());
        let (namespace, operator) = (namespace.to_owned(), self.operator);
        Self { cluster, client, namespace, operator, nodes: Mutex::default() }
    }

    /// Deletes the `JudgeClusters` and nodes, and waits until the workers are gone.
    pub async fn leave(&self) -> Result<()> {
        let (params, all) = (DeleteParams::default(), ListParams::default());
        self.clusters().delete_collection(&params, &all).await.context("nothing is deleted")?;
        until(secs(60), "no worker is left", async || match self.workers().await?.len() {
            0 => Ok(()),
            left => Err(format!("{left} are")),
        })
        .await;
        self.delete_nodes().await
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// The administrator's client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The namespace, which is also the owner of its nodes.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// An interface to objects of the namespace.
    #[must_use]
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The interface to `JudgeClusters`.
    #[must_use]
    pub fn clusters(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &judge_cluster())
    }

    /// Makes a node of that size, and hands out its name.
    pub async fn node(&self, name: &str, cpu: &str, memory: &str) -> Result<String> {
        self.labelled_node(name, cpu, memory, &[]).await
    }

    /// Makes a node with labels of its own, and hands out its name.
    pub async fn labelled_node(
        &self,
        name: &str,
        cpu: &str,
        memory: &str,
        labels: &[(&str, &str)],
    ) -> Result<String> {
        let plan = node::Plan {
            name: format!("{}-{name}", self.namespace),
            owner: self.namespace.clone(),
            cpu: cpu.to_owned(),
            memory: memory.to_owned(),
            labels: labels.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect(),
        };
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).push(plan.name.clone());
        node::create(&self.client, &plan).await?;
        Ok(plan.name)
    }

    /// Makes `count` nodes of one size, called `name-0` and so on.
    pub async fn nodes(&self, name: &str, count: usize, cpu: &str) -> Result<Vec<String>> {
        let mut names = Vec::with_capacity(count);
        for index in 0..count {
            names.push(self.node(&format!("{name}-{index}"), cpu, "64Gi").await?);
        }
        Ok(names)
    }

    /// Waits until nodes are ready.
    pub async fn nodes_ready(&self, names: &[String]) {
        let nodes = Api::<Node>::all(self.client.clone());
        let mine = ListParams::default().labels(&format!("{OWNER}={}", self.namespace));
        until(secs(60), "the nodes are ready", async || {
            let seen = nodes.list(&mine).await.map_err(|error| error.to_string())?;
            let ready: Vec<&str> = seen
                .items
                .iter()
                .filter(|node| node::is_ready(node))
                .filter_map(|node| node.metadata.name.as_deref())
                .collect();
            let missing = names.iter().filter(|name| !ready.contains(&name.as_str())).count();
            if missing == 0 { Ok(()) } else { Err(format!("{missing} are not")) }
        })
        .await;
    }

    /// The spec of a `JudgeCluster` that keeps to the nodes of this scene, with `more` over it.
    #[must_use]
    pub fn spec(&self, more: &Value) -> Value {
        let mut spec = json!({
            "image": "evalx.example/worker:1",
            "queue": {"url": "redis://redis.example:6379"},
            "placement": {"nodeSelector": {(OWNER): self.namespace}},
        });
        merge(&mut spec, more);
        spec
    }

    /// A `JudgeCluster` with that spec.
    #[must_use]
    pub fn object(&self, name: &str, spec: &Value) -> Value {
        json!({
            "apiVersion": "evalx.dev/v1alpha1",
            "kind": "JudgeCluster",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        })
    }

    /// Applies a `JudgeCluster` on the nodes of this scene.
    pub async fn judge(&self, name: &str, more: &Value) -> Result<DynamicObject> {
        let object = self.object(name, &self.spec(more));
        let params = PatchParams::apply("e2e").force();
        let patch = Patch::Apply(&object);
        self.clusters().patch(name, &params, &patch).await.context("the JudgeCluster is refused")
    }

    /// Changes the spec of a `JudgeCluster`, as a merge patch does.
    pub async fn change(&self, name: &str, spec: &Value) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        let changed = self.clusters().patch(name, &PatchParams::default(), &patch).await;
        changed.map(drop).context("the change is refused")
    }

    /// The status of a `JudgeCluster`; null where there is none.
    pub async fn status(&self, name: &str) -> Result<Value, String> {
        let object = self.clusters().get(name).await.map_err(|error| error.to_string())?;
        Ok(object.data.get("status").cloned().unwrap_or(Value::Null))
    }

    /// Waits until a condition is as it should be, and hands it out.
    pub async fn condition(&self, name: &str, kind: &str, status: &str, reason: &str) -> Value {
        until(secs(60), &format!("{kind}={status} ({reason}) of {name}"), async || {
            let all = self.status(name).await?;
            let found = condition(&all, kind);
            let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or("");
            let fits = text("status") == status && (reason.is_empty() || text("reason") == reason);
            if fits { Ok(found) } else { Err(found.to_string()) }
        })
        .await
    }

    /// The pods of the namespace that a `DaemonSet` made and that are not being deleted.
    pub async fn workers(&self) -> Result<Vec<Pod>, String> {
        let pods = self.api::<Pod>().list(&ListParams::default()).await;
        let mut pods = pods.map_err(|error| error.to_string())?.items;
        pods.retain(|pod| {
            let owners = pod.metadata.owner_references.iter().flatten();
            pod.metadata.deletion_timestamp.is_none()
                && owners.into_iter().any(|owner| owner.kind == "DaemonSet")
        });
        Ok(pods)
    }

    /// The slots that the pods are told, by node. A pod without the annotation has `-`.
    pub async fn slots(&self) -> Result<BTreeMap<String, String>, String> {
        let pods = self.workers().await?.into_iter();
        Ok(pods.map(|pod| (node_of(&pod), annotation(&pod, SLOTS))).collect())
    }

    /// What the shared operator shows of that metric with those labels, summed; 0 where it is not there.
    pub async fn measured(&self, metric: &str, labels: &[&str]) -> Result<f64, String> {
        let address = self.operator.ok_or("no operator is shared")?;
        let text = http::get(address, "/metrics").await.map_err(|error| format!("{error:#}"))?;
        Ok(http::sample(&text, metric, labels).unwrap_or(0.0))
    }

    /// Waits until the pods are told these slots, and there is no pod elsewhere.
    pub async fn slots_are<N: AsRef<str>>(&self, expected: &[(N, u32)]) {
        self.slots_become(expected, secs(60)).await;
    }

    /// The same with a limit of its own.
    pub async fn slots_become<N: AsRef<str>>(&self, expected: &[(N, u32)], limit: Duration) {
        let expected: BTreeMap<String, String> =
            expected.iter().map(|(node, n)| (node.as_ref().to_owned(), n.to_string())).collect();
        until(limit, &format!("slots are {expected:?}"), async || {
            let seen = self.slots().await?;
            if seen == expected { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }

    /// The one `DaemonSet` of the namespace.
    pub async fn daemon_set(&self) -> Result<DaemonSet, String> {
        let sets = self.api::<DaemonSet>().list(&ListParams::default()).await;
        let mut sets = sets.map_err(|error| error.to_string())?.items;
        match (sets.pop(), sets.len()) {
            (Some(set), 0) => Ok(set),
            (last, more) => Err(format!("{} DaemonSets", more + usize::from(last.is_some()))),
        }
    }

    /// What a reader of a failure wants to see of the namespace.
    #[must_use]
    pub fn dump(&self) -> String {
        let mut text = String::new();
        for what in ["judgeclusters -o yaml", "daemonsets,pods -o wide", "events"] {
            let mut arguments = vec!["get", "-n", &self.namespace, "--request-timeout=5s"];
            arguments.extend(what.split(' '));
            let seen = kubectl::run(&self.cluster, &arguments);
            text += &format!("--- {what}\n{}\n", seen.unwrap_or_else(|error| format!("{error:#}")));
        }
        // Operators that the case has started are called after its namespace.
        let files = std::fs::read_dir(self.cluster.folder()).into_iter().flatten().flatten();
        for file in files {
            let name = file.file_name().to_string_lossy().into_owned();
            if name.starts_with(&format!("{}-", self.namespace)) && name.ends_with(".log") {
                let log = std::fs::read_to_string(file.path()).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let end = lines[lines.len().saturating_sub(30)..].join("\n");
                text += &format!("--- {name}\n{end}\n");
            }
        }
        text
    }

    /// Deletes what is of this scene. Kubernetes goes on with it while other cases run.
    pub async fn close(&self) -> Result<()> {
        let params = DeleteParams::default();
        Api::<Namespace>::all(self.client.clone())
            .delete(&self.namespace, &params)
            .await
            .context("the namespace cannot be deleted")?;
        self.delete_nodes().await
    }

    async fn delete_nodes(&self) -> Result<()> {
        let nodes = std::mem::take(&mut *self.nodes.lock().unwrap_or_else(PoisonError::into_inner));
        for name in nodes {
            node::delete(&self.client, &name).await?;
        }
        Ok(())
    }
}

/// What a `JudgeCluster` is called in the API.
#[must_use]
pub fn judge_cluster() -> ApiResource {
    ApiResource {
        group: "evalx.dev".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "evalx.dev/v1alpha1".to_owned(),
        kind: "JudgeCluster".to_owned(),
        plural: "judgeclusters".to_owned(),
    }
}

/// Creates a namespace with that Pod Security level.
pub async fn create_namespace(client: &Client, name: &str, level: &str) -> Result<()> {
    let labels = json!({"pod-security.kubernetes.io/enforce": level});
    let namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    });
    let params = PatchParams::apply("e2e");
    let api = Api::<Namespace>::all(client.clone());
    api.patch(name, &params, &Patch::Apply(&namespace))
        .await
        .with_context(|| format!("namespace {name} is refused"))?;
    // Pods are refused until the namespace's own ServiceAccount is there.
    let accounts =
        Api::<k8s_openapi::api::core::v1::ServiceAccount>::namespaced(client.clone(), name);
    until(secs(60), "the namespace has its ServiceAccount", async || {
        accounts.get("default").await.map(drop).map_err(|error| error.to_string())
    })
    .await;
    Ok(())
}

/// A condition of a status; null where there is none.
#[must_use]
pub fn condition(status: &Value, kind: &str) -> Value {
    let all = status["conditions"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    all.iter().find(|condition| condition["type"] == kind).cloned().unwrap_or(Value::Null)
}

/// The node that a pod is bound to.
#[must_use]
pub fn node_of(pod: &Pod) -> String {
    pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default()
}

/// An annotation of a pod; `-` where there is none.
#[must_use]
pub fn annotation(pod: &Pod, key: &str) -> String {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(key).cloned()).unwrap_or_else(|| "-".to_owned())
}

/// Whether a pod is ready.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}

/// Lays `over` over `under`, as a merge patch does.
pub fn merge(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                match value {
                    Value::Null => drop(under.remove(key)),
                    value => merge(under.entry(key).or_insert(Value::Null), value),
                }
            }
        }
        (under, over) => *under = over.clone(),
    }
}
