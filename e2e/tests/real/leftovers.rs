//! A node that is killed with all it runs leaves nothing on this machine.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use e2e::cluster::Cluster;
use e2e::kubectl;
use e2e::scene::Scene;
use e2e::wait::{secs, until};
use serde_json::json;

/// Tells this program to start a node with a pod and wait to be killed: the folder of the programs.
pub(crate) const VICTIM: &str = "EVALX_E2E_NODE_VICTIM";

/// Starts a cluster with a node, and on that a pod that writes and mounts. Prints what the test asks
/// for, and waits.
pub(crate) fn be_the_victim(programs: &Path) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let cluster = Cluster::start_with_machine(programs, |_| Ok(Vec::new())).await.unwrap();
        let container = json!({
            "name": "c",
            "image": "docker.io/local/pause:1",
            "imagePullPolicy": "Never",
            "securityContext": {"privileged": true},
            "volumeMounts": [{"name": "memory", "mountPath": "/memory"}],
        });
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": "default"},
            "spec": {
                "containers": [container],
                "volumes": [{"name": "memory", "emptyDir": {"medium": "Memory"}}],
                "automountServiceAccountToken": false,
            },
        });
        let file = cluster.folder().join("pod.json");
        std::fs::write(&file, pod.to_string()).unwrap();
        until(secs(30), "the pod is taken", async || {
            let applied = kubectl::run(&cluster, &["apply", "-f", &file.to_string_lossy()]);
            applied.map_err(|error| format!("{error:#}"))
        })
        .await;
        kubectl::run(&cluster, &["wait", "--for=condition=Ready", "pod/p", "--timeout=60s"])
            .unwrap();
        let machine = cluster.machine().unwrap();
        println!("{}", cluster.folder().display());
        println!("{}", machine.folder().display());
        println!("{}", machine.group());
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
    let mut line = || lines.next().unwrap().unwrap();
    let (cluster, node, name) = (PathBuf::from(line()), PathBuf::from(line()), line());
    assert!(processes(&name).len() >= 4, "pods run: {:?}", processes(&name));
    assert!(!groups(&name).is_empty());
    assert!(Path::new("/sys/class/net").join(&name).exists());
    victim.kill().unwrap();
    victim.wait().unwrap();
    until(secs(30), "nothing of the node is left", async || {
        let left = [
            ("processes", processes(&name).join(" ")),
            ("groups", groups(&name).join(" ")),
            ("files", [&cluster, &node].map(|path| path.exists().to_string()).join(" ")),
            ("mounts", mounts(&node)),
            ("interface", Path::new("/sys/class/net").join(&name).exists().to_string()),
        ];
        let nothing = ["", "", "false false", "", "false"];
        if left.iter().zip(nothing).all(|((_, left), nothing)| left == nothing) {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
}

/// The processes in the node's control groups.
fn processes(name: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter(|entry| {
        let groups = std::fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        groups.contains(&format!("/{name}/"))
    })
    .map(|entry| entry.file_name().to_string_lossy().into_owned())
    .collect()
}

/// The node's control groups.
fn groups(name: &str) -> Vec<String> {
    let root = Path::new("/sys/fs/cgroup");
    let below = std::fs::read_dir(root).unwrap().flatten().map(|entry| entry.path().join(name));
    let all = below.chain([root.join(name)]);
    all.filter(|path| path.exists()).map(|path| path.to_string_lossy().into_owned()).collect()
}

/// What this process sees mounted of the node.
fn mounts(node: &Path) -> String {
    let node = node.to_string_lossy();
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    text.lines().filter(|line| line.contains(&*node)).collect::<Vec<_>>().join("\n")
}
