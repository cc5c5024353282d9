//! What a box sees and touches of this machine's files.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use libtest_mimic::Failed;
use sandbox::{Bytes, Job, Limits, Termination};

use super::{ensure, none_wrong};
use crate::rig::Rig;

/// A file that anybody on this machine may read is not there, whatever way it is asked for.
pub(super) fn files_of_the_host(rig: &Rig) -> Result<(), Failed> {
    let folder = rig.folder()?;
    let secret = folder.join("expected.txt");
    fs::write(&secret, "42")?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o666))?;
    let path = secret.to_string_lossy();
    let mut paths: Vec<String> = [
        "",
        "..",
        "../..",
        "../../../../..",
        "/box/..",
        "/w/../..",
        "/proc/1/root",
        "/proc/self/root",
        "/proc/self/cwd/..",
        "/proc/self/exe/../..",
        "/dev/shm/../..",
    ]
    .iter()
    .map(|before| format!("{before}{path}"))
    .collect();
    let system =
        ["/etc/shadow", "/root", "/home", "/run/evalx", "/var/lib", "/boot", "/sys/kernel"];
    paths.extend(system.map(str::to_owned));
    // Descriptors of an agent that might have been left open.
    paths.extend((3..20).map(|fd| format!("/proc/self/fd/{fd}")));
    let args: Vec<_> = paths.iter().map(String::as_str).collect();
    let mut wrong = Vec::new();
    for proc in [false, true] {
        let program = rig.program("open_paths")?;
        let job = Job { proc, ..program.job(&args) };
        let outcome = rig.run(&program.mark, job)?.outcome;
        let said = String::from_utf8_lossy(&outcome.stdout.bytes).into_owned();
        ensure(said.lines().count() == paths.len(), || format!("{outcome:?}"))?;
        for (line, path) in said.lines().zip(&paths) {
            if line.ends_with("=ok") {
                wrong.push(format!("{path} can be opened (proc: {proc})"));
            }
        }
    }
    none_wrong(&wrong)
}

/// What the kernel frees for longer than a run takes is freed beside the next one, which has a file
/// system and an account of its own; when a slot fills the next before, it waits.
pub(super) fn files_of_the_run_before(rig: &Rig) -> Result<(), Failed> {
    const MANY: u32 = 20_000;
    let program = rig.program("a16_inodes")?;
    let made = |inodes: u32| -> Result<u32, Failed> {
        let memory = Bytes::mib(256);
        let limits = Limits { inodes, memory, disk: memory, ..Limits::default() };
        let outcome = rig.run(&program.mark, Job { limits, ..program.job(&[]) })?.outcome;
        let said = String::from_utf8_lossy(&outcome.stdout.bytes).into_owned();
        let files = said.lines().find_map(|line| line.strip_prefix("files="));
        Ok(files.ok_or_else(|| format!("{:?}, {said:?}", outcome.termination))?.parse()?)
    };
    for _ in 0..3 {
        let files = made(MANY)?;
        ensure((MANY - 4..=MANY).contains(&files), || format!("{files} files of {MANY}"))?;
    }
    let after = rig.program("exit_with")?;
    let outcome = rig.run(&after.mark, after.job(&["0"]))?.outcome;
    let own =
        outcome.termination == Termination::Exited(0) && outcome.usage.memory < Bytes::mib(4).0;
    ensure(own, || format!("behind {MANY} files: {:?}", outcome.usage))?;
    let files = made(1_000)?;
    ensure((996..=1_000).contains(&files), || format!("{files} files of 1000"))
}

/// A program that tries to change its artefact leaves it as it was, for the next run and for us.
pub(super) fn artefact_unchanged(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("a36_change_the_artefact")?;
    let before = listing(program.artefact.dir())?;
    for _ in 0..2 {
        let outcome = rig.run(&program.mark, program.job(&[]))?.outcome;
        ensure(outcome.termination == Termination::Exited(0), || format!("{outcome:?}"))?;
        let now = listing(program.artefact.dir())?;
        ensure(now == before, || format!("{before:?} became {now:?}"))?;
    }
    Ok(())
}

/// Name, mode, owner, size and the times of contents and of the rest, of a folder and its files.
fn listing(folder: &Path) -> Result<Vec<String>, Failed> {
    let describe = |path: &Path| -> Result<String, Failed> {
        let m = fs::symlink_metadata(path)?;
        let (owner, mode, times) = (m.uid(), m.mode(), (m.mtime_nsec(), m.ctime_nsec()));
        Ok(format!("{path:?} {mode:o} {owner} {} {times:?}", m.size()))
    };
    let mut lines = vec![describe(folder)?];
    for entry in fs::read_dir(folder)? {
        lines.push(describe(&entry?.path())?);
    }
    lines.sort();
    Ok(lines)
}
