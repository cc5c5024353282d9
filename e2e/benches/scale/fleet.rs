//! Nodes in pools, and a JudgeCluster for each pool.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use e2e::node;
use e2e::scene::{self, SLOTS, annotation, node_of};
use e2e::wait::{secs, until};
use futures_util::StreamExt;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::CLUSTERS;

const NAMESPACE: &str = "scale";
const POOL: &str = "evalx.example/pool";
/// How many nodes are created, and asked about, at once.
const AT_ONCE: usize = 16;
/// Simulated nodes and pods come up at the pace of the control plane, not of the operator.
const LIMIT: u64 = 1800;

pub(crate) struct Fleet {
    client: Client,
    nodes: Vec<node::Plan>,
}

impl Fleet {
    pub(crate) fn new(client: &Client, nodes: usize) -> Self {
        let plan = |n: usize| {
            // Pools have nodes of each size.
            let cpu = [2, 4, 8, 16][(n / CLUSTERS) % 4];
            node::Plan {
                name: format!("n-{n:05}"),
                owner: NAMESPACE.to_owned(),
                cpu: cpu.to_string(),
                memory: format!("{}Gi", 4 * cpu),
                labels: vec![(POOL.to_owned(), pool(n % CLUSTERS))],
            }
        };
        Self { client: client.clone(), nodes: (0..nodes).map(plan).collect() }
    }

    pub(crate) async fn create_nodes(&self) {
        scene::create_namespace(&self.client, NAMESPACE, "privileged").await.unwrap();
        let create = |plan| async move { node::create(&self.client, plan).await.unwrap() };
        futures_util::stream::iter(&self.nodes).for_each_concurrent(AT_ONCE, create).await;
        // One by one: a list of thousands, asked for again and again, is all that the server does.
        let ready = |plan| async move { self.until_ready(plan).await };
        futures_util::stream::iter(&self.nodes).for_each_concurrent(AT_ONCE, ready).await;
    }

    async fn until_ready(&self, plan: &node::Plan) {
        let nodes = Api::<Node>::all(self.client.clone());
        until(secs(LIMIT), "the node is ready", async || {
            let node = nodes.get(&plan.name).await.map_err(|error| error.to_string())?;
            if node::is_ready(&node) { Ok(()) } else { Err(plan.name.clone()) }
        })
        .await;
    }

    pub(crate) async fn create_clusters(&self) {
        for n in 0..CLUSTERS {
            let object = json!({
                "apiVersion": "evalx.dev/v1alpha1",
                "kind": "JudgeCluster",
                "metadata": {"name": pool(n)},
                "spec": {
                    "image": "evalx.example/worker:1",
                    "queue": {"url": "redis://redis.example:6379"},
                    "placement": {"nodeSelector": {(POOL): pool(n)}},
                },
            });
            let object: DynamicObject = serde_json::from_value(object).unwrap();
            self.clusters().create(&PostParams::default(), &object).await.unwrap();
        }
    }

    /// Waits until a pod runs on each node.
    pub(crate) async fn until_running(&self) {
        let sets = Api::<DaemonSet>::namespaced(self.client.clone(), NAMESPACE);
        until(secs(LIMIT), "the pods are running", async || {
            let seen = sets.list(&ListParams::default()).await;
            let seen = seen.map_err(|error| error.to_string())?.items;
            let ready = seen.iter().filter_map(|set| Some(set.status.as_ref()?.number_ready));
            let ready: i32 = ready.sum();
            let all = usize::try_from(ready).is_ok_and(|ready| ready == self.nodes.len());
            if all { Ok(()) } else { Err(format!("{ready} are")) }
        })
        .await;
    }

    /// Waits until every status and every pod is right, and says when the last status was.
    pub(crate) async fn until_converged(&self) -> Instant {
        let mut expected = BTreeMap::<String, u64>::new();
        for plan in &self.nodes {
            let slots: u64 = plan.cpu.parse().unwrap();
            *expected.entry(plan.labels[0].1.clone()).or_default() += slots;
        }
        until(secs(LIMIT), "every status is right", async || {
            let seen = self.clusters().list(&ListParams::default()).await;
            let seen = seen.map_err(|error| error.to_string())?.items;
            let right = seen.iter().filter(|object| {
                let slots = &object.data["status"]["slots"];
                let expected = expected[object.metadata.name.as_ref().unwrap()];
                let all = |key: &str| slots[key].as_u64() == Some(expected);
                all("desired") && all("ready")
            });
            let right = right.count();
            if right == CLUSTERS { Ok(()) } else { Err(format!("{right} are")) }
        })
        .await;
        let converged = Instant::now();
        let pods = Api::<Pod>::namespaced(self.client.clone(), NAMESPACE);
        let pods = pods.list(&ListParams::default()).await.unwrap().items;
        assert_eq!(pods.len(), self.nodes.len());
        let cpus: BTreeMap<&str, &str> =
            self.nodes.iter().map(|plan| (plan.name.as_str(), plan.cpu.as_str())).collect();
        for pod in &pods {
            assert_eq!(annotation(pod, SLOTS), cpus[node_of(pod).as_str()]);
        }
        converged
    }

    /// Cordons fifty nodes, one after the other, and says how long it took until the pod knew.
    pub(crate) async fn cordon_some(&self) -> Vec<Duration> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), NAMESPACE);
        let all = pods.list(&ListParams::default()).await.unwrap().items;
        let mut times = Vec::new();
        for pod in all.iter().step_by((all.len() / 50).max(1)).take(50) {
            let (name, node) = (pod.metadata.name.as_ref().unwrap(), node_of(pod));
            let begun = Instant::now();
            self.cordon(&node, true).await;
            until(secs(60), "the worker is told", async || {
                let pod = pods.get(name).await.map_err(|error| error.to_string())?;
                let slots = annotation(&pod, SLOTS);
                if slots == "0" { Ok(()) } else { Err(slots) }
            })
            .await;
            times.push(begun.elapsed());
            self.cordon(&node, false).await;
        }
        times
    }

    async fn cordon(&self, node: &str, on: bool) {
        let nodes = Api::<Node>::all(self.client.clone());
        let change: Value = json!({"spec": {"unschedulable": on}});
        nodes.patch(node, &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
    }

    fn clusters(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), NAMESPACE, &scene::judge_cluster())
    }
}

fn pool(n: usize) -> String {
    format!("pool-{n:02}")
}
