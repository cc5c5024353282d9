//! `evalx verify`: whether the example submissions of packages get what they should.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use judge::language::Table;
use judge::model::{Report, TestReport};
use judge::problem::{self, Problem, Row, Status, Verification};
use judge::{Invalid, Judge, Reason};
use sandbox::{BoxedError, Bytes, Cancel};
use serde::Serialize;

use crate::args::{Format, Machine};
use crate::exit::{self, Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::{self, BOLD, DIM, Voice, clean, mark, styled, verdict_padded};
use crate::progress::Progress;
use crate::report::{self, brief, short, time};

/// Judge the example submissions of problem packages and compare with what is expected
///
/// A submission in a language that this machine lacks is skipped. Ends with 1 when one differs.
///
/// Examples:
///   evalx verify problems/sum
///   evalx verify problems/* --engine isolate
///   evalx verify sum.zip -o json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
pub(crate) struct Args {
    /// Problem packages: folders or zips
    #[arg(required = true)]
    package: Vec<PathBuf>,
    /// How the result is printed
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    machine: Machine,
}

/// What came of one package.
#[derive(Debug, Serialize)]
struct Verified {
    package: PathBuf,
    name: String,
    /// Absent when it could not be derived.
    time_limit_ms: Option<f64>,
    /// Where the limit is from, or why there is none.
    time_limit_basis: String,
    warnings: Vec<String>,
    submissions: Vec<Line>,
}

/// What came of one submission.
#[derive(Debug, Serialize)]
struct Line {
    path: PathBuf,
    language: String,
    expected: String,
    status: Compared,
    /// Why it differs, or could not be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    got: Option<Got>,
}

/// The result in short.
#[derive(Debug, Serialize)]
struct Got {
    verdict: judge::model::Verdict,
    score: Option<f64>,
    /// Of the slowest test.
    cpu_ms: f64,
    /// Of the largest test.
    memory_bytes: u64,
}

/// How a submission did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Compared {
    Ok,
    Differs,
    /// Its language is not here.
    Skipped,
    /// It should have been judged and could not.
    Unjudged,
}

/// Verifies.
pub(crate) fn run(args: &Args, voice: Voice) -> Result<Exit, Failure> {
    let Args { package, format, machine } = args;
    let table = machine.table()?;
    // All are read before the first is judged: a broken one is said at once.
    let open = |path: &PathBuf| Ok((path.clone(), Problem::open(path).map_err(Failure::usage)?));
    let problems = package.iter().map(open).collect::<Result<Vec<_>, Failure>>()?;
    let station = machine.open(&table, voice)?;
    let interrupt =
        Interrupt::watch().context("cannot watch for signals").map_err(Failure::judge)?;
    let start = Instant::now();
    let examples = problems.iter().map(|(_, problem)| problem.examples.len()).sum();
    let bench = Bench {
        judge: &station.judge,
        table: &table,
        cancel: interrupt.cancel(),
        progress: Progress::new(voice, examples),
        print: *format == Format::Table,
        voice,
    };
    let mut all = Vec::new();
    for (path, problem) in problems {
        let verified = bench.verify(path, &problem);
        if interrupt.cancel().is_cancelled() {
            break;
        }
        all.push(verified?);
    }
    drop(bench);
    if let Some(exit) = interrupt.ended(voice) {
        return Ok(exit);
    }
    match format {
        Format::Json => output::json(&all)?,
        Format::Table => {
            let engine = station.sandbox.engine().to_string();
            output::stdout(&summary(&all, start.elapsed(), &engine))?;
        }
    }
    Ok(end(&all))
}

/// All that judging one package takes.
struct Bench<'a> {
    judge: &'a Judge,
    table: &'a Arc<Table>,
    cancel: &'a Cancel,
    progress: Progress,
    print: bool,
    voice: Voice,
}

impl Bench<'_> {
    fn verify(&self, package: PathBuf, problem: &Problem) -> Result<Verified, Failure> {
        let width = problem.examples.iter().map(|e| e.path.display().to_string().chars().count());
        let width = width.max().unwrap_or(0);
        self.say(&format!("{}\n", styled(BOLD, clean(&problem.name))))?;
        let mut printed = Ok(());
        let mut done = |row: &Row| {
            self.progress.step();
            self.progress.say(clean(&row.example.path.display().to_string()));
            let line = self.line(row);
            if !self.cancel.is_cancelled() && (!self.voice.quiet() || line.status.fails()) {
                let result = self.say(&show(&line, width));
                printed = std::mem::replace(&mut printed, Ok(())).and(result);
            }
        };
        let verification = problem::verify(problem, self.judge, &(), self.cancel, &mut done);
        printed?;
        let Verification { time_limit, rows, warnings } = verification;
        let submissions = rows.iter().map(|row| self.line(row)).collect();
        let (time_limit_ms, time_limit_basis) = match &time_limit {
            Ok(found) => (Some(found.limit.as_secs_f64() * 1000.0), found.to_string()),
            Err(error) => (None, output::chain(error)),
        };
        if !self.voice.quiet() && !self.cancel.is_cancelled() {
            let text = format!("time limit: {}", clean(&time_limit_basis));
            self.say(&format!("  {}\n\n", styled(DIM, text)))?;
        }
        let warnings: Vec<String> = problem.warnings.iter().cloned().chain(warnings).collect();
        for warning in &warnings {
            self.progress.aside(|| self.voice.note(&clean(&format!("{package:?}: {warning}"))));
        }
        let name = problem.name.clone();
        Ok(Verified { package, name, time_limit_ms, time_limit_basis, warnings, submissions })
    }

    fn say(&self, text: &str) -> Result<(), Failure> {
        if self.print { self.progress.aside(|| output::stdout(text)) } else { Ok(()) }
    }

    fn line(&self, row: &Row) -> Line {
        let Row { example, got, status } = row;
        let named = example.language.as_deref().unwrap_or("?");
        let language = self.table.get(named).map_or(named, |l| &l.id).to_owned();
        let (status, reason) = match status {
            Status::Ok => (Compared::Ok, None),
            Status::Differs(why) => {
                let test = got.as_ref().and_then(|got| got.tests.get(got.first_failure?));
                (Compared::Differs, Some(differs(why, test)))
            }
            Status::Unjudged(error) => match missing(error) {
                Some(reason) => (Compared::Skipped, Some(output::chain(reason))),
                None => (Compared::Unjudged, Some(output::chain(&**error))),
            },
        };
        let (path, expected) = (example.path.clone(), example.expected.to_string());
        Line { path, language, expected, status, reason, got: got.as_ref().map(Got::of) }
    }
}

impl Compared {
    fn fails(self) -> bool {
        match self {
            Self::Ok | Self::Skipped => false,
            Self::Differs | Self::Unjudged => true,
        }
    }
}

impl Got {
    fn of(report: &Report) -> Self {
        let most = |of: fn(&TestReport) -> f64| report.tests.iter().map(of).fold(0.0, f64::max);
        Self {
            verdict: report.verdict,
            score: report.score,
            cpu_ms: most(|t| t.cpu_ms),
            memory_bytes: report.tests.iter().map(|t| t.memory_bytes).max().unwrap_or(0),
        }
    }
}

/// With the first test that was not accepted: whoever reads it need not judge it again.
fn differs(why: &str, test: Option<&TestReport>) -> String {
    let Some(test) = test else { return why.to_owned() };
    let said = report::why(test);
    let said = if said.is_empty() { test.verdict.to_string() } else { said };
    format!("{why}; {}: {said}", test.name)
}

/// Why the language of the submission, not that of the checker, is not to be had here.
fn missing(error: &BoxedError) -> Option<&Reason> {
    let judge::Error::Invalid(Invalid { field, reason }) = error.downcast_ref()? else {
        return None;
    };
    let missing = matches!(**reason, Reason::Unavailable(_) | Reason::Language(_));
    (field == "language" && missing).then_some(reason)
}

fn show(line: &Line, width: usize) -> String {
    let Line { path, language, expected: _, status, reason, got } = line;
    let path = clean(&path.display().to_string());
    let reason = reason.as_deref().unwrap_or_default();
    let (head, reason) = match status {
        Compared::Ok => (mark(true), String::new()),
        Compared::Differs => (mark(false), clean(reason)),
        Compared::Unjudged => (mark(false), brief(reason)),
        // Why is said once a language, at the end.
        Compared::Skipped => (styled(DIM, "-"), styled(DIM, "skipped")),
    };
    let figures = got.as_ref().map_or_else(String::new, |got| {
        let Got { verdict, score, cpu_ms, memory_bytes } = got;
        let memory = Bytes(*memory_bytes).to_string();
        let score = score.map_or_else(String::new, |s| format!("score {}  ", short(s)));
        format!("{}  {:>8}  {memory:>9}  {score}", verdict_padded(*verdict), time(*cpu_ms))
    });
    let text = format!("  {head} {path:width$}  {:11} {figures}{reason}", clean(language));
    format!("{}\n", text.trim_end())
}

fn summary(all: &[Verified], took: Duration, engine: &str) -> String {
    let lines = || all.iter().flat_map(|v| &v.submissions);
    let count = |status| lines().filter(|l| l.status == status).count();
    let mut parts = vec![format!("{} as expected", count(Compared::Ok))];
    let others = [
        (Compared::Differs, "not as expected"),
        (Compared::Unjudged, "not to be judged"),
        (Compared::Skipped, "skipped"),
    ];
    for (status, words) in others.into_iter().filter(|(status, _)| count(*status) > 0) {
        parts.push(format!("{} {words}", count(status)));
    }
    let packages = if all.len() == 1 { "package" } else { "packages" };
    let head = styled(BOLD, format_args!("{} in {} {packages}", parts.join(", "), all.len()));
    let mut out = format!("{} {head}\n", mark(end(all) == Exit::Ok));
    let took = time(took.as_secs_f64() * 1000.0);
    let judged: BTreeSet<&str> =
        lines().filter(|l| l.got.is_some()).map(|l| l.language.as_str()).collect();
    let judged = judged.into_iter().collect::<Vec<_>>().join(", ");
    let text = format!("{engine} engine, {took}; languages judged: {judged}");
    out.push_str(&format!("  {}\n", styled(DIM, text)));
    let skipped: BTreeMap<&str, &str> = lines()
        .filter(|l| l.status == Compared::Skipped)
        .map(|l| (l.language.as_str(), l.reason.as_deref().unwrap_or_default()))
        .collect();
    for (language, reason) in skipped {
        let text = format!("- {}: {}", clean(language), clean(reason));
        out.push_str(&format!("  {}\n", styled(DIM, text)));
    }
    out
}

fn end(all: &[Verified]) -> Exit {
    let differs = |v: &Verified| {
        v.time_limit_ms.is_none() || v.submissions.iter().any(|line| line.status.fails())
    };
    let judged = all.iter().flat_map(|v| &v.submissions).any(|l| l.status == Compared::Ok);
    match all.iter().any(differs) {
        true => Exit::NotAccepted,
        // Nothing differs because nothing was judged: this machine has none of the languages.
        false if !judged => Exit::Judge,
        false => Exit::Ok,
    }
}
