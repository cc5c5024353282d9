//! Bytes in and out, and our own memory meanwhile.

use std::fs;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::sync::{Arc, LazyLock};
use std::thread;

use libtest_mimic::Failed;
use sandbox::{Bytes, Contents, Job, Limits, Stdin, Stdout, Termination};

use super::ensure;
use crate::machine::in_time;
use crate::rig::Rig;

const PIPED: usize = 64 << 20;

/// Beyond what is kept of a stream: buffers of the engine, and the allocator's waste.
const MEMORY_SLACK: u64 = 8 << 20;

/// Every byte value, no newline at the end.
pub(super) fn exact_bytes(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("bytes")?;
    let outcome = rig.run(&program.mark, program.job(&[]))?.outcome;
    let all: Vec<u8> = (0..=255).collect();
    let exact = outcome.stdout.bytes == all && outcome.stderr.bytes == all;
    ensure(exact && !outcome.stdout.truncated, || format!("{outcome:?}"))
}

/// A standard input much larger than a pipe holds comes out as it was.
pub(super) fn large_stdin(rig: &Rig) -> Result<(), Failed> {
    let bytes = pattern(0, 8 << 20);
    let file = rig.folder()?.join("input");
    fs::write(&file, &bytes)?;
    for contents in [Contents::Memory(Arc::from(&bytes[..])), Contents::File(file)] {
        let program = rig.program("cat")?;
        let job = Job { stdin: Stdin::Contents(contents), ..program.job(&[]) };
        let outcome = rig.run(&program.mark, job)?.outcome;
        let same = outcome.termination == Termination::Exited(0) && outcome.stdout.bytes == bytes;
        ensure(same, || {
            format!("{:?}, {} bytes came out", outcome.termination, outcome.stdout.bytes.len())
        })?;
    }
    Ok(())
}

/// 64 MiB through a pipe of ours into the box and through another out of it.
pub(super) fn pipes_both_ways(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("cat")?;
    let (guest_in, to_guest) = pipe()?;
    let (from_guest, guest_out) = pipe()?;
    let job = Job {
        stdin: Stdin::Pipe(guest_in.into()),
        stdout: Stdout::Pipe(guest_out.into()),
        limits: in_time(Limits::default()),
        ..program.job(&[])
    };
    let (ran, written, same) = thread::scope(|scope| {
        let writer = scope.spawn(move || feed(to_guest));
        let reader = scope.spawn(move || drain(from_guest));
        let ran = rig.run(&program.mark, job);
        (ran, writer.join(), reader.join())
    });
    let outcome = ran?.outcome;
    written.map_err(|_| "the writing thread panicked")?.map_err(|e| format!("writing: {e}"))?;
    let read =
        same.map_err(|_| "the reading thread panicked")?.map_err(|e| format!("reading: {e}"))?;
    ensure(read == PIPED, || format!("{read} bytes came out as they went in"))?;
    let ended = outcome.termination == Termination::Exited(0) && outcome.stdout.bytes.is_empty();
    ensure(ended, || format!("{outcome:?}"))
}

/// Standard output without end costs us what is kept of it.
pub(super) fn memory_under_an_output_flood(rig: &Rig) -> Result<(), Failed> {
    let limits = Limits { output: Bytes::mib(2), ..Limits::default() };
    flood(rig, "a20_output_flood", &limits, Termination::OutputLimit, limits.output)
}

/// Standard error without end, which does not end the run, costs us what is kept of it.
pub(super) fn memory_under_an_error_flood(rig: &Rig) -> Result<(), Failed> {
    let limits = in_time(Limits::default());
    flood(rig, "a21_error_flood", &limits, Termination::Exited(0), limits.stderr)
}

fn flood(
    rig: &Rig,
    name: &str,
    limits: &Limits,
    ends: Termination,
    kept: Bytes,
) -> Result<(), Failed> {
    let program = rig.program(name)?;
    // proc_pid_clear_refs(5): 5 resets the peak to what is resident now.
    fs::write("/proc/self/clear_refs", "5")?;
    let before = peak()?;
    let job = Job { limits: limits.clone(), ..program.job(&[]) };
    let outcome = rig.run(&program.mark, job)?.outcome;
    let grown = peak()?.saturating_sub(before);
    ensure(outcome.termination == ends, || format!("ended as {:?}", outcome.termination))?;
    ensure(grown <= kept.0 + MEMORY_SLACK, || format!("our memory grew by {}", Bytes(grown)))
}

/// The peak of our resident memory.
fn peak() -> Result<u64, Failed> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.trim().strip_suffix(" kB")).and_then(|n| n.parse::<u64>().ok());
    Ok(kib.ok_or("/proc/self/status has no VmHWM")? << 10)
}

fn feed(mut to: PipeWriter) -> std::io::Result<()> {
    for at in (0..PIPED).step_by(1 << 20) {
        to.write_all(&pattern(at, 1 << 20))?;
    }
    Ok(())
}

/// How many bytes arrive before the end or the first wrong one.
fn drain(mut from: PipeReader) -> std::io::Result<usize> {
    let (mut buffer, mut at) = (vec![0; 1 << 16], 0);
    loop {
        let got = from.read(&mut buffer)?;
        if got == 0 || buffer[..got] != pattern(at, got) {
            return Ok(at);
        }
        at += got;
    }
}

/// Bytes that show where they belong: they begin again after a prime number of them, so no piece of a
/// usual size can stand for another one. Made by the round, since by the byte that would be most of
/// a test where CPUs are emulated.
fn pattern(from: usize, length: usize) -> Vec<u8> {
    static ROUND: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..65_521_usize).map(|at| (at ^ (at >> 8)).to_le_bytes()[0]).collect());
    let start = from % ROUND.len();
    let mut bytes = ROUND.repeat((start + length).div_ceil(ROUND.len()));
    bytes.truncate(start + length);
    bytes.split_off(start)
}
