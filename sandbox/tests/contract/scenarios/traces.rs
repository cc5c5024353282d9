//! What of a run's files is there for the next one in its slot: nothing, by no sign.

use std::fs;
use std::time::Duration;

use libtest_mimic::Failed;
use sandbox::{
    Bytes, Cancel, Engine, Job, Limits, NativeSandbox, Outcome, Sandbox as _, Termination, native,
};

use super::ensure;
use crate::invariants::within;
use crate::machine::in_time;
use crate::rig::{Rig, chain};

/// Longer than the kernel's clock for time stamps stands still. A work file system is kept for the next
/// run only if the clock had moved on from its making when a run began, so a run that is to be the hard
/// case waits for that.
const TICKS: Duration = Duration::from_millis(12);

/// What takes itself back, but for what the kernel counts.
const DEEDS: [&str; 23] = [
    "nothing",
    "unnamed",
    "unnamed_by_the_call",
    "unlink",
    "rename",
    "exchange",
    "link",
    "symlink",
    "folder",
    "fifo",
    "socket",
    "reuse",
    "attribute",
    "attribute_stays",
    "flag",
    "mode",
    "times",
    "map",
    "fill",
    "hint",
    "read",
    "lock",
    "fail",
];

/// Behind each deed the folders look as they do in a new slot.
pub(super) fn none_in_the_folders(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("traces")?;
    let run = |what: &str| -> Result<String, Failed> {
        let outcome = rig.run(&program.mark, program.job(&[what]))?.outcome;
        ensure(outcome.termination == Termination::Exited(0), || format!("{what}: {outcome:?}"))?;
        Ok(String::from_utf8_lossy(&outcome.stdout.bytes).into_owned())
    };
    let new = run("look")?;
    ensure(new.lines().count() == 42, || format!("it sees {new:?}"))?;
    for deed in DEEDS {
        for turn in 0..2 {
            within(TICKS, || false);
            run(deed)?;
            let seen = run("look")?;
            let other: Vec<_> = seen.lines().filter(|l| !new.lines().any(|n| n == *l)).collect();
            ensure(other.is_empty(), || {
                format!("after {deed:?} ({turn}) the next run sees {other:?}, and {new:?} else")
            })?;
        }
    }
    Ok(())
}

/// Nor do the numbers of the machine's folders tell which of them it looked up first. They are the
/// kernel's choice where what lies below an overlay is on two file systems.
pub(super) fn none_in_the_numbers(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let seen_behind = |first: &str| -> Result<String, Failed> {
        let other_disk = tempfile::tempdir_in("/dev/shm")?;
        let run_dir = other_disk.path().to_owned();
        let config = native::Config { boxes: 1, run_dir, ..native::Config::default() };
        let sandbox = NativeSandbox::new(config).map_err(|error| chain(&error))?;
        let numbers = |folders: &str| -> Result<String, Failed> {
            let script = format!("stat -c '%n %i' {folders} | sort");
            let mark = rig.fresh_mark();
            let argv = ["/bin/sh", "-c", &script, &mark].map(str::to_owned);
            let env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
            let job = Job { env, limits: in_time(Limits::default()), ..Job::new(argv.to_vec()) };
            let outcome = sandbox.run(job, &Cancel::new()?).map_err(|error| chain(&error))?;
            Ok(String::from_utf8_lossy(&outcome.stdout.bytes).into_owned())
        };
        numbers(first)?;
        numbers("/usr/lib /usr/share /usr/sbin")
    };
    let [a, b] = [seen_behind("/usr/share /usr/sbin")?, seen_behind("/usr/sbin /usr/share")?];
    ensure(a == b && a.lines().count() == 3, || format!("{a:?} and {b:?}"))
}

/// One more file than is freed at once, a folder that is both deep and wide, and one that is deeper
/// than is gone through: all of it is gone soon, and the next run has a file system of its own.
pub(super) fn trees_of_the_run_before(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("trees")?;
    let plant = |deep: u32, wide: u32, kib: u32| -> Result<Outcome, Failed> {
        let memory = Bytes::mib(256);
        let limits = Limits { inodes: 10_000, memory, disk: memory, ..Limits::default() };
        let job = Job {
            limits: in_time(limits),
            ..program.job(&[deep, wide, kib].map(|n| n.to_string()).each_ref().map(String::as_str))
        };
        let outcome = rig.run(&program.mark, job)?.outcome;
        let all = format!("files={}\n", deep * wide);
        let well =
            outcome.termination == Termination::Exited(0) && outcome.stdout.bytes == all.as_bytes();
        ensure(well, || format!("{deep} by {wide}: {outcome:?}"))?;
        Ok(outcome)
    };
    let before = shared_memory()?;
    for (deep, wide, kib) in [(1, 1_001, 0), (60, 20, 128), (200, 10, 64)] {
        plant(deep, wide, kib)?;
        let outcome = plant(1, 1, 1)?;
        let own = outcome.usage.memory < Bytes::mib(4).0;
        ensure(own, || format!("behind {deep} by {wide} files: {:?}", outcome.usage))?;
        let mut now = 0;
        let gone = within(Duration::from_secs(5), || {
            now = shared_memory().unwrap_or(u64::MAX);
            !undertakers() && now < before + 64 * 1024
        });
        ensure(gone, || format!("{deep} by {wide} files stay: {before} KiB before, {now} behind"))?;
    }
    Ok(())
}

/// Whether a file system is being freed beside the runs.
fn undertakers() -> bool {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = tasks.map(|task| fs::read_to_string(task.path().join("comm")).unwrap_or_default());
    names.into_iter().any(|name| name.trim_end() == "undertaker")
}

/// What the machine's tmpfs file systems hold, in KiB (proc_meminfo(5), `Shmem`).
fn shared_memory() -> Result<u64, Failed> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Shmem:"));
    let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no Shmem")?;
    Ok(number.parse()?)
}
