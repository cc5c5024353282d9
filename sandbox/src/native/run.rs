//! One run in an armed box, step by step.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::error::{SlotError, StepError, step};
use super::slot::{Armed, Shown, Slot, Spent};
use super::socket;
use super::termination::{self, Seen};
use super::watch::{Outputs, Watched, watch};
use super::wire::{Command, Done, Ending, Failure, Step};
use super::work;
use crate::collect;
use crate::pressure;
use crate::{
    Cancel, Captured, Collected, Contents, Job, Limits, Outcome, Pressure, Refused, Stdin, Stdout,
    Termination, Usage,
};

/// Runs `job` in the slot's box.
pub(super) fn run<T>(
    mut slot: Slot<Armed>,
    job: Job,
    cancel: &Cancel,
    after: impl FnOnce(&Outcome, &work::WorkFs) -> Result<T, SlotError>,
) -> Result<(Outcome, T, Slot<Spent>), SlotError> {
    let Job {
        argv,
        env,
        limits,
        stdin,
        stdout,
        artefact,
        files,
        collect,
        proc,
        fixed_addresses,
        aside,
    } = job;
    slot.begin(&limits)?;
    for file in &files {
        slot.phase.work.write(file)?;
    }
    let streams = Streams::open(stdin, stdout, std::mem::take(&mut slot.phase.spare))?;
    let shown = slot.show(artefact.as_ref())?;
    let command = Command {
        proc,
        fixed_addresses,
        aside,
        artefact: (&shown).into(),
        stdin: streams.stdin.is_some(),
        cpu_seconds: limits.cpu.as_secs() + 2,
        stack: limits.stack.unwrap_or(limits.memory).0,
        file_size: limits.file_size.0,
        open_files: u64::from(limits.open_files),
        argc: argv.len() as u64,
        envc: env.len() as u64,
    };
    let message = command.encode(&argv, &env);
    let outputs = streams.send(&slot, &message, shown)?;
    // While the guest comes up; its first microseconds are below what these accounts tell.
    let before = pressure::now(Some(slot.group()));
    let mut watched = watch(&slot, outputs, &limits, cancel)?;
    if watched.done.is_some_and(Done::was_started) {
        slot.shown(artefact.as_ref());
    }
    let ends = std::mem::take(&mut watched.ends);
    let pressure = pressure::now(Some(slot.group())).since(&before);
    let pressure = Pressure { late: watched.late.most(), ..pressure };
    let mut outcome = judge(&slot, watched, &limits, &argv)?;
    outcome.usage.pressure = pressure;
    let collected = collect::files(slot.phase.work.mount(), &collect);
    outcome.files = collected.map_err(SlotError::Collect)?;
    let extra = after(&outcome, &slot.phase.work)?;
    Ok((outcome, extra, slot.spent(ends)?))
}

/// What comes of a job that was withdrawn before there was a box for it.
pub(super) fn withdrawn(job: Job) -> Outcome {
    let missing = |path| Collected { path, contents: Err(Refused::Missing) };
    Outcome {
        termination: Termination::Cancelled,
        usage: Usage::default(),
        stdout: Captured::default(),
        stderr: Captured::default(),
        files: job.collect.into_iter().map(|collect| missing(collect.path)).collect(),
    }
}

/// A pipe for output; our end does not block.
#[derive(Debug)]
struct Pipe {
    ours: OwnedFd,
    guests: OwnedFd,
}

impl Pipe {
    fn make() -> Result<Self, StepError> {
        let (ours, guests) = pipe_with(PipeFlags::CLOEXEC).map_err(step("make an output pipe"))?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(step("prepare an output pipe"))?;
        Ok(Self { ours, guests })
    }
}

/// Streams as most runs have them, as far as they were made before it was known which one it is.
#[derive(Debug, Default)]
pub(super) struct Spare {
    nothing: Option<OwnedFd>,
    stdout: Option<Pipe>,
    stderr: Option<Pipe>,
}

impl Spare {
    pub(super) fn make() -> Result<Self, SlotError> {
        let (stdout, stderr) = (Some(Pipe::make()?), Some(Pipe::make()?));
        Ok(Self { nothing: Some(nothing()?), stdout, stderr })
    }
}

/// The guest's ends of its streams, and ours.
struct Streams {
    stdin: Option<OwnedFd>,
    stdout: OwnedFd,
    stderr: OwnedFd,
    outputs: Outputs,
}

impl Streams {
    fn open(stdin: Stdin, stdout: Stdout, spare: Spare) -> Result<Self, SlotError> {
        let stdin = match stdin {
            Stdin::Closed => None,
            Stdin::Empty => Some(spare.nothing.map_or_else(nothing, Ok)?),
            Stdin::Contents(contents) => Some(work::stdin_copy(&contents)?),
            Stdin::Pipe(fd) => Some(fd),
        };
        let (ours, stdout) = match stdout {
            Stdout::Capture => {
                let Pipe { ours, guests } = spare.stdout.map_or_else(Pipe::make, Ok)?;
                (Some(ours), guests)
            }
            Stdout::Pipe(fd) => (None, fd),
        };
        let Pipe { ours: read, guests: stderr } = spare.stderr.map_or_else(Pipe::make, Ok)?;
        let outputs = Outputs { stdout: ours, stderr: read, guests: [None, None] };
        Ok(Self { stdin, stdout, stderr, outputs })
    }

    /// Hands the command and the guest's ends to the box; the guest starts.
    fn send(self, slot: &Slot<Armed>, message: &[u8], shown: Shown) -> Result<Outputs, StepError> {
        let Self { stdin, stdout, stderr, mut outputs } = self;
        let mut fds = vec![stdout.as_fd(), stderr.as_fd()];
        if let Shown::New(artefact) = &shown {
            fds.push(artefact.as_fd());
        }
        fds.extend(stdin.as_ref().map(AsFd::as_fd));
        socket::send_with(slot.phase.request.as_fd(), message, &fds, None)
            .map_err(step("send the command"))?;
        // A caller's pipe ends for whoever reads it when the guest has ended it.
        let captured = outputs.stdout.is_some();
        outputs.guests = [captured.then_some(stdout), Some(stderr)];
        Ok(outputs)
    }
}

/// An empty input of the run's own. The machine's `/dev/null` would be every run's: locks and time
/// stamps, which take no right that a guest lacks, would tell of one to the other.
fn nothing() -> Result<OwnedFd, SlotError> {
    work::stdin_copy(&Contents::Memory(Arc::default()))
}

/// From what was watched to an outcome, without files.
fn judge(
    slot: &Slot<Armed>,
    watched: Watched,
    limits: &Limits,
    argv: &[String],
) -> Result<Outcome, SlotError> {
    let Watched { done, cause, switches, late: _, wall, stdout, stderr, ends: _ } = watched;
    let group = slot.group();
    let out_of_memory = group.out_of_memory().map_err(SlotError::Cgroup)?;
    let ending = match done {
        Some(Done::Ended(ending)) => Some(ending),
        Some(Done::Failed(failure)) if cause.is_none() && !out_of_memory => {
            return not_started(failure, argv).map(|termination| Outcome {
                termination,
                usage: Usage::default(),
                stdout,
                stderr,
                files: Vec::new(),
            });
        }
        _ => None,
    };
    let cpu = group.cpu().map_err(SlotError::Cgroup)?;
    let (wall, switches_voluntary, switches_forced) = match ending {
        Some(Ending { status: _, wall_ns, switches_voluntary, switches_forced }) => {
            (Duration::from_nanos(wall_ns), switches_voluntary, switches_forced)
        }
        None => (wall, switches.voluntary, switches.forced),
    };
    let seen = Seen { ending, cause, out_of_memory, cpu, wall };
    let termination = termination::decide(&seen, limits).ok_or(SlotError::AgentGone)?;
    let memory = group.memory_peak().map_err(SlotError::Cgroup)?.0;
    let pressure = Pressure::default();
    let usage = Usage { cpu, wall, memory, switches_voluntary, switches_forced, pressure };
    Ok(Outcome { termination, usage, stdout, stderr, files: Vec::new() })
}

/// A program that does not start is our failure, unless the kernel has no memory left for it
/// within the guest's own limit, or the reason is in the program.
fn not_started(failure: Failure, argv: &[String]) -> Result<Termination, SlotError> {
    let Failure { step, errno } = failure;
    match (step, unfit(errno)) {
        (Step::Find | Step::Exec, _) if errno == Errno::NOMEM => Ok(Termination::MemoryLimit),
        (Step::Exec, Some(code)) => Ok(Termination::Exited(code)),
        (Step::Find | Step::Exec, _) => {
            Err(SlotError::Exec { program: argv[0].clone(), source: errno.into() })
        }
        _ => Err(failure.into()),
    }
}

/// The exit code, as shells have it, of a program that is there, and for what is in it the kernel does
/// not execute it (execve(2)): the interpreter that it names is missing, or one of the two is none.
/// One that is shorter than a header is an `EIO` (fs/binfmt_elf.c, elf_read).
fn unfit(errno: Errno) -> Option<i32> {
    match errno {
        Errno::NOENT => Some(127),
        Errno::TOOBIG
        | Errno::ACCESS
        | Errno::INVAL
        | Errno::IO
        | Errno::ISDIR
        | Errno::LIBBAD
        | Errno::LOOP
        | Errno::NAMETOOLONG
        | Errno::NOEXEC
        | Errno::NOTDIR => Some(126),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_start_is_the_guests_ending_if_the_reason_is_in_it() {
        let argv = ["/box/main".to_owned()];
        let ended = |step, errno| not_started(Failure { step, errno }, &argv).ok();
        let exited = |code| Some(Termination::Exited(code));
        assert_eq!(ended(Step::Exec, Errno::NOENT), exited(127));
        for errno in [Errno::ACCESS, Errno::NOEXEC, Errno::INVAL, Errno::LIBBAD, Errno::IO] {
            assert_eq!(ended(Step::Exec, errno), exited(126), "{errno}");
        }
        assert_eq!(ended(Step::Exec, Errno::NOMEM), Some(Termination::MemoryLimit));
        for errno in [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::TXTBSY] {
            assert_eq!(ended(Step::Exec, errno), None, "{errno}");
        }
        for errno in [Errno::NOENT, Errno::NOTDIR, Errno::ACCESS] {
            assert_eq!(ended(Step::Find, errno), None, "{errno}");
        }
        assert_eq!(ended(Step::WorkDir, Errno::NOENT), None);
    }
}
