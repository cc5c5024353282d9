//! Control groups v1: memory, pids and cpuacct, one folder in each hierarchy.
//!
//! There is no `CLONE_INTO_CGROUP`, so the slot's agent lives in the group and everything is born
//! there; what the agent itself holds is subtracted.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::file::File;
use super::{Error, make, make_owned, owner_name, remove_tree, sweep, take_turn};
use crate::Bytes;

/// What the kernel's statistics may be off by: it adds up each CPU's share in batches
/// (mm/memcontrol.c, MEMCG_CHARGE_BATCH).
const BLUR: u64 = 1 << 20;

/// How long memory of a dead run may stay charged.
const SETTLE: Duration = Duration::from_secs(2);

/// The kernel rounds it down to the largest it can count.
const UNLIMITED: u64 = i64::MAX.cast_unsigned();

/// The folders of this process.
#[derive(Debug)]
pub(super) struct Tree {
    /// In the order memory, pids, cpuacct.
    dirs: [PathBuf; 3],
    /// Held for their locks.
    _owned: Vec<OwnedFd>,
}

impl Tree {
    pub(super) fn open(bases: [PathBuf; 3]) -> Result<Self, Error> {
        let _turn = take_turn(&bases[0])?;
        let name = owner_name()?;
        let mut owned = Vec::new();
        for base in &bases {
            sweep(base)?;
            let dir = base.join(&name);
            // Two controllers may share a hierarchy.
            match make_owned(&dir) {
                Ok(fd) => owned.push(fd),
                Err(Error::Step { step: "lock", .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Self { dirs: bases.map(|b| b.join(&name)), _owned: owned })
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
        for dir in &self.dirs {
            // What cannot be removed now is removed by the next start.
            let _later = remove_tree(dir);
        }
    }
}

/// The group of a slot.
#[derive(Debug)]
pub(super) struct Group {
    dirs: [PathBuf; 3],
    memory_limit: File,
    /// Absent where swap is not accounted for.
    memory_and_swap_limit: Option<File>,
    memory_usage: File,
    memory_peak: File,
    oom: File,
    stat: File,
    pids_max: File,
    pids_current: File,
    cpu: File,
    /// What our own processes hold, as first seen.
    idle: Option<u64>,
    start: Start,
}

/// The account at `begin`.
#[derive(Debug, Default, Clone, Copy)]
struct Start {
    cpu: u64,
    /// By our own processes.
    held: u64,
    /// With the page cache of earlier runs.
    usage: u64,
    limit: u64,
    oom_kills: u64,
}

impl Group {
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
            stat: File::open(memory, "memory.stat", r)?,
            pids_max: File::open(pids, "pids.max", w)?,
            pids_current: File::open(pids, "pids.current", r)?,
            cpu: File::open(cpuacct, "cpuacct.usage", r)?,
            idle: None,
            start: Start::default(),
            dirs,
        })
    }

    pub(super) fn tasks_files(&self) -> Vec<PathBuf> {
        self.dirs.iter().map(|d| d.join("tasks")).collect()
    }

    /// The agent arms the next box in this same group, and what the last guest held in the kernel
    /// (System V segments, page tables) is freed behind its death: the guest's limit would hit us.
    pub(super) fn renew(&self) -> Result<(), Error> {
        self.limit_memory(UNLIMITED)
    }

    pub(super) fn begin(&mut self, memory: Bytes, processes: u32) -> Result<(), Error> {
        let held = self.settle()?;
        let limit = memory.0.saturating_add(held);
        self.limit_memory(limit)?;
        self.memory_peak.write("0")?;
        self.pids_max.write(&processes.to_string())?;
        self.start = Start {
            cpu: self.cpu.number()?,
            held,
            usage: self.memory_usage.number()?,
            limit,
            oom_kills: self.oom.field("oom_kill")?,
        };
        Ok(())
    }

    /// Waits until the last run's memory is no longer charged, and says how much our own processes
    /// hold. What its ipc namespace held is freed by a worker of the kernel some milliseconds
    /// behind it (ipc/namespace.c, free_ipc): taken for ours, it would be granted to the next guest
    /// on top of its limit. Page cache is another matter: it makes room by itself, and is what lets
    /// the next compiler start without the disk.
    fn settle(&mut self) -> Result<u64, Error> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let usage = self.memory_usage.number()?;
            // The first time, nothing but our own processes has been here.
            let idle = *self.idle.get_or_insert(usage);
            if usage <= idle + BLUR {
                return Ok(usage);
            }
            let files = self.stat.field("cache")?.saturating_sub(self.stat.field("shmem")?);
            let held = usage.saturating_sub(files);
            if held <= idle + BLUR {
                return Ok(held.max(idle));
            }
            if Instant::now() >= deadline {
                return Err(Error::Held { path: self.dirs[0].clone(), held: Bytes(usage) });
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The limit may never exceed that of memory and swap together, so the order depends on the
    /// direction (Documentation/admin-guide/cgroup-v1/memory.rst, 2.4).
    fn limit_memory(&self, limit: u64) -> Result<(), Error> {
        let value = limit.to_string();
        let Some(both) = &self.memory_and_swap_limit else {
            return self.memory_limit.write(&value);
        };
        match self.memory_limit.try_write(&value) {
            Ok(()) => both.write(&value),
            Err(Errno::INVAL) => {
                both.write(&value)?;
                self.memory_limit.write(&value)
            }
            Err(_) => self.memory_limit.write(&value),
        }
    }

    pub(super) fn cpu(&self) -> Result<Duration, Error> {
        Ok(Duration::from_nanos(self.cpu.number()?.saturating_sub(self.start.cpu)))
    }

    pub(super) fn threads_file(&self) -> PathBuf {
        let [_, _, cpuacct] = &self.dirs;
        cpuacct.join("tasks")
    }

    pub(super) fn memory_peak(&self) -> Result<Bytes, Error> {
        let peak = self.memory_peak.number()?;
        // At the limit the page cache of earlier runs made room, so none of it is in the peak.
        let before =
            if peak + BLUR >= self.start.limit { self.start.held } else { self.start.usage };
        Ok(Bytes(peak.saturating_sub(before)))
    }

    pub(super) fn out_of_memory(&self) -> Result<bool, Error> {
        Ok(self.oom.field("oom_kill")? > self.start.oom_kills)
    }

    pub(super) fn processes(&self) -> Result<u32, Error> {
        Ok(u32::try_from(self.pids_current.number()?).unwrap_or(u32::MAX))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for dir in &self.dirs {
            // What cannot be removed now is removed with the tree.
            let _later = remove_tree(dir);
        }
    }
}
