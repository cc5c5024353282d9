//! What of this machine is known to move times, and the cure.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread::available_parallelism;

use crate::verb::doctor::{Finding, kernel_version};

/// Shrinkers without a lock came with it: before it, many control groups that come and go stall all
/// of them for seconds (DOMjudge/domjudge#2277).
const LOCKLESS: (u32, u32) = (6, 3);

/// Where the kernel tells of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roots<'a> {
    pub(crate) proc: &'a Path,
    pub(crate) sys: &'a Path,
}

impl Roots<'static> {
    /// The real ones.
    pub(crate) fn here() -> Self {
        Self { proc: Path::new("/proc"), sys: Path::new("/sys") }
    }
}

/// Looks at it.
pub(crate) fn machine(roots: Roots<'_>, slots: usize) -> Vec<Finding> {
    let cpus = available_parallelism().map_or(1, NonZeroUsize::get);
    vec![
        room(slots, cpus),
        smt(roots.sys),
        governor(roots.sys),
        huge_pages(roots.sys),
        swap(roots.proc),
        kernel(roots.proc),
    ]
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// What a guest of a hypervisor is not shown.
const HIDDEN: &str = "not shown here; where this is a virtual machine, its host decides";

fn room(slots: usize, cpus: usize) -> Finding {
    let detail = format!("{slots} on {cpus} CPUs");
    if slots <= cpus {
        return Finding::good("slots", detail);
    }
    Finding::bad("slots", detail, "no more than one slot a CPU (--slots)")
}

fn smt(sys: &Path) -> Finding {
    match read(&sys.join("devices/system/cpu/smt/active")).as_deref() {
        Some("0") => Finding::good("SMT", "off"),
        Some(_) => Finding::bad(
            "SMT",
            "on: two CPUs are one core",
            "half as many slots, or `echo off >/sys/devices/system/cpu/smt/control` on the node",
        ),
        None => Finding::good("SMT", HIDDEN),
    }
}

fn governor(sys: &Path) -> Finding {
    let cpus = fs::read_dir(sys.join("devices/system/cpu")).into_iter().flatten().flatten();
    let governors: BTreeSet<String> =
        cpus.filter_map(|cpu| read(&cpu.path().join("cpufreq/scaling_governor"))).collect();
    let named = governors.iter().cloned().collect::<Vec<_>>().join(", ");
    match governors.iter().find(|name| *name != "performance") {
        None if governors.is_empty() => Finding::good("governor", HIDDEN),
        None => Finding::good("governor", named),
        Some(_) => {
            Finding::bad("governor", named, "`cpupower frequency-set -g performance` on the node")
        }
    }
}

fn huge_pages(sys: &Path) -> Finding {
    let name = "huge pages";
    let setting = read(&sys.join("kernel/mm/transparent_hugepage/enabled"));
    let chosen = setting.as_deref().and_then(|s| s.split_once('[')?.1.split_once(']'));
    match chosen {
        None => Finding::good(name, "none in this kernel"),
        Some(("always", _)) => Finding::bad(
            name,
            "always: a program gets some or not, as memory happens to be",
            "`echo madvise >/sys/kernel/mm/transparent_hugepage/enabled` on the node",
        ),
        Some((chosen, _)) => Finding::good(name, chosen),
    }
}

fn swap(proc: &Path) -> Finding {
    // A header, then a line for each.
    let areas = read(&proc.join("swaps")).map_or(0, |text| text.lines().count().saturating_sub(1));
    if areas == 0 {
        return Finding::good("swap", "off");
    }
    Finding::bad("swap", format!("on ({areas})"), "`swapoff -a` on the node")
}

fn kernel(proc: &Path) -> Finding {
    let release = read(&proc.join("sys/kernel/osrelease")).unwrap_or_default();
    if kernel_version(&release) >= LOCKLESS {
        return Finding::good("kernel", release);
    }
    let (major, minor) = LOCKLESS;
    let cure = format!("run {major}.{minor} or newer; before it, boxes wait for each other's end");
    Finding::bad("kernel", release, &cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn bad(roots: &tempfile::TempDir) -> Vec<String> {
        let roots = Roots { proc: roots.path(), sys: roots.path() };
        let found = machine(roots, 1);
        assert!(found.iter().all(|f| f.ok == f.cure.is_none()), "what is bad has a cure");
        found.into_iter().filter(|f| !f.ok).map(|f| f.name).collect()
    }

    #[test]
    fn a_machine_that_moves_times_is_told_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(root, "devices/system/cpu/smt/active", "1\n");
        put(root, "devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
        put(root, "devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n");
        put(root, "kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
        put(root, "swaps", "Filename Type Size\n/swapfile file 1\n");
        put(root, "sys/kernel/osrelease", "6.1.0-28-amd64\n");
        assert_eq!(bad(&dir), ["SMT", "governor", "huge pages", "swap", "kernel"]);

        put(root, "devices/system/cpu/smt/active", "0\n");
        put(root, "devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n");
        put(root, "kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
        put(root, "swaps", "Filename Type Size\n");
        put(root, "sys/kernel/osrelease", "6.12.1\n");
        assert!(bad(&dir).is_empty());
    }

    #[test]
    fn what_a_virtual_machine_is_not_shown_is_no_fault() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "sys/kernel/osrelease", "7.0\n");
        assert!(bad(&dir).is_empty());
        assert_eq!(room(3, 2).cure.as_deref(), Some("no more than one slot a CPU (--slots)"));
    }
}
