//! Control groups: where this process may make its own, and one group a slot with limits,
//! accounting and kill. cgroup v2 is the production path; v1 (and hybrid) hosts are the second.
//!
//! Layout below the base, the group in which this process was started:
//! `evalx-PID-START-N/slot-N`; on v2 also `evalx-sup`, the leaf that the processes found in the base
//! move to, because v2 allows no processes beside controllers
//! (Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint").
//! The owner holds a `flock` on its folder as long as it lives: a folder that can be locked belongs
//! to a dead owner and is removed at the next start.

mod discover;
mod file;
mod folder;
mod v1;
mod v2;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Bytes;
pub use discover::{Discovery, discover};
use folder::TURN;

/// The longest time between two ticks of a kernel (`CONFIG_HZ` of 100).
const TICK: Duration = Duration::from_millis(10);

/// What a group's processes may have to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A CPU.
    Cpu,
    /// A disk, or what else is read and written in blocks.
    Disk,
}

/// Which generation of control groups a host offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The unified hierarchy.
    V2,
    /// One hierarchy a controller.
    V1,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V2 => "v2",
            Self::V1 => "v1",
        })
    }
}

/// Why there is no control group to be had, or what failed in one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel's own account of this process is not readable.
    #[error("cannot read {path:?}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No hierarchy has both controllers that hold a guest.
    #[error("no control group hierarchy offers the controllers memory and pids to this process")]
    NoControllers,
    /// The process sits in the root group, which belongs to the machine.
    #[error(
        "this process sits in the root control group, which is never touched; start it in a group \
         of its own, for example with `systemd-run --scope`, or in a container"
    )]
    RealRoot,
    /// A container without the right to make groups.
    #[error(
        "control groups are mounted read-only at {path:?}; start the container with --privileged, \
         or with writable control groups (containerd: cgroup_writable; CRI-O: the annotation \
         io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw)"
    )]
    ReadOnly {
        /// The group of this process.
        path: PathBuf,
    },
    /// The group of this process lies outside of what is mounted.
    #[error("the control group of this process ({path}) is not below the mounted hierarchy")]
    Outside {
        /// As the kernel names it.
        path: String,
    },
    /// A folder or file of the hierarchy refused.
    #[error("cannot {step} {path:?}")]
    Step {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Killed for want of memory outside of the group.
    #[error(
        "a box was killed below its own memory limit: all boxes together used up the memory above \
         {path:?}; grant fewer or smaller ones, or more memory to evalX"
    )]
    Starved {
        /// The group.
        path: PathBuf,
    },
    /// Another evalX in the same base does not come to an end.
    #[error("another evalX has been changing {path:?} for {} s", TURN.as_secs())]
    Busy {
        /// The base.
        path: PathBuf,
    },
    /// Processes that do not die.
    #[error("processes are still alive in {path:?} after they were killed")]
    Stuck {
        /// The group.
        path: PathBuf,
    },
}

/// The folder of this process in the hierarchies; removed with everything in it on drop.
#[derive(Debug)]
pub struct Tree(Kind);

#[derive(Debug)]
enum Kind {
    V2(v2::Tree),
    V1(v1::Tree),
}

/// The group of one slot. Removed on drop.
#[derive(Debug)]
pub struct Group(GroupKind);

#[derive(Debug)]
enum GroupKind {
    V2(v2::Group),
    V1(v1::Group),
}

/// How processes come into a group.
#[derive(Debug)]
pub enum Entry<'a> {
    /// v2: the first process is born here with `CLONE_INTO_CGROUP`; nothing ever migrates.
    Born(BorrowedFd<'a>),
    /// v1: a process of one thread writes `0` to each of these files; its children are born here.
    /// They are the `tasks` of the group: a thread that moves itself takes no lock that would wait
    /// until every CPU has passed a quiet point, as a process that is moved through
    /// `cgroup.procs` does for 5 to 15 ms (kernel/cgroup/cgroup.c, `cgroup_procs_write_start`,
    /// Linux 5.5).
    Joined(Vec<PathBuf>),
}

impl Tree {
    /// Finds the base and makes the folder of this process; removes what dead owners left.
    ///
    /// # Errors
    /// What is missing, with its cure, or the step that failed.
    pub fn open() -> Result<Self, Error> {
        match discover(Path::new("/proc/self"))? {
            Discovery::V2 { base } => v2::Tree::open(&base).map(|t| Self(Kind::V2(t))),
            Discovery::V1 { memory, pids, cpuacct } => {
                v1::Tree::open([memory, pids, cpuacct]).map(|t| Self(Kind::V1(t)))
            }
        }
    }

    /// Which generation this is.
    #[must_use]
    pub fn version(&self) -> Version {
        match &self.0 {
            Kind::V2(_) => Version::V2,
            Kind::V1(_) => Version::V1,
        }
    }

    /// Where the groups of this process are; one folder a hierarchy.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        match &self.0 {
            Kind::V2(t) => t.folders(),
            Kind::V1(t) => t.folders(),
        }
    }

    /// Processes of owners that are dead, which were killed and do not die.
    #[must_use]
    pub fn stuck(&self) -> &BTreeSet<u32> {
        match &self.0 {
            Kind::V2(t) => t.stuck(),
            Kind::V1(t) => t.stuck(),
        }
    }

    /// Whether nothing is left of a slot's group that was dropped. One with a process in it that does
    /// not die stays, and goes here once that has died.
    #[must_use]
    pub fn is_vacant(&self, name: &str) -> bool {
        // Those made anew have a number behind the name.
        let of_slot = |entry: &fs::DirEntry| {
            let rest =
                entry.file_name().to_str().and_then(|n| n.strip_prefix(name)).map(str::to_owned);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let entries = self.folders().into_iter().flat_map(fs::read_dir).flatten().flatten();
        entries.filter(of_slot).all(|entry| match fs::remove_dir(entry.path()) {
            Ok(()) => true,
            Err(e) => e.kind() == io::ErrorKind::NotFound,
        })
    }

    /// Makes the group of a slot.
    ///
    /// # Errors
    /// The step that failed.
    pub fn group(&self, name: &str) -> Result<Group, Error> {
        match &self.0 {
            Kind::V2(t) => t.group(name).map(|g| Group(GroupKind::V2(g))),
            Kind::V1(t) => t.group(name).map(|g| Group(GroupKind::V1(g))),
        }
    }
}

impl Group {
    /// How the slot's processes enter.
    #[must_use]
    pub fn entry(&self) -> Entry<'_> {
        match &self.0 {
            GroupKind::V2(g) => Entry::Born(g.dir()),
            GroupKind::V1(g) => Entry::Joined(g.tasks_files()),
        }
    }

    /// Before the first process of the next run is born: forgets what the last one leaves charged.
    /// Says whether the group was made anew for that: then `entry` has to be asked again, and who
    /// has joined it (v1) joins again.
    ///
    /// # Errors
    /// The step that failed.
    pub fn renew(&mut self) -> Result<bool, Error> {
        match &mut self.0 {
            GroupKind::V2(g) => g.renew(),
            GroupKind::V1(g) => g.renew(),
        }
    }

    /// Who had joined the group before `renew` has joined the new one.
    pub fn joined(&mut self) {
        match &mut self.0 {
            GroupKind::V2(_) => {}
            GroupKind::V1(g) => g.joined(),
        }
    }

    /// Right before a run: sets its limits and starts its account. `residents` processes of ours
    /// live in the group (v1) and are counted neither as memory nor as processes of the guest.
    ///
    /// # Errors
    /// The step that failed.
    pub fn begin(&mut self, memory: Bytes, processes: u32, residents: u32) -> Result<(), Error> {
        match &mut self.0 {
            GroupKind::V2(g) => g.begin(memory, processes),
            GroupKind::V1(g) => g.begin(memory, processes + residents),
        }
    }

    /// CPU time since `begin`, user and system, of all processes, ended ones included.
    ///
    /// # Errors
    /// The step that failed.
    pub fn cpu(&self) -> Result<Duration, Error> {
        match &self.0 {
            GroupKind::V2(g) => g.cpu(),
            GroupKind::V1(g) => g.cpu(),
        }
    }

    /// For whoever watches a limit of CPU time: what was used since `begin`, and the shortest time in
    /// which `processes` of them could use up the rest. Exact near the limit; far from it up to a tick a
    /// CPU is not in the books yet, which the time allows for.
    ///
    /// # Errors
    /// The step that failed.
    pub fn cpu_before(
        &self,
        limit: Duration,
        processes: u32,
    ) -> Result<(Duration, Duration), Error> {
        let cpus = usable_cpus(processes);
        let used = self.cpu()?;
        let left = limit.saturating_sub(used);
        let unseen = TICK * cpus;
        if left > unseen {
            return Ok((used, (left - unseen) / cpus));
        }
        self.bring_to_book();
        let used = self.cpu()?;
        Ok((used, limit.saturating_sub(used) / cpus))
    }

    /// A CPU adds up what it runs at each tick; asking for the clock of a thread that is on it
    /// makes it do so now (kernel/sched/core.c, task_sched_runtime).
    fn bring_to_book(&self) {
        let list = match &self.0 {
            GroupKind::V2(g) => g.threads_file(),
            GroupKind::V1(g) => g.threads_file(),
        };
        // A list that cannot be read leaves the account as it is: late by a tick, not wrong.
        let threads = fs::read_to_string(list).unwrap_or_default();
        threads.lines().filter_map(|tid| tid.parse().ok()).for_each(crate::sys::process::ask_clock);
    }

    /// Peak memory since `begin`.
    ///
    /// # Errors
    /// The step that failed.
    pub fn memory_peak(&self) -> Result<Bytes, Error> {
        match &self.0 {
            GroupKind::V2(g) => g.memory_peak(),
            GroupKind::V1(g) => g.memory_peak(),
        }
    }

    /// Time in which something of the group waited for `of` and nothing of it ran. Since the group was
    /// made; `None` where groups have no such account (v1, no PSI).
    #[must_use]
    pub fn stall(&self, of: Resource) -> Option<Duration> {
        match &self.0 {
            GroupKind::V2(g) => g.stall(of),
            GroupKind::V1(_) => None,
        }
    }

    /// Whether a process was killed since `begin` because the group's memory was used up.
    ///
    /// # Errors
    /// The step that failed, or [`Error::Starved`].
    pub fn out_of_memory(&self) -> Result<bool, Error> {
        match &self.0 {
            GroupKind::V2(g) => g.out_of_memory(),
            GroupKind::V1(g) => g.out_of_memory(),
        }
    }

    /// Processes and threads in the group now.
    ///
    /// # Errors
    /// The step that failed.
    pub fn processes(&self) -> Result<u32, Error> {
        match &self.0 {
            GroupKind::V2(g) => g.processes(),
            GroupKind::V1(g) => g.processes(),
        }
    }

    /// Kills every process of the group at once, where the kernel can (v2, `cgroup.kill`); on v1
    /// the caller kills pid 1 of the box's namespace instead, which is as atomic.
    ///
    /// # Errors
    /// The step that failed.
    pub fn kill(&self) -> Result<(), Error> {
        match &self.0 {
            GroupKind::V2(g) => g.kill(),
            GroupKind::V1(_) => Ok(()),
        }
    }
}

/// How many CPUs so many processes can burn at once. Affinity alone: a quota only makes it fewer, and
/// reading that costs more than a look too many.
fn usable_cpus(processes: u32) -> u32 {
    let cpus = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count());
    cpus.min(processes).max(1)
}
