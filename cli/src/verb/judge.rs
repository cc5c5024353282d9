//! `evalx judge`: one submission, its verdict.

use std::path::PathBuf;

use anyhow::Context as _;
use judge::model::{Checker, Report, StopRule, Submission, Verdict};
use judge::problem::Problem;
use judge::{Event, Observer};

use crate::args::{Format, Machine};
use crate::exit::{self, Exit, Failure};
use crate::interrupt::Interrupt;
use crate::limits::LimitArgs;
use crate::output::{self, Voice};
use crate::progress::Progress;
use crate::{cases, checker, engine, report, source};

/// Judge a submission and print its verdict
///
/// Examples:
///   evalx judge sum.cpp --tests tests/
///   evalx judge sum.py --tests tests/ --cpu 2s --memory 128MiB
///   evalx judge sum.rs --tests tests/ --checker tokens:float=1e-6
///   evalx judge Main.java Heap.java --problem problems/dijkstra.zip -o json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["tests", "problem"])))]
pub(crate) struct Args {
    /// Files of the submission; the first one starts
    #[arg(required = true)]
    source: Vec<PathBuf>,
    /// A folder of tests: NAME.in with its answer NAME.ans or NAME.out
    #[arg(long, value_name = "DIR")]
    tests: Option<PathBuf>,
    /// A problem package, folder or zip: tests, limits, checker and grading
    #[arg(long, value_name = "DIR")]
    problem: Option<PathBuf>,
    /// Language id or alias [default: what the file name tells]
    #[arg(long, short, value_name = "LANG")]
    lang: Option<String>,
    /// The file that starts, when it is not the first
    #[arg(long, value_name = "NAME")]
    entry: Option<String>,
    /// exact, lines, or tokens[:case,space,float=N] [default: lines]
    #[arg(long, value_name = "KIND", value_parser = checker::parse, conflicts_with = "problem")]
    checker: Option<Checker>,
    /// Skip what comes after the first test that is not accepted
    #[arg(long, value_name = "WHEN")]
    stop: Option<Stop>,
    /// How the report is printed
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    machine: Machine,
}

/// When to stop.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Stop {
    FirstFailure,
}

/// Judges.
pub(crate) fn run(args: &Args, voice: Voice) -> Result<Exit, Failure> {
    let table = args.machine.table()?;
    let (submission, problem) = prepare(args, &table)?;
    let station = args.machine.open(&table, voice)?;
    let interrupt =
        Interrupt::watch().context("cannot watch for signals").map_err(Failure::judge)?;
    let progress = Progress::new(voice, submission.tests.len());
    let judged = station.judge.execute_batch(&submission, &Watch(&progress), interrupt.cancel());
    drop(progress);
    if let Some(exit) = interrupt.ended(voice) {
        return Ok(exit);
    }
    let judged = judged.map_err(engine::refused)?;
    let report = problem.as_ref().map_or_else(|| judged.clone(), |p| p.grade(&judged));
    voice.detail(&format!("toolchain {}: {}", report.language, output::clean(&report.toolchain)));
    match args.format {
        Format::Json => output::json(&report)?,
        Format::Table => output::stdout(&report::table(&report, voice))?,
    }
    Ok(end(&report))
}

/// The code that a report ends with.
pub(crate) fn end(report: &Report) -> Exit {
    match report.verdict {
        Verdict::Accepted => Exit::Ok,
        Verdict::InternalError => {
            let why = report.error.as_deref().unwrap_or("no reason was given");
            output::stderr_line(&output::clean(&format!("the judge failed: {why}")));
            Exit::Judge
        }
        _ => Exit::NotAccepted,
    }
}

/// Reads and checks all that the user gave, before the machine is touched.
fn prepare(
    args: &Args,
    table: &judge::language::Table,
) -> Result<(Submission, Option<Problem>), Failure> {
    let files = source::files(&args.source).map_err(Failure::usage)?;
    let language = engine::language(table, args.lang.as_deref(), &files)?.id.clone();
    let entry = args.entry.clone();
    let (mut submission, problem) = match &args.problem {
        Some(path) => {
            let problem = Problem::open(path).map_err(Failure::usage)?;
            let submission = problem.submission(&language, files, entry).map_err(Failure::usage)?;
            (submission, Some(problem))
        }
        None => {
            let dir = args.tests.as_deref().expect("clap requires --tests without --problem");
            let tests = cases::read(dir).map_err(Failure::usage)?;
            let checker = args.checker.clone().unwrap_or_default();
            let submission = Submission {
                language,
                files,
                entry,
                args: Vec::new(),
                tests,
                limits: judge::model::LimitsSpec::default(),
                checker,
                stop: StopRule::RunAll,
            };
            (submission, None)
        }
    };
    submission.limits = args.limits.over(submission.limits).map_err(Failure::usage)?;
    if let Some(Stop::FirstFailure) = args.stop {
        submission.stop = StopRule::FirstFailure;
    }
    judge::check(&submission, table, &args.machine.config()).map_err(engine::refused)?;
    Ok((submission, problem))
}

/// Moves the bar.
struct Watch<'p>(&'p Progress);

impl Observer for Watch<'_> {
    fn on(&self, event: Event<'_>) {
        match event {
            Event::Compiling => self.0.say("compiling"),
            Event::Compiled(_) => self.0.say("running"),
            Event::Started { .. } => {}
            Event::Finished { .. } => self.0.step(),
        }
    }
}
