//! Boxes whose streams lead elsewhere: to us, who write what nobody reads, and to each other.

use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use sandbox::{Job, Limits, Stdin, Stdout, Termination};

use super::ensure;
use crate::machine::{at_most, in_time};
use crate::rig::{Ran, Rig};

/// What is written to who does not read: far more than fits into a pipe.
const UNREAD: usize = 1 << 30;

/// A program ends without having read any of a gigabyte: the run ends with it, and the writer learns
/// that nobody is there.
pub(super) fn input_that_nobody_reads(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("exit_with")?;
    let (guest_in, mut to_guest) = pipe()?;
    let job = Job { stdin: Stdin::Pipe(guest_in.into()), ..program.job(&["0"]) };
    let (ran, written) = thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let block = [7; 1 << 16];
            (0..UNREAD >> 16).take_while(|_| to_guest.write_all(&block).is_ok()).count() << 16
        });
        (rig.run(&program.mark, job), writer.join())
    });
    let Ran { outcome, took } = ran?;
    let written = written.map_err(|_| "the writing thread panicked")?;
    ensure(outcome.termination == Termination::Exited(0), || format!("{outcome:?}"))?;
    ensure(took < at_most(Duration::from_secs(1)), || format!("took {took:?}"))?;
    ensure(written < 1 << 20, || format!("{written} bytes were written to nobody"))
}

/// Of two that talk, one dies, one floods, both wait: each ends for its own
/// reason, and nothing hangs.
pub(super) fn two_that_talk(rig: &Rig) -> Result<(), Failed> {
    let over = [Termination::WallLimit];
    let broken = [Termination::Signalled(13)];
    let rows: [(&str, &[Termination], &str, &[Termination]); 4] = [
        ("die", &[Termination::Exited(3)], "wait", &[Termination::Exited(0)]),
        ("die", &[Termination::Exited(3)], "flood", &broken),
        ("wait", &over, "wait", &[Termination::Exited(0)]),
        ("flood", &over, "flood", &broken),
    ];
    for (first, first_ends, second, second_ends) in rows {
        let (a, b) = (rig.program("talk")?, rig.program("talk")?);
        let ((a_in, b_out), (b_in, a_out)) = (pipe()?, pipe()?);
        // The first one's time is over first; then the other one is alone.
        let streams = |job: Job, seconds: f64, stdin: PipeReader, stdout: PipeWriter| Job {
            stdin: Stdin::Pipe(stdin.into()),
            stdout: Stdout::Pipe(stdout.into()),
            limits: in_time(Limits { wall: Duration::from_secs_f64(seconds), ..Limits::default() }),
            ..job
        };
        let one = streams(a.job(&[first]), 0.4, a_in, a_out);
        let other = streams(b.job(&[second]), 5.0, b_in, b_out);
        let (one, other) = thread::scope(|scope| {
            let one = scope.spawn(|| rig.run(&a.mark, one));
            (rig.run(&b.mark, other), one.join())
        });
        let second_ran = one?.outcome;
        let first_ran = other.map_err(|_| "a running thread panicked")??.outcome;
        let ends =
            |ran: &sandbox::Outcome, allowed: &[Termination]| allowed.contains(&ran.termination);
        let well = ends(&first_ran, first_ends) && ends(&second_ran, second_ends);
        ensure(well, || {
            let (a, b) = (first_ran.termination, second_ran.termination);
            format!("{first} and {second} end as {a:?} and {b:?}")
        })?;
    }
    Ok(())
}
