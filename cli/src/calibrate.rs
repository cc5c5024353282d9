//! The load ratio: how much the CPU time of a program grows when all slots are busy. Seven programs,
//! each for something that boxes share or do not; alone, and in a shuffled mix on every slot.

mod figures;
mod machine;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::anyhow;
use judge::Judge;
use judge::model::{
    Blob, Checker, Extras, LimitsSpec, Report, SourceFile, StopRule, Submission, Test, Verdict,
};
use sandbox::Cancel;

use crate::exit::Failure;
use crate::progress::Progress;
use crate::{engine, output};
pub(crate) use figures::{Figures, Flips, Row};
pub(crate) use machine::{Roots, machine};

/// Times of the mix that each slot at least gets, so that what is measured is a busy machine and not
/// its beginning and end.
const EACH_SLOT: usize = 2;

/// A program of the metric.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// What it is bound by.
    pub(crate) what: &'static str,
    source: &'static str,
    args: &'static [&'static str],
    /// The most that its median may grow, where there is a figure for it: of machines with a core
    /// a slot and no SMT.
    pub(crate) most: Option<f64>,
    /// When it grows more.
    pub(crate) cure: &'static str,
}

const CORES: &str = "what runs beside it shares its core: count cores instead of hyperthreads, and \
                     leave one to the system";
const CACHES: &str = "fewer slots (cpuPerSlot: 2): they share the last cache and the way to memory";
const KERNEL: &str =
    "a kernel from 6.3 on, and fewer slots: they wait for each other in the kernel";

/// Each takes 50 to 200 ms: long enough for the clock, short enough for thirty of them.
pub(crate) const PROGRAMS: [Program; 7] = [
    Program {
        name: "alu",
        what: "registers",
        source: include_str!("../calibrate/alu.c"),
        args: &[],
        most: Some(1.02),
        cure: CORES,
    },
    Program {
        name: "matmul",
        what: "own caches",
        source: include_str!("../calibrate/matmul.c"),
        args: &[],
        most: Some(1.05),
        cure: CORES,
    },
    Program {
        name: "llc",
        what: "last cache",
        source: include_str!("../calibrate/walk.c"),
        args: &["4096", "1500000"],
        most: Some(1.5),
        cure: CACHES,
    },
    Program {
        name: "dram",
        what: "memory",
        source: include_str!("../calibrate/walk.c"),
        args: &["65536", "300000"],
        most: Some(1.3),
        cure: CACHES,
    },
    Program {
        name: "stream",
        what: "bandwidth",
        source: include_str!("../calibrate/stream.c"),
        args: &[],
        most: Some(1.3),
        cure: CACHES,
    },
    Program {
        name: "syscalls",
        what: "the kernel",
        source: include_str!("../calibrate/syscalls.c"),
        args: &[],
        most: None,
        cure: KERNEL,
    },
    Program {
        name: "faults",
        what: "page tables",
        source: include_str!("../calibrate/faults.c"),
        args: &[],
        most: None,
        cure: KERNEL,
    },
];

impl Program {
    /// As the judge takes it.
    pub(crate) fn submission(&self) -> Submission {
        let contents = Blob::from(self.source);
        Submission {
            language: "c".to_owned(),
            files: vec![SourceFile { name: "main.c".to_owned(), contents }],
            entry: None,
            args: self.args.iter().map(|arg| (*arg).to_owned()).collect(),
            tests: vec![Test {
                name: self.name.to_owned(),
                input: Blob::from(""),
                answer: None,
                weight: 1.0,
                group: None,
                args: Vec::new(),
                checker_args: Vec::new(),
            }],
            // Far from what any machine takes, so that no time is ever in doubt.
            limits: LimitsSpec {
                cpu_ms: Some(20_000),
                wall_ms: Some(120_000),
                ..LimitsSpec::default()
            },
            checker: Checker::default(),
            stop: StopRule::RunAll,
            extras: Extras::default(),
        }
    }
}

/// CPU times in milliseconds, by program.
#[derive(Debug, Default)]
pub(crate) struct Times {
    pub(crate) alone: [Vec<f64>; PROGRAMS.len()],
    pub(crate) busy: [Vec<f64>; PROGRAMS.len()],
}

/// Runs the programs.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) judge: &'a Judge,
    pub(crate) slots: usize,
    /// Runs of each program, alone and at least as many beside others.
    pub(crate) rounds: usize,
    pub(crate) progress: &'a Progress,
    pub(crate) cancel: &'a Cancel,
}

/// Runs of each program beside others.
fn each(rounds: usize, slots: usize) -> usize {
    rounds.max(EACH_SLOT * slots)
}

/// How many runs there are to wait for.
pub(crate) fn runs(rounds: usize, slots: usize) -> usize {
    (rounds + each(rounds, slots)) * PROGRAMS.len()
}

impl Bench<'_> {
    /// Half of the runs alone, those beside others, the other half: what drifts is in both.
    pub(crate) fn measure(&self) -> Result<Times, Failure> {
        let mut times = Times::default();
        // The compiler, the page cache, the slots.
        self.progress.say("compiling");
        for program in &PROGRAMS {
            self.once(program)?;
        }
        let first = self.rounds / 2;
        self.alone(first, &mut times)?;
        self.busy(&mut times)?;
        self.alone(self.rounds - first, &mut times)?;
        Ok(times)
    }

    fn alone(&self, rounds: usize, times: &mut Times) -> Result<(), Failure> {
        self.progress.say("alone");
        for index in mix(rounds) {
            times.alone[index].push(self.once(&PROGRAMS[index])?);
            self.progress.step();
        }
        Ok(())
    }

    /// Every slot takes the next of the mix; what is beyond its end only keeps others busy until
    /// the last that counts is over.
    fn busy(&self, times: &mut Times) -> Result<(), Failure> {
        self.progress.say(format!("{} slots busy", self.slots));
        let mix = mix(each(self.rounds, self.slots));
        let (next, left) = (AtomicUsize::new(0), AtomicUsize::new(mix.len()));
        let times = Mutex::new(times);
        let lane = || -> Result<(), Failure> {
            while left.load(Ordering::SeqCst) > 0 {
                let place = next.fetch_add(1, Ordering::SeqCst);
                let index = mix[place % mix.len()];
                let time = self.once(&PROGRAMS[index]).inspect_err(|_| {
                    // One that failed ends all.
                    left.store(0, Ordering::SeqCst);
                })?;
                if place < mix.len() {
                    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
                    times.busy[index].push(time);
                    drop(times);
                    let one_less = |left: usize| left.checked_sub(1);
                    let _before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
                    self.progress.step();
                }
            }
            Ok(())
        };
        let no_thread =
            |e: io::Error| Failure::judge(anyhow!(e).context("cannot start a thread a slot"));
        thread::scope(|scope| {
            let lanes = (0..self.slots)
                .map(|slot| {
                    let named = thread::Builder::new().name(format!("slot-{slot}"));
                    named.spawn_scoped(scope, lane).map_err(no_thread)
                })
                .collect::<Result<Vec<_>, Failure>>()
                .inspect_err(|_| left.store(0, Ordering::SeqCst))?;
            let never = "a lane does not panic";
            lanes.into_iter().try_for_each(|lane| lane.join().expect(never))
        })
    }

    /// CPU time of one run.
    fn once(&self, program: &Program) -> Result<f64, Failure> {
        let judged = self.judge.execute_batch(&program.submission(), &(), self.cancel);
        let report = judged.map_err(engine::refused)?;
        match (report.verdict, report.tests.first()) {
            (Verdict::Accepted, Some(test)) => Ok(test.cpu_ms),
            _ => Err(Failure::judge(anyhow!(said(&report)))
                .context(format!("cannot run the program {}", program.name))),
        }
    }
}

/// Why a program of ours was not accepted.
fn said(report: &Report) -> String {
    let compiler = report.compile.as_ref().filter(|c| !c.ok).and_then(|c| c.output.read().ok());
    let compiler = compiler.map(|output| String::from_utf8_lossy(&output).into_owned());
    let test = report.tests.first().and_then(|t| t.status.clone());
    let why = report.error.clone().or(compiler).or(test).unwrap_or_default();
    output::clean(&format!("{}: {}", report.verdict, why.trim()))
}

/// Every program so often, in an order that is the same each time and has no pattern.
fn mix(times: usize) -> Vec<usize> {
    let mut mix: Vec<usize> = (0..times).flat_map(|_| 0..PROGRAMS.len()).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for i in (1..mix.len()).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let up_to = u64::try_from(i + 1).unwrap_or(u64::MAX);
        mix.swap(i, usize::try_from(random % up_to).unwrap_or(0));
    }
    mix
}

/// Says at once when the programs cannot be compiled here.
pub(crate) fn check(table: &judge::language::Table, config: &judge::Config) -> Result<(), Failure> {
    for program in &PROGRAMS {
        judge::check(&program.submission(), table, config)
            .map_err(engine::refused)
            .map_err(|failure| failure.context("calibrate compiles its programs".to_owned()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_has_each_program_as_often_as_all_others_and_no_order() {
        let mixed = mix(30);
        for index in 0..PROGRAMS.len() {
            assert_eq!(mixed.iter().filter(|i| **i == index).count(), 30);
        }
        let repeats = mixed.windows(2).filter(|w| w[0] == w[1]).count();
        assert!((10..50).contains(&repeats), "a seventh of 210: {repeats}");
        assert_eq!(mixed, mix(30));
        assert!(mix(0).is_empty());
    }

    #[test]
    fn large_machines_run_more() {
        assert_eq!((each(30, 2), each(30, 64), runs(10, 1)), (30, 128, 140));
    }
}
