//! A box beside a bare process: the same programs in turns, one at a time and with all CPUs busy.

use std::thread;
use std::time::Duration;

use crate::lab::Lab;
use crate::programs::{Program, in_memory};
use crate::samples::{Rounds, Samples};
use crate::table::{Limit, Table};

const ROUNDS: usize = 20;
const RUNS: usize = 25;

/// Long enough for the next box to be armed: what a caller sees who does not saturate. The bare process
/// that an armed box is compared with comes after the same pause: a CPU that was idle has to wake up and
/// finds its caches cold, whoever then runs on it.
const ARMED: Duration = Duration::from_millis(4);

/// The program that does nothing, and the one that writes.
pub(crate) fn measure(lab: &Lab, table: &mut Table) {
    let program = Program::nothing("static C", &["-static"]);
    let Alone { rested, armed, .. } = alone(lab, table, &program, ROUNDS, RUNS);
    let ratio = armed.at(50) / rested.at(50);
    table.row(
        "armed box, submit to result, over bare, each after a pause, static, p50",
        ratio,
        "times",
        Limit::AtMost(1.25),
    );

    let writes = Program::writes();
    let folders = in_memory(lab.lanes);
    let (mut bare, mut boxed) = (Rounds::default(), Rounds::default());
    let (mut bare_writes, mut boxed_writes) = (Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        bare.push(Lab::crowd(lab.lanes, |_| program.bare(None)));
        boxed.push(Lab::crowd(lab.lanes, |_| drop(program.boxed(&lab.sandbox, &lab.cancel))));
        bare_writes.push(Lab::crowd(lab.lanes, |lane| writes.bare(Some(folders[lane].path()))));
        boxed_writes.push(Lab::crowd(lab.lanes, |_| drop(writes.boxed(&lab.sandbox, &lab.cancel))));
    }
    let lanes = lab.lanes;
    table.rounds(format!("static C, {lanes} at a time: bare"), &bare);
    table.rounds(format!("static C, {lanes} at a time: native, whole cycle"), &boxed);
    table.rounds(format!("static C that writes, {lanes} at a time: bare"), &bare_writes);
    table.rounds(format!("static C that writes, {lanes} at a time: native"), &boxed_writes);
    let ratio = boxed.wall() / bare.wall();
    table.row(
        "whole cycle, a slot a CPU, saturated, nothing touched",
        ratio,
        "times",
        Limit::AtMost(1.5),
    );
    let ratio = boxed_writes.wall() / bare_writes.wall();
    table.row("the same, files written", ratio, "times", Limit::AtMost(2.2));
}

/// What a box adds to programs that take longer by themselves.
pub(crate) fn guests(lab: &Lab, table: &mut Table) {
    let dynamic = Program::nothing("dynamic C", &[]);
    overhead(lab, table, "dynamic C", Ok(dynamic), 1.0, (ROUNDS, RUNS));
    overhead(lab, table, "Python hello", Program::python(), 2.0, (12, 12));
    overhead(lab, table, "Java hello", Program::java(), 3.0, (16, 5));
}

fn overhead(
    lab: &Lab,
    table: &mut Table,
    name: &str,
    program: Result<Program, String>,
    most: f64,
    (rounds, runs): (usize, usize),
) {
    let what = format!("{name}: what an armed box adds to bare, p50");
    match program {
        Ok(program) => {
            let Alone { bare, rested, armed, cycle } = alone(lab, table, &program, rounds, runs);
            table.row(&what, armed.at(50) - rested.at(50), "ms", Limit::AtMost(most));
            let what = format!("{name}: what the whole cycle adds");
            table.figure(&what, cycle.at(50) - bare.at(50), "ms");
        }
        Err(why) => table.skip(&what, "ms", Limit::AtMost(most), &why),
    }
}

/// Runs one after the other.
#[derive(Default)]
struct Alone {
    bare: Samples,
    /// Bare, after a pause.
    rested: Samples,
    /// In a box that was armed in a pause as long.
    armed: Samples,
    /// In a box, without a pause.
    cycle: Samples,
}

fn alone(lab: &Lab, table: &mut Table, program: &Program, rounds: usize, runs: usize) -> Alone {
    let boxed = || drop(program.boxed(&lab.sandbox, &lab.cancel));
    let unboxed = || program.bare(None);
    // What is read for the first time is not what is measured.
    unboxed();
    boxed();
    let mut samples = Alone::default();
    let Alone { bare, rested, armed, cycle } = &mut samples;
    for _ in 0..rounds {
        (0..runs).for_each(|_| bare.take(unboxed));
        for _ in 0..runs {
            thread::sleep(ARMED);
            rested.take(unboxed);
            thread::sleep(ARMED);
            armed.take(boxed);
        }
        (0..runs).for_each(|_| cycle.take(boxed));
    }
    let name = program.name;
    table.spread(format!("{name}, one at a time: bare posix_spawn and wait"), bare);
    table.spread(format!("{name}, one at a time: the same after a pause"), rested);
    table.spread(format!("{name}, one at a time: native, box armed, after a pause"), armed);
    table.spread(format!("{name}, one at a time: native, whole cycle"), cycle);
    samples
}
