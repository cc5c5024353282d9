//! A pod as a node makes one: a group below the machine's root, and what its first process sees of
//! the hierarchy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

/// Where the guest has its only hierarchy.
pub(crate) const ROOT: &str = "/sys/fs/cgroup";

/// What the processes of a pod see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// The group is the root of their namespace (an engine's default for plain containers).
    Private,
    /// All of the machine's groups (containerd and CRI-O for privileged pods).
    Whole,
    /// The same, mounted read-only.
    ReadOnly,
}

impl View {
    /// Turns the shell that runs it into "$@" with that view.
    fn script(self) -> &'static str {
        match self {
            Self::Whole => "exec \"$@\"",
            Self::Private => {
                "exec unshare --cgroup --mount sh -c \
                 'umount /sys/fs/cgroup && mount -t cgroup2 cgroup /sys/fs/cgroup && exec \"$@\"' \
                 - \"$@\""
            }
            Self::ReadOnly => {
                "exec unshare --mount sh -c \
                 'mount -o remount,bind,ro /sys/fs/cgroup && exec \"$@\"' - \"$@\""
            }
        }
    }
}

/// Removed on drop.
#[derive(Debug)]
pub(crate) struct Pod {
    path: PathBuf,
    view: View,
}

impl Pod {
    pub(crate) fn new(name: &str, view: View) -> Result<Self, Failed> {
        let parent = Path::new(ROOT).join("kubepods");
        fs::create_dir_all(&parent)?;
        fs::write(parent.join("cgroup.subtree_control"), "+memory +pids +cpu +cpuset")?;
        let path = parent.join(name);
        fs::create_dir(&path)?;
        Ok(Self { path, view })
    }

    /// The group of a container in it, which whoever starts the container makes.
    pub(crate) fn container(&self, name: &str) -> Self {
        Self { path: self.path.join(name), view: self.view }
    }

    /// As the hierarchy names the group.
    pub(crate) fn name(&self) -> String {
        let below = self.path.strip_prefix(ROOT).unwrap_or(&self.path);
        format!("/{}", below.display())
    }

    pub(crate) fn view(&self) -> View {
        self.view
    }

    /// The value of a file of the pod's group.
    pub(crate) fn read(&self, file: &str) -> Result<String, Failed> {
        let path = self.path.join(file);
        Ok(fs::read_to_string(&path).map_err(|e| format!("{path:?}: {e}"))?.trim().to_owned())
    }

    pub(crate) fn write(&self, file: &str, value: &str) -> Result<(), Failed> {
        Ok(fs::write(self.path.join(file), value).map_err(|e| format!("{file}: {e}"))?)
    }

    /// The number behind `key` in a file of the pod's group.
    pub(crate) fn field(&self, file: &str, key: &str) -> Result<u64, Failed> {
        let text = self.read(file)?;
        let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' '));
        Ok(line.ok_or_else(|| format!("{file} has no {key}"))?.parse()?)
    }

    /// The groups directly below the pod's, sorted.
    pub(crate) fn children(&self) -> Result<Vec<String>, Failed> {
        let entries = fs::read_dir(&self.path)?.flatten();
        let folders = entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
        let mut names: Vec<_> =
            folders.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// A program to be started in the pod, or in the group `within` of it.
    pub(crate) fn command(&self, within: &str, program: &Path) -> Command {
        let enter = "echo $$ >\"$1/cgroup.procs\" || exit 125; shift; ";
        #[expect(clippy::disallowed_methods, reason = "what a container engine does on the guest")]
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{enter}{}", self.view.script()), "-"])
            .arg(self.path.join(within))
            .arg(program);
        command
    }

    /// Fails unless the pod is as it was made: no groups in it and no controllers on.
    pub(crate) fn is_as_made(&self) -> Result<(), Failed> {
        let (children, on) = (self.children()?, self.read("cgroup.subtree_control")?);
        if children.is_empty() && on.is_empty() {
            return Ok(());
        }
        Err(format!("left in the pod: {children:?}, controllers {on:?}").into())
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        let _killed = fs::write(self.path.join("cgroup.kill"), "1");
        for child in self.children().unwrap_or_default() {
            let child = self.path.join(child);
            for slot in fs::read_dir(&child).into_iter().flatten().flatten() {
                remove(&slot.path(), deadline);
            }
            remove(&child, deadline);
        }
        remove(&self.path, deadline);
    }
}

/// A process that was killed is in its group until it is reaped.
fn remove(dir: &Path, deadline: Instant) {
    while dir.is_dir() && fs::remove_dir(dir).is_err() && Instant::now() < deadline {
        thread::park_timeout(Duration::from_millis(5));
    }
}
