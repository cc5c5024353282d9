//! A worker's container as a node makes it: `evalx worker` in a bundle that runc starts, privileged,
//! in a pod's group with limits; the queue and the service are processes of the machine.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::ensure;
use crate::pod::{Pod, View};

/// Names the folder with the image's own layer, which is evalX; what is below it the guest is.
const LAYER: &str = "EVALX_TEST_LAYER";

/// On the guest's loopback, which has nobody else: the queue, the service, the worker's probes.
const QUEUE: &str = "127.0.0.1:6379";
const SERVICE: &str = "127.0.0.1:2358";
const PROBES: &str = "127.0.0.1:9464";

const MIB: u64 = 1 << 20;
/// The container's limits, and what a slot takes of the first when nobody says otherwise.
const MEMORY: u64 = 1280 * MIB;
const PROCESSES: u64 = 2048;
const SLOT: u64 = 512 * MIB;

/// No case is about time.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where containers that are not privileged, and all of Docker's, have their group.
pub(crate) fn private_namespace() -> Result<(), Failed> {
    life("namespace", View::Private)
}

/// As containerd and CRI-O start a privileged one.
pub(crate) fn whole_tree() -> Result<(), Failed> {
    life("tree", View::Whole)
}

/// From its start to its end: it gets ready, judges, is told to stop while it does, and leaves.
fn life(name: &str, view: View) -> Result<(), Failed> {
    let evalx = layer()?.join("usr/local/bin/evalx");
    let home = Home::new(name)?;
    let mut queue = command("redis-server");
    queue.args(["--bind", "127.0.0.1", "--save", "", "--dir"]).arg(&home.0);
    let _queue = Process::start(&mut queue, &home.file("queue"))?;
    let mut service = command(&evalx);
    service.args(["server", "--listen", SERVICE, "--redis", &format!("redis://{QUEUE}")]);
    let _service = Process::start(&mut service, &home.file("service"))?;
    let pod = Pod::new(name, view)?;
    let mut container = Container::start(&pod, name, &home)?;
    let lived = (|| {
        let ready = container.ready()?;
        let check = ready["self_check"].as_str().unwrap_or_default();
        // Behind it comes what is said of isolate.
        let check = check.split(';').next().unwrap_or_default();
        let native = ready["engine"] == "native" && check.ends_with("passes, with cgroup v2");
        ensure(native, || format!("ready as {ready}"))?;
        let mut client = submit(&evalx, &home)?;
        until("the submission is judged", || Ok(container.probe()?["slots"]["busy"] != 0))?;
        container.in_order(&ready)?;
        container.stop()?;
        let said = client.end()?;
        ensure(said.contains("AC  2 of 2 accepted"), || format!("the submission: {said}"))
    })();
    lived.map_err(|why: Failed| {
        let why = why.message().unwrap_or_default().to_owned();
        let logs = ["queue", "service", "worker"].map(|log| home.tail(log));
        format!("{why}\n{}", logs.join("\n")).into()
    })
}

fn layer() -> Result<PathBuf, Failed> {
    Ok(std::env::var_os(LAYER).ok_or_else(|| format!("{LAYER} is not set"))?.into())
}

/// A client that follows its submission to the end.
fn submit(evalx: &Path, home: &Home) -> Result<Process, Failed> {
    let (source, tests) = (home.file("sum.c"), home.file("tests"));
    fs::write(
        &source,
        "#include <stdio.h>\nint main(void) { int a, b; scanf(\"%d%d\", &a, &b); printf(\"%d\\n\", a + b); }\n",
    )?;
    fs::create_dir(&tests)?;
    for (file, text) in [("1.in", "1 2"), ("1.ans", "3"), ("2.in", "20 30"), ("2.ans", "50")] {
        fs::write(tests.join(file), text)?;
    }
    let mut client = command(evalx);
    client.arg("submit").arg(&source).arg("--tests").arg(&tests);
    client.args(["--wait", "--retry", "60s", "--server", &format!("http://{SERVICE}")]);
    Process::start(&mut client, &home.file("client"))
}

/// A container. Removed on drop, with its root.
#[derive(Debug)]
struct Container {
    name: String,
    /// What runc made in the pod.
    group: Pod,
    root: PathBuf,
    /// runc, which ends as the worker does.
    runc: Process,
}

impl Container {
    fn start(pod: &Pod, name: &str, home: &Home) -> Result<Self, Failed> {
        let (root, upper, work) = (home.file("root"), home.file("upper"), home.file("work"));
        for folder in [&root, &upper, &work, &home.file("cache")] {
            fs::create_dir(folder)?;
        }
        let layers = format!(
            "lowerdir={}:/,upperdir={},workdir={}",
            layer()?.display(),
            upper.display(),
            work.display()
        );
        let mut mount = command("mount");
        done(mount.args(["-t", "overlay", "overlay", "-o", &layers]).arg(&root))?;
        let group = pod.container("worker");
        let bundle = bundle(&group, &root, &home.file("cache"));
        fs::write(home.file("config.json"), bundle.to_string())?;
        // It stays when it has ended: what it leaves in its group is looked at before runc removes
        // that.
        let mut runc = command("runc");
        runc.args(["run", "--keep", "--bundle"]).arg(&home.0).arg(name);
        let runc = Process::start(&mut runc, &home.file("worker"))?;
        Ok(Self { name: name.to_owned(), group, root, runc })
    }

    /// What `/readyz` says, ready or not.
    fn probe(&mut self) -> Result<Value, Failed> {
        if let Some(status) = self.runc.child.try_wait()? {
            return Err(format!("the container has ended: {status}").into());
        }
        let mut text = String::new();
        let asked = TcpStream::connect(PROBES).and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: worker\r\n\r\n")?;
            stream.read_to_string(&mut text)
        });
        let body = asked.ok().and_then(|_| text.split_once("\r\n\r\n"));
        Ok(body.and_then(|(_, body)| serde_json::from_str(body).ok()).unwrap_or_default())
    }

    /// Waits until the worker is ready: its engine has passed the self-check, and it has the queue.
    fn ready(&mut self) -> Result<Value, Failed> {
        let mut last = Value::Null;
        until("the worker is ready", || {
            last = self.probe()?;
            Ok(last["ready"] == true)
        })?;
        Ok(last)
    }

    /// Its group is as a base has to be, though the worker was started in it.
    fn in_order(&self, ready: &Value) -> Result<(), Failed> {
        let group = &self.group;
        let limit = |file: &str| group.read(file);
        let limits = (limit("memory.max")?, limit("pids.max")?);
        let given = limits == (MEMORY.to_string(), PROCESSES.to_string());
        ensure(given, || format!("the container's limits are {limits:?}"))?;
        let on = group.read("cgroup.subtree_control")?;
        ensure(on.contains("memory") && on.contains("pids"), || format!("only {on:?} are on"))?;
        let (in_base, sup) = (group.read("cgroup.procs")?, group.read("evalx-sup/cgroup.procs")?);
        ensure(in_base.is_empty() && !sup.is_empty(), || {
            format!("{in_base:?} are in the base, {sup:?} beside the boxes")
        })?;
        // In its own namespace of process ids it is the first.
        let children = group.children()?;
        let boxes = children.iter().find(|child| child.starts_with("evalx-1-"));
        let boxes = boxes.ok_or_else(|| format!("in the container's group: {children:?}"))?;
        let most: u64 = group.read(&format!("{boxes}/memory.max"))?.parse()?;
        let slots = ready["slots"]["effective"].as_u64().unwrap_or_default();
        let fits = slots == 2 && slots * SLOT <= most && most < MEMORY;
        ensure(fits, || format!("{slots} slots, {most} bytes for all, {MEMORY} for the container"))
    }

    /// Tells the worker to stop, and sees that it has left nothing.
    fn stop(&mut self) -> Result<(), Failed> {
        done(command("runc").args(["kill", &self.name, "TERM"]))?;
        let status = self.runc.wait()?;
        ensure(status.success(), || format!("the worker ends with {status}"))?;
        self.group.is_as_made()?;
        done(command("runc").args(["delete", &self.name]))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _gone = done(command("runc").args(["delete", "--force", &self.name]));
        let _unmounted = done(command("umount").arg(&self.root));
    }
}

/// What containerd writes for the container of a privileged pod that shares the node's network.
fn bundle(group: &Pod, root: &Path, cache: &Path) -> Value {
    let namespaces = ["pid", "ipc", "uts", "mount", "cgroup"].into_iter();
    let namespaces: Vec<_> = namespaces
        .filter(|kind| *kind != "cgroup" || group.view() == View::Private)
        .map(|kind| json!({ "type": kind }))
        .collect();
    let mount = |to: &str, kind: &str, options: &[&str]| json!({ "destination": to, "type": kind, "source": kind, "options": options });
    let plain = ["nosuid", "noexec", "nodev"];
    let mut volume = mount("/var/cache/evalx", "bind", &["rbind", "rw"]);
    volume["source"] = json!(cache);
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "args": ["evalx", "worker"],
            "cwd": "/",
            "env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                format!("REDIS_URL=redis://{QUEUE}"),
                format!("EVALX_WORKER_LISTEN={PROBES}"),
                "EVALX_PLACE=pods.worker",
                "EVALX_NODE_CPU=2000m",
                format!("EVALX_NODE_MEMORY={MEMORY}B"),
                "EVALX_CACHE_DIR=/var/cache/evalx",
            ],
            "capabilities": {
                "bounding": capabilities(),
                "effective": capabilities(),
                "permitted": capabilities(),
            },
        },
        "root": { "path": root },
        "hostname": "worker",
        "mounts": [
            mount("/proc", "proc", &plain),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
            mount("/dev/mqueue", "mqueue", &plain),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            mount("/sys", "sysfs", &plain),
            mount("/sys/fs/cgroup", "cgroup", &plain),
            volume,
        ],
        "linux": {
            "cgroupsPath": group.name(),
            "namespaces": namespaces,
            "resources": {
                "devices": [{ "allow": true, "access": "rwm" }],
                "memory": { "limit": MEMORY },
                "pids": { "limit": PROCESSES },
                "cpu": { "shares": 2048 },
                // Of kubelet, since 1.28: whoever is at the container's limit takes all along.
                "unified": { "memory.oom.group": "1" },
            },
        },
    })
}

/// All that a kernel of 6.1 knows (capabilities(7)).
fn capabilities() -> Vec<String> {
    let names = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP \
                 LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER \
                 SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE \
                 SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP \
                 MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF \
                 CHECKPOINT_RESTORE";
    names.split_whitespace().map(|name| format!("CAP_{name}")).collect()
}

/// A folder for the files of a case. Removed on drop, unless something is still mounted there.
#[derive(Debug)]
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Result<Self, Failed> {
        let path = std::env::temp_dir().join(format!("container-{name}"));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The end of what that process has said.
    fn tail(&self, name: &str) -> String {
        let text = fs::read_to_string(self.file(name)).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n");
        format!("{name} said:\n{last}")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.0);
    }
}

/// A process of the machine, and the file with what it says. Killed on drop.
#[derive(Debug)]
struct Process {
    child: Child,
    said: PathBuf,
}

impl Process {
    fn start(command: &mut Command, said: &Path) -> Result<Self, Failed> {
        let (out, err) = (File::create(said)?, File::options().append(true).open(said)?);
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let child = child.map_err(|e| format!("{command:?}: {e}"))?;
        Ok(Self { child, said: said.to_owned() })
    }

    fn wait(&mut self) -> Result<ExitStatus, Failed> {
        let mut ended = None;
        until("it ends", || {
            ended = self.child.try_wait()?;
            Ok(ended.is_some())
        })?;
        ended.ok_or_else(|| "it has not ended".into())
    }

    /// What it has said at its end.
    fn end(&mut self) -> Result<String, Failed> {
        self.wait()?;
        Ok(fs::read_to_string(&self.said)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "no guest: what a node has beside it")]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// Runs it to its end; fails as it does.
fn done(command: &mut Command) -> Result<(), Failed> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    let said = || format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    ensure(output.status.success(), said)
}

/// Waits until that holds.
fn until(what: &str, mut holds: impl FnMut() -> Result<bool, Failed>) -> Result<(), Failed> {
    let deadline = Instant::now() + PATIENCE;
    while !holds()? {
        ensure(Instant::now() < deadline, || format!("not within {PATIENCE:?}: {what}"))?;
        thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}
