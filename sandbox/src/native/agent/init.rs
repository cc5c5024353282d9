//! Box init: pid 1 of a run's own pid namespace. It starts the payload and waits until
//! that is the guest; then it reaps, and reports. Its death takes every process of the box with it
//! (pid_namespaces(7)).
//!
//! Runs on the agent's memory: nothing here allocates, and every failure travels as (step, errno).

use std::os::fd::AsFd;

use rustix::process::{Pid, Signal, set_parent_process_death_signal};
use rustix::time::{ClockId, clock_gettime};

use super::super::socket;
use super::super::wire::{Done, Ending, Failure, Step};
use super::payload::{self, Start};
use super::{Stage, at};
use crate::sys::process::{Inherited, Stack, exit, run_at_once, start_until_exec, wait_any};

/// What the agent gives to a box's init.
pub(super) struct Given {
    /// What the payload runs on.
    pub(super) stack: Stack,
    /// cgroup v2: where the guest is born.
    pub(super) group: Option<Inherited>,
    /// The worker's end of the socket; a copy is here as long as nobody closes it.
    pub(super) other_end: Inherited,
    pub(super) stage: Stage,
}

/// Ends with the box.
pub(super) extern "C" fn run(given: &mut Given) -> ! {
    let done = match one_run(given) {
        Ok(None) => exit(0),
        Ok(Some(ending)) => Done::Ended(ending),
        Err(failure) => Done::Failed(failure),
    };
    let told = socket::send(given.stage.worker.as_fd(), &done.encode());
    exit(i32::from(told.is_err()))
}

/// `None` when the worker closed its end before there was a command.
fn one_run(given: &mut Given) -> Result<Option<Ending>, Failure> {
    let Given { stack, group, other_end, stage } = given;
    // Only then is the worker the last to have it, and its closing or dying seen.
    other_end.close();
    // Stays in force because this process keeps its user (prctl(2), PR_SET_PDEATHSIG). Should the
    // agent be dead already, the worker's end of the socket is closed, and the payload ends.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(at(Step::Guard))?;
    // The guest dies of this process's death, which must not wait for a turn behind the very guest
    // that is to be killed. Without CAP_SYS_NICE it may have to, for some time slices.
    let _as_it_is = run_at_once(stage.key);
    let group = group.as_ref().map(AsFd::as_fd);
    let payload = start_until_exec(stack, group, stage.key, stage, payload::run);
    let ended = reap(payload.map_err(at(Step::ClonePayload))?)?;
    match stage.start {
        Start::Waits if ended.status == 0 => Ok(None),
        Start::Failed(failure) => Err(failure),
        // Killed on the way counts from the moment of its death.
        Start::Waits => Ok(Some(ended)),
        Start::At(started) => {
            Ok(Some(Ending { wall_ns: now().saturating_sub(started).max(1), ..ended }))
        }
    }
}

/// Waits for the payload; orphans of the box end up here too and are reaped on the way.
fn reap(payload: Pid) -> Result<Ending, Failure> {
    loop {
        let ended = wait_any().map_err(at(Step::Reap))?;
        if ended.pid == payload.as_raw_nonzero().get() {
            return Ok(Ending {
                status: ended.status,
                wall_ns: 0,
                switches_voluntary: ended.switches_voluntary,
                switches_forced: ended.switches_forced,
            });
        }
    }
}

pub(super) fn now() -> u64 {
    let t = clock_gettime(ClockId::Monotonic);
    t.tv_sec.cast_unsigned() * 1_000_000_000 + t.tv_nsec.cast_unsigned()
}
