//! Seeing to it that nothing of a box stays alive, whatever became of isolate.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::cgroup::{self, Entry, Group};

/// How long the kernel has to let go of what was killed.
const DYING: Duration = Duration::from_secs(2);

/// A box that does not end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its control group does not answer.
    #[error("the control group of the box failed")]
    Group(#[source] cgroup::Error),
    /// A process that does not die.
    #[error("processes of the box are still alive after they were killed")]
    Alive,
}

/// The process 1 of the box: isolate's keeper has one child.
pub(super) fn only_child(keeper: Pid) -> Option<OwnedFd> {
    let keeper = keeper.as_raw_nonzero();
    let path = format!("/proc/{keeper}/task/{keeper}/children");
    let read = || fs::read_to_string(&path).ok()?.split_whitespace().next()?.parse::<i32>().ok();
    let child = read()?;
    let pidfd = pidfd_open(Pid::from_raw(child)?, PidfdFlags::empty()).ok()?;
    // Still the keeper's: the number was not given to another process in between.
    (read() == Some(child)).then_some(pidfd)
}

/// Returns once no process is left in the group; kills what isolate left when it was killed
/// itself.
pub(super) fn empty(group: &Group) -> Result<(), Error> {
    let deadline = Instant::now() + DYING;
    while group.processes().map_err(Error::Group)? > 0 {
        if Instant::now() > deadline {
            return Err(Error::Alive);
        }
        group.kill().map_err(Error::Group)?;
        if let Entry::Joined(files) = group.entry() {
            kill_listed(&files);
        }
        // Dying takes the kernel a moment, and a group cannot be polled for being empty on v1.
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Kills the processes of a v1 group: first those that are process 1 of a namespace, because no
/// fork outruns their death.
fn kill_listed(files: &[PathBuf]) {
    let procs = |file: &PathBuf| fs::read_to_string(file.with_file_name("cgroup.procs")).ok();
    let listed = files.iter().filter_map(procs);
    let mut pids: Vec<_> = listed
        .flat_map(|l| l.lines().filter_map(|p| p.parse().ok()).collect::<Vec<i32>>())
        .collect();
    pids.sort_by_key(|pid| !first_of_namespace(*pid));
    for pid in pids.into_iter().filter_map(Pid::from_raw) {
        // A group holds no process but the box's, and a freed number is not in it.
        let _already_gone = kill_process(pid, Signal::KILL);
    }
}

/// `NSpid` names a process in each namespace from ours to its own (proc_pid_status(5)).
fn first_of_namespace(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("NSpid:")).unwrap_or_default();
    let pids: Vec<_> = line.split_whitespace().collect();
    pids.len() > 1 && pids.last() == Some(&"1")
}

/// Kills the processes of a box user until there is none, where no group holds them.
pub(super) fn kill_user(uid: u32) -> Result<(), Error> {
    let deadline = Instant::now() + DYING;
    loop {
        let pids = processes_of(uid);
        if pids.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Error::Alive);
        }
        for pid in pids.into_iter().filter_map(Pid::from_raw) {
            let _already_gone = kill_process(pid, Signal::KILL);
        }
    }
}

pub(super) fn processes_of(uid: u32) -> Vec<i32> {
    let uid = uid.to_string();
    let ours = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let zombie = status.lines().any(|l| l.starts_with("State:\tZ"));
        let line = status.lines().find_map(|l| l.strip_prefix("Uid:")).unwrap_or_default();
        !zombie && line.split_whitespace().next() == Some(&uid)
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(ours).collect()
}
