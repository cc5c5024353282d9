//! evalX on a true node, installed as the README says.

use std::path::Path;

use anyhow::{Context, Result};

use super::image::{Image, Layer};
use crate::cluster::Cluster;
use crate::programs::{self, Profile};
use crate::{kubectl, operator, scene};

/// The images that the examples and manifests name, made in that folder: the worker's as its
/// Dockerfile makes it, the others of Debian with Redis, and the programs that cargo has built.
pub fn images(folder: &Path) -> Result<Vec<Image>> {
    let root = Layer::known(&programs::node_root()?.join("layer.tar"))?;
    let worker = Layer::known(&programs::worker_root()?.join("layer.tar"))?;
    let evalx = programs::evalx(Profile::Debug)?;
    let evalx = Layer::of_programs(&folder.join("evalx.tar"), &[&evalx])?;
    let operator = programs::operator(Profile::Debug)?;
    let operator = Layer::of_programs(&folder.join("operator.tar"), &[&operator])?;
    let image = |name: &str, layers: &[&Layer]| Image {
        name: format!("docker.io/library/{name}"),
        layers: layers.iter().map(|&layer| layer.clone()).collect(),
        command: Vec::new(),
    };
    Ok(vec![
        image("evalx:0.1.0", &[&worker, &evalx]),
        image("evalx-operator:0.1.0", &[&root, &operator]),
        image("redis:7-bookworm", &[&root]),
    ])
}

/// Installs the resource, the rights and the operator, and waits until that is ready.
pub async fn install(cluster: &Cluster) -> Result<()> {
    let client = cluster.client().await?;
    operator::install(cluster, &client, "rbac.yaml").await?;
    kubectl::run(cluster, &["apply", "--server-side", "-f", "manifests/operator.yaml"])?;
    scene::create_namespace(&client, operator::JUDGES, "privileged").await?;
    let machine = cluster.machine().context("there is no node")?;
    machine.rolled_out(cluster, operator::NAMESPACE, "evalx-operator")
}
