//! kubectl, as users call it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::cluster::Cluster;
use crate::programs;

/// Runs kubectl as the administrator, in the checkout, and hands out what it prints. An error with
/// its complaint, if it fails.
pub fn run(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    run_aloud(cluster, arguments, "").map(|(printed, _)| printed)
}

/// The same with something to read on its standard input.
pub fn feed(cluster: &Cluster, arguments: &[&str], input: &str) -> Result<String> {
    run_aloud(cluster, arguments, input).map(|(printed, _)| printed)
}

/// The same with its warnings beside what it prints.
pub fn run_aloud(cluster: &Cluster, arguments: &[&str], input: &str) -> Result<(String, String)> {
    let mut child = Command::new(cluster.programs().join("kubectl"))
        .current_dir(programs::checkout())
        .env("KUBECONFIG", cluster.kubeconfig())
        // Its cache of what the server has lies with the cluster.
        .env("HOME", cluster.folder())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("kubectl cannot be started")?;
    let mut words = child.stdin.take().context("kubectl has no input")?;
    // One that reads nothing has its reason, which it tells.
    drop(words.write_all(input.as_bytes()));
    drop(words);
    let output = child.wait_with_output().context("kubectl is lost")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl {}: {complaint}", arguments.join(" "));
    let printed = String::from_utf8(output.stdout).context("kubectl's answer is not text")?;
    Ok((printed, complaint.into_owned()))
}
