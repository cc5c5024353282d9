//! A control plane of its own: own address, own folder, own certificates; gone when it is dropped
//! or when this process is killed.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hyper::Method;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::audit::{self, Audit, Entry, Mark};
use crate::folder::Folder;
use crate::http;
use crate::kubeconfig::{self, Credentials};
use crate::machine::Machine;
use crate::machine::image::Image;
use crate::pki::Pki;
use crate::process::{Nursery, Plan, Process};

/// From nothing to a server that answers: measured 3 to 4 s on two idle cores.
const READY: Duration = Duration::from_secs(60);
const API: u16 = 6443;
const ETCD: u16 = 2379;
/// What the operators of a cluster listen on, one after the other.
const FIRST_FREE: u16 = 20_000;

/// The programs that make it up, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The store.
    Etcd,
    /// The API server.
    ApiServer,
    /// `DaemonSets`, garbage collection, tokens, node life.
    ControllerManager,
    /// Binds pods.
    Scheduler,
    /// Plays the nodes.
    Kwok,
}

/// Who its nodes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nodes {
    /// Nobody: kwok plays them.
    Simulated,
    /// The same, and so many that their heartbeats would be all that this machine does.
    Crowd,
    /// A [`Machine`], which the API server is reached from and reaches.
    True,
}

impl Nodes {
    /// Seconds after which a node that was not heard is one no more.
    fn patience(self) -> u32 {
        match self {
            Self::Simulated | Self::True => 40,
            Self::Crowd => 600,
        }
    }
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    // Fields are dropped in this order: what writes into the folder goes before the folder.
    machine: Option<Machine>,
    parts: Mutex<BTreeMap<Part, Process>>,
    /// From a death of the API server to its readiness.
    outages: Mutex<Vec<(Mark, Mark)>>,
    nursery: Nursery,
    pki: Pki,
    nodes: Nodes,
    address: IpAddr,
    programs: PathBuf,
    ports: AtomicU16,
    folder: Folder,
}

impl Cluster {
    /// Starts one from the programs in that folder, and waits until it answers.
    pub async fn start(programs: &Path) -> Result<Self> {
        Self::start_for(Nodes::Simulated, programs, own_address()?).await
    }

    /// The same, for thousands of nodes: one that is not heard is given up after ten minutes.
    pub async fn start_crowded(programs: &Path) -> Result<Self> {
        Self::start_for(Nodes::Crowd, programs, own_address()?).await
    }

    /// The same with one true node, which has the images that are made in its folder.
    pub async fn start_with_machine(
        programs: &Path,
        images: impl FnOnce(&Path) -> Result<Vec<Image>>,
    ) -> Result<Self> {
        let mut machine = Machine::boot(&crate::programs::node()?).await?;
        let images = images(machine.folder())?;
        let address = machine.host().into();
        let mut cluster = Self::start_for(Nodes::True, programs, address).await?;
        machine.join(&cluster, &images).await?;
        cluster.machine = Some(machine);
        Ok(cluster)
    }

    /// Its true node, if it has one.
    #[must_use]
    pub fn machine(&self) -> Option<&Machine> {
        self.machine.as_ref()
    }

    async fn start_for(nodes: Nodes, programs: &Path, address: IpAddr) -> Result<Self> {
        let folder = Folder::make()?;
        let pki = Pki::make(&folder.path().join("pki"))?;
        let cluster = Self {
            machine: None,
            parts: Mutex::default(),
            outages: Mutex::default(),
            nursery: Nursery::open()?,
            pki,
            nodes,
            address,
            programs: programs.to_owned(),
            ports: AtomicU16::new(FIRST_FREE),
            folder,
        };
        cluster.prepare()?;
        cluster.launch(Part::Etcd)?;
        cluster.launch(Part::ApiServer)?;
        cluster.ready().await?;
        // These retry for as long as the server is away, but say so in a log that is hard to read.
        for part in [Part::ControllerManager, Part::Scheduler] {
            cluster.launch(part)?;
        }
        if nodes != Nodes::True {
            cluster.launch(Part::Kwok)?;
        }
        Ok(cluster)
    }

    /// Where everything of it lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder with the programs.
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Its certificates.
    #[must_use]
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// Where its API server answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}:{API}", self.address)
    }

    /// The thread that starts its processes.
    #[must_use]
    pub fn nursery(&self) -> &Nursery {
        &self.nursery
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder().join("admin.kubeconfig")
    }

    /// The administrator's client.
    pub async fn client(&self) -> Result<Client> {
        client(&self.kubeconfig()).await
    }

    /// What was asked of it.
    #[must_use]
    pub fn audit(&self) -> Audit {
        Audit::new(&self.folder().join("audit.log"))
    }

    /// An address that nobody else has.
    #[must_use]
    pub fn free_address(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.ports.fetch_add(1, Ordering::Relaxed))
    }

    /// Writes a kubeconfig for a token.
    pub fn token_kubeconfig(&self, path: &Path, token: &str, namespace: &str) -> Result<()> {
        let user = Credentials::Token(token.to_owned());
        kubeconfig::write(path, &self.url(), &self.pki.path("ca.crt"), &user, namespace)
    }

    /// The process ids of what makes it up.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        self.parts().values().map(Process::id).collect()
    }

    /// Does something with the process of a part.
    pub fn with<T>(&self, part: Part, act: impl FnOnce(&mut Process) -> Result<T>) -> Result<T> {
        act(self.parts().get_mut(&part).context("the part does not run")?)
    }

    /// Kills a part, as SIGKILL does.
    pub fn kill(&self, part: Part) {
        drop(self.parts().remove(&part));
    }

    /// Starts a part.
    pub fn launch(&self, part: Part) -> Result<()> {
        let process = self.nursery.spawn(&self.plan(part))?;
        self.parts().insert(part, process);
        Ok(())
    }

    /// Kills the API server and starts it again.
    pub async fn restart_api_server(&self) -> Result<()> {
        let began = self.audit().mark()?;
        self.kill(Part::ApiServer);
        self.launch(Part::ApiServer)?;
        self.ready().await?;
        let outage = (began, self.audit().mark()?);
        self.outages.lock().unwrap_or_else(PoisonError::into_inner).push(outage);
        Ok(())
    }

    /// What `user` had no right to. An API server that has just started refuses everything until it
    /// has read the rights: that does not count.
    pub fn refused(&self, user: &str) -> Result<Vec<Entry>> {
        let audit = self.audit();
        let outages = self.outages.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut refused = Vec::new();
        let mut from = Audit::start();
        for (began, ended) in outages {
            refused.extend(audit.between(from, began)?);
            from = ended;
        }
        refused.extend(audit.since(from)?);
        refused.retain(|entry| entry.forbidden && entry.user == user);
        Ok(refused)
    }

    /// Waits until the API server is ready.
    pub async fn ready(&self) -> Result<()> {
        let end = Instant::now() + READY;
        loop {
            for process in self.parts().values_mut() {
                process.expect_alive()?;
            }
            let Err(error) = self.ask_ready().await else { return Ok(()) };
            if Instant::now() > end {
                let words = self.with(Part::ApiServer, |server| Ok(server.last_words(20)))?;
                bail!("the API server is not ready within {READY:?}, {error:#}:\n{words}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Throws away all that etcd remembers of the past. A watch that asks for it is told 410.
    pub async fn compact(&self) -> Result<()> {
        let etcd = SocketAddr::new(self.address, ETCD);
        let ask = async |path: &str, body: String| -> Result<serde_json::Value> {
            let (status, answer) = http::request(Method::POST, etcd, path, body).await?;
            anyhow::ensure!(status == 200, "etcd answers {status}: {answer}");
            serde_json::from_str(&answer).context("etcd's answer is not JSON")
        };
        let status = ask("/v3/maintenance/status", "{}".to_owned()).await?;
        let revision = status["header"]["revision"].as_str().context("etcd tells no revision")?;
        let body = serde_json::json!({"revision": revision, "physical": true});
        ask("/v3/kv/compaction", body.to_string()).await?;
        Ok(())
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<Part, Process>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client for each question: one keeps trying at a server that has gone.
    async fn ask_ready(&self) -> Result<()> {
        let client = self.client().await?;
        let request = hyper::Request::get("/readyz").body(Vec::new()).context("the request")?;
        let answer = client.request_text(request);
        let answer = tokio::time::timeout(Duration::from_secs(2), answer).await;
        answer.context("no answer")?.context("not ready")?;
        Ok(())
    }

    /// What must be there before anything is started.
    fn prepare(&self) -> Result<()> {
        let service: IpAddr = Ipv4Addr::new(10, 96, 0, 1).into();
        let hosts = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"];
        self.pki.server("apiserver", &[self.address, service], &hosts)?;
        let manager = "system:kube-controller-manager";
        let clients = [
            ("admin", "admin", Some("system:masters")),
            ("kcm", manager, None),
            ("scheduler", "system:kube-scheduler", None),
        ];
        for (name, user, group) in clients {
            self.pki.client(name, user, group)?;
            let path = self.folder().join(format!("{name}.kubeconfig"));
            let file = |end: &str| self.pki.path(&format!("{name}.{end}"));
            let user = Credentials::Certificate(file("crt"), file("key"));
            kubeconfig::write(&path, &self.url(), &self.pki.path("ca.crt"), &user, "default")?;
        }
        std::fs::write(self.folder().join("audit.json"), audit::POLICY)
            .context("the audit policy cannot be written")
    }

    fn plan(&self, part: Part) -> Plan {
        match part {
            Part::Etcd => self.etcd(),
            Part::ApiServer => self.api_server(),
            Part::ControllerManager => self.controller_manager(),
            Part::Scheduler => self
                .program("kube-scheduler")
                .arg(format!("--kubeconfig={}", self.file("scheduler.kubeconfig")))
                .arg("--leader-elect=false")
                .arg(format!("--bind-address={}", self.address)),
            Part::Kwok => self
                .program("kwok")
                .arg(format!("--kubeconfig={}", self.file("admin.kubeconfig")))
                .arg(format!("--config={}", self.programs.join("kwok-stages.yaml").display()))
                .arg("--manage-all-nodes=true")
                .arg(format!("--node-lease-duration-seconds={}", self.nodes.patience()))
                .args(["--cidr=10.0.0.1/16", "--node-ip=10.0.0.1"]),
        }
    }

    fn etcd(&self) -> Plan {
        let (client, peer) =
            (format!("http://{}:{ETCD}", self.address), format!("http://{}:2380", self.address));
        self.program("etcd")
            .arg(format!("--data-dir={}", self.file("etcd")))
            .arg(format!("--listen-client-urls={client}"))
            .arg(format!("--advertise-client-urls={client}"))
            .arg(format!("--listen-peer-urls={peer}"))
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster=default={peer}"))
            // Nothing of it is wanted after a crash of this machine.
            .arg("--unsafe-no-fsync")
            // 2 GiB are the default, and 5,000 nodes come close.
            .arg("--quota-backend-bytes=8589934592")
            .arg("--log-level=warn")
    }

    fn api_server(&self) -> Plan {
        let pki = |file: &str| self.pki.path(file);
        self.program("kube-apiserver")
            .arg(format!("--etcd-servers=http://{}:{ETCD}", self.address))
            .arg(format!("--bind-address={}", self.address))
            .arg(format!("--advertise-address={}", self.address))
            .arg(format!("--secure-port={API}"))
            .arg(format!("--tls-cert-file={}", pki("apiserver.crt")))
            .arg(format!("--tls-private-key-file={}", pki("apiserver.key")))
            .arg(format!("--client-ca-file={}", pki("ca.crt")))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(format!("--service-account-key-file={}", pki("sa.pub")))
            .arg(format!("--service-account-signing-key-file={}", pki("sa.key")))
            .arg("--service-cluster-ip-range=10.96.0.0/16")
            .arg("--authorization-mode=Node,RBAC")
            // Else no pod may be privileged, and workers are.
            .arg("--allow-privileged=true")
            .args(self.node_arguments())
            .arg(format!("--audit-policy-file={}", self.file("audit.json")))
            .arg(format!("--audit-log-path={}", self.file("audit.log")))
            .arg("--audit-log-mode=blocking")
            // Megabytes before a new file is begun; it is read as one.
            .arg("--audit-log-maxsize=100000")
    }

    /// What the API server has to know of its nodes.
    fn node_arguments(&self) -> Vec<String> {
        match self.nodes {
            // Nobody reaches the server through its Service, and it reaches nobody.
            Nodes::Simulated | Nodes::Crowd => vec!["--endpoint-reconciler-type=none".to_owned()],
            Nodes::True => vec![
                "--endpoint-reconciler-type=lease".to_owned(),
                format!("--kubelet-client-certificate={}", self.pki.path("admin.crt")),
                format!("--kubelet-client-key={}", self.pki.path("admin.key")),
                // Else it looks the node's name up.
                "--kubelet-preferred-address-types=InternalIP".to_owned(),
            ],
        }
    }

    fn controller_manager(&self) -> Plan {
        self.program("kube-controller-manager")
            .arg(format!("--kubeconfig={}", self.file("kcm.kubeconfig")))
            .arg(format!("--service-account-private-key-file={}", self.pki.path("sa.key")))
            .arg(format!("--root-ca-file={}", self.pki.path("ca.crt")))
            .arg("--leader-elect=false")
            // Without it the DaemonSet controller may not create ControllerRevisions.
            .arg("--use-service-account-credentials=true")
            // For thousands of nodes.
            .args(["--kube-api-qps=200", "--kube-api-burst=400"])
            .arg(format!("--node-monitor-grace-period={}s", self.nodes.patience() + 10))
            .arg(format!("--bind-address={}", self.address))
    }

    fn program(&self, name: &str) -> Plan {
        Plan::new(self.programs.join(name), self.folder().join(format!("{name}.log")))
    }

    fn file(&self, name: &str) -> String {
        self.folder().join(name).to_string_lossy().into_owned()
    }
}

/// A client for a kubeconfig.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    let config = Kubeconfig::read_from(kubeconfig).context("the kubeconfig cannot be read")?;
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(config, &options)
        .await
        .context("the kubeconfig cannot be used")?;
    Client::try_from(config).context("no client can be made")
}

/// An address below 127/8 of this cluster alone: then the usual ports are free, whoever else runs.
fn own_address() -> Result<IpAddr> {
    for _ in 0..100 {
        let [a, b, c, ..] = RandomState::new().hash_one(std::process::id()).to_le_bytes();
        // The last number: neither the network nor its broadcast.
        let address = IpAddr::from([127, a, b, c.clamp(1, 254)]);
        // 127.0/16 is where programs of the machine listen.
        let free = |port| TcpListener::bind((address, port)).is_ok();
        if a != 0 && [API, ETCD].into_iter().all(free) {
            return Ok(address);
        }
    }
    bail!("no loopback address is free")
}
