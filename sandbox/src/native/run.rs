//! One run in an armed box, step by step.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
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
use crate::{Cancel, Job, Limits, Outcome, Pressure, Stdin, Stdout, Termination, Usage};

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
    let ends = std::mem::take(&mut watched.ends);
    let pressure = pressure::now(Some(slot.group())).since(&before);
    let mut outcome = judge(&slot, watched, &limits, &argv)?;
    outcome.usage.pressure = pressure;
    outcome.files = collect::files(slot.phase.work.mount(), &collect);
    let extra = after(&outcome, &slot.phase.work)?;
    Ok((outcome, extra, slot.spent(ends)?))
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
    pub(super) fn make() -> Result<Self, StepError> {
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
        socket::send(slot.phase.request.as_fd(), message, &fds)
            .map_err(step("send the command"))?;
        // A caller's pipe ends for whoever reads it when the guest has ended it.
        let captured = outputs.stdout.is_some();
        outputs.guests = [captured.then_some(stdout), Some(stderr)];
        Ok(outputs)
    }
}

fn nothing() -> Result<OwnedFd, StepError> {
    open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(step("open /dev/null"))
}

/// From what was watched to an outcome, without files.
fn judge(
    slot: &Slot<Armed>,
    watched: Watched,
    limits: &Limits,
    argv: &[String],
) -> Result<Outcome, SlotError> {
    let Watched { done, cause, wall, stdout, stderr, ends: _ } = watched;
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
    let Ending { status: _, wall_ns, switches_voluntary, switches_forced } =
        ending.unwrap_or_default();
    let wall = if ending.is_some() { Duration::from_nanos(wall_ns) } else { wall };
    let seen = Seen { ending, cause, out_of_memory, cpu, wall };
    let termination = termination::decide(&seen, limits).ok_or(SlotError::AgentGone)?;
    let memory = group.memory_peak().map_err(SlotError::Cgroup)?.0;
    let pressure = Pressure::default();
    let usage = Usage { cpu, wall, memory, switches_voluntary, switches_forced, pressure };
    Ok(Outcome { termination, usage, stdout, stderr, files: Vec::new() })
}

/// A program that does not start is our failure, unless the kernel has no memory left for it
/// within the guest's own limit.
fn not_started(failure: Failure, argv: &[String]) -> Result<Termination, SlotError> {
    match failure {
        Failure { step: Step::Exec, errno: Errno::NOMEM } => Ok(Termination::MemoryLimit),
        Failure { step: Step::Exec, errno } => {
            Err(SlotError::Exec { program: argv[0].clone(), source: errno.into() })
        }
        failure => Err(failure.into()),
    }
}
