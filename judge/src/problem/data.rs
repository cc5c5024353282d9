//! Third step: the tests below `data/`, in the order of the format, and how they are graded.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::grading::Grading;
use super::metadata::{Metadata, Version};
use super::package::{self, Entry, Package};
use crate::model::{Blob, Test};
use crate::yaml;

mod latest;
mod legacy;

/// Test data that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or file that cannot be read.
    #[error(transparent)]
    Package(#[from] package::Error),
    /// A test without an answer.
    #[error("test {test:?} has no answer; add {path:?}")]
    NoAnswer {
        /// Name of the test.
        test: String,
        /// The file that is missing.
        path: PathBuf,
    },
    /// No test at all.
    #[error("{path:?} holds no test; add pairs of files .in and .ans")]
    NoTests {
        /// The folder.
        path: PathBuf,
    },
    /// Something that evalX does not do.
    #[error("{path:?} {fault}")]
    Unsupported {
        /// The file or folder.
        path: PathBuf,
        /// What it is and what to do.
        fault: &'static str,
    },
    /// A configuration that is not YAML of the right shape.
    #[error("{path:?} is not as the format has it")]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        #[source]
        source: yaml::Error,
    },
    /// A value of a configuration that cannot be.
    #[error("{path:?} has {key} {value}; {cure}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        cure: &'static str,
    },
}

/// The tests, and how their results make one.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) tests: Vec<Test>,
    pub(super) grading: Grading,
    /// Keys that no version of the format has, by file.
    pub(super) unknown: Vec<String>,
}

pub(super) fn read(package: &Package, metadata: &Metadata) -> Result<Data, Error> {
    let data = match metadata.version {
        Version::Legacy => legacy::read(package, metadata)?,
        Version::V2025_09 => latest::read(package, metadata)?,
    };
    if data.tests.iter().all(|t| t.group.as_deref() == Some("sample")) {
        return Err(Error::NoTests { path: package.path("data/secret") });
    }
    Ok(data)
}

/// What a folder of test data holds, in the order of the format: by base name.
enum Item {
    /// A test, and whether there is an answer to it.
    Test(String, Answered),
    Group(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Answered(bool);

/// The tests and folders directly in `folder`, by base name.
fn items(package: &Package, folder: &str) -> Result<Vec<Item>, Error> {
    let entries = package.list(folder)?;
    let files: BTreeSet<&str> =
        entries.iter().filter(|e| !e.is_dir).map(|e| e.name.as_str()).collect();
    let mut items = Vec::new();
    for Entry { name, is_dir } in &entries {
        if !is_dir {
            if let Some(base) = name.strip_suffix(".in") {
                let answered = Answered(files.contains(format!("{base}.ans").as_str()));
                items.push((base, Item::Test(base.to_owned(), answered)));
            }
        } else if name.ends_with(".files") {
            let path = package.path(&format!("{folder}/{name}"));
            let fault = "holds files for the program, which evalX does not provide";
            return Err(Error::Unsupported { path, fault });
        } else {
            items.push((name.as_str(), Item::Group(name.clone())));
        }
    }
    items.sort_by_key(|(base, _)| *base);
    Ok(items.into_iter().map(|(_, item)| item).collect())
}

/// One test of a folder, without arguments for anyone.
fn test(package: &Package, folder: &str, base: &str, answered: Answered) -> Result<Test, Error> {
    let name = format!("{folder}/{base}");
    let answer = package.path(&format!("data/{name}.ans"));
    if !answered.0 {
        return Err(Error::NoAnswer { test: name, path: answer });
    }
    Ok(Test {
        input: Blob::File(package.path(&format!("data/{name}.in"))),
        answer: Some(Blob::File(answer)),
        weight: 1.0,
        group: Some(folder.to_owned()),
        args: Vec::new(),
        checker_args: Vec::new(),
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::super::metadata;
    use super::super::package::fixture::folder;
    use super::*;

    fn read_package(files: &[(&str, &str)]) -> Result<Data, String> {
        let dir = folder(files);
        let package = Package::open(dir.path()).unwrap();
        let metadata = metadata::read(&package).unwrap();
        read(&package, &metadata).map_err(|e| {
            let source = std::error::Error::source(&e).map(|s| format!(": {s}"));
            format!("{e}{}", source.unwrap_or_default())
        })
    }

    fn named(data: &Data) -> Vec<(&str, &str)> {
        let group = |t: &'_ Test| t.group.clone().unwrap();
        assert!(data.tests.iter().all(|t| t.name.starts_with(&group(t))));
        data.tests.iter().map(|t| (t.name.as_str(), t.group.as_deref().unwrap())).collect()
    }

    const LATEST: &str = "problem_format_version: 2025-09\nname: x\nuuid: u\n";
    const SCORING: &str = "problem_format_version: 2025-09\nname: x\nuuid: u\ntype: scoring\n";

    #[test]
    fn tests_come_in_the_order_of_their_base_names_samples_first() {
        for yaml in ["", LATEST] {
            let data = read_package(&[
                ("problem.yaml", yaml),
                ("data/secret/b.in", ""),
                ("data/secret/b.ans", ""),
                ("data/secret/a-1.in", ""),
                ("data/secret/a-1.ans", ""),
                ("data/secret/a.in", ""),
                ("data/secret/a.ans", ""),
                ("data/secret/a.desc", ""),
                ("data/sample/2.in", ""),
                ("data/sample/2.ans", ""),
                ("data/sample/10.in", ""),
                ("data/sample/10.ans", ""),
                ("data/invalid_input/x.in", ""),
            ])
            .unwrap();
            assert_eq!(
                named(&data),
                [
                    ("sample/10", "sample"),
                    ("sample/2", "sample"),
                    ("secret/a", "secret"),
                    ("secret/a-1", "secret"),
                    ("secret/b", "secret"),
                ]
            );
        }
    }

    #[test]
    fn a_test_without_an_answer_is_named() {
        for yaml in ["", LATEST] {
            let error = read_package(&[("problem.yaml", yaml), ("data/secret/07-big.in", "")])
                .err()
                .unwrap();
            assert!(error.starts_with("test \"secret/07-big\" has no answer; add "), "{error}");
            assert!(error.contains("data/secret/07-big.ans"), "{error}");
            let error = read_package(&[
                ("problem.yaml", yaml),
                ("data/sample/1.in", ""),
                ("data/sample/1.ans", ""),
            ]);
            assert!(error.err().unwrap().contains("data/secret\" holds no test"));
        }
    }

    #[test]
    fn legacy_groups_inherit_flags_and_settings() {
        let data = read_package(&[
            ("problem.yaml", "type: scoring\nvalidator_flags: case_sensitive\n"),
            (
                "data/testdata.yaml",
                "on_reject: continue\nrange: 0 100\ngrader_flags: ignore_sample\n",
            ),
            ("data/sample/1.in", ""),
            ("data/sample/1.ans", ""),
            (
                "data/secret/testdata.yaml",
                "output_validator_flags: space_change_sensitive\nodd: 1\n",
            ),
            (
                "data/secret/g1/testdata.yaml",
                "accept_score: 30\ngrader_flags: min\non_reject: break\n",
            ),
            ("data/secret/g1/1.in", ""),
            ("data/secret/g1/1.ans", ""),
            ("data/secret/g2/testdata.yaml", "output_validator_flags: ''\n"),
            ("data/secret/g2/sub/1.in", ""),
            ("data/secret/g2/sub/1.ans", ""),
        ])
        .unwrap();
        assert_eq!(
            named(&data),
            [
                ("sample/1", "sample"),
                ("secret/g1/1", "secret/g1"),
                ("secret/g2/sub/1", "secret/g2/sub"),
            ]
        );
        let flags: Vec<_> = data.tests.iter().map(|t| t.checker_args.join(" ")).collect();
        assert_eq!(
            flags,
            ["case_sensitive", "case_sensitive space_change_sensitive", "case_sensitive"]
        );
        assert_eq!(data.unknown, ["data/secret/testdata.yaml: odd"]);
        let Grading::Legacy(root) = data.grading else { panic!("not legacy") };
        assert!(root.grader.ignore_sample && !root.grader.stop);
        let [_, super::super::grading::legacy::Node::Group(secret)] = &root.nodes[..] else {
            panic!("{root:?}")
        };
        assert!(!secret.grader.ignore_sample && !secret.grader.stop);
        let super::super::grading::legacy::Node::Group(first) = &secret.nodes[0] else {
            panic!("{secret:?}")
        };
        assert!(first.grader.stop);
        assert_eq!((first.grader.accept_score, first.grader.range), (30.0, (0.0, 100.0)));
    }

    #[test]
    fn the_latest_groups_and_tests_have_their_own_arguments() {
        let data = read_package(&[
            ("problem.yaml", SCORING),
            ("data/sample/1.in", ""),
            ("data/sample/1.ans", ""),
            ("data/secret/test_group.yaml", "output_validator_args: [a]\nargs: [x]\n"),
            ("data/secret/g1/test_group.yaml", "max_score: 40\nrequire_pass: sample\n"),
            ("data/secret/g1/deep/1.in", ""),
            ("data/secret/g1/deep/1.ans", ""),
            ("data/secret/g2/test_group.yaml", "{max_score: 60, args: [], score_aggregation: min}"),
            ("data/secret/g2/1.in", ""),
            ("data/secret/g2/1.ans", ""),
            ("data/secret/g2/1.yaml", "output_validator_args: [b, c]\nhint: none\n"),
        ])
        .unwrap();
        assert_eq!(
            named(&data),
            [
                ("sample/1", "sample"),
                ("secret/g1/deep/1", "secret/g1"),
                ("secret/g2/1", "secret/g2"),
            ]
        );
        let args = |t: &Test| format!("{} | {}", t.args.join(" "), t.checker_args.join(" "));
        let args: Vec<_> = data.tests.iter().map(args).collect();
        assert_eq!(args, [" | ", "x | a", " | b c"]);
        let Grading::Scoring(scoring) = data.grading else { panic!("not scoring") };
        assert_eq!((scoring.secret.max, scoring.sample), (Some(100.0), vec![0]));
        assert_eq!(scoring.groups[0].requires, ["sample"]);
        assert_eq!(scoring.groups[1].tests, [2]);
    }

    #[test]
    fn what_cannot_be_is_named_with_its_cure() {
        let legacy = |path, text| ("", vec![(path, text)]);
        let latest = |path, text| (LATEST, vec![(path, text)]);
        let scoring = |path, text| (SCORING, vec![(path, text)]);
        let group = "data/secret/g/test_group.yaml";
        for ((yaml, more), message) in [
            (legacy("data/testdata.yaml", "grading: custom"), "evalX runs no graders"),
            (
                legacy("data/testdata.yaml", "on_reject: stop"),
                "has on_reject stop; it must be break",
            ),
            (legacy("data/testdata.yaml", "range: 5 1"), "has range 5 1; it must be two numbers"),
            (
                legacy("data/testdata.yaml", "grader_flags: mean"),
                "has grader_flags mean; the default",
            ),
            (legacy("data/testdata.yaml", "accept_score: a"), "is not as the format has it"),
            (legacy("data/secret/1.files/x", ""), "holds files for the program"),
            (latest("data/secret/test_group.yaml", "odd: 1"), "unknown field `odd`"),
            (latest("data/secret/1.yaml", "odd: 1"), "unknown field `odd`"),
            (latest("data/secret/test_group.yaml", "max_score: 5"), "set type: scoring"),
            (scoring("data/sample/test_group.yaml", "max_score: 5"), "samples give no score"),
            (
                scoring("data/secret/test_group.yaml", "max_score: -5"),
                "has max_score -5; it must be",
            ),
            (
                scoring("data/secret/test_group.yaml", "require_pass: x"),
                "has require_pass x; it must name",
            ),
            (scoring(group, "max_score: 5"), "is beside groups with test_group.yaml"),
            (
                latest("data/secret/test_group.yaml", "static_validation_score: 1"),
                "static validator",
            ),
            (latest("static_validator/x.py", ""), "is a static validator"),
        ] {
            let base =
                [("problem.yaml", yaml), ("data/secret/1.in", ""), ("data/secret/1.ans", "")];
            let mut files = base.to_vec();
            files.extend(more.iter().copied());
            if message.contains("beside") {
                files.extend([("data/secret/g/1.in", ""), ("data/secret/g/1.ans", "")]);
            }
            let error = read_package(&files).err().unwrap_or_default();
            assert!(error.contains(message), "{more:?}: {error}");
        }
        let test = [("data/secret/g/1.in", ""), ("data/secret/g/1.ans", "")];
        for (text, message) in [
            ("", "secret is bounded (by default 100), so give the group a number"),
            ("{max_score: 5, require_pass: secret/h}", "has require_pass secret/h"),
        ] {
            let files = [&[("problem.yaml", SCORING), (group, text)][..], &test[..]].concat();
            let error = read_package(&files).err().unwrap_or_default();
            assert!(error.contains(message), "{text:?}: {error}");
        }
    }
}
