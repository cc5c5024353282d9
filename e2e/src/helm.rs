//! Helm and kubeconform, as users call them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::cluster::Cluster;
use crate::programs;

/// The chart, in the checkout.
pub const CHART: &str = "charts/evalx";

/// Runs Helm as the administrator, in the checkout, and hands out what it prints. An error with its
/// complaint, if it fails.
pub fn run(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(cluster.programs().join("helm"));
    command
        .current_dir(programs::checkout())
        .env("KUBECONFIG", cluster.kubeconfig())
        // What it keeps for itself lies with the cluster.
        .env("HOME", cluster.folder())
        .args(arguments)
        .stdin(Stdio::null());
    for variable in ["HELM_NAMESPACE", "HELM_DATA_HOME", "HELM_CONFIG_HOME", "HELM_CACHE_HOME"] {
        command.env_remove(variable);
    }
    let output = command.output().context("helm cannot be started")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "helm {}: {complaint}", arguments.join(" "));
    String::from_utf8(output.stdout).context("helm's answer is not text")
}

/// Compares objects with schemas that are called `GROUP_KIND_VERSION.json` in that folder. An error
/// with its complaints, if one does not fit or has no schema.
pub fn conform(cluster: &Cluster, schemas: &Path, objects: &str) -> Result<String> {
    let template = "{{.Group}}_{{.ResourceKind}}_{{.ResourceAPIVersion}}.json";
    let mut child = Command::new(cluster.programs().join("kubeconform"))
        .args(["-strict", "-summary", "-schema-location"])
        .arg(schemas.join(template))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("kubeconform cannot be started")?;
    let mut input = child.stdin.take().context("kubeconform has no input")?;
    input.write_all(objects.as_bytes()).context("kubeconform reads nothing")?;
    drop(input);
    let output = child.wait_with_output().context("kubeconform is lost")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}
