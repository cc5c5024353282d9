//! `evalx run`: a program in a box, with this terminal's input and output.

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use anyhow::Context as _;
use judge::model::{
    Blob, Checker, Extras, LimitsSpec, StopRule, Submission, Test, TestReport, Verdict,
};
use sandbox::Bytes;

use crate::args::Machine;
use crate::exit::{self, Exit, Failure};
use crate::interrupt::Interrupt;
use crate::limits::LimitArgs;
use crate::output::{self, Voice};
use crate::{engine, report, source};

/// The most input that is read from this terminal or a pipe; a file may be larger.
const MAX_INPUT: Bytes = Bytes::mib(256);

/// Compile and run a program in the sandbox, without tests
///
/// Its output goes to standard output, how it ended to standard error.
///
/// Examples:
///   evalx run hello.py
///   evalx run sum.cpp --stdin input.txt --cpu 1s
///   echo 1 2 | evalx run sum.rs -- --verbose
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
pub(crate) struct Args {
    /// The source file
    source: PathBuf,
    /// Arguments for the program
    #[arg(last = true)]
    args: Vec<String>,
    /// Language id or alias [default: what the file name tells]
    #[arg(long, short, value_name = "LANG")]
    lang: Option<String>,
    /// Standard input of the program [default: that of evalx]
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    machine: Machine,
}

/// Runs.
pub(crate) fn run(args: Args, voice: Voice) -> Result<Exit, Failure> {
    let Args { source, args, lang, stdin, limits, machine } = args;
    let table = machine.table()?;
    let files = source::files(&[source]).map_err(Failure::usage)?;
    let language = engine::language(&table, lang.as_deref(), &files)?.id.clone();
    let limits = limits.over(LimitsSpec::default()).map_err(Failure::usage)?;
    let input = input(stdin, voice)?;
    let test = Test {
        name: "run".to_owned(),
        input,
        answer: None,
        weight: 1.0,
        group: None,
        args: Vec::new(),
        checker_args: Vec::new(),
    };
    let submission = Submission {
        language,
        files,
        entry: None,
        args,
        tests: vec![test],
        limits,
        checker: Checker::default(),
        stop: StopRule::RunAll,
        extras: Extras::default(),
    };
    judge::check(&submission, &table, &machine.config()).map_err(engine::refused)?;
    let station = machine.open(&table, voice)?;
    let interrupt =
        Interrupt::watch().context("cannot watch for signals").map_err(Failure::judge)?;
    let judged = station.judge.execute_batch(&submission, &(), interrupt.cancel());
    if let Some(exit) = interrupt.ended(voice) {
        return Ok(exit);
    }
    let report = judged.map_err(engine::refused)?;
    show(&report, voice)?;
    Ok(super::judge::end(&report))
}

fn input(stdin: Option<PathBuf>, voice: Voice) -> Result<Blob, Failure> {
    if let Some(path) = stdin {
        let meta = std::fs::metadata(&path)
            .with_context(|| format!("cannot read --stdin {path:?}"))
            .map_err(Failure::usage)?;
        if meta.is_file() {
            return Ok(Blob::file(&path));
        }
        return Err(Failure::usage(anyhow::anyhow!("--stdin {path:?} is not a file")));
    }
    if io::stdin().is_terminal() {
        voice.note("reading the input of the program; end it with Ctrl-D");
    }
    let mut bytes = Vec::new();
    let mut capped = io::stdin().lock().take(MAX_INPUT.0 + 1);
    capped.read_to_end(&mut bytes).context("cannot read standard input").map_err(Failure::usage)?;
    if bytes.len() as u64 > MAX_INPUT.0 {
        return Err(Failure::usage(anyhow::anyhow!(
            "standard input has more than {MAX_INPUT}; give it with --stdin FILE"
        )));
    }
    Ok(Blob::from(bytes))
}

fn show(report: &judge::model::Report, voice: Voice) -> Result<(), Failure> {
    let Some(test) = report.tests.first().filter(|_| report.verdict != Verdict::CompileError)
    else {
        output::stderr_bytes(report::table(report, voice).as_bytes());
        return Ok(());
    };
    let read = |blob: &Blob| blob.read().map_err(Failure::judge);
    output::stdout_bytes(&read(&test.stdout)?)?;
    output::stderr_bytes(&read(&test.stderr)?);
    voice.note(&status(report, test));
    Ok(())
}

fn status(report: &judge::model::Report, test: &TestReport) -> String {
    let ended = test.status.as_deref().unwrap_or("exited with 0");
    let mut parts = vec![
        output::clean(ended),
        format!("CPU {}", report::time(test.cpu_ms)),
        format!("wall {}", report::time(test.wall_ms)),
        Bytes(test.memory_bytes).to_string(),
        report.engine.clone(),
    ];
    if test.stdout_truncated {
        parts.push("output was cut off".to_owned());
    }
    parts.join(" · ")
}
