//! evalX on a true node, installed as the README says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::image::{Image, Layer};
use crate::cluster::Cluster;
use crate::programs::{self, Profile};
use crate::{document, kubectl, operator};

/// The images that the examples and the chart name, made in that folder: the worker's as its
/// Dockerfile makes it, the others of Debian with Redis, and the programs that cargo has built. And
/// those of Prometheus and its operator.
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
    let mut all = vec![
        image("evalx:0.1.0", &[&worker, &evalx]),
        image("evalx-operator:0.1.0", &[&root, &operator]),
        image("redis:7-bookworm", &[&root]),
    ];
    all.extend(monitoring_images(folder)?);
    Ok(all)
}

/// Prometheus and its operator under their own names, each of nothing but its program.
fn monitoring_images(folder: &Path) -> Result<Vec<Image>> {
    let node = programs::node()?;
    let operator = asked_for(&monitoring()?)?;
    let of_operator = |name: &str| format!("quay.io/prometheus-operator/{name}:{operator}");
    let names = [
        ("prometheus", format!("quay.io/prometheus/prometheus:v{}", prometheus_version()?)),
        ("prometheus-operator", of_operator("prometheus-operator")),
        ("prometheus-config-reloader", of_operator("prometheus-config-reloader")),
    ];
    let images = names.into_iter().map(|(program, name)| {
        // The operator starts the reloader as a file of that folder.
        let tar = folder.join(format!("{program}.tar"));
        let layer = Layer::of_programs_in("bin", &tar, &[&node.join(program)])?;
        Ok(Image { name, layers: vec![layer], command: vec![format!("/bin/{program}")] })
    });
    images.collect()
}

/// The file by which Prometheus' operator is installed.
pub fn monitoring() -> Result<PathBuf> {
    Ok(programs::node()?.join("prometheus-operator.yaml"))
}

/// The version of the operator that file asks for.
fn asked_for(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).context("no file to install by")?;
    let image = "image: quay.io/prometheus-operator/prometheus-operator:";
    let (_, rest) = text.rsplit_once(image).context("no image")?;
    Ok(rest.lines().next().unwrap_or_default().to_owned())
}

/// The version of the Prometheus that is built, which it tells.
pub fn prometheus_version() -> Result<String> {
    let program = programs::node()?.join("prometheus");
    let output = Command::new(&program).arg("--version").output();
    let output = output.with_context(|| format!("{} cannot be started", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let version = said.split_whitespace().skip_while(|word| *word != "version").nth(1);
    version.map(str::to_owned).with_context(|| format!("no version: {said}"))
}

/// The page that tells users how.
const PAGE: &str = "docs/cluster.md";

/// When the last installation began.
static BEGAN: Mutex<Option<Instant>> = Mutex::new(None);

/// Types what the page says, from `helm install` to the `JudgeCluster` of the examples, and waits for the
/// operator alone.
pub async fn install(cluster: &Cluster) -> Result<()> {
    let machine = cluster.machine().context("there is no node")?;
    give_volume(cluster, &machine.folder().join("redis"))?;
    *BEGAN.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    let commands = document::commands(PAGE)?;
    ensure!(
        commands.first().is_some_and(|first| first[..2] == ["helm", "install"]),
        "{commands:?}"
    );
    // That is the other way to the same, and what comes when all is there.
    let other = |command: &Vec<String>| {
        command.iter().any(|word| ["manifests/", "port-forward"].contains(&word.as_str()))
    };
    for command in commands.iter().filter(|command| !other(command)) {
        document::type_in(cluster, command)?;
    }
    machine.rolled_out(cluster, operator::NAMESPACE, "evalx-operator")
}

/// For how long there is an evalX: since `helm install` was typed.
#[must_use]
pub fn age() -> Option<Duration> {
    BEGAN.lock().unwrap_or_else(PoisonError::into_inner).map(|began| began.elapsed())
}

/// Where the managed Redis of the example keeps its data. In a user's cluster a provisioner makes it.
fn give_volume(cluster: &Cluster, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).context("no folder for Redis")?;
    let here = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [super::NAME]});
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "redis"},
        "spec": {
            "capacity": {"storage": "8Gi"},
            "accessModes": ["ReadWriteOnce"],
            "local": {"path": folder},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    });
    kubectl::feed(cluster, &["apply", "-f", "-"], &volume.to_string()).map(drop)
}
