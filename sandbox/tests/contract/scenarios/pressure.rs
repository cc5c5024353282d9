//! What a run's account tells of the machine, and of a program that was killed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use sandbox::{Engine, Job, Limits, Stall, Termination, Usage};

use super::{AT_ONCE, ensure};
use crate::machine::in_time;
use crate::rig::Rig;

const CPU: Duration = Duration::from_millis(300);

const WALL: Duration = Duration::from_secs(20);

/// A program that had to share its CPU was told to have waited: itself where its group has an account
/// of that (v2), else somebody on the machine; and nobody where the kernel does not count it.
///
/// On v2 a box has the share of a group, however many threads of ours there are: so it is boxes that
/// share. That they have to is certain where there are twice as many as CPUs.
pub(super) fn waits_for_a_cpu(rig: &Rig) -> Result<(), Failed> {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let over = AtomicBool::new(false);
    let accounts: Vec<_> = thread::scope(|scope| {
        for _ in 0..2 * cpus {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let boxes: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| account(rig))).collect();
        let accounts = boxes.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        accounts
    });
    let counted = Path::new("/proc/pressure/cpu").exists();
    let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    for account in accounts {
        let usage = account.map_err(|_| "a running thread panicked")??;
        let wanted = usage.pressure.steal.ok_or("every Linux counts steal")?.wanted;
        ensure(wanted >= CPU / 2, || format!("the CPUs were busy for {wanted:?} only"))?;
        let much = |waited| 2 * cpus > AT_ONCE || waited > usage.wall / 10;
        let right = match usage.pressure.stall {
            Some(Stall::Box(waited)) => v2 && much(waited),
            Some(Stall::Machine(waited)) => !v2 && much(waited),
            None => !counted,
        };
        ensure(right, || format!("{usage:?}"))?;
    }
    Ok(())
}

/// How often a program waited is counted also where it was killed, and so cannot be asked any more.
/// isolate asks.
pub(super) fn switches_of_the_killed(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("naps")?;
    let limits = in_time(Limits { wall: CPU, ..Limits::default() });
    let outcome = rig.run(&program.mark, Job { limits, ..program.job(&[]) })?.outcome;
    let counted = outcome.usage.switches_voluntary > 20;
    ensure(outcome.termination == Termination::WallLimit && counted, || format!("{outcome:?}"))
}

/// Of a program that computes until it is killed.
fn account(rig: &Rig) -> Result<Usage, Failed> {
    let program = rig.program("p_cpu_limit")?;
    let limits = in_time(Limits { cpu: CPU, wall: WALL, ..Limits::default() });
    let outcome = rig.run(&program.mark, Job { limits, ..program.job(&[]) })?.outcome;
    ensure(outcome.termination == Termination::CpuLimit, || format!("{outcome:?}"))?;
    Ok(outcome.usage)
}
