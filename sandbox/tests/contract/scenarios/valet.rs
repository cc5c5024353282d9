//! The thread that has slots armed behind their runs: what becomes of a slot, and of whoever wants it,
//! while it is there.

use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use rustix::process::{Signal, kill_process};
use sandbox::{Cancel, Engine, NativeSandbox, Sandbox as _, Termination, native};

use super::ensure;
use super::faults::{Fragile, SOON};
use crate::invariants::{Before, agents, within};
use crate::rig::{Rig, chain};

/// How long the valet lets a slot be to whoever had it, and some more.
const TAKEN: Duration = Duration::from_millis(10);

/// An engine that is dropped at any moment of its first arming, or of that behind a run, leaves
/// nothing.
pub(super) fn engine_ends_while_it_arms(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("exit_with")?;
    let others = agents()?;
    for moment in 0..40 {
        let config = native::Config { boxes: 1, ..native::Config::default() };
        let sandbox = NativeSandbox::new(config).map_err(|error| chain(&error))?;
        if moment % 2 == 1 {
            let ran = sandbox.run(program.job(&["0"]), &Cancel::new()?);
            let well = ran.as_ref().is_ok_and(|ran| ran.termination == Termination::Exited(0));
            ensure(well, || format!("{ran:?}"))?;
        }
        thread::park_timeout(Duration::from_micros(50 * (moment / 2)));
        let folders = sandbox.cgroup_folders();
        drop(sandbox);
        let left: Vec<_> = folders.iter().filter(|folder| folder.exists()).collect();
        ensure(left.is_empty(), || format!("dropped at moment {moment} it leaves {left:?}"))?;
        let agents: Vec<_> = agents()?.into_iter().filter(|pid| !others.contains(pid)).collect();
        ensure(agents.is_empty(), || format!("dropped at moment {moment}, left: {agents:?}"))?;
    }
    Ok(())
}

/// A slot that fails while the valet has it costs nobody a run.
pub(super) fn slot_fails_at_the_valet(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("exit_with")?;
    let fragile = Fragile::new(&program, 1)?;
    Before::settled()?;
    let agent = fragile.agent()?;
    // The box that is armed needs it no more; the valet waits for it.
    kill_process(agent, Signal::STOP)?;
    fragile.works(&program)?;
    thread::park_timeout(TAKEN);
    kill_process(agent, Signal::KILL)?;
    let dropped = || agents().is_ok_and(|agents| !agents.contains(&agent));
    ensure(within(SOON, dropped), || "the valet keeps a slot without an agent".to_owned())?;
    fragile.works(&program)
}

/// Whoever comes while the valet has the slot waits for it: that is sooner there than another one.
pub(super) fn the_valets_slot_is_waited_for(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("exit_with")?;
    let fragile = Fragile::new(&program, 2)?;
    let others = agents()?.len() - 1;
    Before::settled()?;
    let agent = fragile.agent()?;
    kill_process(agent, Signal::STOP)?;
    fragile.works(&program)?;
    thread::park_timeout(TAKEN);
    let ran = thread::scope(|scope| {
        let run = scope.spawn(|| fragile.works(&program));
        thread::park_timeout(Duration::from_millis(50));
        let gone_on = kill_process(agent, Signal::CONT);
        (run.join(), gone_on)
    });
    ran.1?;
    ran.0.map_err(|_| "the running thread panicked")??;
    let own = agents()?.len() - others;
    ensure(own == 1, || format!("{own} slots for one run at a time"))
}
