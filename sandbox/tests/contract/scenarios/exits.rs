//! How a program ends, told apart exactly.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use libtest_mimic::Failed;
use sandbox::{Engine, Job, Limits, Termination};

use super::faults::{Fragile, SOON};
use super::{ensure, none_wrong};
use crate::machine::slowness;
use crate::rig::Rig;

/// Every exit code there is; on a machine that is some times slower, as many times fewer.
pub(super) fn exit_codes(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("exit_with")?;
    let mut wrong = Vec::new();
    for code in (0..=255).step_by(slowness() as usize) {
        let ran = rig.run(&program.mark, program.job(&[&code.to_string()]))?;
        if ran.outcome.termination != Termination::Exited(code) {
            wrong.push(format!("exit code {code} ends as {:?}", ran.outcome.termination));
        }
    }
    none_wrong(&wrong)
}

/// Every signal there is, raised by the program itself.
pub(super) fn signals(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("raise")?;
    let mut wrong = Vec::new();
    for signal in 1..=64 {
        let mut job = program.job(&[&signal.to_string()]);
        job.limits = Limits { wall: Duration::from_millis(300), ..Limits::default() };
        let ended = rig.run(&program.mark, job)?.outcome.termination;
        if !expected(signal).contains(&ended) {
            wrong.push(format!("signal {signal} ends as {ended:?}"));
        }
    }
    none_wrong(&wrong)
}

/// Programs that are there and that the kernel does not execute for what is in them: an exit code, as
/// shells have it, never our failure. isolate has one code for all of them.
pub(super) fn unfit_programs(rig: &Rig) -> Result<(), Failed> {
    let files: [(&str, &[u8], i32); 5] = [
        ("script", b"#!/nope\n", 127),
        ("script of no program", b"#!/etc/passwd\n", 126),
        ("text", b"no program\n", 126),
        ("head", b"\x7fELF", 126),
        ("nothing", b"", 126),
    ];
    let long = [b'x'; 4096];
    let interpreters: [(Option<&[u8]>, u32, i32); 4] = [
        (None, 0, 127),
        (Some(&long), 0o644, 126),
        (Some(&long), 0o755, 126),
        (Some(b"short"), 0o755, 126),
    ];
    let mut jobs = Vec::new();
    let write = |path: &std::path::Path, contents: &[u8], mode| -> Result<(), Failed> {
        fs::write(path, contents)?;
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
    };
    for (name, contents, code) in files {
        let program = rig.program("exit_with")?;
        write(&program.artefact.dir().join(name), contents, 0o755)?;
        let argv = vec![format!("/box/{name}")];
        jobs.push((name.to_owned(), Job { argv, ..program.job(&[]) }, code));
    }
    for (interpreter, mode, code) in interpreters {
        let program = rig.program("interpreted")?;
        let name = format!("interpreter of {:?} bytes and {mode:o}", interpreter.map(<[u8]>::len));
        if let Some(contents) = interpreter {
            write(&program.artefact.dir().join("interpreter"), contents, mode)?;
        }
        jobs.push((name, program.job(&[]), code));
    }
    let mut wrong = Vec::new();
    for (name, job, code) in jobs {
        let code = if rig.engine() == Engine::Native { code } else { 127 };
        let ended = rig.run(&rig.fresh_mark(), job)?.outcome.termination;
        if ended != Termination::Exited(code) {
            wrong.push(format!("{name} ends as {ended:?}, not {code}"));
        }
    }
    none_wrong(&wrong)?;
    keeps_its_slot(rig)
}

/// Such a program costs no slot.
fn keeps_its_slot(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let (program, unfit) = (rig.program("exit_with")?, rig.program("interpreted")?);
    let fragile = Fragile::new(&program, 1)?;
    let agent = fragile.agent()?;
    for _ in 0..3 {
        let ran = fragile.run(unfit.job(&[]), SOON)?;
        ensure(ran == Ok(Termination::Exited(127)), || format!("{ran:?}"))?;
        fragile.works(&program)?;
    }
    ensure(fragile.agent()? == agent, || "the slot is another one".to_owned())
}

/// What a signal does by default (signal(7)).
fn expected(signal: i32) -> Vec<Termination> {
    let killed = Termination::Signalled(signal);
    match signal {
        // CHLD, CONT, URG, WINCH.
        17 | 18 | 23 | 28 => vec![Termination::Exited(0)],
        // STOP.
        19 => vec![Termination::WallLimit],
        // TSTP, TTIN, TTOU stop nothing in an orphaned process group, which a box may be
        // (setpgid(2), NOTES).
        20..=22 => vec![Termination::WallLimit, Termination::Exited(0)],
        // XFSZ and SYS are what a file that is too large and a forbidden call end in; the kernel
        // does not tell who sent them.
        25 => vec![Termination::OutputLimit, killed],
        31 => vec![Termination::ForbiddenCall, killed],
        _ => vec![killed],
    }
}
