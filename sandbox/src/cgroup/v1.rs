//! Control groups v1: memory, pids and cpuacct, one folder in each hierarchy.
//!
//! There is no `CLONE_INTO_CGROUP`, so the slot's agent lives in the group and everything is born
//! there; what the agent itself holds is subtracted.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Error;
use super::file::File;
use super::folder::{make, make_owned, owner_name, patience, remove_by, sweep, take_turn};
use crate::Bytes;

/// What may stay charged to a group between two runs: what each CPU holds in advance
/// (mm/memcontrol.c, `MEMCG_CHARGE_BATCH`), what the kernel has not freed yet, some file.
const RESIDUE: u64 = 1 << 20;

/// The kernel rounds it down to the largest it can count.
const UNLIMITED: u64 = i64::MAX.cast_unsigned();

/// The folders of this process.
#[derive(Debug)]
pub(super) struct Tree {
    /// In the order memory, pids, cpuacct.
    dirs: [PathBuf; 3],
    /// Held for their locks.
    _owned: Vec<OwnedFd>,
    /// Of dead owners, and does not die.
    stuck: BTreeSet<u32>,
}

impl Tree {
    pub(super) fn open(bases: [PathBuf; 3]) -> Result<Self, Error> {
        let _turn = take_turn(&bases[0])?;
        let name = owner_name()?;
        let (mut owned, mut stuck) = (Vec::new(), BTreeSet::new());
        let deadline = patience();
        for base in &bases {
            stuck.extend(sweep(base, deadline)?);
            let dir = base.join(&name);
            // Two controllers may share a hierarchy.
            match make_owned(&dir) {
                Ok(fd) => owned.push(fd),
                Err(Error::Step { step: "lock", .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Self { dirs: bases.map(|b| b.join(&name)), _owned: owned, stuck })
    }

    pub(super) fn stuck(&self) -> &BTreeSet<u32> {
        &self.stuck
    }

    pub(super) fn folders(&self) -> Vec<PathBuf> {
        self.dirs.to_vec()
    }

    pub(super) fn group(&self, name: &str) -> Result<Group, Error> {
        Group::make(self.dirs.clone().map(|d| d.join(name)))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let deadline = patience();
        for dir in &self.dirs {
            // What cannot be removed now is removed by the next start.
            let _later = remove_by(dir, deadline);
        }
    }
}

/// The group of a slot.
#[derive(Debug)]
pub(super) struct Group {
    /// As first made; those made anew have a number behind it.
    name: [PathBuf; 3],
    made: u32,
    files: Files,
    /// The agent may still be in it.
    former: Option<Folders>,
    /// What our own processes hold, as first seen in these files.
    idle: Option<u64>,
    start: Start,
}

#[derive(Debug)]
struct Files {
    dirs: Folders,
    memory_limit: File,
    /// Absent where swap is not accounted for.
    memory_and_swap_limit: Option<File>,
    memory_usage: File,
    memory_peak: File,
    oom: File,
    pids_max: File,
    pids_current: File,
    cpu: File,
}

/// The account at `begin`.
#[derive(Debug, Default, Clone, Copy)]
struct Start {
    cpu: u64,
    /// By our own processes.
    held: u64,
    limit: u64,
    oom_kills: u64,
}

impl Group {
    fn make(name: [PathBuf; 3]) -> Result<Self, Error> {
        let files = Files::make(name.clone())?;
        let (former, idle, start) = (None, None, Start::default());
        Ok(Self { name, made: 0, files, former, idle, start })
    }

    pub(super) fn tasks_files(&self) -> Vec<PathBuf> {
        self.files.dirs.0.iter().map(|d| d.join("tasks")).collect()
    }

    /// Whether the group was made anew, which whoever lives in it has to move to before `begin`.
    ///
    /// That is so where much is still charged to it. Files that a run was the first to read stay in
    /// memory: under the next run's limit they would fill it, and its peak would be the limit. What
    /// an ipc namespace held is freed some milliseconds behind the run (ipc/namespace.c, free_ipc):
    /// taken for ours, it would be granted to the next guest. Waiting and dropping both cost more,
    /// and the next compiler would read its files from the disk again.
    pub(super) fn renew(&mut self) -> Result<bool, Error> {
        // The agent is in it still, and what the last guest held in the kernel is freed behind its
        // death: the guest's limit would hit us.
        self.limit_memory(UNLIMITED)?;
        let usage = self.files.memory_usage.number()?;
        if self.idle.is_none_or(|idle| usage <= idle + RESIDUE) {
            return Ok(false);
        }
        self.made += 1;
        let number = self.made;
        let dirs = self.name.clone().map(|dir| {
            let mut path = dir.into_os_string();
            path.push(format!(".{number}"));
            PathBuf::from(path)
        });
        self.former = Some(std::mem::replace(&mut self.files, Files::make(dirs)?).dirs);
        self.idle = None;
        Ok(true)
    }

    /// The former one is left by now. The files that it read stay in memory, on the account of the
    /// group above.
    pub(super) fn joined(&mut self) {
        self.former = None;
    }

    pub(super) fn begin(&mut self, memory: Bytes, processes: u32) -> Result<(), Error> {
        let held = self.files.memory_usage.number()?;
        self.idle.get_or_insert(held);
        let limit = memory.0.saturating_add(held);
        self.limit_memory(limit)?;
        let Files { memory_peak, pids_max, cpu, oom, .. } = &self.files;
        memory_peak.write("0")?;
        pids_max.write(&processes.to_string())?;
        let (cpu, oom_kills) = (cpu.number()?, oom.field("oom_kill")?);
        self.start = Start { cpu, held, limit, oom_kills };
        Ok(())
    }

    /// The limit may never exceed that of memory and swap together, so the order depends on the
    /// direction (Documentation/admin-guide/cgroup-v1/memory.rst, 2.4).
    fn limit_memory(&self, limit: u64) -> Result<(), Error> {
        let value = limit.to_string();
        let Files { memory_limit, memory_and_swap_limit, .. } = &self.files;
        let Some(both) = memory_and_swap_limit else {
            return memory_limit.write(&value);
        };
        match memory_limit.try_write(&value) {
            Ok(()) => both.write(&value),
            Err(Errno::INVAL) => {
                both.write(&value)?;
                memory_limit.write(&value)
            }
            Err(_) => memory_limit.write(&value),
        }
    }

    pub(super) fn cpu(&self) -> Result<Duration, Error> {
        Ok(Duration::from_nanos(self.files.cpu.number()?.saturating_sub(self.start.cpu)))
    }

    pub(super) fn threads_file(&self) -> PathBuf {
        let [_, _, cpuacct] = &self.files.dirs.0;
        cpuacct.join("tasks")
    }

    /// Nothing or 256 KiB for a tiny program, since each CPU is charged in advance. What the kernel
    /// keeps of its first process (`ru_maxrss`) is no floor: exec carries the agent's over, on whose
    /// memory it began (fs/exec.c, `exec_mmap`), and pages of the C library are in it, which nobody is
    /// charged for.
    pub(super) fn memory_peak(&self) -> Result<Bytes, Error> {
        Ok(Bytes(self.files.memory_peak.number()?.saturating_sub(self.start.held)))
    }

    /// The kernel counts a kill where the killed one lives, whoever was out of memory
    /// (mm/memcontrol.c, `memcg_memory_event_mm`). One of a group that never came near its own limit
    /// was for want of memory above it: not the guest's doing. (How often a limit was met,
    /// `failcnt`, stays 0 where that of memory and swap is the same: measured on Linux 6.18.)
    pub(super) fn out_of_memory(&self) -> Result<bool, Error> {
        if self.files.oom.field("oom_kill")? == self.start.oom_kills {
            return Ok(false);
        }
        if self.files.memory_peak.number()? + RESIDUE < self.start.limit {
            return Err(Error::Starved { path: self.files.dirs.0[0].clone() });
        }
        Ok(true)
    }

    pub(super) fn processes(&self) -> Result<u32, Error> {
        Ok(u32::try_from(self.files.pids_current.number()?).unwrap_or(u32::MAX))
    }
}

impl Files {
    fn make(dirs: [PathBuf; 3]) -> Result<Self, Error> {
        for dir in &dirs {
            make(dir)?;
        }
        let [memory, pids, cpuacct] = &dirs;
        let (r, w, rw) = (OFlags::RDONLY, OFlags::WRONLY, OFlags::RDWR);
        Ok(Self {
            memory_limit: File::open(memory, "memory.limit_in_bytes", rw)?,
            memory_and_swap_limit: File::open_optional(memory, "memory.memsw.limit_in_bytes", rw)?,
            memory_usage: File::open(memory, "memory.usage_in_bytes", r)?,
            memory_peak: File::open(memory, "memory.max_usage_in_bytes", rw)?,
            oom: File::open(memory, "memory.oom_control", r)?,
            pids_max: File::open(pids, "pids.max", w)?,
            pids_current: File::open(pids, "pids.current", r)?,
            cpu: File::open(cpuacct, "cpuacct.usage", r)?,
            dirs: Folders(dirs),
        })
    }
}

/// In the order memory, pids, cpuacct. Removed on drop.
#[derive(Debug)]
struct Folders([PathBuf; 3]);

impl Drop for Folders {
    fn drop(&mut self) {
        let deadline = patience();
        for dir in &self.0 {
            // What cannot be removed now is removed with the tree.
            let _later = remove_by(dir, deadline);
        }
    }
}
