//! The run of the suite: find the cases, compile, open the engines, run, show the table, and see
//! that nothing is left behind.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rustix::fs::{MemfdFlags, memfd_create};
use sandbox::Engine;

use crate::attacks;
use crate::board::{Board, Cell};
use crate::cases::{Case, sources};
use crate::engines::{self, Opened};
use crate::header_trials;
use crate::invariants::{self, Before, alive};
use crate::programs::Programs;
use crate::rig::Rig;
use crate::scenarios::{self, Scenario};

const ENGINES: [Engine; 2] = [Engine::Native, Engine::Isolate];

/// A case or a scenario.
#[derive(Debug, Clone)]
enum Item {
    Case(Arc<Case>),
    Scenario(&'static Scenario),
}

/// Runs what `args` selects.
pub(crate) fn main(mut args: Arguments) -> ExitCode {
    // One after the other: see the head of this target.
    args.test_threads = Some(1);
    match run(&args) {
        Ok(code) => code,
        Err(failed) => {
            report(&format!("the suite cannot run: {}", failed.message().unwrap_or_default()));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Arguments) -> Result<ExitCode, Failed> {
    let mounts = invariants::mounts()?;
    let cases = Case::all()?.into_iter().map(|c| Item::Case(Arc::new(c)));
    let items: Vec<_> = cases.chain(scenarios::ALL.iter().map(Item::Scenario)).collect();
    let absent = ENGINES.map(|engine| (engine, engines::absent(engine)));
    let wanted = |engine, item: &Item| {
        let trial = Trial::test(item.name(engine), || Ok(()));
        let there = absent.iter().any(|(e, why)| *e == engine && why.is_none());
        there && !args.list && !args.is_filtered_out(&trial)
    };
    let mut to_build = BTreeMap::new();
    if items.iter().any(|item| ENGINES.iter().any(|e| wanted(*e, item))) {
        to_build = sources("scenarios/programs")?;
    }
    for item in items.iter().filter(|item| ENGINES.iter().any(|e| wanted(*e, item))) {
        item.needs(&items, &mut to_build);
    }
    // Something to leak: a descriptor that a careless engine hands on to its guests.
    let _canary = memfd_create("canary", MemfdFlags::empty())?;
    let programs = Arc::new(Programs::build(&to_build)?);
    let engines = absent.clone().map(|(engine, why)| {
        let opened = match why {
            Some(absent) => absent,
            None if items.iter().any(|item| wanted(engine, item)) => {
                engines::open(engine, &programs)
            }
            None => Opened::Unwanted,
        };
        (engine, opened)
    });
    let board = Arc::new(Board::default());
    let mut trials = header_trials::all();
    trials.extend(attacks::trials());
    for (engine, opened) in &engines {
        for item in &items {
            trials.push(trial(*engine, opened.clone(), item.clone(), Arc::clone(&board)));
        }
    }
    let conclusion = libtest_mimic::run(args, trials);
    if args.list {
        return Ok(conclusion.exit_code());
    }
    report(&board.show(&engines));
    let marks: Vec<_> =
        engines.iter().filter_map(|(_, opened)| Some(opened.rig()?.mark())).collect();
    drop(engines);
    match nothing_left(mounts, &marks) {
        Ok(()) => Ok(conclusion.exit_code()),
        Err(left) => {
            report(&format!("the engines are gone, but: {}", left.message().unwrap_or_default()));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn trial(engine: Engine, opened: Opened, item: Item, board: Arc<Board>) -> Trial {
    Trial::ignorable_test(item.name(engine), move || {
        let result = match &opened {
            Opened::Ready(rig) => item.run(rig).map(|()| Completion::Completed),
            Opened::Skipped(why) => Ok(Completion::ignored_with(why)),
            Opened::Failed(why) => Err(why.into()),
            Opened::Unwanted => Err("the engine was not opened".into()),
        };
        let cell = match &result {
            Ok(Completion::Completed) => Cell::Passed,
            Ok(Completion::Ignored { .. }) => Cell::Skipped,
            Err(_) => Cell::Failed,
        };
        board.note(item.id(), item.attack(), engine, cell);
        result
    })
}

impl Item {
    fn id(&self) -> &str {
        match self {
            Self::Case(case) => &case.id,
            Self::Scenario(scenario) => scenario.id,
        }
    }

    fn name(&self, engine: Engine) -> String {
        format!("{engine}::{}", self.id())
    }

    fn attack(&self) -> &str {
        match self {
            Self::Case(case) => case.header.as_ref().map_or("?", |h| &h.attack),
            Self::Scenario(scenario) => scenario.attack,
        }
    }

    /// Adds the sources of the programs that this item runs beyond those of the scenarios.
    fn needs(&self, all: &[Self], to_build: &mut BTreeMap<String, PathBuf>) {
        let names = match self {
            Self::Case(case) => &[case.id.as_str()][..],
            Self::Scenario(scenario) => scenario.cases,
        };
        let source = |item: &Self| match item {
            Self::Case(case) if names.contains(&case.id.as_str()) => {
                Some((case.id.clone(), case.source.clone()))
            }
            _ => None,
        };
        to_build.extend(all.iter().filter_map(source));
    }

    /// Runs it, and checks the invariants whatever came of it.
    fn run(&self, rig: &Rig) -> Result<(), Failed> {
        let before = Before::settled()?;
        let result = match self {
            Self::Case(case) => case.run(rig),
            Self::Scenario(scenario) => (scenario.run)(rig),
        };
        let after = before.holds(rig);
        match (result, after) {
            (Err(why), Err(also)) => {
                let text = |f: Failed| f.message().unwrap_or_default().to_owned();
                Err(format!("{}\nand: {}", text(why), text(also)).into())
            }
            (result, after) => result.and(after),
        }
    }
}

impl Opened {
    fn rig(&self) -> Option<&Rig> {
        match self {
            Self::Ready(rig) => Some(rig),
            _ => None,
        }
    }
}

/// Checks that the engines, dropped, took all their things along.
fn nothing_left(mounts: usize, marks: &[String]) -> Result<(), Failed> {
    invariants::nothing_left_of(std::process::id())?;
    let alive: Vec<_> = marks.iter().flat_map(|mark| alive(mark)).collect();
    if !alive.is_empty() {
        return Err(format!("alive: {}", alive.join("; ")).into());
    }
    let now = invariants::mounts()?;
    if now > mounts {
        return Err(format!("{now} mounts, {mounts} before").into());
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the report of the suite")]
fn report(text: &str) {
    println!("{text}");
}
