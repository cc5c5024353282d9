//! Fourth step: the example submissions, each with what it should get.

use std::path::PathBuf;

use super::expected::{Class, Expected};
use super::metadata::{Metadata, Version};
use super::package::{self, Entry, Package};
use super::program::{self, Sources};
use crate::model::{SourceFile, Verdict};
use crate::yaml;

mod latest;

const FOLDER: &str = "submissions";

/// Example submissions that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or file that cannot be read.
    #[error(transparent)]
    Package(#[from] package::Error),
    /// A program that cannot be read.
    #[error(transparent)]
    Program(#[from] program::Error),
    /// `submissions.yaml` is not YAML of the right shape.
    #[error("{path:?} is not as format 2025-09 has it")]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        #[source]
        source: yaml::Error,
    },
    /// An entry of `submissions.yaml` that cannot be.
    #[error("{path:?}, {pattern}: {key} {fault}")]
    Entry {
        /// The file.
        path: PathBuf,
        /// The entry.
        pattern: String,
        /// The key at fault.
        key: String,
        /// What is wrong and what to do.
        fault: &'static str,
    },
    /// An annotation that names no verdict.
    #[error(
        "{path:?} has the annotation {tag} {value:?}; the verdicts are CORRECT, WRONG-ANSWER, \
         TIMELIMIT, RUN-ERROR, MEMORY-LIMIT, OUTPUT-LIMIT, NO-OUTPUT and COMPILER-ERROR",
        tag = TAG
    )]
    Annotation {
        /// The submission.
        path: PathBuf,
        /// What it says.
        value: String,
    },
}

/// A submission that comes with the package.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Below `submissions/`.
    pub path: PathBuf,
    /// Its source files.
    pub files: Vec<SourceFile>,
    /// The file that starts.
    pub entry: Option<String>,
    /// Its language as the format calls it (`cpp`, `python3`, …); absent when its files do not
    /// say.
    pub language: Option<String>,
    /// What it should get.
    pub expected: Expected,
}

/// The examples, and what is odd about them.
pub(super) struct Examples {
    pub(super) examples: Vec<Example>,
    pub(super) warnings: Vec<String>,
}

pub(super) fn read(package: &Package, metadata: &Metadata) -> Result<Examples, Error> {
    let rules = match metadata.version {
        Version::Legacy => None,
        Version::V2025_09 => Some(latest::Rules::read(package)?),
    };
    let mut found = Examples { examples: Vec::new(), warnings: Vec::new() };
    for folder in package.list(FOLDER)?.into_iter().filter(|e| e.is_dir) {
        for Entry { name, is_dir } in package.list(&format!("{FOLDER}/{}", folder.name))? {
            let path = format!("{}/{name}", folder.name);
            let at = format!("{FOLDER}/{path}");
            let Sources { files, entry, code } =
                program::read(package, &at, is_dir, &metadata.constants)?;
            let mut example = Example {
                path: path.clone().into(),
                files,
                entry,
                language: code.map(str::to_owned),
                expected: Expected::Tests(Vec::new()),
            };
            let annotated = annotation(package, &example)?;
            let by_folder = match &rules {
                Some(rules) => Some(rules.apply(&path, &mut example)?),
                None => legacy_folder(&folder.name),
            };
            match annotated.or(by_folder) {
                Some(expected) => {
                    example.expected = expected;
                    found.examples.push(example);
                }
                None => found.warnings.push(format!(
                    "{at} is not run: its folder says no verdict; move it or annotate it with \
                     {TAG} and one"
                )),
            }
        }
    }
    Ok(found)
}

fn legacy_folder(name: &str) -> Option<Expected> {
    let expected = match name {
        "accepted" => Expected::overall(&[Class::Accepted]),
        "partially_accepted" => {
            Expected::Overall { verdicts: vec![Verdict::Accepted], below_best: true }
        }
        "wrong_answer" => Expected::overall(&[Class::Wrong]),
        "time_limit_exceeded" => Expected::overall(&[Class::TimeLimit]),
        "run_time_error" => Expected::overall(&[Class::RuntimeError]),
        _ => return None,
    };
    Some(expected)
}

/// DOMjudge's annotation, in a comment of any language: one or several verdicts, by commas.
const TAG: &str = "@EXPECTED_RESULTS@:";

/// What the files of the submission say themselves. It wins over the folder.
fn annotation(package: &Package, example: &Example) -> Result<Option<Expected>, Error> {
    let path = || package.path(FOLDER).join(&example.path);
    for file in &example.files {
        let bytes = file.contents.read().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let Some((_, rest)) = text.split_once(TAG) else { continue };
        let value = rest.lines().next().unwrap_or_default();
        let mut verdicts = Vec::new();
        for word in value.split(',') {
            // What closes a comment is no verdict.
            let word = word.split_whitespace().next().unwrap_or_default();
            let Some(named) = verdicts_of(word) else {
                return Err(Error::Annotation { path: path(), value: value.trim().to_owned() });
            };
            verdicts.extend(named);
        }
        return Ok(Some(Expected::Overall { verdicts, below_best: false }));
    }
    Ok(None)
}

/// The names of DOMjudge, and the folders of the format, which it takes too.
fn verdicts_of(word: &str) -> Option<&'static [Verdict]> {
    Some(match word.to_ascii_uppercase().replace('_', "-").as_str() {
        "CORRECT" | "ACCEPTED" => Class::Accepted.verdicts(),
        "WRONG-ANSWER" => Class::Wrong.verdicts(),
        "NO-OUTPUT" => &[Verdict::WrongAnswer],
        "TIMELIMIT" | "TIME-LIMIT-EXCEEDED" => Class::TimeLimit.verdicts(),
        "RUN-ERROR" | "RUN-TIME-ERROR" => Class::RuntimeError.verdicts(),
        "MEMORY-LIMIT" | "MEMORY-LIMIT-EXCEEDED" => &[Verdict::MemoryLimit],
        "OUTPUT-LIMIT" | "OUTPUT-LIMIT-EXCEEDED" => &[Verdict::OutputLimit],
        "COMPILER-ERROR" | "COMPILE-ERROR" => &[Verdict::CompileError],
        _ => return None,
    })
}
