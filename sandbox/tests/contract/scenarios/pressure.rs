//! What a run's account tells of the machine.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use sandbox::{Job, Limits, Pressure, Stall, Termination};

use super::ensure;
use crate::machine::in_time;
use crate::rig::Rig;

/// A program that had to share its CPU was told to have waited: itself where its group has an account
/// of that (v2), else somebody on the machine; and nobody where the kernel does not count it.
pub(super) fn waits_for_a_cpu(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("p_cpu_limit")?;
    let (cpu, wall) = (Duration::from_millis(300), Duration::from_secs(10));
    let limits = in_time(Limits { cpu, wall, ..Limits::default() });
    let job = Job { limits, ..program.job(&[]) };
    let hogs = 2 * thread::available_parallelism().map_or(1, usize::from);
    let over = AtomicBool::new(false);
    let ran = thread::scope(|scope| {
        for _ in 0..hogs {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let ran = rig.run(&program.mark, job);
        over.store(true, Ordering::Relaxed);
        ran
    });
    let outcome = ran?.outcome;
    ensure(outcome.termination == Termination::CpuLimit, || format!("{outcome:?}"))?;
    let Pressure { steal, stall } = outcome.usage.pressure;
    let wanted = steal.ok_or("every Linux counts steal")?.wanted;
    ensure(wanted >= cpu / 2, || format!("the CPUs were busy for {wanted:?} only"))?;
    let counted = Path::new("/proc/pressure/cpu").exists();
    let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let much = |waited| waited > outcome.usage.wall / 10;
    let right = match stall {
        Some(Stall::Box(waited)) => v2 && much(waited),
        Some(Stall::Machine(waited)) => !v2 && much(waited),
        None => !counted,
    };
    ensure(right, || format!("{:?}", outcome.usage))
}
