//! What holds after every case, whatever the guest did: no process of its box is alive, this
//! process has no more mounts, control groups and descriptors than before, and the next run in
//! the engine is none the wiser.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::Pid;
use sandbox::{Cancel, Termination};

use crate::machine::at_most;
use crate::rig::{Rig, chain};

/// What an engine may take to tidy up behind the result: it answers first and tears down then. Large
/// file systems are freed by a thread that stands behind all others (nice 19): beside other work on
/// every CPU that takes its time.
const TIDY: Duration = Duration::from_secs(5);

/// Nothing has changed for so long: nobody is at work.
const STILL: Duration = Duration::from_millis(10);

/// The program of the run that follows each case.
pub(crate) const PROBE: &str = "probe";

/// The state of this process before a case.
#[derive(Debug, Default)]
pub(crate) struct Before {
    mounts: usize,
    descriptors: usize,
    groups: Groups,
}

/// The control groups that an engine of this process made.
#[derive(Debug, Default)]
struct Groups {
    folders: BTreeSet<PathBuf>,
    processes: usize,
}

impl Before {
    /// Looks around once the engine has made its slots ready, which takes descriptors.
    pub(crate) fn settled() -> Result<Self, Failed> {
        Self::still_for(STILL)
    }

    /// How many descriptors an engine at rest has, with all that it makes ahead, which a busy machine
    /// may keep it from doing for longer than a case waits.
    pub(crate) fn at_rest() -> Result<usize, Failed> {
        Ok(Self::still_for(10 * STILL)?.descriptors)
    }

    fn still_for(still: Duration) -> Result<Self, Failed> {
        let (mut last, mut since) = (Self::now()?, Instant::now());
        within(TIDY, || {
            let now = Self::now().unwrap_or_default();
            if now.descriptors != last.descriptors {
                (last, since) = (now, Instant::now());
            }
            let armed = agents().is_ok_and(|agents| agents.into_iter().all(has_box));
            armed && since.elapsed() > at_most(still)
        });
        Ok(last)
    }

    fn now() -> Result<Self, Failed> {
        Ok(Self {
            mounts: mounts()?,
            descriptors: fs::read_dir("/proc/self/fd")?.count(),
            groups: Groups::of(std::process::id())?,
        })
    }

    /// Checks every invariant after a case.
    pub(crate) fn holds(&self, rig: &Rig) -> Result<(), Failed> {
        let alive = alive(&rig.mark());
        if !alive.is_empty() {
            return Err(format!("alive after the case: {}", alive.join("; ")).into());
        }
        probe(rig)?;
        let mut last = Ok(());
        if within(TIDY, || {
            last = self.compare(rig);
            last.is_ok()
        }) {
            return Ok(());
        }
        last
    }

    fn compare(&self, rig: &Rig) -> Result<(), Failed> {
        let Self { mounts, descriptors, groups } = Self::now()?;
        let (before, now) = (self.mounts, mounts);
        if now > before {
            return Err(format!("{now} mounts after the case, {before} before").into());
        }
        let (before, now) = (self.descriptors.max(rig.descriptors), descriptors);
        if now > before {
            return Err(format!("{now} open descriptors after the case, {before} before").into());
        }
        let known: BTreeSet<_> = self.groups.folders.iter().map(|folder| slot(folder)).collect();
        let mut seen = BTreeMap::<_, u32>::new();
        for folder in &groups.folders {
            *seen.entry(slot(folder)).or_default() += 1;
        }
        let new: Vec<_> =
            seen.iter().filter(|(slot, count)| !known.contains(*slot) || **count > 2).collect();
        if !new.is_empty() {
            return Err(format!("new control groups after the case: {new:?}").into());
        }
        let (idle, now) = (rig.residents, groups.processes);
        if now > idle {
            return Err(format!("{now} processes in the engine's groups, {idle} when idle").into());
        }
        Ok(())
    }
}

/// Whose a control group is: that of a slot is made anew, with a number behind its name, where much
/// stays charged to it, and the one before may be there until the slot's next run.
fn slot(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    folder.with_file_name(name.split_once('.').map_or(&*name, |(slot, _)| slot))
}

/// Checks that nothing of the engines of process `owner` is left: no group, no process.
pub(crate) fn nothing_left_of(owner: u32) -> Result<(), Failed> {
    let mut left = Groups::default();
    let gone = within(TIDY, || {
        left = Groups::of(owner).unwrap_or_default();
        left.folders.is_empty()
    });
    if gone {
        return Ok(());
    }
    Err(format!("control groups of process {owner} are left: {:?}", left.folders).into())
}

/// How many processes are in the control groups of this process's engines. A process counts once
/// in each hierarchy.
pub(crate) fn residents() -> Result<usize, Failed> {
    Ok(Groups::of(std::process::id())?.processes)
}

/// How many mounts this process sees.
pub(crate) fn mounts() -> Result<usize, Failed> {
    Ok(fs::read_to_string("/proc/self/mountinfo")?.lines().count())
}

/// The processes, zombies included, whose name, command line or program holds `mark`.
pub(crate) fn alive(mark: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
        .filter_map(|pid| {
            let proc = Path::new("/proc").join(&pid);
            let text = |name| fs::read(proc.join(name)).unwrap_or_default();
            let (name, line) = (text("comm"), text("cmdline"));
            let program = fs::read_link(proc.join("exe")).unwrap_or_default();
            let seen = [&name[..], &line[..], program.as_os_str().as_encoded_bytes()];
            let found = seen.iter().any(|s| s.windows(mark.len()).any(|w| w == mark.as_bytes()));
            found.then(|| format!("{pid} {}", String::from_utf8_lossy(&line).replace('\0', " ")))
        })
        .collect()
}

/// Waits until `done`, no longer than `limit`; whether it came to be.
pub(crate) fn within(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + at_most(limit);
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// The next run: a program that looks for what should not be there.
pub(crate) fn probe(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program(PROBE)?;
    let cancel = Cancel::new()?;
    let outcome = rig
        .sandbox()
        .run(program.job(&[]), &cancel)
        .map_err(|e| format!("the next run failed: {}", chain(&e)))?;
    let clean = outcome.termination == Termination::Exited(0)
        && outcome.stdout.bytes == b"probe=ok\n"
        && outcome.stderr.bytes.is_empty()
        && outcome.usage.memory < 16 << 20
        && outcome.usage.cpu < at_most(Duration::from_millis(500));
    if clean { Ok(()) } else { Err(format!("the next run is not as usual: {outcome:?}").into()) }
}

impl Groups {
    /// Folders are named by their owner, see [`sandbox::cgroup`].
    fn of(owner: u32) -> Result<Self, Failed> {
        let mut groups = Self::default();
        let table = fs::read_to_string("/proc/self/mountinfo")?;
        for line in table.lines() {
            // proc_pid_mountinfo(5): the mount point is field 5, the type follows ` - `.
            let (fields, kind) = line.split_once(" - ").unwrap_or((line, ""));
            if kind.starts_with("cgroup")
                && let Some(point) = fields.split(' ').nth(4)
            {
                groups.search(Path::new(point), &format!("evalx-{owner}-"), false);
            }
        }
        Ok(groups)
    }

    /// Takes in every folder below `folder` that is named so, and all that is within.
    fn search(&mut self, folder: &Path, name: &str, within: bool) {
        // Groups of others come and go while they are walked.
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())) {
            let path = entry.path();
            let ours = within || entry.file_name().as_encoded_bytes().starts_with(name.as_bytes());
            self.search(&path, name, ours);
            if ours {
                let listed = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
                self.processes += listed.lines().count();
                self.folders.insert(path);
            }
        }
    }
}

/// Agents of this process.
pub(crate) fn agents() -> Result<Vec<Pid>, Failed> {
    let tasks = fs::read_dir("/proc/self/task")?.map(|task| Ok(task?.path()));
    let tasks = tasks.collect::<Result<Vec<_>, Failed>>()?;
    Ok(tasks.iter().flat_map(|task| agents_below(task)).collect())
}

/// Whether there is a box, armed or not, whose init is alive.
pub(crate) fn has_box(agent: Pid) -> bool {
    let pid = agent.as_raw_nonzero();
    !agents_below(Path::new(&format!("/proc/{pid}/task/{pid}"))).is_empty()
}

/// Agents, and what runs on their memory, among what the kernel lists as children of a task.
fn agents_below(task: &Path) -> Vec<Pid> {
    let children = fs::read_to_string(task.join("children")).unwrap_or_default();
    let is_one = |pid: &&str| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        name.trim_end() == "evalx-agent" && !status.contains(") Z ")
    };
    children
        .split_whitespace()
        .filter(is_one)
        .filter_map(|p| Pid::from_raw(p.parse().ok()?))
        .collect()
}
