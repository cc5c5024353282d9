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
        "{path:?} is annotated with the verdict {value:?}; there are CORRECT, WRONG-ANSWER, \
         TIMELIMIT, IDLENESS-LIMIT, RUN-ERROR, MEMORY-LIMIT, OUTPUT-LIMIT, NO-OUTPUT and \
         COMPILER-ERROR"
    )]
    Verdict {
        /// The submission.
        path: PathBuf,
        /// What it says.
        value: String,
    },
    /// An annotation that gives no score.
    #[error("{path:?} is annotated with the score {value:?}; it must be a number")]
    Score {
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
                expected: Expected::default(),
            };
            let annotated = annotation(package, &example)?;
            let by_folder = match &rules {
                Some(rules) => Some(rules.apply(&path, &mut example)),
                None => legacy_folder(&folder.name),
            };
            match combine(metadata.scoring, by_folder, annotated) {
                Some(expected) => {
                    example.expected = expected;
                    found.examples.push(example);
                }
                None => found.warnings.push(format!(
                    "{at} is not run: its folder says no verdict; move it or annotate it with \
                     {VERDICTS} and one"
                )),
            }
        }
    }
    Ok(found)
}

/// An annotation wins over the folder; in a scoring problem both hold, since the folder speaks of
/// the grade and the annotation of the first test that fails. What `submissions.yaml` says always
/// holds.
fn combine(
    scoring: bool,
    by_folder: Option<Expected>,
    annotated: Option<Annotation>,
) -> Option<Expected> {
    let Some(Annotation { verdicts, score }) = annotated else { return by_folder };
    let mut expected = by_folder.unwrap_or_default();
    if !scoring && !verdicts.is_empty() {
        expected.graded.clear();
    }
    Some(Expected { annotated: verdicts, score, ..expected })
}

fn legacy_folder(name: &str) -> Option<Expected> {
    Some(match name {
        "accepted" => Expected::folder(&[Class::Accepted]),
        "partially_accepted" => {
            Expected { below_best: true, ..Expected::folder(&[Class::Accepted]) }
        }
        "wrong_answer" => Expected::folder(&[Class::Wrong]),
        "time_limit_exceeded" => Expected::folder(&[Class::TimeLimit]),
        "run_time_error" => Expected::folder(&[Class::RuntimeError]),
        _ => return None,
    })
}

/// DOMjudge's annotations, in a comment of any language: verdicts, by commas; and a score.
const VERDICTS: &str = "@EXPECTED_RESULTS@:";
const SCORE: &str = "@EXPECTED_SCORE@:";

struct Annotation {
    verdicts: Vec<Verdict>,
    score: Option<f64>,
}

/// What the files of the submission say themselves.
fn annotation(package: &Package, example: &Example) -> Result<Option<Annotation>, Error> {
    let path = || package.path(FOLDER).join(&example.path);
    // What closes a comment is neither a verdict nor a score.
    let first = |text: &str| text.split_whitespace().next().unwrap_or_default().to_owned();
    let mut found = Annotation { verdicts: Vec::new(), score: None };
    for file in &example.files {
        let bytes = file.contents.read().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let after = |tag: &str| {
            let (_, rest) = text.split_once(tag)?;
            Some(rest.lines().next().unwrap_or_default().to_owned())
        };
        for word in after(VERDICTS).iter().flat_map(|line| line.split(',')) {
            let word = first(word);
            let named = verdicts_of(&word)
                .ok_or_else(|| Error::Verdict { path: path(), value: word.clone() })?;
            found.verdicts.extend(named);
        }
        if let Some(line) = after(SCORE) {
            let word = first(&line);
            let score = word.parse().ok().filter(|s: &f64| s.is_finite());
            found.score = Some(score.ok_or_else(|| Error::Score { path: path(), value: word })?);
        }
    }
    let said = !found.verdicts.is_empty() || found.score.is_some();
    Ok(said.then_some(found))
}

/// The names of DOMjudge, and those of the format's folders, which it takes too.
fn verdicts_of(word: &str) -> Option<&'static [Verdict]> {
    Some(match word.to_ascii_uppercase().replace('_', "-").as_str() {
        "CORRECT" | "ACCEPTED" => Class::Accepted.verdicts(),
        "WRONG-ANSWER" => Class::Wrong.verdicts(),
        "NO-OUTPUT" => &[Verdict::WrongAnswer],
        "TIMELIMIT" | "TIME-LIMIT" | "TIME-LIMIT-EXCEEDED" => Class::TimeLimit.verdicts(),
        "IDLENESS-LIMIT" => &[Verdict::IdlenessLimit],
        "RUN-ERROR" | "RUN-TIME-ERROR" => Class::RuntimeError.verdicts(),
        "MEMORY-LIMIT" | "MEMORY-LIMIT-EXCEEDED" => &[Verdict::MemoryLimit],
        "OUTPUT-LIMIT" | "OUTPUT-LIMIT-EXCEEDED" => &[Verdict::OutputLimit],
        "COMPILER-ERROR" | "COMPILE-ERROR" => &[Verdict::CompileError],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::expected::{Bound, Rule};
    use super::super::metadata;
    use super::super::package::fixture::folder;
    use super::*;

    fn read_package(files: &[(&str, &str)]) -> Result<Examples, String> {
        let dir = folder(files);
        let package = Package::open(dir.path()).unwrap();
        let metadata = metadata::read(&package).unwrap();
        read(&package, &metadata).map_err(|e| {
            let source = std::error::Error::source(&e).map(|s| format!(": {s}"));
            format!("{e}{}", source.unwrap_or_default())
        })
    }

    const LATEST: &str = "problem_format_version: 2025-09\nname: x\nuuid: u\n";

    #[test]
    fn folders_of_legacy_say_what_is_expected() {
        let found = read_package(&[
            ("problem.yaml", ""),
            ("submissions/accepted/a.py", ""),
            ("submissions/accepted/Two/Main.java", ""),
            ("submissions/accepted/Two/Helper.java", ""),
            ("submissions/mixed/b.c", ""),
            ("submissions/mixed/c.cpp", "// @EXPECTED_RESULTS@: WRONG-ANSWER, timelimit"),
            ("submissions/partially_accepted/d.rs", "/* @EXPECTED_SCORE@: 40 */"),
            ("submissions/run_time_error/e.go", ""),
            ("submissions/time_limit_exceeded/f.js", ""),
            ("submissions/wrong_answer/g.sh", "# @EXPECTED_RESULTS@: NO-OUTPUT"),
        ])
        .unwrap();
        let shown = found.examples.iter().map(|e| {
            let entry = e.entry.as_deref().unwrap_or("-");
            format!(
                "{} {} {entry}: {}",
                e.path.display(),
                e.language.as_deref().unwrap(),
                e.expected
            )
        });
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                "accepted/Two java Main.java: AC",
                "accepted/a.py python3 a.py: AC",
                "mixed/c.cpp cpp c.cpp: WA or OLE or TLE or ILE",
                "partially_accepted/d.rs rust d.rs: AC; score 40",
                "run_time_error/e.go go e.go: RE or MLE or OLE",
                "time_limit_exceeded/f.js javascript f.js: TLE or ILE",
                "wrong_answer/g.sh bash g.sh: WA",
            ]
        );
        let [warning] = &found.warnings[..] else { panic!("{:?}", found.warnings) };
        assert!(warning.starts_with("submissions/mixed/b.c is not run"), "{warning}");
    }

    #[test]
    fn an_annotation_that_says_nothing_is_an_error() {
        for (text, message) in [
            (
                "@EXPECTED_RESULTS@: MAYBE",
                "annotated with the verdict \"MAYBE\"; there are CORRECT",
            ),
            ("@EXPECTED_RESULTS@:", "annotated with the verdict \"\""),
            ("@EXPECTED_SCORE@: all", "annotated with the score \"all\"; it must be a number"),
        ] {
            let files = [("problem.yaml", ""), ("submissions/accepted/a.py", text)];
            let error = read_package(&files).err().unwrap();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn submissions_yaml_adds_to_the_default_rules() {
        let found = read_package(&[
            ("problem.yaml", LATEST),
            (
                "submissions/submissions.yaml",
                "accepted/*.py: {model_solution: true, language: python3, entrypoint: b.py}\n\
                 time_limit_exceeded: {permitted: [AC, WA, TLE]}\n\
                 '*/x.cpp':\n  sample: {permitted: [AC]}\n  secret/big: {required: [TLE], \
                 message: no, score: [1, 2], use_for_time_limit: false}\n",
            ),
            ("submissions/accepted/a.py", ""),
            ("submissions/brute_force/b.c", ""),
            ("submissions/other/c.c", ""),
            ("submissions/time_limit_exceeded/x.cpp", ""),
        ])
        .unwrap();
        let [accepted, brute, other, slow] = &found.examples[..] else { panic!() };
        assert_eq!(accepted.entry.as_deref(), Some("b.py"));
        assert_eq!(accepted.expected.to_string(), "all AC");
        assert!(accepted.expected.bounds(Bound::Lower));
        assert_eq!(brute.expected.to_string(), "all AC or RTE or TLE, some RTE or TLE");
        assert!(!brute.expected.bounds(Bound::Lower) && !brute.expected.bounds(Bound::Upper));
        assert_eq!(other.expected.to_string(), "anything");
        let text = "sample: all AC; secret/big: some TLE, score 1 to 2, the checker says \"no\"; \
                    all AC or WA or TLE, some TLE";
        assert_eq!(slow.expected.to_string(), text);
        let Rule { score, message, bound, .. } = &slow.expected.rules[1];
        assert_eq!((*score, message.as_deref(), *bound), (Some((1.0, 2.0)), Some("no"), None));
        assert!(slow.expected.bounds(Bound::Upper));
    }

    #[test]
    fn what_submissions_yaml_cannot_say_is_named() {
        for (text, message) in [
            ("a: {odd: 1}", "a: odd is unknown; a key that is no setting names tests"),
            ("a: {permitted: [CE]}", "a: permitted may name AC, WA, TLE and RTE only"),
            ("a: {permitted: AC}", "a: its settings must hold permitted"),
            ("a: {sample: {odd: 1}}", "a: sample must hold permitted"),
            ("a: {use_for_time_limit: both}", "a: use_for_time_limit must be true, false"),
            ("[1]", "is not as format 2025-09 has it"),
        ] {
            let error =
                read_package(&[("problem.yaml", LATEST), ("submissions/submissions.yaml", text)]);
            let error = error.err().unwrap_or_default();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
