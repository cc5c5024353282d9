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
mod stored;
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
pub use stored::{Error as StoredError, Stored, TestSet};
pub use time_limit::{Basis, Error as TimeLimitError, TimeLimit, TimeRule};
pub use validator::Error as ValidatorError;
pub use verify::{Row, Status, Verification, verify};

use crate::model::{Checker, Extras, LimitsSpec, Report, SourceFile, Submission, Test, Verdict};
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
            extras: Extras::default(),
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

#[cfg(test)]
mod tests {
    use super::grading::fixture::results;
    use super::package::fixture::folder;
    use super::*;
    use crate::model::{Abi, StageTimes, StopRule, Tokens};

    fn open(files: &[(&str, &str)]) -> Result<Problem, String> {
        let test = [("data/secret/1.in", ""), ("data/secret/1.ans", "")];
        let dir = folder(&[files, &test[..]].concat());
        Problem::open(dir.path()).map_err(|e| {
            let source = std::error::Error::source(&e).map(|s| format!(": {s}"));
            format!("{e}{}", source.unwrap_or_default())
        })
    }

    const LATEST: &str = "problem_format_version: 2025-09\nname: x\nuuid: u\n";

    #[test]
    fn a_plain_package_is_read() {
        let problem = open(&[("problem.yaml", "name: Sum\nodd: 1"), (".timelimit", "2")]).unwrap();
        assert_eq!((problem.name.as_str(), problem.version), ("Sum", Version::Legacy));
        assert_eq!(problem.limits.cpu_ms, Some(2000));
        assert_eq!(problem.limits.memory_bytes, Some(2048 << 20));
        assert_eq!(problem.limits.output_bytes, Some(8 << 20));
        assert_eq!(problem.time.given, Some((Duration::from_secs(2), ".timelimit")));
        assert_eq!(problem.checker, Checker::Tokens(Tokens::default()));
        assert_eq!(problem.tests.len(), 1);
        let [warning] = &problem.warnings[..] else { panic!("{:?}", problem.warnings) };
        assert_eq!(warning, "problem.yaml has the key odd, which the format does not have");
    }

    #[test]
    fn a_time_limit_must_be_a_number_of_seconds() {
        for text in ["", "fast", "0", "-1", "inf"] {
            let error = open(&[("problem.yaml", ""), (".timelimit", text)]).unwrap_err();
            assert!(error.contains("it must hold a number of seconds"), "{text:?}: {error}");
        }
        let yaml = format!("{LATEST}limits: {{time_limit: 3}}");
        let problem = open(&[("problem.yaml", &yaml), (".timelimit", "2")]).unwrap();
        assert_eq!(problem.time.given, Some((Duration::from_secs(3), "problem.yaml")));
        assert_eq!(open(&[("problem.yaml", LATEST)]).unwrap().limits.cpu_ms, None);
    }

    #[test]
    fn flags_of_the_default_validator_become_the_checker() {
        let flags = |data: &str, more: &[(&str, &str)]| {
            let base =
                [("problem.yaml", "validator_flags: case_sensitive"), ("data/testdata.yaml", data)];
            open(&[&base[..], more].concat())
        };
        let tokens = |relative| Tokens {
            case_sensitive: true,
            float_relative: relative,
            ..Tokens::default()
        };
        let same = flags("output_validator_flags: float_relative_tolerance 1e-4", &[]).unwrap();
        assert_eq!(same.checker, Checker::Tokens(tokens(Some(1e-4))));
        assert!(same.tests.iter().all(|t| t.checker_args.is_empty()));

        let group = [
            ("data/secret/g/testdata.yaml", "output_validator_flags: ''"),
            ("data/secret/g/1.in", ""),
            ("data/secret/g/1.ans", ""),
        ];
        let mixed = flags("output_validator_flags: float_relative_tolerance 1e-4", &group).unwrap();
        assert_eq!(mixed.checker, Checker::Tokens(Tokens::default()));
        let args: Vec<_> = mixed.tests.iter().map(|t| t.checker_args.join(" ")).collect();
        assert_eq!(args, ["case_sensitive float_relative_tolerance 1e-4", "case_sensitive"]);

        let error = flags("output_validator_flags: fuzzy", &[]).unwrap_err();
        assert!(error.starts_with("test \"secret/1\" cannot be judged; correct"), "{error}");
        assert!(error.contains("no flag \"fuzzy\""), "{error}");
    }

    #[test]
    fn a_validator_of_the_package_becomes_the_checker() {
        let (custom, latest) = ("validation: custom\nvalidator_flags: a b", LATEST);
        let talks = "validation: custom interactive";
        let both = format!("{LATEST}type: interactive\nconstants: {{max: 7}}\n");
        for (yaml, files, language, names, interactive) in [
            (custom, &["output_validators/check.py"][..], "python3", &["check.py"][..], false),
            (
                custom,
                &["output_validators/v/check.cc", "output_validators/v/lib/x.h"],
                "cpp",
                &["check.cc", "lib/x.h"],
                false,
            ),
            (
                custom,
                &["output_validators/v.cpp", "output_validators/v.h"],
                "cpp",
                &["v.cpp", "v.h"],
                false,
            ),
            (talks, &["output_validators/talk.cpp"], "cpp", &["talk.cpp"], true),
            (
                latest,
                &["output_validator/a.c", "output_validator/b.c"],
                "c",
                &["a.c", "b.c"],
                false,
            ),
            (&both, &["output_validator/v/a.py"], "python3", &["a.py"], true),
        ] {
            let mut all = vec![("problem.yaml", yaml)];
            all.extend(files.iter().map(|f| (*f, "{{max}}")));
            let problem = open(&all).unwrap();
            let (abi, program, talks) = match problem.checker {
                Checker::Custom { abi, program } => (abi, program, false),
                Checker::Interactive { abi, program } => (abi, program, true),
                other => panic!("{other:?}"),
            };
            assert_eq!((abi, talks), (Abi::Icpc, interactive));
            assert_eq!(program.language, language);
            assert_eq!(program.files.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), names);
            assert_eq!(program.limits.cpu_ms, Some(60_000));
            let text = if yaml == both { "7" } else { "{{max}}" };
            assert_eq!(program.files[0].contents, text.into());
            if yaml == custom {
                assert_eq!(problem.tests[0].checker_args, ["a", "b"]);
            }
        }
    }

    #[test]
    fn a_validator_that_cannot_be_used_is_told() {
        let custom = "validation: custom";
        for (files, message) in [
            (
                &["x"][..],
                "output_validators\" holds no validator; add one, or set validation: default",
            ),
            (&["output_validators/a.py", "output_validators/b.py"], "holds several validators"),
            (&["output_validators/README"], "holds no source file of a language"),
            (
                &["output_validators/v/build", "output_validators/v/a.cc"],
                "has a build or run script",
            ),
            (
                &["output_validators/v/a.py", "output_validators/v/a.rb"],
                "sources of several languages",
            ),
        ] {
            let mut all = vec![("problem.yaml", custom)];
            all.extend(files.iter().map(|f| (*f, "")));
            let error = open(&all).unwrap_err();
            assert!(error.contains(message), "{files:?}: {error}");
        }
    }

    fn source(name: &str, text: &str) -> SourceFile {
        SourceFile { name: name.to_owned(), contents: text.into() }
    }

    #[test]
    fn a_submission_has_the_included_files_and_keeps_to_the_limits() {
        let yaml =
            format!("{LATEST}languages: [cpp, python3]\nlimits: {{code: 1, time_limit: 4}}\n");
        let problem = open(&[
            ("problem.yaml", &yaml),
            ("include/cpp/grader.h", "theirs"),
            ("include/default/data.txt", "all"),
        ])
        .unwrap();
        let files = vec![source("z.cpp", ""), source("grader.h", "mine")];
        let submission = problem.submission("cpp17", files, None).unwrap();
        let named: Vec<_> = submission.files.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(named, ["data.txt", "grader.h", "z.cpp"]);
        assert_eq!(submission.files[1].contents, "theirs".into());
        assert_eq!(submission.entry.as_deref(), Some("z.cpp"));
        assert_eq!(submission.limits.cpu_ms, Some(4000));
        assert_eq!(submission.stop, StopRule::FirstFailure);

        let error = problem.submission("go", vec![source("a.go", "")], None).unwrap_err();
        assert_eq!(error.to_string(), "the problem does not take go; it takes cpp, python3");
        let large = vec![source("a.py", &"x".repeat(2000))];
        let error = problem.submission("python3", large, None).unwrap_err();
        let text = "the source files have 1.9 KiB together; the problem takes at most 1 KiB";
        assert_eq!(error.to_string(), text);
    }

    fn report(verdict: Verdict, tests: &str) -> Report {
        Report {
            verdict,
            score: Some(0.5),
            first_failure: None,
            language: String::new(),
            limits: None,
            toolchain: String::new(),
            engine: String::new(),
            compile: None,
            tests: results(tests),
            error: None,
            times: StageTimes::default(),
        }
    }

    #[test]
    fn a_report_is_graded_as_the_package_says() {
        use Verdict::{Accepted, CompileError, InternalError, WrongAnswer};
        let scoring = "type: scoring\n";
        let must = "type: scoring\nvalidation: custom score\n";
        let least = "type: scoring\ngrading: {objective: min}\n";
        let latest = format!("{LATEST}type: scoring\n");
        let validator = ("output_validators/a.py", "");
        for (yaml, raw, tests, verdict, score) in [
            ("", Accepted, "A", Accepted, None),
            ("", WrongAnswer, "W", WrongAnswer, None),
            (scoring, Accepted, "A", Accepted, Some(7.0)),
            (scoring, WrongAnswer, "W", WrongAnswer, Some(0.0)),
            (least, WrongAnswer, "W", WrongAnswer, None),
            (must, Accepted, "A3.5", Accepted, Some(3.5)),
            (must, Accepted, "A", InternalError, None),
            (&latest, Accepted, "A", Accepted, Some(100.0)),
            (&latest, WrongAnswer, "W", WrongAnswer, Some(0.0)),
            ("", CompileError, "", CompileError, Some(0.5)),
            ("", InternalError, "W", InternalError, Some(0.5)),
        ] {
            let accept =
                if yaml.contains("scoring") && yaml != latest { "accept_score: 7" } else { "" };
            let files = [("problem.yaml", yaml), ("data/testdata.yaml", accept), validator];
            let graded = open(&files).unwrap().grade(&report(raw, tests));
            assert_eq!((graded.verdict, graded.score), (verdict, score), "{yaml:?} {tests:?}");
            assert_eq!(graded.error.is_some(), verdict != raw, "{:?}", graded.error);
        }
    }
}
