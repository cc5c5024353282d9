//! What this machine gives the process: CPUs and memory. Read again whenever slots are sized,
//! since a pod may be resized while it runs.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use sandbox::Bytes;

use crate::slots::Node;

/// Reads it. What cannot be read does not limit.
#[must_use]
pub fn read() -> Node {
    // std counts the affinity mask, which the kernel keeps within the cpuset (sched_setaffinity(2)),
    // and the CPU quotas of all control groups of the process, v1 and v2.
    let cpus = available_parallelism().map_or(1, NonZeroUsize::get);
    Node { cpus, memory: memory(Path::new("/proc"), Path::new("/sys/fs/cgroup")) }
}

/// The machine's memory or the tightest limit of a control group above this process.
fn memory(proc: &Path, cgroups: &Path) -> Option<Bytes> {
    let groups = fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| {
        // `hierarchy:controllers:path` (cgroups(7)).
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let (root, file) = match controllers {
            "" => (cgroups.to_owned(), "memory.max"),
            list if list.split(',').any(|c| c == "memory") => {
                (cgroups.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        tightest(&root, path, file)
    });
    limits.chain(total(proc)).min().map(Bytes)
}

/// The least limit of a group and of those above it. In a container the path may lead out of what
/// is mounted; then its own root is what there is.
fn tightest(root: &Path, path: &str, file: &str) -> Option<u64> {
    let own: PathBuf = root.join(path.trim_start_matches('/'));
    let start = if own.starts_with(root) && own.is_dir() { own } else { root.to_owned() };
    let groups = start.ancestors().take_while(|group| group.starts_with(root));
    // "max" is none.
    groups.filter_map(|g| fs::read_to_string(g.join(file)).ok()?.trim().parse().ok()).min()
}

/// `MemTotal` (proc_meminfo(5)).
fn total(proc: &Path) -> Option<u64> {
    let text = fs::read_to_string(proc.join("meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(groups: &str, files: &[(&str, &str)]) -> (tempfile::TempDir, Option<Bytes>) {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("proc/self/cgroup", groups);
        write("proc/meminfo", "MemTotal:        8388608 kB\nMemFree: 1 kB\n");
        for (path, text) in files {
            write(path, text);
        }
        let found = memory(&dir.path().join("proc"), &dir.path().join("cg"));
        (dir, found)
    }

    #[test]
    fn the_tightest_limit_above_the_process_counts() {
        let v2 = [("cg/a/memory.max", "1073741824\n"), ("cg/a/b/memory.max", "max\n")];
        assert_eq!(machine("0::/a/b\n", &v2).1, Some(Bytes::mib(1024)));
        let v1 = [("cg/memory/a/memory.limit_in_bytes", "536870912\n")];
        assert_eq!(machine("9:cpu:/x\n4:memory:/a\n", &v1).1, Some(Bytes::mib(512)));
    }

    #[test]
    fn without_a_limit_it_is_the_machines_memory() {
        assert_eq!(machine("0::/\n", &[]).1, Some(Bytes::mib(8192)));
        let unlimited = [("cg/memory/memory.limit_in_bytes", "9223372036854771712\n")];
        assert_eq!(machine("4:memory:/gone\n", &unlimited).1, Some(Bytes::mib(8192)));
    }

    #[test]
    fn this_machine_has_something() {
        let node = read();
        assert!(node.cpus >= 1 && node.memory > Some(Bytes::mib(16)), "{node:?}");
    }
}
