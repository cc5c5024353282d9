//! A folder that is gone when its owner is, even when that is killed.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result};

/// The folder. What is in it is removed by another process, which waits for the end of this one.
#[derive(Debug)]
pub struct Folder {
    path: tempfile::TempDir,
    janitor: Child,
    /// Closed when this process ends, however it does.
    tie: Option<ChildStdin>,
}

impl Folder {
    /// Makes it below the folder for temporary files.
    pub fn make() -> Result<Self> {
        Self::make_with_groups(&[])
    }

    /// The same for whoever also leaves control groups: those and all below go, too.
    pub fn make_with_groups(groups: &[PathBuf]) -> Result<Self> {
        let path = tempfile::Builder::new()
            .prefix("evalx-e2e-")
            .tempdir()
            .context("no folder can be made")?;
        // What still writes below it is being killed at the same moment: hence more than one try.
        // The janitor must outlive a Ctrl-C at the terminal, which goes to the whole group.
        let script = "trap '' INT HUP TERM; cat >/dev/null; try=0; \
            while [ $try -lt 50 ]; do left=; rm -rf \"$0\" 2>/dev/null; [ ! -e \"$0\" ] || left=1; \
            for group; do find \"$group\" -depth -type d -exec rmdir {} ';' 2>/dev/null; \
            [ ! -e \"$group\" ] || left=1; done; \
            [ \"$left\" ] || exit 0; try=$((try + 1)); sleep 0.2; done";
        let mut janitor = Command::new("sh")
            .args(["-c", script])
            .arg(path.path())
            .args(groups)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("sh cannot be started")?;
        let tie = janitor.stdin.take();
        Ok(Self { path, janitor, tie })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.path.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.tie.take());
        drop(self.janitor.wait());
    }
}
