//! `evalx judge`: one submission, its verdict.

use anyhow::Context as _;
use judge::model::{Report, SourceFile, Verdict};
use judge::{Event, Observer};

use crate::args::{Format, Machine};
use crate::exit::{self, Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::{self, Voice};
use crate::progress::Progress;
use crate::submission::SubmissionArgs;
use crate::{engine, report};

/// Judge a submission and print its verdict
///
/// Examples:
///   evalx judge sum.cpp --tests tests/
///   evalx judge sum.py --tests tests/ --cpu 2s --memory 128MiB
///   evalx judge sum.rs --tests tests/ --checker tokens:float=1e-6
///   evalx judge Main.java Heap.java --problem problems/dijkstra.zip -o json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
pub(crate) struct Args {
    /// How the report is printed
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    what: SubmissionArgs,
    #[command(flatten)]
    machine: Machine,
}

/// Judges.
pub(crate) fn run(args: &Args, voice: Voice) -> Result<Exit, Failure> {
    let table = args.machine.table()?;
    let named = args.what.lang.as_deref();
    let language = |files: &[SourceFile]| Ok(engine::language(&table, named, files)?.id.clone());
    // All that the user gave is read and checked before the machine is touched.
    let (submission, problem) = args.what.prepare(language)?;
    judge::check(&submission, &table, &args.machine.config()).map_err(engine::refused)?;
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
