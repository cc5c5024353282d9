//! Problem packages of the ICPC/Kattis format, versions `legacy` and `2025-09`: reading one from a
//! folder or zip, making submissions to it, grading their reports, and verifying it against its
//! example submissions.
//!
//! Steps of reading, a file each: `package` (folder or zip), `metadata` (`problem.yaml`), `data`
//! (tests and groups), `program` (validator), `examples` (submissions and what they should get).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sandbox::Bytes;

mod data;
mod examples;
mod expected;
mod glob;
mod grading;
mod metadata;
mod package;
mod program;
mod time_limit;
mod validator;
mod verify;

pub use data::Error as DataError;
pub use examples::{Error as ExampleError, Example};
pub use expected::{Bound, Class, Expected, Rule};
pub use grading::{Fault, Grade, Grades, Grading, latest, legacy};
pub use metadata::{Error as MetadataError, Version};
pub use package::Error as PackageError;
pub use program::Error as ProgramError;
pub use time_limit::{Basis, Error as TimeLimitError, TimeLimit, TimeRule};
pub use validator::Error as ValidatorError;
pub use verify::{Judging, Row, Status, Verification, verify};

use crate::model::{Checker, LimitsSpec, Report, SourceFile, Submission, Test, Verdict};
use grading::Scorer;
use metadata::Metadata;
use package::Package;

/// A problem, ready to take submissions. Its tests are files of the package: a folder must stay
/// where it is while the problem is used; an unpacked zip is removed with its last copy.
#[derive(Debug, Clone)]
pub struct Problem {
    /// In English when there are several.
    pub name: String,
    /// Version of the format.
    pub version: Version,
    /// Limits of each test; the CPU time only if the package gives it.
    pub limits: LimitsSpec,
    /// Where the time limit is from.
    pub time: TimeRule,
    /// The tests, samples first.
    pub tests: Vec<Test>,
    /// How output is judged.
    pub checker: Checker,
    /// How the tests make a result.
    pub grading: Grading,
    /// Whether there is a score.
    pub scoring: bool,
    /// The submissions that come with it.
    pub examples: Vec<Example>,
    /// What is odd about the package, yet no error.
    pub warnings: Vec<String>,
    scorer: Scorer,
    minimise: bool,
    code_limit: Bytes,
    languages: Option<Vec<String>>,
    includes: BTreeMap<String, Vec<SourceFile>>,
    _package: Arc<Package>,
}

/// A package that cannot be used. Each names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or zip.
    #[error(transparent)]
    Package(#[from] package::Error),
    /// `problem.yaml`.
    #[error(transparent)]
    Metadata(#[from] metadata::Error),
    /// The tests.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// A program.
    #[error(transparent)]
    Program(#[from] program::Error),
    /// The validator.
    #[error(transparent)]
    Validator(#[from] validator::Error),
    /// The example submissions.
    #[error(transparent)]
    Examples(#[from] examples::Error),
    /// `.timelimit` that holds no time.
    #[error("{path:?} holds {text:?}; it must hold a number of seconds, such as 2 or 1.5")]
    TimeLimit {
        /// The file.
        path: PathBuf,
        /// What it holds.
        text: String,
    },
}

/// A submission that the problem does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    /// More source code than the problem allows.
    #[error("the source files have {size} together; the problem takes at most {limit}")]
    TooMuchCode {
        /// What they have.
        size: Bytes,
        /// What is allowed.
        limit: Bytes,
    },
    /// A language that the problem does not allow.
    #[error("the problem does not take {language}; it takes {}", allowed.join(", "))]
    Language {
        /// What was submitted, as the format calls it.
        language: String,
        /// What may be.
        allowed: Vec<String>,
    },
}

impl Problem {
    /// Reads a package: its folder, or a zip (`.zip`, `.kpp`) of it.
    ///
    /// # Errors
    /// What is wrong with the package, with the file and the cure.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let package = Package::open(path)?;
        let metadata = metadata::read(&package)?;
        let mut data = data::read(&package, &metadata)?;
        let checker = validator::read(&package, &metadata, &mut data.tests)?;
        let examples = examples::read(&package, &metadata)?;
        let time = time_rule(&package, &metadata)?;
        let mut warnings = examples.warnings;
        warnings.extend(
            metadata.unknown.iter().map(|key| {
                format!("problem.yaml has the key {key}, which the format does not have")
            }),
        );
        warnings.extend(
            data.unknown.iter().map(|key| format!("{key} is a key that the format does not have")),
        );
        Ok(Self {
            name: metadata.name.clone().unwrap_or_else(|| package.name().to_owned()),
            version: metadata.version,
            limits: limits(&metadata, &time),
            time,
            tests: data.tests,
            scorer: validator::scorer(&metadata, &checker),
            checker,
            grading: data.grading,
            scoring: metadata.scoring,
            examples: examples.examples,
            warnings,
            minimise: metadata.grading.minimise(),
            code_limit: Bytes::kib(metadata.limits.code_kib),
            includes: includes(&package, &metadata)?,
            languages: metadata.languages,
            _package: Arc::new(package),
        })
    }

    /// A submission to this problem. `language` is what the judge knows it by; the files that the
    /// package includes with every submission of the language are added.
    ///
    /// # Errors
    /// When the problem does not take it.
    pub fn submission(
        &self,
        language: &str,
        files: Vec<SourceFile>,
        entry: Option<String>,
    ) -> Result<Submission, SubmissionError> {
        let size: u64 = files.iter().map(size).sum();
        if size > self.code_limit.0 {
            let (size, limit) = (Bytes(size), self.code_limit);
            return Err(SubmissionError::TooMuchCode { size, limit });
        }
        let first = entry.as_deref().or_else(|| files.first().map(|f| f.name.as_str()));
        let code = first.and_then(program::code_of).unwrap_or(language);
        if let Some(allowed) = &self.languages
            && !allowed.iter().any(|a| a == code || a == language)
        {
            let (language, allowed) = (code.to_owned(), allowed.clone());
            return Err(SubmissionError::Language { language, allowed });
        }
        // "Overwriting files from the submission in the case of name collision."
        let mut by_name: BTreeMap<String, SourceFile> = BTreeMap::new();
        let entry = entry.or_else(|| files.first().map(|f| f.name.clone()));
        let included = ["default", code].into_iter().filter_map(|c| self.includes.get(c)).flatten();
        for file in files.into_iter().chain(included.cloned()) {
            by_name.insert(file.name.clone(), file);
        }
        Ok(Submission {
            language: language.to_owned(),
            files: by_name.into_values().collect(),
            entry,
            args: Vec::new(),
            tests: self.tests.clone(),
            limits: self.limits.clone(),
            checker: self.checker.clone(),
            stop: self.grading.stop_rule(),
        })
    }

    /// The report with the verdict and score that the package's grading gives. One of a submission
    /// that was not run (compile error, judge failure) comes back as it is.
    #[must_use]
    pub fn grade(&self, report: &Report) -> Report {
        let mut graded = report.clone();
        match self.grades(report) {
            None => {}
            Some(Err(fault)) => {
                graded.verdict = Verdict::InternalError;
                graded.score = None;
                graded.error = Some(fault.to_string());
            }
            Some(Ok(grades)) => {
                graded.verdict = grades.total.verdict;
                graded.score = self.score(&grades.total);
            }
        }
        graded
    }

    /// The result of each group; `None` for a submission that was not run.
    #[must_use]
    pub fn grades(&self, report: &Report) -> Option<Result<Grades, Fault>> {
        let unjudged = matches!(report.verdict, Verdict::CompileError | Verdict::InternalError);
        if unjudged || report.tests.len() != self.tests.len() {
            return None;
        }
        Some(self.grading.grade(&report.tests, self.scorer))
    }

    /// The best score there is, when there is one.
    #[must_use]
    pub fn best_score(&self) -> Option<f64> {
        match &self.grading {
            Grading::Legacy(root) if self.scoring => {
                let (low, high) = root.grader.range;
                Some(if self.minimise { low } else { high })
            }
            Grading::Scoring(scoring) => scoring.secret.max,
            Grading::Legacy(_) | Grading::PassFail => None,
        }
    }

    /// "For non-accepted verdicts the score provided by the grader will always be ignored":
    /// legacy. In 2025-09 every submission has a score.
    fn score(&self, total: &Grade) -> Option<f64> {
        match &self.grading {
            _ if !self.scoring => None,
            Grading::Legacy(_) if total.verdict != Verdict::Accepted => {
                (!self.minimise).then_some(0.0)
            }
            _ => Some(total.score),
        }
    }
}

fn size(file: &SourceFile) -> u64 {
    match &file.contents {
        crate::model::Blob::Memory(bytes) => bytes.len() as u64,
        // One that cannot be read is refused when it is compiled.
        crate::model::Blob::File(path) => path.metadata().map_or(0, |m| m.len()),
    }
}

fn limits(metadata: &Metadata, time: &TimeRule) -> LimitsSpec {
    let ms = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).max(1);
    LimitsSpec {
        cpu_ms: time.given.map(|(limit, _)| ms(limit)),
        memory_bytes: Some(mebibytes(metadata.limits.memory_mib)),
        output_bytes: Some(mebibytes(metadata.limits.output_mib)),
        ..LimitsSpec::default()
    }
}

fn mebibytes(n: u64) -> u64 {
    n.saturating_mul(1 << 20)
}

/// `limits.time_limit`, or `.timelimit`: a file of DOMjudge, outside of the format.
fn time_rule(package: &Package, metadata: &Metadata) -> Result<TimeRule, Error> {
    const FILE: &str = ".timelimit";
    let limits = &metadata.limits;
    let duration = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    let in_file = match package.text(FILE)? {
        None => None,
        Some(text) => {
            let seconds = text.trim().parse().ok().and_then(duration).filter(|d| !d.is_zero());
            let error = || Error::TimeLimit { path: package.path(FILE), text: text.clone() };
            Some((seconds.ok_or_else(error)?, FILE))
        }
    };
    let in_metadata = limits.time_limit.and_then(duration).map(|d| (d, "problem.yaml"));
    Ok(TimeRule {
        given: in_metadata.or(in_file),
        factor: limits.ac_to_time_limit,
        margin: limits.time_limit_to_tle,
        resolution: duration(limits.time_resolution).unwrap_or(Duration::from_secs(1)),
    })
}

/// The files of `include/`, by language as the format calls it.
fn includes(
    package: &Package,
    metadata: &Metadata,
) -> Result<BTreeMap<String, Vec<SourceFile>>, Error> {
    let mut includes = BTreeMap::new();
    for entry in package.list("include")?.into_iter().filter(|e| e.is_dir) {
        let path = format!("include/{}", entry.name);
        let sources = program::read(package, &path, true, &metadata.constants)?;
        includes.insert(entry.name, sources.files);
    }
    Ok(includes)
}
