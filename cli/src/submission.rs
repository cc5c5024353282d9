//! What is judged: the same flags for this machine and for a server.

use std::path::{Path, PathBuf};

use judge::model::{Checker, Extras, LimitsSpec, SourceFile, StopRule, Submission};
use judge::problem::Problem;

use crate::exit::Failure;
use crate::limits::LimitArgs;
use crate::{cases, checker, source};

/// A program and its tests.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["tests", "problem"])))]
pub(crate) struct SubmissionArgs {
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
    pub(crate) lang: Option<String>,
    /// The file that starts, when it is not the first
    #[arg(long, value_name = "NAME")]
    entry: Option<String>,
    /// exact, lines, or tokens[:case,space,float=N] [default: lines]
    #[arg(long, value_name = "KIND", value_parser = checker::parse, conflicts_with = "problem")]
    checker: Option<Checker>,
    /// Skip what comes after the first test that is not accepted
    #[arg(long, value_name = "WHEN")]
    stop: Option<Stop>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// When to stop.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Stop {
    FirstFailure,
}

/// What the caller alone says of a submission to a problem that the server has.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) files: Vec<SourceFile>,
    pub(crate) entry: Option<String>,
    pub(crate) limits: LimitsSpec,
    pub(crate) stop: StopRule,
}

impl SubmissionArgs {
    /// The package that it is submitted to.
    pub(crate) fn package(&self) -> Option<&Path> {
        self.problem.as_deref()
    }

    /// What is not the package's.
    pub(crate) fn own(&self) -> Result<Own, Failure> {
        let files = source::files(&self.source).map_err(Failure::usage)?;
        let limits = self.limits.over(LimitsSpec::default()).map_err(Failure::usage)?;
        let stop = match self.stop {
            Some(Stop::FirstFailure) => StopRule::FirstFailure,
            None => StopRule::RunAll,
        };
        Ok(Own { files, entry: self.entry.clone(), limits, stop })
    }

    /// Reads what they name; `language` tells what the judge knows the language by.
    pub(crate) fn prepare(
        &self,
        language: impl FnOnce(&[SourceFile]) -> Result<String, Failure>,
    ) -> Result<(Submission, Option<Problem>), Failure> {
        let Self { source, tests, problem, lang: _, entry, checker, stop, limits } = self;
        let files = source::files(source).map_err(Failure::usage)?;
        let language = language(&files)?;
        let entry = entry.clone();
        let (mut submission, problem) = match problem {
            Some(path) => {
                let problem = Problem::open(path).map_err(Failure::usage)?;
                let submission =
                    problem.submission(&language, files, entry).map_err(Failure::usage)?;
                (submission, Some(problem))
            }
            None => {
                let dir = tests.as_deref().expect("clap requires --tests without --problem");
                let tests = cases::read(dir).map_err(Failure::usage)?;
                let submission = Submission {
                    language,
                    files,
                    entry,
                    args: Vec::new(),
                    tests,
                    limits: LimitsSpec::default(),
                    checker: checker.clone().unwrap_or_default(),
                    stop: StopRule::RunAll,
                    extras: Extras::default(),
                };
                (submission, None)
            }
        };
        submission.limits = limits.over(submission.limits).map_err(Failure::usage)?;
        if let Some(Stop::FirstFailure) = stop {
            submission.stop = StopRule::FirstFailure;
        }
        Ok((submission, problem))
    }
}
