//! Limits of memory: a box's own, and those above it.

use libtest_mimic::Failed;

use crate::ensure;
use crate::pod::{Pod, View};
use crate::worker::Worker;

/// Touches more memory than any box has, in one call: pipes would be most of an emulated run.
const BOMB: &str = "dd if=/dev/zero of=/dev/null bs=512M count=1";

const MIB: u64 = 1 << 20;

/// A box that uses up its memory ends, with all its processes; the one beside it and the worker do
/// not notice.
pub(crate) fn one_box() -> Result<(), Failed> {
    let pod = Pod::new("bomb", View::Whole)?;
    let mut worker = Worker::start(&pod)?;
    let beside = worker.begin("read x; echo alive", 64)?;
    for _ in 0..3 {
        // The shell that waits is well below the limit, and goes with the rest.
        let ran = worker.run(&format!("{BOMB}; echo went on"), 32)?;
        let as_one = ran.ends == "MemoryLimit" && ran.says.is_empty();
        ensure(as_one && ran.memory / MIB >= 28, || format!("{ran:?}"))?;
    }
    worker.release(beside)?;
    let beside = worker.end(beside)?;
    ensure(beside.ends == "Exited(0)" && beside.says == "alive\n", || format!("{beside:?}"))?;
    worker.leave()?;
    // Limits further up were never the reason.
    let (own, kills) =
        (pod.field("memory.events.local", "oom")?, pod.field("memory.events", "oom_kill")?);
    ensure(own == 0 && kills >= 3, || format!("{own} times at the pod's limit, {kills} kills"))
}

/// Boxes that were granted more than there is take each other's memory, never the worker's: no OOM
/// at the pod's limit, where all would die (kubelet sets `memory.oom.group`). Whoever is killed
/// below its own limit gets an error of ours and no verdict.
pub(crate) fn sum_of_boxes() -> Result<(), Failed> {
    let pod = Pod::new("full", View::Whole)?;
    pod.write("memory.max", &(400 * MIB).to_string())?;
    pod.write("memory.oom.group", "1")?;
    let mut worker = Worker::start(&pod)?;
    let script = format!("read x; {BOMB}");
    let runs = [worker.begin(&script, 300)?, worker.begin(&script, 300)?];
    for run in runs {
        worker.release(run)?;
    }
    for run in runs {
        let ran = worker.end(run)?;
        ensure(ran.ends.contains("below its own memory limit"), || format!("{ran:?}"))?;
    }
    // A box within what there is has its verdict as ever.
    let ran = worker.run(BOMB, 64)?;
    ensure(ran.ends == "MemoryLimit", || format!("{ran:?}"))?;
    worker.leave()?;
    let at_the_pod = pod.field("memory.events.local", "oom")?;
    ensure(at_the_pod == 0, || format!("{at_the_pod} times at the pod's limit"))?;
    pod.is_as_made()
}

/// Neither the runs before nor files that they were the first to read are in it.
pub(crate) fn peak() -> Result<(), Failed> {
    let pod = Pod::new("peak", View::Whole)?;
    let mut worker = Worker::start(&pod)?;
    let large = "dd if=/dev/zero of=/dev/null bs=40000000 count=1 && echo read";
    let first = "cat /usr/lib/gcc/*/*/cc1 >/dev/null";
    for turn in 0..4 {
        let ran = worker.run("exit 0", 128)?;
        ensure(ran.ends == "Exited(0)" && ran.memory < 4 * MIB, || format!("{turn}: {ran:?}"))?;
        let ran = worker.run(large, 128)?;
        let range = (38 * MIB..60 * MIB).contains(&ran.memory);
        ensure(ran.says == "read\n" && range, || format!("{turn}: {ran:?}"))?;
        let ran = worker.run(first, 128)?;
        let read = turn > 0 || ran.memory > 16 * MIB;
        ensure(ran.ends == "Exited(0)" && read, || format!("{turn}: {ran:?}"))?;
    }
    worker.leave()
}

/// The kernel kills for memory in the middle of the exec, when the guest still runs on the memory
/// of its slot's agent.
pub(crate) fn too_large_to_start() -> Result<(), Failed> {
    let pod = Pod::new("large", View::Whole)?;
    let mut worker = Worker::start(&pod)?;
    for (mib, env) in [(1, 0), (1, 90_000), (1, 90_000), (2, 90_000)] {
        let run = worker.begin_with("exit 0", mib, env)?;
        let ran = worker.end(run)?;
        let fair = ran.ends == "MemoryLimit" || ran.ends == "Exited(0)";
        ensure(fair, || format!("{mib} MiB and {env} bytes: {ran:?}"))?;
        let ran = worker.run("exit 0", 64)?;
        ensure(ran.ends == "Exited(0)", || format!("behind it: {ran:?}"))?;
    }
    worker.leave()?;
    pod.is_as_made()
}
