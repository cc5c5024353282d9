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
