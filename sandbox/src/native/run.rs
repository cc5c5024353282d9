//! One run in an armed box, step by step.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::slot::{Armed, Arming, Shown, Slot, SlotError, StepError, step};
use super::socket;
use super::termination::{self, Seen};
use super::watch::{Outputs, Watched, watch};
use super::wire::{Command, Done, Ending, Failure, Step};
use super::work;
use crate::collect;
use crate::pressure;
use crate::{Cancel, Job, Limits, Outcome, Pressure, Stdin, Stdout, Termination, Usage};

/// Runs `job` in the slot's next box. On success the slot is on its way to the box after it.
pub(super) fn run<T>(
    slot: Slot<Arming>,
    job: Job,
    cancel: &Cancel,
    after: impl FnOnce(&Outcome, &work::WorkFs) -> Result<T, SlotError>,
) -> Result<(Outcome, T, Slot<Arming>), SlotError> {
    let mut slot = slot.armed()?;
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
    let streams = Streams::open(stdin, stdout)?;
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
    let watched = watch(&slot, outputs, &limits, cancel)?;
    let pressure = pressure::now(Some(slot.group())).since(&before);
    let mut outcome = judge(&slot, watched, &limits, &argv)?;
    outcome.usage.pressure = pressure;
    outcome.files = collect::files(slot.phase.work.mount(), &collect);
    let extra = after(&outcome, &slot.phase.work)?;
    Ok((outcome, extra, slot.rearm()?))
}

/// The guest's ends of its streams, and ours.
struct Streams {
    stdin: Option<OwnedFd>,
    stdout: OwnedFd,
    stderr: OwnedFd,
    outputs: Outputs,
}

impl Streams {
    fn open(stdin: Stdin, stdout: Stdout) -> Result<Self, SlotError> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(step("make an output pipe"));
        let stdin = match stdin {
            Stdin::Closed => None,
            Stdin::Empty => Some(nothing()?),
            Stdin::Contents(contents) => Some(work::stdin_copy(&contents)?),
            Stdin::Pipe(fd) => Some(fd),
        };
        let (ours, stdout) = match stdout {
            Stdout::Capture => pipe().map(|(read, write)| (Some(read), write))?,
            Stdout::Pipe(fd) => (None, fd),
        };
        let (read, stderr) = pipe()?;
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
    let Watched { done, cause, wall, stdout, stderr } = watched;
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
