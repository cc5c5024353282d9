//! Hostile submissions against a worker in a real privileged pod: what the sandbox's contract says of
//! each holds there, too; nothing of the pod, the node and the cluster is reached; the pod lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use e2e::programs::checkout;
use e2e::scene::Scene;
use e2e::wait::{secs, until};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::fleet::{Fleet, NAME, incarnation, python};
use crate::loss::replaced;

/// Runs `act` against a fleet, and checks that worker and node are as before.
async fn unharmed(scene: &Scene, act: impl AsyncFnOnce(&Fleet, &Pod)) {
    let fleet = Fleet::join(scene).await;
    // The boxes are made ahead of their runs.
    let processes = async || processes(&fleet).await;
    drop(fleet.judge(&python("print(3)")).await);
    let (pod, before) = (fleet.ready("worker").await, processes().await);
    act(&fleet, &pod).await;
    let view = fleet.judge(&python("print(3)")).await;
    assert_eq!(view["report"]["verdict"], "AC", "{view}");
    assert_eq!(incarnation(&fleet.ready("worker").await), incarnation(&pod));
    until(secs(20), &format!("the pod has {before} processes again"), async || {
        let now = processes().await;
        if now == before { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
}

/// How many processes the worker's pod has.
async fn processes(fleet: &Fleet) -> usize {
    let pod = fleet.ready("worker").await;
    let name = pod.metadata.name.as_deref().unwrap();
    let script = "ls -d /proc/[0-9]* | wc -l";
    let said = fleet.kubectl(&["exec", name, "--", "sh", "-c", script]);
    said.trim().parse().unwrap()
}

pub(crate) async fn contract(scene: Arc<Scene>) {
    unharmed(&scene, async |fleet, _| {
        let folder = checkout().join("sandbox/tests/contract");
        let say = std::fs::read_to_string(folder.join("include/say.h")).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(folder.join("cases"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('a'))
            .collect();
        names.sort();
        let (mut held, mut wrong) = (0, Vec::new());
        for name in names {
            let source = std::fs::read_to_string(folder.join("cases").join(&name)).unwrap();
            let Some(case) = Case::read(&source) else { continue };
            // The contract's suite compiles with it.
            let source = format!("#define _GNU_SOURCE\n{source}");
            let files =
                json!([{"name": name, "contents": source}, {"name": "say.h", "contents": say}]);
            let view = fleet
                .judge(&json!({
                    "language": "c",
                    "files": files,
                    "limits": case.limits,
                    "tests": [{"name": "1", "input": ""}],
                }))
                .await;
            match case.fits(&view) {
                Ok(()) => held += 1,
                Err(error) => wrong.push(format!("{name}: {error}: {view}")),
            }
        }
        println!("{held} hostile programs were held");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(held >= 50, "{held} only");
    })
    .await;
}

/// The head comment of a program of the contract, as far as a submission can be held to it.
struct Case {
    limits: Value,
    ends: Vec<String>,
    says: BTreeMap<String, Vec<String>>,
}

impl Case {
    /// `None`: the program needs what no submission has.
    fn read(source: &str) -> Option<Self> {
        let head = source.strip_prefix("/*")?.split("*/").next()?;
        let mut case = Self { limits: json!({}), ends: Vec::new(), says: BTreeMap::new() };
        for line in head.lines().skip(1).map(|line| line.trim_start_matches([' ', '*'])) {
            let Some((key, value)) = line.split_once(": ") else { break };
            match key {
                "limits" => case.limits = limits(value)?,
                "ends" => case.ends = value.split('|').map(|end| end.trim().to_owned()).collect(),
                "says" => {
                    let (name, values) = value.split_once('=')?;
                    let values = values.split('|').map(str::to_owned).collect();
                    case.says.insert(name.to_owned(), values);
                }
                "collect" | "proc" | "argv" | "env" | "stdin" | "files" => return None,
                _ => {}
            }
        }
        Some(case)
    }

    fn fits(&self, view: &Value) -> Result<(), String> {
        let test = &view["report"]["tests"][0];
        let verdict = test["verdict"].as_str().ok_or("no verdict")?;
        let number = |key: &str| test[key].as_i64();
        let ended = self.ends.iter().any(|end| match end.split_once(' ') {
            Some(("exited", "0")) => verdict == "AC",
            Some(("exited", code)) => verdict == "RE" && number("exit_code") == code.parse().ok(),
            Some(("signalled", signal)) => {
                verdict == "RE" && number("signal") == signal.parse().ok()
            }
            _ => match end.as_str() {
                "cpu-limit" => verdict == "TLE",
                "wall-limit" => verdict == "ILE",
                "memory-limit" => verdict == "MLE",
                "output-limit" => verdict == "OLE",
                "forbidden-call" => verdict == "RE",
                other => panic!("what is {other}?"),
            },
        });
        if !ended {
            return Err(format!("{verdict} and not {:?}", self.ends));
        }
        let said = test["stdout"].as_str().unwrap_or_default();
        for (key, values) in &self.says {
            let prefix = format!("{key}=");
            let mut lines = said.lines().filter_map(|line| line.strip_prefix(&prefix)).peekable();
            if lines.peek().is_none() || !lines.all(|seen| values.iter().any(|v| fits(v, seen))) {
                return Err(format!("{key} is not {values:?}"));
            }
        }
        Ok(())
    }
}

/// Whether a value is what was expected: the same, or a number of a range.
fn fits(expected: &str, seen: &str) -> bool {
    if expected == seen {
        return true;
    }
    let (Some((low, high)), Ok(seen)) = (expected.split_once(".."), seen.parse::<f64>()) else {
        return false;
    };
    let bound = |text: &str, none: f64| if text.is_empty() { none } else { text.parse().unwrap() };
    (bound(low, f64::MIN)..=bound(high, f64::MAX)).contains(&seen)
}

/// As a submission says it. `None`: one that submissions do not have.
fn limits(text: &str) -> Option<Value> {
    let mut limits = json!({});
    for (name, value) in text.split(' ').filter_map(|pair| pair.split_once('=')) {
        let digits = value.trim_end_matches(char::is_alphabetic);
        let number: u64 = digits.parse().ok()?;
        let number = match &value[digits.len()..] {
            "" | "ms" => number,
            "s" => number * 1000,
            "KiB" => number << 10,
            "MiB" => number << 20,
            unit => panic!("what is {unit}?"),
        };
        let field = match name {
            "cpu" => "cpu_ms",
            "wall" => "wall_ms",
            "memory" => "memory_bytes",
            "disk" => "disk_bytes",
            "file_size" => "file_size_bytes",
            "output" => "output_bytes",
            "stack" => "stack_bytes",
            "processes" | "inodes" | "open_files" => name,
            _ => return None,
        };
        limits[field] = json!(number);
    }
    Some(limits)
}

/// Prints `escaped` when what is after it succeeds, and what came of it otherwise.
const ATTEMPT: &str = "
import os, sys, socket, ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)
def connect(host, port):
    socket.create_connection((host, port), 2)
try:
    ATTEMPT
except OSError as error:
    print('held by', error, file=sys.stderr)
    print(3)
else:
    print('escaped')
";

pub(crate) async fn escapes(scene: Arc<Scene>) {
    unharmed(&scene, async |fleet, pod| {
        let address = |pod: &Pod| pod.status.as_ref().unwrap().pod_ip.clone().unwrap();
        let redis = address(&fleet.ready("redis").await);
        let node = fleet.cluster().machine().unwrap().address();
        let mut attempts: Vec<String> = [
            // What a pod is given.
            "os.listdir('/var/run/secrets/kubernetes.io/serviceaccount')",
            "os.listdir('/run/secrets')",
            "os.listdir('/etc/evalx')",
            "os.listdir('/var/cache/evalx')",
            "os.listdir('/var/lib/kubelet')",
            "open('/etc/resolv.conf')",
            "open('/proc/1/root/etc/hostname')",
            "open('/proc/1/environ')",
            // Control groups, of the box and of other pods.
            "os.listdir('/sys/fs/cgroup')",
            "os.listdir('/sys/kernel')",
            "call('mount', b'cgroup', b'/tmp', b'cgroup', 0, b'memory')",
            "call('mount', b'cgroup2', b'/tmp', b'cgroup2', 0, None)",
            "call('mount', b'none', b'/tmp', b'tmpfs', 0, None)",
            "call('mount', b'/', b'/tmp', None, 4096, None)",
            "call('umount2', b'/w', 2)",
            "call('pivot_root', b'/tmp', b'/tmp')",
            "call('chroot', b'/tmp')",
            "call('unshare', 0x10000000)",
            "call('unshare', 0x00020000)",
            "call('ptrace', 16, 1, 0, 0)",
            "call('setuid', 0)",
            // Devices and the kernel.
            "call('mknod', b'/tmp/disk', 0o60600, os.makedev(254, 0))\n    open('/tmp/disk', 'rb').read(1)",
            "open('/dev/kmsg')",
            "open('/dev/mem')",
            "open('/dev/vda')",
            "open('/proc/sys/kernel/core_pattern', 'w')",
            "open('/proc/sysrq-trigger', 'w')",
            // The cluster.
            "connect('169.254.169.254', 80)",
            "connect('10.96.0.1', 443)",
            "connect('kubernetes.default.svc', 443)",
            "connect('127.0.0.1', 9464)",
        ]
        .map(str::to_owned)
        .into();
        for port in [10250, 10255, 10248] {
            attempts.push(format!("connect('{node}', {port})"));
        }
        attempts.push(format!("connect('{redis}', 6379)"));
        attempts.push(format!("connect('{}', 9464)", address(pod)));
        let environment = "if [n for n in os.environ if n.startswith(('EVALX', 'REDIS', 'KUBE', 'NODE', 'POD'))]: pass\n    else: raise OSError('nothing of the pod')";
        attempts.push(environment.to_owned());
        let mut escaped = Vec::new();
        for attempt in attempts {
            let view = fleet.judge(&python(&ATTEMPT.replace("ATTEMPT", &attempt))).await;
            // Held: it was refused, or the program died of the attempt.
            let verdict = &view["report"]["verdict"];
            let said = view["report"]["tests"][0]["stdout"].as_str().unwrap_or("?");
            if !(verdict == "AC" || verdict == "RE" && said.is_empty()) {
                escaped.push(format!("{attempt}: {view}"));
            }
        }
        assert!(escaped.is_empty(), "{}", escaped.join("\n"));
    })
    .await;
}

/// The pod's own limit of memory is not met by a box's, and what is over it is the box.
pub(crate) async fn pod_limit(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let limit = async |limit: Value| {
        let old = fleet.ready("worker").await;
        let change = json!({"resources": {"limits": {"memory": limit}}});
        fleet.scene.change(NAME, &change).await.unwrap();
        replaced(&fleet, "worker", &old).await;
        fleet.settled().await;
        fleet.ready("worker").await
    };
    let limited = limit(json!("700Mi")).await;
    let bomb = "all = []\nwhile True: all.append(bytearray(b'x' * (1 << 20)))";
    for _ in 0..3 {
        let mut bomb = python(bomb);
        bomb["limits"] = json!({"memory_bytes": 690 << 20, "cpu_ms": 20_000});
        let view = fleet.judge(&bomb).await;
        println!("over the pod's limit: {}", view["report"]["verdict"]);
        assert!(view["report"]["verdict"] != "AC", "{view}");
    }
    let view = fleet.judge(&python("print(3)")).await;
    assert_eq!(view["report"]["verdict"], "AC", "{view}");
    assert_eq!(incarnation(&fleet.ready("worker").await), incarnation(&limited));
    limit(Value::Null).await;
}
