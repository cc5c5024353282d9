//! Processes that were killed and do not die, as one does that the kernel keeps in a call. The run ends in
//! time as our error, its box is set aside, others go on, and the box is back once it is empty.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use sandbox::{Cancel, Engine, Job, Limits, Sandbox as _};

use super::ensure;
use super::faults::{Fragile, SOON};
use crate::invariants::{alive, within};
use crate::machine::at_most;
use crate::rig::{Rig, Staged, chain};

/// From the kill that is no use to our error: a box is waited for, then its agent, then its group.
const GIVEN_UP: Duration = Duration::from_secs(12);

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
            found = alive(mark).first().and_then(|line| line.split(' ').next().map(str::to_owned));
            found.is_some()
        });
        fs::write(self.group.join("cgroup.procs"), found.ok_or("the guest did not show up")?)?;
        let state = self.group.join("freezer.state");
        fs::write(&state, "FROZEN")?;
        let frozen = || fs::read_to_string(&state).is_ok_and(|state| state.trim() == "FROZEN");
        ensure(within(Duration::from_secs(5), frozen), || "the guest does not freeze".to_owned())
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
