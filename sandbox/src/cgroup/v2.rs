//! Control groups v2: one folder a slot in the unified hierarchy.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, StatVfsMountFlags, statvfs};
use rustix::mount::{MountFlags, mount_remount};

use super::file::File;
use super::folder::{
    make, make_owned, open_dir, others, owner_name, patience, remove_tree, sweep, take_turn,
};
use super::{Error, Resource};
use crate::Bytes;

/// The leaf that the processes found in the base move to.
pub(super) const SUPERVISOR: &str = "evalx-sup";

/// Memory kept for the supervisor when the base has a limit: the sum of all boxes stays below the
/// pod's limit, or an OOM there would kill the worker with every box (`memory.oom.group` is set by
/// kubelet since 1.28).
const RESERVE: u64 = 256 << 20;

/// What may stay charged to a group between two runs: what each CPU holds in advance
/// (mm/memcontrol.c, `MEMCG_CHARGE_BATCH`), what the kernel has not freed yet, some file.
const RESIDUE: u64 = 1 << 20;

/// The folder of this process.
#[derive(Debug)]
pub(super) struct Tree {
    base: PathBuf,
    dir: PathBuf,
    /// Held for its lock.
    _owned: OwnedFd,
    /// Of dead owners, and does not die.
    stuck: BTreeSet<u32>,
}

impl Tree {
    pub(super) fn open(base: &Path) -> Result<Self, Error> {
        make_writable(base)?;
        let _turn = take_turn(base)?;
        let stuck = sweep(base, patience())?;
        empty_base(base)?;
        enable(base, "+")?;
        let dir = base.join(owner_name()?);
        let owned = make_owned(&dir)?;
        let tree = Self { base: base.to_owned(), dir, _owned: owned, stuck };
        enable(&tree.dir, "+")?;
        tree.cap_memory()?;
        Ok(tree)
    }

    pub(super) fn folders(&self) -> Vec<PathBuf> {
        vec![self.dir.clone()]
    }

    pub(super) fn stuck(&self) -> &BTreeSet<u32> {
        &self.stuck
    }

    pub(super) fn group(&self, name: &str) -> Result<Group, Error> {
        Group::make(self.dir.join(name))
    }

    /// All boxes together stay below the limit of the base; the rest is the supervisor's.
    fn cap_memory(&self) -> Result<(), Error> {
        let limit = fs::read_to_string(self.base.join("memory.max")).unwrap_or_default();
        if let Ok(limit) = limit.trim().parse::<u64>() {
            let boxes = limit.saturating_sub(RESERVE).max(limit / 2);
            put(&self.dir, "memory.max", &boxes.to_string())?;
            put(&self.base.join(SUPERVISOR), "memory.min", &(limit - boxes).to_string())?;
        }
        Ok(())
    }
}

impl Drop for Tree {
    /// Leaves the base as it was found, unless another evalX lives in it.
    fn drop(&mut self) {
        let turn = take_turn(&self.base);
        let gone = remove_tree(&self.dir).is_ok() && !others(&self.base);
        if gone && turn.is_ok() && enable(&self.base, "-").is_ok() {
            let supervisor = self.base.join(SUPERVISOR);
            if move_all(&supervisor, &self.base).is_ok() {
                // What cannot be removed now is taken over by the next start.
                let _later = fs::remove_dir(&supervisor);
            }
        }
    }
}

/// A privileged container may have its control groups mounted read-only and yet be allowed to
/// change that, in its own mount namespace. Of the mount alone (`MS_BIND`, mount(2)): the file
/// system is the machine's, and with it options like `nsdelegate`, which a plain remount clears
/// for everybody.
fn make_writable(base: &Path) -> Result<(), Error> {
    let read_only = || statvfs(base).is_ok_and(|s| s.f_flag.contains(StatVfsMountFlags::RDONLY));
    if !read_only() {
        return Ok(());
    }
    let device = |dir: &Path| fs::metadata(dir).map(|m| m.dev()).ok();
    let within = base.ancestors().take_while(|dir| device(dir) == device(base));
    let flags = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if within.last().is_some_and(|point| mount_remount(point, flags, c"").is_ok()) && !read_only() {
        return Ok(());
    }
    Err(Error::ReadOnly { path: base.to_owned() })
}

/// Moves every process of the base into the supervisor's leaf; new ones may appear meanwhile.
fn empty_base(base: &Path) -> Result<(), Error> {
    let supervisor = base.join(SUPERVISOR);
    make(&supervisor)?;
    move_all(base, &supervisor)
}

fn move_all(from: &Path, to: &Path) -> Result<(), Error> {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        let path = from.join("cgroup.procs");
        let procs = fs::read_to_string(&path).map_err(|source| Error::Read { path, source })?;
        if procs.trim().is_empty() {
            return Ok(());
        }
        for pid in procs.lines() {
            match put(to, "cgroup.procs", pid) {
                // Gone meanwhile, or busy in a migration of someone else (crun#758).
                Err(Error::Step { source, .. })
                    if matches!(source.raw_os_error(), Some(libc::ESRCH | libc::EBUSY)) => {}
                other => other?,
            }
        }
        if Instant::now() > deadline {
            return Err(Error::Stuck { path: from.to_owned() });
        }
    }
}

/// Switches the controllers for the children of a group; cpu and cpuset are welcome, memory and
/// pids are needed.
fn enable(dir: &Path, sign: &str) -> Result<(), Error> {
    for controller in ["memory", "pids", "cpu", "cpuset"] {
        let switched = put(dir, "cgroup.subtree_control", &format!("{sign}{controller}"));
        if matches!(controller, "memory" | "pids") {
            switched?;
        }
    }
    Ok(())
}

fn put(dir: &Path, name: &str, value: &str) -> Result<(), Error> {
    let path = dir.join(name);
    fs::write(&path, value).map_err(|source| Error::Step { step: "write", path, source })
}

/// The group of a slot; only processes of the guest are ever in it.
#[derive(Debug)]
pub(super) struct Group {
    path: PathBuf,
    files: Files,
    /// What is charged before the first process of the next run is born.
    residue: u64,
    start: Start,
}

#[derive(Debug)]
struct Files {
    dir: OwnedFd,
    memory_max: File,
    memory_current: File,
    memory_events: File,
    /// A write resets what this descriptor reads, since Linux 6.12.
    memory_peak: File,
    pids_max: File,
    pids_current: File,
    cpu: File,
    /// Absent where the kernel has no PSI.
    cpu_pressure: Option<File>,
    io_pressure: Option<File>,
    kill: File,
}

/// The account at `begin`.
#[derive(Debug, Default, Clone, Copy)]
struct Start {
    cpu: u64,
    ooms: u64,
    oom_kills: u64,
}

impl Group {
    fn make(path: PathBuf) -> Result<Self, Error> {
        let files = Files::make(&path)?;
        Ok(Self { path, files, residue: 0, start: Start::default() })
    }

    pub(super) fn dir(&self) -> BorrowedFd<'_> {
        self.files.dir.as_fd()
    }

    /// A group to which much is still charged (files that a run was the first to read stay in
    /// memory) is made anew: it would be in the peak of every run from now on.
    pub(super) fn renew(&mut self) -> Result<bool, Error> {
        self.residue = self.files.memory_current.number()?;
        if self.residue > RESIDUE || self.files.memory_peak.try_write("reset").is_err() {
            remove_tree(&self.path)?;
            self.files = Files::make(&self.path)?;
            self.residue = 0;
            return Ok(true);
        }
        Ok(false)
    }

    pub(super) fn begin(&mut self, memory: Bytes, processes: u32) -> Result<(), Error> {
        self.files.memory_max.write(&memory.0.to_string())?;
        self.files.pids_max.write(&processes.to_string())?;
        self.start = Start {
            cpu: self.files.cpu.field("usage_usec")?,
            ooms: self.files.memory_events.field("oom")?,
            oom_kills: self.files.memory_events.field("oom_kill")?,
        };
        Ok(())
    }

    pub(super) fn cpu(&self) -> Result<Duration, Error> {
        let used = self.files.cpu.field("usage_usec")?;
        Ok(Duration::from_micros(used.saturating_sub(self.start.cpu)))
    }

    /// Not `some`: it holds the guest's own threads that wait for each other's turn.
    pub(super) fn stall(&self, of: Resource) -> Option<Duration> {
        let file = match of {
            Resource::Cpu => &self.files.cpu_pressure,
            Resource::Disk => &self.files.io_pressure,
        };
        file.as_ref()?.total("full").ok().map(Duration::from_micros)
    }

    pub(super) fn threads_file(&self) -> PathBuf {
        self.path.join("cgroup.threads")
    }

    pub(super) fn memory_peak(&self) -> Result<Bytes, Error> {
        self.files.memory_peak.number().map(|peak| Bytes(peak.saturating_sub(self.residue)))
    }

    /// A kill that the group's own limit was no reason for (`oom`) was for want of memory above it
    /// (Documentation/admin-guide/cgroup-v2.rst, memory.events): not the guest's doing.
    pub(super) fn out_of_memory(&self) -> Result<bool, Error> {
        let events = &self.files.memory_events;
        if events.field("oom_kill")? == self.start.oom_kills {
            return Ok(false);
        }
        if events.field("oom")? == self.start.ooms {
            return Err(Error::Starved { path: self.path.clone() });
        }
        Ok(true)
    }

    pub(super) fn processes(&self) -> Result<u32, Error> {
        Ok(u32::try_from(self.files.pids_current.number()?).unwrap_or(u32::MAX))
    }

    pub(super) fn kill(&self) -> Result<(), Error> {
        self.files.kill.write("1")
    }
}

impl Files {
    fn make(path: &Path) -> Result<Self, Error> {
        make(path)?;
        put(path, "memory.oom.group", "1")?;
        // Absent where the kernel has no swap.
        match put(path, "memory.swap.max", "0") {
            Err(Error::Step { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
        let (r, w) = (OFlags::RDONLY, OFlags::WRONLY);
        let peak = File::open(path, "memory.peak", OFlags::RDWR)
            .or_else(|_| File::open(path, "memory.peak", r))?;
        Ok(Self {
            dir: open_dir(path)?,
            memory_max: File::open(path, "memory.max", w)?,
            memory_current: File::open(path, "memory.current", r)?,
            memory_events: File::open(path, "memory.events", r)?,
            memory_peak: peak,
            pids_max: File::open(path, "pids.max", w)?,
            pids_current: File::open(path, "pids.current", r)?,
            cpu: File::open(path, "cpu.stat", r)?,
            cpu_pressure: File::open(path, "cpu.pressure", r).ok(),
            io_pressure: File::open(path, "io.pressure", r).ok(),
            kill: File::open(path, "cgroup.kill", w)?,
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What cannot be removed now is removed with the tree.
        let _later = remove_tree(&self.path);
    }
}
