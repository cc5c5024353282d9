//! Which hierarchies there are and where this process sits in them: reading only.

use std::fs;
use std::path::{Path, PathBuf};

use super::Error;

/// Where groups can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovery {
    /// The group of this process in the unified hierarchy, with memory and pids available.
    V2 {
        /// Its folder.
        base: PathBuf,
    },
    /// The groups of this process in the v1 hierarchies.
    V1 {
        /// In that of the memory controller.
        memory: PathBuf,
        /// In that of the pids controller.
        pids: PathBuf,
        /// In that of the cpuacct controller.
        cpuacct: PathBuf,
    },
}

/// Reads `mountinfo` and `cgroup` of `proc`, the folder of a process in procfs.
///
/// # Errors
/// When no hierarchy will do.
pub fn discover(proc: &Path) -> Result<Discovery, Error> {
    let read = |name| {
        let path = proc.join(name);
        fs::read_to_string(&path).map_err(|source| Error::Read { path, source })
    };
    let (mountinfo, cgroup) = (read("mountinfo")?, read("cgroup")?);
    let hierarchies = Hierarchies { mountinfo: &mountinfo, cgroup: &cgroup };
    if let Some(own) = hierarchies.folder(None)? {
        let base = v2_base(own);
        let offered = fs::read_to_string(base.join("cgroup.controllers")).unwrap_or_default();
        let offers = |c| offered.split_whitespace().any(|o| o == c);
        if offers("memory") && offers("pids") {
            // The real root is the only group without it.
            let below_root = base.join("cgroup.type").exists();
            return if below_root { Ok(Discovery::V2 { base }) } else { Err(Error::RealRoot) };
        }
    }
    let v1 = |controller| hierarchies.folder(Some(controller));
    match (v1("memory")?, v1("pids")?, v1("cpuacct")?) {
        (Some(memory), Some(pids), Some(cpuacct)) => Ok(Discovery::V1 { memory, pids, cpuacct }),
        _ => Err(Error::NoControllers),
    }
}

/// Steps up from the leaf that another evalX moved this process to. What that leaf itself offers
/// is no matter: nothing until the other has switched the controllers on, or again when it leaves.
fn v2_base(own: PathBuf) -> PathBuf {
    match own.parent() {
        Some(parent) if own.ends_with(super::v2::SUPERVISOR) => parent.to_owned(),
        _ => own,
    }
}

struct Hierarchies<'a> {
    mountinfo: &'a str,
    cgroup: &'a str,
}

impl Hierarchies<'_> {
    /// The folder of this process in the hierarchy of a v1 controller, or in the unified one.
    fn folder(&self, controller: Option<&str>) -> Result<Option<PathBuf>, Error> {
        let (Some((root, point)), Some(own)) = (self.mount(controller), self.own(controller))
        else {
            return Ok(None);
        };
        // In a container the mount shows a subtree: its root is a prefix of what the kernel names.
        // A private cgroup namespace names everything from its own root, and `/..` what is above.
        let below = match own.strip_prefix(root) {
            Some(rest) if root != "/" => rest,
            _ if own.starts_with("/..") => return Err(Error::Outside { path: own.to_owned() }),
            _ => own,
        };
        Ok(Some(Path::new(point).join(below.trim_start_matches('/'))))
    }

    /// Root and mount point (proc_pid_mountinfo(5): fields 4 and 5; after ` - ` type, source and
    /// super options).
    fn mount(&self, controller: Option<&str>) -> Option<(&str, &str)> {
        self.mountinfo.lines().find_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let mut right = right.split(' ');
            let (kind, _, options) = (right.next()?, right.next()?, right.next()?);
            let fits = match controller {
                None => kind == "cgroup2",
                Some(c) => kind == "cgroup" && options.split(',').any(|o| o == c),
            };
            let mut left = left.split(' ').skip(3);
            fits.then_some((left.next()?, left.next()?))
        })
    }

    /// Path of this process (cgroups(7): `id:controllers:path`, the unified one has id 0).
    fn own(&self, controller: Option<&str>) -> Option<&str> {
        self.cgroup.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let fits = match controller {
                None => id == "0",
                Some(c) => controllers.split(',').any(|o| o == c),
            };
            fits.then_some(path)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(mountinfo: &str, cgroup: &str, controller: Option<&str>) -> Option<String> {
        let found = Hierarchies { mountinfo, cgroup }.folder(controller).unwrap();
        found.map(|p| p.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_privileged_pod_sees_the_whole_tree_and_finds_its_own_group() {
        let mounts =
            "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup rw,nsdelegate";
        let own = "0::/kubepods.slice/pod1.slice/cri-containerd-a.scope\n";
        assert_eq!(
            folder(mounts, own, None).unwrap(),
            "/sys/fs/cgroup/kubepods.slice/pod1.slice/cri-containerd-a.scope"
        );
    }

    /// A group as the kernel shows it, with what it offers.
    fn group(path: &Path, offered: &str) {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("cgroup.controllers"), offered).unwrap();
        fs::write(path.join("cgroup.type"), "domain\n").unwrap();
    }

    #[test]
    fn a_leaf_that_offers_nothing_yet_is_no_reason_to_refuse_its_base() {
        let dir = tempfile::tempdir().unwrap();
        let point = dir.path().join("point");
        group(&point.join("pod"), "cpuset cpu io memory pids\n");
        group(&point.join("pod/evalx-sup"), "");
        let mounts = format!("30 24 0:26 / {} rw - cgroup2 cgroup rw\n", point.display());
        fs::write(dir.path().join("mountinfo"), mounts).unwrap();
        for own in ["0::/pod\n", "0::/pod/evalx-sup\n"] {
            fs::write(dir.path().join("cgroup"), own).unwrap();
            let found = discover(dir.path()).unwrap();
            assert_eq!(found, Discovery::V2 { base: point.join("pod") }, "{own}");
        }
        group(&point.join("pod"), "cpu\n");
        assert!(matches!(discover(dir.path()), Err(Error::NoControllers)));
        fs::write(dir.path().join("cgroup"), "0::/\n").unwrap();
        fs::write(point.join("cgroup.controllers"), "memory pids\n").unwrap();
        assert!(matches!(discover(dir.path()), Err(Error::RealRoot)));
    }

    #[test]
    fn a_private_namespace_starts_at_the_mount() {
        let mounts = "30 24 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw";
        assert_eq!(folder(mounts, "0::/\n", None).unwrap(), "/sys/fs/cgroup/");
        let above = Hierarchies { mountinfo: mounts, cgroup: "0::/../x\n" }.folder(None);
        assert!(matches!(above, Err(Error::Outside { .. })));
    }

    #[test]
    fn a_v1_container_mount_shows_a_subtree() {
        let mounts = "41 31 0:35 /docker/ab /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      42 31 0:36 /docker/ab /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct";
        let own = "4:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab/x\n";
        assert_eq!(folder(mounts, own, Some("memory")).unwrap(), "/sys/fs/cgroup/memory/");
        assert_eq!(folder(mounts, own, Some("cpuacct")).unwrap(), "/sys/fs/cgroup/cpu,cpuacct/x");
        assert_eq!(folder(mounts, own, Some("pids")), None);
    }
}
