//! Where the programs are: those of the control plane and of a node, built by scripts, and our own,
//! built by cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The root of the checkout.
#[must_use]
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("e2e is a folder of the checkout")
}

/// The folder with the programs of a control plane, or why there is none.
#[derive(Debug)]
pub enum ControlPlane {
    /// It is built.
    Built(PathBuf),
    /// Nothing here can build it.
    NoGo,
}

/// What `scripts/controlplane` and `scripts/node` end with when there is no Go.
const NO_GO: i32 = 3;

impl ControlPlane {
    /// Looks for it, and builds it where it is missing: minutes, with progress on stderr.
    pub fn find() -> Result<Self> {
        Ok(script("controlplane")?.map_or(Self::NoGo, Self::Built))
    }
}

/// The folder with the programs of a true node, built where it is missing.
pub fn node() -> Result<PathBuf> {
    script("node")?.context("a node is built by Go, which is not here: apt-get install golang-go")
}

/// The folder with the layer of Debian and Redis, made where it is missing.
pub fn node_root() -> Result<PathBuf> {
    script("node-root")?.context("scripts/node-root has made nothing")
}

/// The folder with the layer of the worker's image less evalX, built where it is missing.
pub fn worker_root() -> Result<PathBuf> {
    script("worker-root")?.context("scripts/worker-root has built nothing")
}

/// What that script has made: it prints the folder. `None`: there is no Go.
fn script(name: &str) -> Result<Option<PathBuf>> {
    let output = Command::new(checkout().join("scripts").join(name))
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("scripts/{name} cannot be started"))?;
    if output.status.code() == Some(NO_GO) {
        return Ok(None);
    }
    ensure!(output.status.success(), "scripts/{name} failed: {}", output.status);
    let path = String::from_utf8(output.stdout).context("the folder's name is not text")?;
    Ok(Some(PathBuf::from(path.trim_end())))
}

/// How our own programs are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As tests are.
    Debug,
    /// As it is shipped.
    Release,
}

/// Builds the operator and says where it is. `EVALX_OPERATOR` names one that is built already.
pub fn operator(profile: Profile) -> Result<PathBuf> {
    built("EVALX_OPERATOR", "operator", "evalx-operator", profile)
}

/// Builds evalx and says where it is. `EVALX_PROGRAM` names one that is built already.
pub fn evalx(profile: Profile) -> Result<PathBuf> {
    built("EVALX_PROGRAM", "evalx", "evalx", profile)
}

fn built(variable: &str, package: &str, program: &str, profile: Profile) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable).map(PathBuf::from) {
        return path.canonicalize().with_context(|| format!("{variable}: {}", path.display()));
    }
    let mut build = Command::new(env!("CARGO"));
    build
        .current_dir(checkout())
        .args(["build", "--locked", "--quiet", "--package", package, "--bin", program])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit());
    if profile == Profile::Release {
        build.arg("--release");
    }
    let output = build.output().context("cargo cannot be started")?;
    ensure!(output.status.success(), "{program} cannot be built");
    // One JSON document a line; the program's is the only one with a file to execute.
    for line in output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let message: serde_json::Value =
            serde_json::from_slice(line).context("cargo's messages are not JSON")?;
        if let Some(path) = message["executable"].as_str() {
            return Ok(PathBuf::from(path));
        }
    }
    bail!("cargo names no program {program}")
}
