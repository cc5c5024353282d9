//! The operator under test: as its own ServiceAccount, with the rights that are shipped and no
//! other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;

use crate::cluster::Cluster;
use crate::process::{Plan, Process};
use crate::{http, kubectl, scene};

/// From its start to readiness, at most.
const READY: Duration = Duration::from_secs(60);
/// Where the operator lives.
pub const NAMESPACE: &str = "evalx-system";
/// Its ServiceAccount.
pub const ACCOUNT: &str = "evalx-operator";
/// That account, as the API server calls it.
pub const USER: &str = "system:serviceaccount:evalx-system:evalx-operator";
/// The namespace that `manifests/namespaced/rbac.yaml` gives it rights in.
pub const JUDGES: &str = "judges";
/// It manages every field that it sets under this name.
pub const MANAGER: &str = "evalx-operator";

/// Installs the resource and the rights of that file in `manifests/`.
pub async fn install(cluster: &Cluster, client: &Client, rights: &str) -> Result<()> {
    scene::create_namespace(client, NAMESPACE, "restricted").await?;
    // As the manifests say it: the definition is longer than what a client may keep of it.
    let apply = |file: &str| kubectl::run(cluster, &["apply", "--server-side", "-f", file]);
    apply("crds/judgeclusters.evalx.dev.yaml")?;
    kubectl::run(
        cluster,
        &["wait", "--for=condition=Established", "--timeout=60s", "crd/judgeclusters.evalx.dev"],
    )?;
    apply(&format!("manifests/{rights}"))?;
    Ok(())
}

/// Whether the operator may do that: `group/resource[/subresource]`, where the core group is empty;
/// without a namespace in all of them.
pub async fn may(client: &Client, verb: &str, what: &str, namespace: &str) -> Result<bool> {
    let mut parts = what.splitn(3, '/');
    let (group, resource) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let attributes = json!({
        "verb": verb, "group": group, "resource": resource,
        "subresource": parts.next().unwrap_or(""), "namespace": namespace,
    });
    let groups = ["system:serviceaccounts", "system:serviceaccounts:evalx-system"];
    let spec = json!({"user": USER, "groups": groups, "resourceAttributes": attributes});
    let review = serde_json::from_value(json!({"spec": spec})).context("the review")?;
    let reviews = Api::<SubjectAccessReview>::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await.context("no review")?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Who an operator runs as: a ServiceAccount, after which its lease is called, too.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Where it is, and the lease with it.
    pub namespace: &'a str,
    /// What it is called.
    pub name: &'a str,
}

/// The account of most operators.
const OWN: Account<'_> = Account { namespace: NAMESPACE, name: ACCOUNT };

/// A running operator.
#[derive(Debug)]
pub struct Operator {
    process: Process,
    metrics: SocketAddr,
}

impl Operator {
    /// Starts one that is called `name` in its logs, with these arguments beside those that it
    /// needs to run here.
    pub async fn start(
        cluster: &Cluster,
        program: &Path,
        name: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        Self::start_as(OWN, cluster, program, name, arguments).await
    }

    /// The same as another account.
    pub async fn start_as(
        account: Account<'_>,
        cluster: &Cluster,
        program: &Path,
        name: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let client = cluster.client().await?;
        let kubeconfig = kubeconfig(cluster, &client, account, name).await?;
        let metrics = cluster.free_address();
        let log = cluster.folder().join(format!("{name}.log"));
        let plan = Plan::new(program, log)
            .arg("run")
            .arg(format!("--metrics-addr={metrics}"))
            .arg(format!("--lease-namespace={}", account.namespace))
            .arg(format!("--lease-name={}", account.name))
            .args(arguments.iter().copied())
            .env("KUBECONFIG", kubeconfig.to_string_lossy())
            .arg(format!("--identity={name}"));
        Ok(Self { process: cluster.nursery().spawn(&plan)?, metrics })
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where its metrics and probes are.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.metrics
    }

    /// The last lines of its log.
    #[must_use]
    pub fn last_words(&self, lines: usize) -> String {
        self.process.last_words(lines)
    }

    /// Waits until it says that it is ready. A standby is, too.
    pub async fn ready(&mut self) -> Result<()> {
        let end = Instant::now() + READY;
        loop {
            self.process.expect_alive()?;
            match http::get(self.metrics, "/readyz").await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > end => {
                    let words = self.last_words(20);
                    return Err(error.context(format!("not ready within {READY:?}:\n{words}")));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// What it measures.
    pub async fn metrics(&self) -> Result<String> {
        http::get(self.metrics, "/metrics").await
    }

    /// Ends it as Kubernetes does, and waits for it.
    pub async fn stop(mut self) -> Result<std::process::ExitStatus> {
        self.process.signal(rustix::process::Signal::TERM)?;
        self.process.wait(Duration::from_secs(30)).await
    }
}

/// A kubeconfig with a token of the ServiceAccount.
async fn kubeconfig(
    cluster: &Cluster,
    client: &Client,
    account: Account<'_>,
    name: &str,
) -> Result<PathBuf> {
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), account.namespace);
    let request = TokenRequest {
        spec: TokenRequestSpec { expiration_seconds: Some(86_400), ..TokenRequestSpec::default() },
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(account.name, &PostParams::default(), &request)
        .await
        .context("the ServiceAccount gets no token")?;
    let token = answer.status.context("the answer has no token")?.token;
    let path = cluster.folder().join(format!("{name}.kubeconfig"));
    cluster.token_kubeconfig(&path, &token, account.namespace)?;
    Ok(path)
}
