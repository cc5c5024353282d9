//! kubectl, as users call it.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::cluster::Cluster;
use crate::programs;

/// Runs kubectl as the administrator, in the checkout, and hands out what it prints. An error with
/// its complaint, if it fails.
pub fn run(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    let output = Command::new(cluster.programs().join("kubectl"))
        .current_dir(programs::checkout())
        .env("KUBECONFIG", cluster.kubeconfig())
        // Its cache of what the server has lies with the cluster.
        .env("HOME", cluster.folder())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("kubectl cannot be started")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl {}: {complaint}", arguments.join(" "));
    String::from_utf8(output.stdout).context("kubectl's answer is not text")
}
