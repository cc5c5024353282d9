//! The namespaces of a node, its control groups, and the link between it and this machine.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::Machine;
use crate::process::{Nursery, Plan, Process};

/// Where control groups are (cgroups(7)).
const GROUPS: &str = "/sys/fs/cgroup";

/// Run as pid 1 of the node, with its folder and the pause program. What programs of a node keep at
/// fixed places lies in the folder or in memory; the firewall's lock and Docker's pods are others'.
const INIT: &str = r#"
mount --make-rshared /
mount -t tmpfs -o mode=755 run /run
for name in lib log; do
  mkdir "$0/$name"
  mount --bind "$0/$name" "/var/$name"
done
# kubelet sets these for the whole machine. It shall find them as it wants them.
cd "$0"
fake() {
  [ -e "/proc/sys/$1" ] || return 0
  mkdir -p "sys/$1"
  echo "$2" > "sys/$1/value"
  mount --bind "sys/$1/value" "/proc/sys/$1"
}
fake vm/overcommit_memory 1
fake vm/panic_on_oom 0
fake kernel/panic 10
fake kernel/panic_on_oops 1
fake kernel/keys/root_maxkeys 1000000
fake kernel/keys/root_maxbytes 25000000
: > born
exec "$1"
"#;

/// Run in the node's network, with the link's end and both addresses.
const NETWORK: &str = r#"
ip addr add "$2/30" dev "$0"
ip link set "$0" up
ip link set lo up
ip route add default via "$1"
echo 1 > /proc/sys/net/ipv4/ip_forward
# Else two pods on one bridge meet without the firewall, and an answer of a Service's pod does not
# come from the Service.
[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] ||
  echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
"#;

/// The link to a node.
#[derive(Debug)]
pub(super) struct Link {
    /// Of the interface outside, and of the node's control group.
    pub(super) name: String,
    /// Outside, and of the node.
    pub(super) addresses: (Ipv4Addr, Ipv4Addr),
}

/// A name that nobody else has. Fifteen characters are the most (`IFNAMSIZ`, netdevice(7)).
pub(super) fn name() -> String {
    format!("evx-e2e-{:06x}", RandomState::new().hash_one(std::process::id()) & 0xff_ffff)
}

/// Two addresses that nobody here has, in a network of four.
pub(super) fn free_addresses() -> Result<(Ipv4Addr, Ipv4Addr)> {
    for _ in 0..100 {
        let [a, b, ..] = RandomState::new().hash_one(std::process::id()).to_le_bytes();
        let host = Ipv4Addr::new(10, 213, a, (b & !3) + 1);
        // Where it can be listened at, it is somebody's.
        if TcpListener::bind((host, 0)).is_err() {
            return Ok((host, Ipv4Addr::new(10, 213, a, (b & !3) + 2)));
        }
    }
    bail!("no address is free for a node")
}

/// Makes the node's control group below each hierarchy, and hands out where.
pub(super) fn make_groups(name: &str) -> Result<Vec<PathBuf>> {
    let root = Path::new(GROUPS);
    if root.join("cgroup.controllers").exists() {
        // What the root does not hand down no pod can be limited by.
        for controller in ["cpuset", "cpu", "io", "memory", "pids"] {
            drop(std::fs::write(root.join("cgroup.subtree_control"), format!("+{controller}")));
        }
        return Ok(vec![make_group(root, name)?]);
    }
    let mut made = Vec::new();
    for hierarchy in std::fs::read_dir(root).context("there are no control groups")?.flatten() {
        if hierarchy.path().join("cgroup.procs").exists() {
            made.push(make_group(&hierarchy.path(), name)?);
        }
    }
    ensure!(!made.is_empty(), "{GROUPS} has no hierarchy");
    Ok(made)
}

fn make_group(hierarchy: &Path, name: &str) -> Result<PathBuf> {
    let group = hierarchy.join(name);
    std::fs::create_dir(&group).with_context(|| format!("{} cannot be made", group.display()))?;
    // On v1 a new one has no CPU and no memory, and nothing can enter it (cpuset(7)).
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if let (true, Ok(value)) = (
            hierarchy.join("cpuset.sched_load_balance").exists(),
            std::fs::read(hierarchy.join(file)),
        ) {
            std::fs::write(group.join(file), value)
                .with_context(|| format!("{file} of {} cannot be set", group.display()))?;
        }
    }
    Ok(group)
}

/// Starts pid 1 of the node.
pub(super) fn init(nursery: &Nursery, folder: &Path, pause: &Path) -> Result<Process> {
    let plan = Plan::new("unshare", folder.join("init.log"))
        .args(["--net", "--mount", "--propagation=private", "--pid", "--mount-proc"])
        .args(["--kill-child=KILL", "--", "sh", "-euc", INIT])
        .arg(folder.to_string_lossy())
        .arg(pause.to_string_lossy());
    nursery.spawn(&plan)
}

/// Makes the link.
pub(super) fn connect(machine: &Machine) -> Result<()> {
    let Link { name, addresses: (host, own) } = &machine.link;
    let init = machine.init.id().to_string();
    let ip =
        |arguments: &[&str]| output(&Plan::new("ip", "").args(arguments.iter().copied())).map(drop);
    ip(&["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", &init])?;
    ip(&["addr", "add", &format!("{host}/30"), "dev", name])?;
    ip(&["link", "set", name, "up"])?;
    let (host, own) = (host.to_string(), own.to_string());
    machine.run("sh", &["-euc", NETWORK, "eth0", &host, &own]).map(drop)
}

/// Runs a plan to its end, and hands out what it prints.
pub(super) fn output(plan: &Plan) -> Result<String> {
    let output = Command::new(&plan.program)
        .args(&plan.arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be started", plan.program.display()))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {complaint}", plan.arguments.join(" "));
    String::from_utf8(output.stdout).context("the answer is not text")
}
