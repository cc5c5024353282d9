//! Where the programs are: those of the control plane, built by `scripts/controlplane`, and the
//! operator, built by cargo.

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

/// What `scripts/controlplane` ends with when there is no Go.
const NO_GO: i32 = 3;

impl ControlPlane {
    /// Looks for it, and builds it where it is missing: minutes, with progress on stderr.
    pub fn find() -> Result<Self> {
        let script = checkout().join("scripts/controlplane");
        let output = Command::new(&script)
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("{} cannot be started", script.display()))?;
        if output.status.code() == Some(NO_GO) {
            return Ok(Self::NoGo);
        }
        ensure!(output.status.success(), "the control plane cannot be built: {}", output.status);
        let path = String::from_utf8(output.stdout).context("the folder's name is not text")?;
        Ok(Self::Built(PathBuf::from(path.trim_end())))
    }
}

/// How the operator is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As tests are.
    Debug,
    /// As it is shipped.
    Release,
}

/// Builds the operator and says where it is. `EVALX_OPERATOR` names one that is built already.
pub fn operator(profile: Profile) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("EVALX_OPERATOR").map(PathBuf::from) {
        return path.canonicalize().with_context(|| format!("EVALX_OPERATOR: {}", path.display()));
    }
    let mut build = Command::new(env!("CARGO"));
    build
        .current_dir(checkout())
        .args(["build", "--locked", "--quiet", "--package", "operator", "--bin", "evalx-operator"])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit());
    if profile == Profile::Release {
        build.arg("--release");
    }
    let output = build.output().context("cargo cannot be started")?;
    ensure!(output.status.success(), "the operator cannot be built");
    // One JSON document a line; the program's is the only one with a file to execute.
    for line in output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let message: serde_json::Value =
            serde_json::from_slice(line).context("cargo's messages are not JSON")?;
        if let Some(path) = message["executable"].as_str() {
            return Ok(PathBuf::from(path));
        }
    }
    bail!("cargo names no program evalx-operator")
}
