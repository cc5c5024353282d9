//! Processes that were killed and do not die, as one does that the kernel keeps in a call. The run ends in
//! time as our error, its box is set aside, others go on, and the box is back once it is empty.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use sandbox::cgroup::Version;
use sandbox::{Cancel, Engine, Job, Limits, Sandbox as _, Termination};

use super::boxes::user_ids;
use super::ensure;
use super::faults::{Fragile, SOON};
use crate::invariants::{Before, alive, nothing_left_of, within};
use crate::machine::at_most;
use crate::rig::{Rig, Staged, chain};
use crate::victim::Victim;

/// From the kill that is no use to our error: a box is waited for, then its agent, then its group.
const GIVEN_UP: Duration = Duration::from_secs(12);

/// The same of an agent that does not arm a box.
const AGENT_GIVEN_UP: Duration = Duration::from_secs(17);

/// A group of the freezer of control groups v1, which is there beside v2, too. Who is frozen in it does
/// not die before it is thawed (kernel/freezer.c, `__refrigerator`). Thaws when dropped.
struct Freezer {
    point: PathBuf,
    group: PathBuf,
}

impl Freezer {
    fn make(rig: &Rig) -> Result<Self, Failed> {
        let point = rig.folder()?;
        mount("freezer", &point, "cgroup", MountFlags::empty(), c"freezer")?;
        let group = point.join(rig.fresh_mark());
        let made = fs::create_dir(&group);
        let freezer = Self { point, group };
        made?;
        Ok(freezer)
    }

    /// Freezes the process of that mark, once there is one.
    fn freeze(&self, mark: &str) -> Result<(), Failed> {
        let mut found = None;
        within(Duration::from_secs(5), || {
            found = alive(mark).first().and_then(|line| line.split(' ').next()?.parse().ok());
            found.is_some()
        });
        self.freeze_process(found.ok_or("the guest did not show up")?)
    }

    fn freeze_process(&self, pid: i32) -> Result<(), Failed> {
        fs::write(self.group.join("cgroup.procs"), pid.to_string())?;
        let state = self.group.join("freezer.state");
        fs::write(&state, "FROZEN")?;
        let frozen = || fs::read_to_string(&state).is_ok_and(|state| state.trim() == "FROZEN");
        ensure(within(Duration::from_secs(5), frozen), || format!("process {pid} does not freeze"))
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        // What fails here is left, and the invariants find it.
        let _thawed = fs::write(self.group.join("freezer.state"), "THAWED");
        within(Duration::from_secs(5), || fs::remove_dir(&self.group).is_ok());
        let _unmounted = unmount(&self.point, UnmountFlags::DETACH);
    }
}

/// Runs `guest`, freezes it, and withdraws the run.
fn wedge(fragile: &Fragile, guest: &Staged, freezer: &Freezer) -> Result<(), Failed> {
    let cancel = Cancel::new()?;
    let limits = Limits { wall: Duration::from_secs(100), ..Limits::default() };
    let job = Job { limits, ..guest.job(&[]) };
    let (ran, frozen, took) = thread::scope(|scope| {
        let run = scope.spawn(|| fragile.sandbox.run(job, &cancel).map_err(|e| chain(&e)));
        let frozen = freezer.freeze(&guest.mark);
        let begun = Instant::now();
        cancel.cancel();
        (run.join(), frozen, begun.elapsed())
    });
    frozen?;
    let ran = ran.map_err(|_| "the running thread panicked")?;
    let named = ran.as_ref().is_err_and(|error| error.contains("did not die when it was killed"));
    ensure(named, || format!("a run that cannot be killed ends as {ran:?}"))?;
    ensure(took < at_most(GIVEN_UP), || format!("given up after {took:?}"))
}

fn set_aside(fragile: &Fragile, count: usize) -> Result<(), Failed> {
    let mut found = Vec::new();
    let as_many = within(Duration::from_secs(5), || {
        found = fragile.sandbox.quarantined();
        found.len() == count
    });
    ensure(as_many, || format!("set aside: {found:?}, not {count}"))
}

/// One box of two, then both, then neither.
pub(super) fn unkillable_guests(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("exit_with")?;
    let [first, second] = [rig.program("a06_idle_pause")?, rig.program("a06_idle_pause")?];
    let [one, other] = [Freezer::make(rig)?, Freezer::make(rig)?];
    let fragile = Fragile::new(&program, 2)?;
    wedge(&fragile, &first, &one)?;
    set_aside(&fragile, 1)?;
    (0..3).try_for_each(|_| fragile.works(&program))?;
    wedge(&fragile, &second, &other)?;
    set_aside(&fragile, 2)?;
    let ran = fragile.run(program.job(&["0"]), SOON)?;
    let said = ran.as_ref().is_err_and(|error| error.contains("in each of the 2 boxes"));
    ensure(said, || format!("without a box a run ends as {ran:?}"))?;
    for (freezer, guest, left) in [(one, &first, 1), (other, &second, 0)] {
        drop(freezer);
        let gone = within(Duration::from_secs(5), || alive(&guest.mark).is_empty());
        ensure(gone, || format!("alive: {}", alive(&guest.mark).join("; ")))?;
        set_aside(&fragile, left)?;
        fragile.works(&program)?;
    }
    Ok(())
}

/// An agent that answers nothing and does not die either: the run that waits for it ends in time, the
/// other box goes on, and what is set aside is back, and the agent reaped, once it is dead.
pub(super) fn unkillable_agent(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("exit_with")?;
    let freezer = Freezer::make(rig)?;
    let fragile = Fragile::new(&program, 2)?;
    Before::settled()?;
    let agent = fragile.agent()?.as_raw_nonzero().get();
    freezer.freeze_process(agent)?;
    // The box that is armed already needs no agent to run, nor to be killed.
    fragile.works(&program)?;
    let ran: Vec<_> = thread::scope(|scope| {
        let run = || fragile.run(program.job(&["0"]), AGENT_GIVEN_UP);
        let both: Vec<_> = (0..2).map(|_| scope.spawn(run)).collect();
        both.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let ran = ran.into_iter().map(|ran| ran.map_err(|_| "a running thread panicked")?);
    let mut ran = ran.collect::<Result<Vec<_>, _>>()?;
    // Whichever was the first got the agent that is frozen.
    ran.sort_by_key(Result::is_err);
    let named = ran[1].as_ref().is_err_and(|error| error.contains("did not arm a box"));
    ensure(ran[0] == Ok(Termination::Exited(0)) && named, || format!("both boxes: {ran:?}"))?;
    // On v2 an agent is in no box's group, and nothing of the box is left.
    let lives_there = fragile.sandbox.cgroup_version() == Version::V1;
    set_aside(&fragile, usize::from(lives_there))?;
    (0..3).try_for_each(|_| fragile.works(&program))?;
    drop(freezer);
    set_aside(&fragile, 0)?;
    // A zombie would still be there.
    let reaped = || fragile.sandbox.quarantined().is_empty() && !exists(agent);
    ensure(within(Duration::from_secs(5), reaped), || format!("agent {agent} is not reaped"))?;
    fragile.works(&program)?;
    ends_past_its_agent(rig, fragile, &program)
}

/// An engine whose agent does not die comes to its end, and the next start takes the rest away.
fn ends_past_its_agent(rig: &Rig, fragile: Fragile, program: &Staged) -> Result<(), Failed> {
    let freezer = Freezer::make(rig)?;
    let folders = fragile.sandbox.cgroup_folders();
    freezer.freeze_process(fragile.agent()?.as_raw_nonzero().get())?;
    let begun = Instant::now();
    drop(fragile);
    let took = begun.elapsed();
    ensure(took < at_most(GIVEN_UP), || format!("an engine took {took:?} to end"))?;
    drop(freezer);
    drop(Fragile::new(program, 1)?);
    let left: Vec<_> = folders.iter().filter(|folder| folder.exists()).collect();
    ensure(left.is_empty(), || format!("left: {left:?}"))
}

fn exists(pid: i32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap_or(true)
}

/// Two workers are killed, with a guest each that does not die: the next one starts all the same, says
/// so, and shares no user id with them. Once they are dead nothing of them stays.
pub(super) fn stuck_predecessors(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("exit_with")?;
    let guests = [rig.program("a06_idle_pause")?, rig.program("a06_idle_pause")?];
    let freezer = Freezer::make(rig)?;
    let mut owners = Vec::new();
    for guest in &guests {
        let mut victim = Victim::start(rig.engine(), guest, &[])?;
        freezer.freeze(&guest.mark)?;
        victim.kill()?;
        owners.push(victim.id());
    }
    let begun = Instant::now();
    let fragile = Fragile::new(&program, 1)?;
    let took = begun.elapsed();
    ensure(took < at_most(SOON), || format!("the next start took {took:?}"))?;

    let stuck: Vec<u32> = guests.iter().flat_map(|guest| pids(&guest.mark)).collect();
    let told = fragile.sandbox.left_behind();
    let all = stuck.len() == 2 && stuck.iter().all(|pid| told.contains(pid));
    ensure(all, || format!("stuck: {stuck:?}, told: {told:?}"))?;
    let taken = guests.iter().flat_map(|guest| user_ids(&guest.mark)).collect::<Vec<_>>();
    let whoami = Job::new(["/bin/sh", "-c", "id -u"].map(str::to_owned).to_vec());
    let outcome = fragile.sandbox.run(whoami, &Cancel::new()?).map_err(|error| chain(&error))?;
    let own: u32 = String::from_utf8_lossy(&outcome.stdout.bytes).trim().parse()?;
    ensure(!taken.contains(&own), || format!("its guest is {own}, as one of {taken:?}"))?;
    drop(fragile);

    drop(freezer);
    let left = || guests.iter().flat_map(|guest| alive(&guest.mark)).collect::<Vec<_>>();
    let gone = within(Duration::from_secs(5), || left().is_empty());
    ensure(gone, || format!("alive: {}", left().join("; ")))?;
    let heir = Fragile::new(&program, 1)?;
    let told = heir.sandbox.left_behind();
    ensure(told.is_empty(), || format!("told of {told:?}, who are dead"))?;
    owners.into_iter().try_for_each(nothing_left_of)
}

/// The processes that bear `mark`.
fn pids(mark: &str) -> Vec<u32> {
    alive(mark).iter().filter_map(|line| line.split(' ').next()?.parse().ok()).collect()
}
