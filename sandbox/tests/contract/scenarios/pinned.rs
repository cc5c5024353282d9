//! An engine that gives each slot a CPU of its own: where guests ran, by their own account.

use std::collections::{BTreeMap, BTreeSet};
use std::io::pipe;
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use rustix::thread::sched_getaffinity;
use sandbox::{
    Cancel, Engine, Job, NativeSandbox, Outcome, Pinning, Sandbox, Stdin, Termination, native,
};

use super::ensure;
use crate::invariants::{alive, within};
use crate::rig::{Rig, Staged, chain};

/// What `cpus` says.
type Said = BTreeMap<String, String>;

/// A test stays on its slot's CPU, in run after run, whatever it tries; compilers and checkers are
/// elsewhere where there is an elsewhere.
pub(super) fn own_cpus(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let cpus = sched_getaffinity(None)?.count() as usize;
    let program = rig.program("cpus")?;
    let free = said(rig.sandbox().run(program.job(&[]), &Cancel::new()?))?;
    let all: BTreeSet<_> = free["allowed"].split(',').map(str::to_owned).collect();
    let widens = free["widen"] == "ok" && all.len() == cpus;
    ensure(widens, || format!("without pinning: {free:?}"))?;

    let one = pinned(1)?;
    let own = stays(one.run(program.job(&[]), &Cancel::new()?))?;
    ensure(!own.contains(','), || format!("a slot owns the CPUs {own}"))?;
    let aside = Job { aside: true, ..program.job(&[]) };
    let compiled = one.compile(aside, &rig.folder()?, &Cancel::new()?);
    let elsewhere = stays(compiled.map(|compiled| compiled.outcome))?;
    let rest = all.iter().filter(|cpu| **cpu != own).cloned().collect::<Vec<_>>().join(",");
    let expected = if rest.is_empty() { &own } else { &rest };
    ensure(elsewhere == *expected, || format!("a compiler is on {elsewhere}, tests on {own}"))?;
    for _ in 0..3 {
        let again = stays(one.run(program.job(&[]), &Cancel::new()?))?;
        ensure(again == own, || format!("once on {own}, then on {again}"))?;
    }
    drop(one);
    each_its_own(rig, cpus, &all)
}

/// As many slots as CPUs, all of them busy: no two are on one CPU, and none is left for a compiler.
fn each_its_own(rig: &Rig, cpus: usize, all: &BTreeSet<String>) -> Result<(), Failed> {
    let sandbox = pinned(cpus)?;
    let programs = (0..cpus).map(|_| rig.program("cpus")).collect::<Result<Vec<_>, _>>()?;
    let ran = at_once(&sandbox, &programs)?;
    let owned = ran.into_iter().map(stays).collect::<Result<BTreeSet<_>, _>>()?;
    ensure(owned == *all, || format!("{cpus} slots at once are on the CPUs {owned:?}"))?;
    let aside = Job { aside: true, ..programs[0].job(&[]) };
    let aside = stays(sandbox.run(aside, &Cancel::new()?))?;
    ensure(owned.contains(&aside), || format!("a checker is on {aside}"))?;
    let said = Pinning::of(cpus + 1).err().map(|error| error.to_string()).unwrap_or_default();
    ensure(said.contains("EVALX_PIN"), || format!("one slot too many: {said:?}"))
}

/// Runs them such that all are there before the first goes on.
fn at_once(
    sandbox: &NativeSandbox,
    programs: &[Staged],
) -> Result<Vec<Result<Outcome, sandbox::Error>>, Failed> {
    let cancel = Cancel::new()?;
    let (runs, up) = thread::scope(|scope| {
        let (mut runs, mut open) = (Vec::new(), Vec::new());
        for program in programs {
            let (stdin, until) = pipe()?;
            open.push(until);
            let job = Job { stdin: Stdin::Pipe(stdin.into()), ..program.job(&[]) };
            runs.push(scope.spawn(|| sandbox.run(job, &cancel)));
        }
        let up = || programs.iter().all(|program| !alive(&program.mark).is_empty());
        let up = within(Duration::from_secs(10), up);
        drop(open);
        let runs: Vec<_> = runs.into_iter().map(thread::ScopedJoinHandle::join).collect();
        Ok::<_, Failed>((runs, up))
    })?;
    ensure(up, || "the guests did not show up".to_owned())?;
    runs.into_iter().map(|run| run.map_err(|_| "a running thread panicked".into())).collect()
}

fn pinned(slots: usize) -> Result<NativeSandbox, Failed> {
    let boxes = u32::try_from(slots).unwrap_or(u32::MAX);
    let config =
        native::Config { boxes, pin: Some(Pinning::of(slots)?), ..native::Config::default() };
    Ok(NativeSandbox::new(config).map_err(|error| chain(&error))?)
}

fn said(ran: Result<Outcome, sandbox::Error>) -> Result<Said, Failed> {
    let outcome = ran.map_err(|error| chain(&error))?;
    ensure(outcome.termination == Termination::Exited(0), || format!("{outcome:?}"))?;
    let text = String::from_utf8_lossy(&outcome.stdout.bytes).into_owned();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

/// Where a run was, if it was nowhere else and could not get away.
fn stays(ran: Result<Outcome, sandbox::Error>) -> Result<String, Failed> {
    let said = said(ran)?;
    let allowed = &said["allowed"];
    let within = |key: &str| said[key].split(',').all(|cpu| allowed.split(',').any(|a| a == cpu));
    let kept = said["widen"] == "EPERM" && said["child_widens"] == "EPERM";
    let stayed = kept && within("ran") && said["child"] == *allowed;
    ensure(stayed, || format!("it got away: {said:?}"))?;
    Ok(allowed.clone())
}
