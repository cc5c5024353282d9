//! Images without a registry and without an engine: layers and two documents about them, in a tar
//! that containerd imports (the format of `docker save`).

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::Machine;
use super::boot::output;
use super::settings::SOCKET;

/// The image of the pod's own process.
pub(super) const PAUSE: &str = "docker.io/local/pause:1";

/// A tar of files, and its digest.
#[derive(Clone, Debug)]
pub struct Layer {
    path: PathBuf,
    digest: String,
}

impl Layer {
    /// One that is there already, with its digest beside it, as `scripts/node-root` leaves it.
    pub fn known(path: &Path) -> Result<Self> {
        let digest = path.with_extension("sha256");
        let digest = std::fs::read_to_string(&digest)
            .with_context(|| format!("{} cannot be read", digest.display()))?;
        Ok(Self { path: path.to_owned(), digest: digest.trim().to_owned() })
    }

    /// As an image's document names it.
    fn id(&self) -> String {
        format!("sha256:{}", self.digest)
    }

    /// Its file among the others.
    fn member(&self) -> String {
        format!("{}.tar", self.digest)
    }

    /// Makes one of programs at `/usr/local/bin`.
    pub fn of_programs(path: &Path, programs: &[&Path]) -> Result<Self> {
        Self::of_programs_in("usr/local/bin", path, programs)
    }

    /// Makes one of programs in that folder.
    pub fn of_programs_in(folder: &str, path: &Path, programs: &[&Path]) -> Result<Self> {
        let mut tar = Command::new("tar");
        tar.args(["--create", "--owner=0", "--group=0", "--mode=755", "--mtime=@0", "--file"]);
        // Absolute names, of which the last part goes to where PATH has it.
        tar.arg(path).args(["--absolute-names", "--transform", &format!("s,.*/,{folder}/,")]);
        finish(tar.args(programs), "tar")?;
        let sum = finish(Command::new("sha256sum").arg(path), "sha256sum")?;
        let digest = sum.split(' ').next().unwrap_or_default().to_owned();
        Ok(Self { path: path.to_owned(), digest })
    }
}

/// An image: its full name and its layers, the lowest first.
#[derive(Clone, Debug)]
pub struct Image {
    /// With registry, repository and tag.
    pub name: String,
    /// What it is made of.
    pub layers: Vec<Layer>,
    /// What is started where a pod names no command.
    pub command: Vec<String>,
}

/// Imports the images, and those that every node needs.
pub(super) fn import(machine: &Machine, images: &[Image]) -> Result<()> {
    let folder = machine.folder().join("images");
    std::fs::create_dir(&folder).context("no folder for images")?;
    let mut all = images.to_vec();
    for (name, program) in [(PAUSE, "pause"), ("docker.io/local/coredns:1", "coredns")] {
        let tar = folder.join(format!("{program}.tar"));
        let layers = vec![Layer::of_programs(&tar, &[&machine.programs.join(program)])?];
        let command = vec![format!("/usr/local/bin/{program}")];
        all.push(Image { name: name.to_owned(), layers, command });
    }
    let mut members = BTreeSet::from(["manifest.json".to_owned()]);
    let mut manifest = Vec::new();
    for (index, Image { name, layers, command }) in all.iter().enumerate() {
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": {"Entrypoint": command, "Env": [path]},
            "rootfs": {"type": "layers", "diff_ids": layers.iter().map(Layer::id).collect::<Vec<_>>()},
        });
        let file = format!("{index}.json");
        std::fs::write(folder.join(&file), config.to_string()).context("no document")?;
        let tars: Vec<String> = layers.iter().map(Layer::member).collect();
        manifest.push(json!({"Config": file, "RepoTags": [name], "Layers": tars}));
        members.insert(file);
        for layer in layers {
            // A layer that images share is there once.
            if members.insert(layer.member()) {
                symlink(&layer.path, folder.join(layer.member())).context("a layer's link")?;
            }
        }
    }
    std::fs::write(folder.join("manifest.json"), json!(manifest).to_string()).context("no list")?;
    let mut tar = Command::new("tar");
    tar.args(["--create", "--file=-", "--dereference", "-C"]).arg(&folder).args(members);
    let mut tar = tar.stdout(Stdio::piped()).spawn().context("tar cannot be started")?;
    let plan = client(machine, &["images", "import", "-"]);
    let mut import = Command::new(&plan.program);
    import.args(&plan.arguments).stdin(tar.stdout.take().context("tar has no output")?);
    let imported = finish(&mut import, "ctr");
    ensure!(tar.wait().context("tar is lost")?.success(), "tar failed");
    imported.map(drop)
}

/// Asks containerd, in the namespace that kubelet uses.
pub(super) fn ctr(machine: &Machine, arguments: &[&str]) -> Result<String> {
    output(&client(machine, arguments))
}

fn client(machine: &Machine, arguments: &[&str]) -> crate::process::Plan {
    let socket = machine.folder().join(SOCKET);
    machine
        .inside("ctr", "ctr.log")
        .arg(format!("--address={}", socket.display()))
        .args(["--namespace=k8s.io"])
        .args(arguments.iter().copied())
}

fn finish(command: &mut Command, name: &str) -> Result<String> {
    let output = command.output().with_context(|| format!("{name} cannot be started"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {complaint}");
    String::from_utf8(output.stdout).context("the answer is not text")
}
