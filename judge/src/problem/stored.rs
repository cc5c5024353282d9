//! A problem as it is handed around between machines: the zip of a package, or a set of tests as
//! JSON. Unpacked once into a folder, which is read as often as one likes.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error as ProblemError, Problem, SubmissionError, package};
use crate::language::Table;
use crate::model::{Checker, Extras, LimitsSpec, Report, SourceFile, StopRule, Submission, Test};
use crate::validate::Invalid;

/// Where the two kinds lie in the folder; they cannot be mistaken for each other whatever is in them.
const PACKAGE: &str = "package";
const TESTS: &str = "tests.json";

/// The largest set: it is in memory as a whole while it is used. A package's tests are files.
const LARGEST_SET: u64 = 16 << 20;

/// Tests and how they are judged, without a package around them.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestSet {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tests, in the order in which they are reported. One without a name is named by its
    /// number, from 1.
    pub tests: Vec<Test>,
    /// Limits of each test; what is absent has its default.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// How output becomes a verdict; default: line by line.
    #[serde(default)]
    pub checker: Checker,
    /// Whether to go on after a test that is not accepted; default: yes.
    #[serde(default)]
    pub stop: StopRule,
}

/// A problem in a folder, ready to take submissions. The folder must stay while it is used.
#[derive(Debug)]
pub enum Stored {
    /// A package.
    Package(Box<Problem>),
    /// A set of tests.
    Tests(Box<TestSet>),
}

/// Bytes that are no problem, each with the file and the cure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk failed.
    #[error("cannot use {path:?}")]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Neither of the two kinds.
    #[error("it is neither the zip of a problem package nor a set of tests as JSON")]
    Kind,
    /// JSON, but too much of it.
    #[error(
        "a set of tests has at most {}; hand them in as a package",
        sandbox::Bytes(LARGEST_SET)
    )]
    Large,
    /// JSON, but no set of tests.
    #[error("it is no set of tests")]
    Tests(#[source] serde_json::Error),
    /// A package that cannot be used.
    #[error(transparent)]
    Package(ProblemError),
}

impl Stored {
    /// Unpacks what was handed over into an empty folder. What goes beyond the bounds of a package,
    /// or out of the folder, is an error.
    ///
    /// # Errors
    /// When it is no problem, or the disk fails.
    pub fn unpack(file: &Path, into: &Path) -> Result<(), Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Disk { path, source }
        };
        let mut head = [0; 2];
        let mut opened = fs::File::open(file).map_err(failed(file))?;
        let size = opened.metadata().map_err(failed(file))?.len();
        let is_zip = size >= 2 && {
            opened.read_exact(&mut head).map_err(failed(file))?;
            head == *b"PK"
        };
        if is_zip {
            let folder = into.join(PACKAGE);
            fs::create_dir(&folder).map_err(failed(&folder))?;
            return package::unpack_into(file, size, &folder)
                .map_err(|error| Error::Package(ProblemError::Package(error)));
        }
        if size > LARGEST_SET {
            return Err(Error::Large);
        }
        let bytes = fs::read(file).map_err(failed(file))?;
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if first != Some(&b'{') {
            return Err(Error::Kind);
        }
        serde_json::from_slice::<TestSet>(&bytes).map_err(Error::Tests)?;
        let target = into.join(TESTS);
        fs::write(&target, bytes).map_err(failed(&target))
    }

    /// Reads a folder that [`Stored::unpack`] has filled.
    ///
    /// # Errors
    /// What is wrong with the problem.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let tests = folder.join(TESTS);
        let bytes = match fs::read(&tests) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let problem = Problem::open(&folder.join(PACKAGE)).map_err(Error::Package)?;
                return Ok(Self::Package(Box::new(problem)));
            }
            Err(source) => return Err(Error::Disk { path: tests, source }),
        };
        let mut set: TestSet = serde_json::from_slice(&bytes).map_err(Error::Tests)?;
        for (n, test) in set.tests.iter_mut().enumerate().filter(|(_, t)| t.name.is_empty()) {
            test.name = (n + 1).to_string();
        }
        Ok(Self::Tests(Box::new(set)))
    }

    /// For people; that of a package may be the one of the folder it was packed in.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Package(problem) => {
                Some(&problem.name).filter(|name| *name != PACKAGE).map(String::as_str)
            }
            Self::Tests(set) => set.name.as_deref(),
        }
    }

    /// The tests.
    #[must_use]
    pub fn tests(&self) -> &[Test] {
        match self {
            Self::Package(problem) => &problem.tests,
            Self::Tests(set) => &set.tests,
        }
    }

    /// Limits of each test.
    #[must_use]
    pub fn limits(&self) -> &LimitsSpec {
        match self {
            Self::Package(problem) => &problem.limits,
            Self::Tests(set) => &set.limits,
        }
    }

    /// How output is judged.
    #[must_use]
    pub fn checker(&self) -> &Checker {
        match self {
            Self::Package(problem) => &problem.checker,
            Self::Tests(set) => &set.checker,
        }
    }

    /// Whether its tests can be judged as written, whatever is submitted.
    ///
    /// # Errors
    /// The field at fault.
    pub fn check(&self, table: &Table, max_source: sandbox::Bytes) -> Result<(), Invalid> {
        // Any program will do; one that is run as it is has the limits as they are written.
        let file = SourceFile { name: "x.c".to_owned(), contents: "x".into() };
        let submission = Submission {
            language: "c".to_owned(),
            files: vec![file],
            entry: None,
            args: Vec::new(),
            tests: self.tests().to_vec(),
            limits: self.limits().clone(),
            checker: self.checker().clone(),
            stop: StopRule::RunAll,
            extras: Extras::default(),
        };
        crate::check_form(&submission, table, max_source)
    }

    /// A submission to it: `own` says language, files and arguments, and may be stricter or laxer in
    /// its limits and stop earlier. Its tests and checker do not count.
    ///
    /// # Errors
    /// When the problem does not take it.
    pub fn submission(&self, own: Submission) -> Result<Submission, SubmissionError> {
        let Submission { language, files, entry, args, tests: _, limits, checker: _, stop, extras } =
            own;
        let first = |rule| if stop == StopRule::FirstFailure { stop } else { rule };
        match self {
            Self::Package(problem) => {
                let submission = problem.submission(&language, files, entry)?;
                let (limits, stop) = (limits.or(&submission.limits), first(submission.stop));
                Ok(Submission { args, limits, stop, extras, ..submission })
            }
            Self::Tests(set) => Ok(Submission {
                language,
                files,
                entry,
                args,
                tests: set.tests.clone(),
                limits: limits.or(&set.limits),
                checker: set.checker.clone(),
                stop: first(set.stop),
                extras,
            }),
        }
    }

    /// The report with the verdict and score that the problem's grading gives.
    #[must_use]
    pub fn grade(&self, report: Report) -> Report {
        match self {
            Self::Package(problem) => problem.grade(&report),
            Self::Tests(_) => report,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    fn packed(files: &[(&str, &str)]) -> Vec<u8> {
        let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, text) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn of(bytes: &[u8]) -> Result<(Stored, tempfile::TempDir), String> {
        let (dir, file) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        fs::write(file.path(), bytes).unwrap();
        let said = |error: Error| crate::status::chain(&error);
        Stored::unpack(file.path(), dir.path()).map_err(said)?;
        Ok((Stored::open(dir.path()).map_err(said)?, dir))
    }

    fn own(json: &str) -> Submission {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_zip_is_a_package_and_json_a_set_of_tests() {
        let files = [
            ("sum/problem.yaml", "name: Sum"),
            ("sum/data/secret/1.in", "1 2"),
            ("sum/data/secret/1.ans", "3"),
            ("sum/tests.json", "{}"),
        ];
        let (stored, _dir) = of(&packed(&files)).unwrap();
        assert!(matches!(stored, Stored::Package(_)));
        assert_eq!((stored.name(), stored.tests().len()), (Some("Sum"), 1));
        assert!(stored.check(&Table::builtin(), sandbox::Bytes::mib(1)).is_ok());
        let json = r#" {"tests":[{"input":"1","answer":"1"},{"input":"2","answer":"2"}],"limits":{"cpu_ms":500,"processes":3}}"#;
        let (stored, _dir) = of(json.as_bytes()).unwrap();
        assert_eq!((stored.name(), &stored.tests()[1].name[..]), (None, "2"));
        let own = own(
            r#"{"language":"c","files":[{"name":"a.c","contents":"x"}],"args":["-v"],"tests":[],"limits":{"cpu_ms":100},"stop":"first_failure"}"#,
        );
        let submission = stored.submission(own).unwrap();
        assert_eq!((submission.tests.len(), submission.args.len()), (2, 1));
        assert_eq!(submission.limits.cpu_ms, Some(100));
        assert_eq!(submission.limits.processes, Some(3));
        assert_eq!(submission.stop, StopRule::FirstFailure);
    }

    #[test]
    fn what_is_neither_is_said() {
        let said = |bytes: &[u8]| of(bytes).unwrap_err();
        for bytes in [&b""[..], b"P", b"[]", b"\x1f\x8b", b"name: x"] {
            assert!(said(bytes).starts_with("it is neither the zip"), "{bytes:?}");
        }
        let large = vec![b' '; (16 << 20) + 1];
        assert_eq!(said(&large), "a set of tests has at most 16 MiB; hand them in as a package");
        assert!(said(br#"{"tests":[],"test":1}"#).contains("unknown field `test`"));
        assert!(said(b"PK and no more").contains("is not a zip that can be read"));
        assert!(said(&packed(&[("x", "")])).contains("holds no problem.yaml"));
        assert!(said(&packed(&[("../x", "")])).contains("has a path that leaves the package"));
        let json = r#"{"tests":[{"input":"","answer":""},{"input":""}]}"#;
        let (stored, _dir) = of(json.as_bytes()).unwrap();
        let error = stored.check(&Table::builtin(), sandbox::Bytes::mib(1)).unwrap_err();
        assert_eq!(error.field, "tests[1].answer");
    }
}
