//! A true node: containerd, kubelet and kube-proxy as they are, in namespaces of their own.
//!
//! All of it is below one process in a process id namespace: when that is killed, the kernel kills
//! every container with it, and mounts, interfaces and firewall rules go with their namespaces. What
//! is left, control groups and a folder, is removed by the folder's janitor.

mod boot;
pub mod image;
pub mod release;
mod settings;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client};

use crate::cluster::Cluster;
use crate::folder::Folder;
use crate::kubeconfig::{self, Credentials};
use crate::process::{Nursery, Plan, Process};
use crate::{kubectl, node};
use boot::Link;
use image::Image;

/// What the node is called.
pub const NAME: &str = "node-1";

/// From kubelet's start to a node that is ready: measured 3 s on two idle cores, 20 s on a disk that
/// two others fill.
const READY: Duration = Duration::from_secs(240);

/// What is not here that a node is made of, and how it is installed.
#[must_use]
pub fn lack() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("a true node needs root".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).collect();
    // Program, Debian's package.
    let needed = [
        ("containerd", "containerd"),
        ("runc", "runc"),
        ("/usr/lib/cni/bridge", "containernetworking-plugins"),
        ("iptables", "iptables"),
        ("conntrack", "conntrack"),
        ("ip", "iproute2"),
        ("nsenter", "util-linux"),
        ("mmdebstrap", "mmdebstrap"),
        ("dockerd", "docker.io"),
        ("gcc", "gcc"),
    ];
    let missing = needed
        .iter()
        .filter(|(program, _)| !folders.iter().any(|folder| folder.join(program).exists()));
    let packages: Vec<&str> = missing.map(|&(_, package)| package).collect();
    (!packages.is_empty())
        .then(|| format!("a true node needs: apt-get install {}", packages.join(" ")))
}

/// The node. Dropped, or when this process is killed, nothing of it is left.
#[derive(Debug)]
pub struct Machine {
    // Fields are dropped in this order: what writes into the folder goes before the folder.
    services: Vec<Process>,
    /// Pid 1 of the node, below util-linux's `unshare`.
    init: Process,
    nursery: Nursery,
    link: Link,
    programs: PathBuf,
    folder: Folder,
}

impl Machine {
    /// Makes its namespaces and the link to it. From then on its host's address can be listened at.
    pub async fn boot(programs: &Path) -> Result<Self> {
        let name = boot::name();
        let folder = Folder::make_with_groups(&boot::make_groups(&name)?)?;
        let nursery = Nursery::open()?;
        let init = boot::init(&nursery, folder.path(), &programs.join("pause"))?;
        let link = Link { name, addresses: boot::free_addresses()? };
        let programs = programs.to_owned();
        let mut machine = Self { services: Vec::new(), init, nursery, link, programs, folder };
        machine.await_birth().await?;
        boot::connect(&machine)?;
        Ok(machine)
    }

    /// The address of the link's end outside: what the node reaches the API server by.
    #[must_use]
    pub fn host(&self) -> Ipv4Addr {
        self.link.addresses.0
    }

    /// The node's own address, which is reached from outside, too.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.link.addresses.1
    }

    /// Where everything of it lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The control group, below that of each controller, in which all its pods are.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.link.name
    }

    /// Starts the services, imports the images and waits until the node is ready and has names.
    pub async fn join(&mut self, cluster: &Cluster, images: &[Image]) -> Result<()> {
        let (folder, address) = (self.folder().to_owned(), self.address());
        cluster.pki().server("kubelet", &[address.into()], &[NAME])?;
        let user = format!("system:node:{NAME}");
        for (name, user, group) in
            [("node", user.as_str(), Some("system:nodes")), ("proxy", "system:kube-proxy", None)]
        {
            cluster.pki().client(name, user, group)?;
            let file = |end: &str| cluster.pki().path(&format!("{name}.{end}"));
            let user = Credentials::Certificate(file("crt"), file("key"));
            let path = folder.join(format!("{name}.kubeconfig"));
            let authority = cluster.pki().path("ca.crt");
            kubeconfig::write(&path, &cluster.url(), &authority, &user, "default")?;
        }
        settings::write(&folder, &self.link, cluster.pki())?;
        self.start_service("containerd", "containerd", &["--config", "containerd.toml"])?;
        self.await_containerd().await?;
        image::import(self, images)?;
        let kubelet = self.program("kubelet");
        self.start_service("kubelet", &kubelet, &settings::kubelet_arguments(address))?;
        let proxy = self.program("kube-proxy");
        self.start_service("kube-proxy", &proxy, &["--config=proxy.json"])?;
        let client = cluster.client().await?;
        self.await_node(&client).await?;
        kubectl::run(cluster, &["apply", "-f", "e2e/node/dns.yaml"])?;
        self.rolled_out(cluster, "kube-system", "coredns")
    }

    /// Waits until a Deployment's pods are ready. An error tells what a reader needs of the node.
    pub fn rolled_out(&self, cluster: &Cluster, namespace: &str, name: &str) -> Result<()> {
        let deployment = format!("deploy/{name}");
        let ready = ["-n", namespace, "rollout", "status", &deployment, "--timeout=240s"];
        let outcome = kubectl::run(cluster, &ready).map(drop);
        outcome.map_err(|error| {
            let seen = ["nodes", "pods", "events"].map(|what| {
                let all = ["get", what, "-A", "-o", "wide", "--request-timeout=5s"];
                kubectl::run(cluster, &all).unwrap_or_else(|error| format!("{error:#}"))
            });
            error.context(format!("{}\n{}", seen.join("\n"), self.last_words(30)))
        })
    }

    /// That program, to be started in the node's namespaces, with that log. Its folder is the
    /// node's.
    #[must_use]
    pub fn inside(&self, program: &str, log: &str) -> Plan {
        let init = self.init.id();
        Plan::new("nsenter", self.folder().join(log))
            .arg(format!("--net=/proc/{init}/ns/net"))
            .arg(format!("--mount=/proc/{init}/ns/mnt"))
            .arg(format!("--pid=/proc/{init}/ns/pid_for_children"))
            .arg(format!("--wdns={}", self.folder().display()))
            .args(["--", program])
    }

    /// Starts something in the node's namespaces.
    pub fn spawn(&self, plan: &Plan) -> Result<Process> {
        self.nursery.spawn(plan)
    }

    /// Runs something in the node's namespaces to its end, and hands out what it prints.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        boot::output(&self.inside(program, "run.log").args(arguments.iter().copied()))
    }

    /// What a reader of a failure wants to see of the services.
    #[must_use]
    pub fn last_words(&self, lines: usize) -> String {
        let words = self.services.iter().map(|service| {
            let log = service.plan().log.file_name().unwrap_or_default().to_string_lossy();
            format!("--- {log}\n{}\n", service.last_words(lines))
        });
        words.collect()
    }

    fn program(&self, name: &str) -> String {
        self.programs.join(name).to_string_lossy().into_owned()
    }

    fn start_service<A: AsRef<str>>(
        &mut self,
        name: &str,
        program: &str,
        rest: &[A],
    ) -> Result<()> {
        let arguments = rest.iter().map(AsRef::as_ref);
        let plan = self.inside(program, &format!("{name}.log")).args(arguments);
        let service = self.nursery.spawn(&plan)?;
        self.services.push(service);
        Ok(())
    }

    async fn await_birth(&mut self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.folder().join("born").exists() {
            self.init.expect_alive()?;
            if Instant::now() > end {
                bail!("the node's namespaces are not made:\n{}", self.init.last_words(10));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    async fn await_containerd(&mut self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            self.expect_services()?;
            match image::ctr(self, &["version"]) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > end => {
                    return Err(error.context(self.last_words(20)));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn await_node(&mut self, client: &Client) -> Result<()> {
        let end = Instant::now() + READY;
        let nodes = Api::<Node>::all(client.clone());
        loop {
            self.expect_services()?;
            match nodes.get_opt(NAME).await.context("the API server does not answer")? {
                Some(seen) if node::is_ready(&seen) => return Ok(()),
                _ if Instant::now() > end => {
                    bail!("the node is not ready within {READY:?}:\n{}", self.last_words(20));
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn expect_services(&mut self) -> Result<()> {
        self.services.iter_mut().try_for_each(Process::expect_alive)
    }
}
