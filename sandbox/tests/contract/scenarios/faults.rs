//! What goes wrong with the machine or with processes of ours. Every one of these ends as an error of
//! ours, soon, and the next run finds a new slot: never a verdict.

use std::fs;
use std::io::{BufRead as _, BufReader, pipe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use sandbox::{
    Bytes, Cancel, Contents, Engine, InputFile, Job, Limits, NativeSandbox, Sandbox as _, Stdin,
    Stdout, Termination, native,
};

use super::ensure;
use crate::invariants::{Before, agents, alive, within};
use crate::machine::at_most;
use crate::rig::{Rig, Staged, chain};

/// From a fault to its error, where nothing has to be waited for.
pub(super) const SOON: Duration = Duration::from_secs(3);

/// An engine of few slots, and its agents.
pub(super) struct Fragile {
    pub(super) sandbox: NativeSandbox,
    others: Vec<Pid>,
}

impl Fragile {
    pub(super) fn new(program: &Staged, boxes: u32) -> Result<Self, Failed> {
        let others = agents()?;
        let config = native::Config { boxes, ..native::Config::default() };
        let sandbox = NativeSandbox::new(config).map_err(|error| chain(&error))?;
        let fragile = Self { sandbox, others };
        fragile.works(program)?;
        Ok(fragile)
    }

    pub(super) fn agent(&self) -> Result<Pid, Failed> {
        let own = agents()?.into_iter().find(|pid| !self.others.contains(pid));
        Ok(own.ok_or("the engine has no agent")?)
    }

    /// How a run ends, or what our error says; soon.
    pub(super) fn run(
        &self,
        job: Job,
        patience: Duration,
    ) -> Result<Result<Termination, String>, Failed> {
        let cancel = Cancel::new()?;
        let start = Instant::now();
        let ran = self.sandbox.run(job, &cancel);
        let took = start.elapsed();
        ensure(took < at_most(patience), || format!("it took {took:?}: {ran:?}"))?;
        Ok(ran.map(|outcome| outcome.termination).map_err(|error| chain(&error)))
    }

    /// The next run is as usual.
    pub(super) fn works(&self, program: &Staged) -> Result<(), Failed> {
        let ran = self.run(program.job(&["0"]), SOON)?;
        ensure(ran == Ok(Termination::Exited(0)), || format!("the next run gives {ran:?}"))
    }

    /// A run while the fault lasts is an error that names `step`.
    fn fails(&self, job: Job, patience: Duration, step: &str) -> Result<(), Failed> {
        let ran = self.run(job, patience)?;
        let named = ran.as_ref().is_err_and(|e| e.contains("slot 0 failed") && e.contains(step));
        ensure(named, || format!("expected our error with {step:?}, got {ran:?}"))
    }
}

/// An agent is killed while its slot is idle, while it runs, and at 60 moments between.
pub(super) fn killed_agents(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("exit_with")?;
    let fragile = Fragile::new(&program, 1)?;
    // Else the engine may find out before the run does, which then has another slot.
    Before::settled()?;
    kill_process(fragile.agent()?, Signal::KILL)?;
    fragile.fails(program.job(&["0"]), SOON, "")?;
    fragile.works(&program)?;

    let tree = rig.program("tree")?;
    let ran = thread::scope(|scope| {
        let run = scope.spawn(|| fragile.run(tree.job(&[]), SOON));
        let up = within(Duration::from_secs(5), || alive(&tree.mark).len() >= 5);
        let killed = fragile.agent().map(|agent| kill_process(agent, Signal::KILL).is_ok());
        (run.join(), up, killed)
    });
    let (Ok(ran), true, Ok(true)) = ran else { return Err("the run did not begin".into()) };
    let ran = ran?;
    ensure(ran.is_err(), || format!("a run whose agent is killed ends as {ran:?}"))?;
    let left = alive(&tree.mark);
    ensure(left.is_empty(), || format!("alive: {}", left.join("; ")))?;
    fragile.works(&program)?;

    let mut failed = 0;
    for moment in 0..60 {
        let agent = fragile.agent()?;
        let ran = thread::scope(|scope| {
            let run = scope.spawn(|| fragile.run(program.job(&["0"]), SOON));
            thread::park_timeout(at_most(Duration::from_micros(50 * moment)));
            let killed = kill_process(agent, Signal::KILL);
            (run.join(), killed)
        });
        let ran = ran.0.map_err(|_| "the running thread panicked")??;
        failed += u32::from(ran.is_err());
        let right = ran.is_err() || ran == Ok(Termination::Exited(0));
        ensure(right, || format!("killed after {moment} x 50 us, it ends as {ran:?}"))?;
        // Whatever moment it was, the slot is dead by now or at the next run.
        let next = fragile.run(program.job(&["0"]), SOON)?;
        let right = next.is_err() || next == Ok(Termination::Exited(0));
        ensure(right, || format!("the run after moment {moment} ends as {next:?}"))?;
        if next.is_err() {
            fragile.works(&program)?;
        }
    }
    ensure(failed > 0, || "no run was hit".to_owned())
}

/// An agent that has stopped answers nothing; it is given up in time.
pub(super) fn wedged_agent(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("exit_with")?;
    let fragile = Fragile::new(&program, 1)?;
    Before::settled()?;
    kill_process(fragile.agent()?, Signal::STOP)?;
    // The box that is armed already may still serve a run.
    let first = fragile.run(program.job(&["0"]), Duration::from_secs(15))?;
    ensure(first.is_err() || first == Ok(Termination::Exited(0)), || format!("{first:?}"))?;
    if first.is_ok() {
        fragile.fails(program.job(&["0"]), Duration::from_secs(15), "arm a box")?;
    }
    fragile.works(&program)
}

/// No room in the box for an input file, no descriptors and no processes to be had, and control
/// groups that somebody else removes.
pub(super) fn nothing_to_be_had(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("exit_with")?;
    let fragile = Fragile::new(&program, 1)?;
    let file = InputFile {
        path: "much".into(),
        contents: Contents::Memory(Arc::from(vec![7; 1 << 20])),
        executable: false,
    };
    let limits = Limits { disk: Bytes::kib(64), ..Limits::default() };
    let job = Job { files: vec![file], limits, ..program.job(&["0"]) };
    fragile.fails(job, SOON, "much")?;
    fragile.works(&program)?;

    few_descriptors(&fragile, &program)?;
    let folders = fragile.sandbox.cgroup_folders();
    let limit = folders.iter().map(|f| f.join("pids.max")).find(|f| f.exists());
    if let Some(limit) = limit {
        fs::write(&limit, "0")?;
        // What is armed already needs no process more.
        let ran = [(); 3].map(|()| fragile.run(program.job(&["0"]), SOON));
        fs::write(&limit, "max")?;
        let ran = ran.into_iter().collect::<Result<Vec<_>, _>>()?;
        let right =
            |r: &Result<Termination, String>| r.is_err() || *r == Ok(Termination::Exited(0));
        let right = ran.iter().all(right) && ran.iter().any(Result::is_err);
        ensure(right, || format!("without processes: {ran:?}"))?;
        fragile.works(&program)?;
    }

    let mut slots = Vec::new();
    folders.iter().for_each(|folder| groups_below(folder, &mut slots));
    for folder in slots {
        // Refused where somebody lives in it (cgroups(7)).
        let removed = fs::remove_dir(&folder).is_ok();
        let ran = fragile.run(program.job(&["0"]), SOON)?;
        let right = ran == Ok(Termination::Exited(0)) || removed && ran.is_err();
        ensure(right, || format!("without {folder:?} (removed: {removed}): {ran:?}"))?;
        fragile.works(&program)?;
    }
    Ok(())
}

/// From none to as many as are needed: whichever step is the first without one, it is named.
fn few_descriptors(fragile: &Fragile, program: &Staged) -> Result<(), Failed> {
    let before = getrlimit(Resource::Nofile);
    let cancel = Cancel::new()?;
    let open = fs::read_dir("/proc/self/fd")?.flatten();
    let numbers = open.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
    let highest = numbers.max().unwrap_or_default();
    let mut failed = 0;
    for most in 3..highest + 40 {
        setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..before })?;
        let ran = fragile.sandbox.run(program.job(&["0"]), &cancel);
        setrlimit(Resource::Nofile, before)?;
        let ran = ran.map(|outcome| outcome.termination).map_err(|error| chain(&error));
        let right = match &ran {
            Ok(termination) => *termination == Termination::Exited(0),
            Err(error) => error.contains("cannot ") && error.contains("Too many open files"),
        };
        ensure(right, || format!("with descriptors below {most}: {ran:?}"))?;
        failed += u32::from(ran.is_err());
    }
    ensure(failed > 0, || "there were always enough".to_owned())?;
    fragile.works(program)
}

/// A slot that cannot be armed again behind a run is lost, and the run has its result all the same.
pub(super) fn result_of_a_lost_slot(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("exit_with")?;
    let fragile = {
        // An engine that knows of one CPU has one run on each, and no time: whoever makes the run
        // arms the slot again.
        let all = sched_getaffinity(None)?;
        let mut one = CpuSet::new();
        one.set((0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).unwrap_or_default());
        sched_setaffinity(None, &one)?;
        let fragile = Fragile::new(&program, 1);
        sched_setaffinity(None, &all)?;
        fragile?
    };
    // A work file system that was touched is made anew, which takes descriptors.
    let argv = ["/bin/sh", "-c", "echo x > /w/x; echo up; read end; exit 3"].map(str::to_owned);
    let ((stdin, until), (from_guest, out)) = (pipe()?, pipe()?);
    let (stdin, stdout) = (Stdin::Pipe(stdin.into()), Stdout::Pipe(out.into()));
    let job = Job { stdin, stdout, ..Job::new(argv.to_vec()) };
    let before = getrlimit(Resource::Nofile);
    let (ran, up) = thread::scope(|scope| {
        let run = scope.spawn(|| fragile.run(job, SOON));
        let mut up = String::new();
        let read = BufReader::new(from_guest).read_line(&mut up);
        let none = setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..before });
        drop(until);
        (run.join(), read.is_ok() && up == "up\n" && none.is_ok())
    });
    setrlimit(Resource::Nofile, before)?;
    ensure(up, || format!("the run did not begin: {ran:?}"))?;
    let ran = ran.map_err(|_| "the running thread panicked")??;
    ensure(ran == Ok(Termination::Exited(3)), || format!("it ends as {ran:?}"))?;
    fragile.works(&program)
}

/// What all boxes together have is used up, and a box, or a child in one, is killed far below its own
/// limit: never the verdict that it needed too much.
pub(super) fn memory_above_the_box(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("exit_with")?;
    let fragile = Fragile::new(&program, 1)?;
    let files = ["memory.limit_in_bytes", "memory.max"];
    let folders = fragile.sandbox.cgroup_folders();
    let limit = folders.iter().flat_map(|folder| files.map(|file| folder.join(file)));
    let limit = limit.into_iter().find(|file| file.exists()).ok_or("no limit of memory")?;
    // v1 counts it apart, and what is swapped out is in it.
    let both = limit.with_file_name("memory.memsw.limit_in_bytes");
    let before = fs::read_to_string(&limit)?;
    for guest in ["touch", "a08_child_out_of_memory"] {
        let guest = rig.program(guest)?;
        let most = (48 << 20).to_string();
        fs::write(&limit, &most)?;
        let swaps = both.exists().then(|| fs::write(&both, &most)).transpose()?.is_some();
        let ran = fragile.run(guest.job(&[]), Duration::from_secs(10));
        if swaps {
            fs::write(&both, before.trim())?;
        }
        fs::write(&limit, before.trim())?;
        let ran = ran?;
        let named = ran.as_ref().is_err_and(|e| e.contains("below its own memory limit"));
        ensure(named, || format!("a box that others starve ends as {ran:?}"))?;
        fragile.works(&program)?;
    }
    Ok(())
}

fn groups_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            groups_below(&entry.path(), found);
            found.push(entry.path());
        }
    }
}
