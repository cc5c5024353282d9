//! Processes and files end with the harness, however it ends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use e2e::cluster::Cluster;
use e2e::scene::Scene;
use e2e::wait::{secs, until};

/// Tells this program to start a cluster and wait to be killed: the folder of the programs.
pub(crate) const VICTIM: &str = "EVALX_E2E_VICTIM";

/// Starts a cluster, prints its folder and processes, and waits.
#[expect(clippy::print_stdout, reason = "read by the test")]
pub(crate) fn be_the_victim(programs: &Path) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let cluster = Cluster::start(programs).await.unwrap();
        let ids: Vec<String> = cluster.process_ids().iter().map(u32::to_string).collect();
        println!("{}", cluster.folder().display());
        println!("{}", ids.join(" "));
        std::future::pending::<()>().await;
    });
    ExitCode::SUCCESS
}

#[expect(clippy::disallowed_methods, reason = "no guest: this program once more")]
pub(crate) async fn killed(scene: Arc<Scene>) {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .env(VICTIM, scene.cluster().programs())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let folder = PathBuf::from(lines.next().unwrap().unwrap());
    let ids: Vec<u32> =
        lines.next().unwrap().unwrap().split(' ').map(|id| id.parse().unwrap()).collect();
    assert_eq!(ids.len(), 5);
    assert!(ids.iter().all(|&id| runs(id)));
    assert!(folder.join("etcd").is_dir());
    victim.kill().unwrap();
    victim.wait().unwrap();
    gone(&folder, &ids).await;
}

pub(crate) async fn dropped(scene: Arc<Scene>) {
    let cluster = Cluster::start(scene.cluster().programs()).await.unwrap();
    let (folder, ids) = (cluster.folder().to_owned(), cluster.process_ids());
    drop(cluster);
    assert!(!folder.exists());
    gone(&folder, &ids).await;
}

async fn gone(folder: &Path, ids: &[u32]) {
    until(secs(10), "processes and files are gone", async || {
        let alive: Vec<&u32> = ids.iter().filter(|&&id| runs(id)).collect();
        if alive.is_empty() && !folder.exists() {
            Ok(())
        } else {
            Err(format!("{alive:?}, folder: {}", folder.exists()))
        }
    })
    .await;
}

/// Whether there is such a process. One that waits to be reaped by somebody else is none.
fn runs(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}
