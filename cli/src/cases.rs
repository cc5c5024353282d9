//! The tests of a folder: `NAME.in` with its answer `NAME.ans` or `NAME.out`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use judge::model::{Blob, Test};

/// A folder that does not hold tests as it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CasesError {
    /// It cannot be listed.
    #[error("cannot list tests {dir:?}")]
    List {
        /// The folder.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No file ends in `.in`.
    #[error("no tests in {dir:?}; a test is a file NAME.in with its answer NAME.ans or NAME.out")]
    Empty {
        /// The folder.
        dir: PathBuf,
    },
    /// An input without an answer.
    #[error("test {name} of {dir:?} has no answer; add {name}.ans or {name}.out")]
    NoAnswer {
        /// The test.
        name: String,
        /// The folder.
        dir: PathBuf,
    },
    /// An answer without an input: most often a slip in the name.
    #[error("answer {file:?} of {dir:?} belongs to no test; add its .in file or remove it")]
    NoInput {
        /// The file.
        file: PathBuf,
        /// The folder.
        dir: PathBuf,
    },
    /// Two answers for one input.
    #[error("test {name} of {dir:?} has both {name}.ans and {name}.out; keep one")]
    TwoAnswers {
        /// The test.
        name: String,
        /// The folder.
        dir: PathBuf,
    },
    /// A name that is not UTF-8 or has control characters.
    #[error("file name {file:?} in {dir:?} is not plain text; rename it")]
    OddName {
        /// The file.
        file: PathBuf,
        /// The folder.
        dir: PathBuf,
    },
}

/// What was found under one name.
#[derive(Default)]
struct Found {
    input: Option<PathBuf>,
    answers: Vec<PathBuf>,
}

/// Lists the tests of `dir` in natural order: 2 before 10. Other files are left alone.
pub(crate) fn read(dir: &Path) -> Result<Vec<Test>, CasesError> {
    let mut cases: Vec<(String, Found)> = found(dir)?.into_iter().collect();
    cases.sort_by(|(a, _), (b, _)| natural(a, b));
    let mut tests = Vec::with_capacity(cases.len());
    for (name, Found { input, answers }) in cases {
        let dir = dir.to_owned();
        let (input, answer) = match (input, answers.as_slice()) {
            (Some(input), [answer]) => (input, answer),
            (Some(_), []) => return Err(CasesError::NoAnswer { name, dir }),
            (Some(_), _) => return Err(CasesError::TwoAnswers { name, dir }),
            (None, answers) => {
                let file = answers.first().and_then(|a| a.file_name()).unwrap_or_default();
                return Err(CasesError::NoInput { file: PathBuf::from(file), dir });
            }
        };
        tests.push(Test {
            name,
            input: Blob::file(&input),
            answer: Some(Blob::file(answer)),
            weight: 1.0,
            group: None,
            args: Vec::new(),
            checker_args: Vec::new(),
        });
    }
    if tests.is_empty() {
        return Err(CasesError::Empty { dir: dir.to_owned() });
    }
    Ok(tests)
}

fn found(dir: &Path) -> Result<BTreeMap<String, Found>, CasesError> {
    let list = |source| CasesError::List { dir: dir.to_owned(), source };
    let mut cases: BTreeMap<String, Found> = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(list)? {
        let path = entry.map_err(list)?.path();
        let Some(kind @ ("in" | "ans" | "out")) = path.extension().and_then(|e| e.to_str()) else {
            continue;
        };
        let stem = path.file_stem().and_then(|s| s.to_str());
        let Some(name) = stem.filter(|s| !s.contains(char::is_control)) else {
            let file = path.file_name().map(PathBuf::from).unwrap_or_default();
            return Err(CasesError::OddName { file, dir: dir.to_owned() });
        };
        let case = cases.entry(name.to_owned()).or_default();
        match kind {
            "in" => case.input = Some(path),
            _ => case.answers.push(path),
        }
    }
    Ok(cases)
}

/// Compares runs of digits by value and everything else by character.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a, b);
    loop {
        let (p, q) = (digits(x), digits(y));
        let step = if p.is_empty() || q.is_empty() {
            match (x.chars().next(), y.chars().next()) {
                // `01` and `1` are equal by value; the text decides, so that the order is total.
                (None, None) => return a.cmp(b),
                (c, d) => {
                    x = &x[c.map_or(0, char::len_utf8)..];
                    y = &y[d.map_or(0, char::len_utf8)..];
                    c.cmp(&d)
                }
            }
        } else {
            (x, y) = (&x[p.len()..], &y[q.len()..]);
            let (p, q) = (p.trim_start_matches('0'), q.trim_start_matches('0'));
            p.len().cmp(&q.len()).then_with(|| p.cmp(q))
        };
        if step.is_ne() {
            return step;
        }
    }
}

fn digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(dir.path().join(file), "").unwrap();
        }
        dir
    }

    fn fault(files: &[&str]) -> String {
        let dir = dir(files);
        let error = read(dir.path()).unwrap_err().to_string();
        error.replace(&format!("{:?}", dir.path()), "DIR")
    }

    #[test]
    fn tests_come_in_natural_order_with_either_kind_of_answer() {
        let dir = dir(&["10.in", "10.out", "2.in", "2.ans", "a1b.in", "a1b.ans", "README.md"]);
        let names: Vec<_> = read(dir.path()).unwrap().into_iter().map(|t| t.name).collect();
        assert_eq!(names, ["2", "10", "a1b"]);
    }

    #[test]
    fn natural_order_is_by_value_then_by_text() {
        let mut names =
            ["t10", "t2", "t02", "t", "t2a", "u1", "é2", "99999999999999999999999", "1"];
        names.sort_by(|a, b| natural(a, b));
        let sorted = ["1", "99999999999999999999999", "t", "t02", "t2", "t2a", "t10", "u1", "é2"];
        assert_eq!(names, sorted);
    }

    #[test]
    fn a_folder_that_is_not_as_it_should_be_says_what_to_do() {
        assert_eq!(fault(&["1.in"]), "test 1 of DIR has no answer; add 1.ans or 1.out");
        assert_eq!(
            fault(&["1.in", "1.ans", "2.out"]),
            "answer \"2.out\" of DIR belongs to no test; add its .in file or remove it"
        );
        assert_eq!(
            fault(&["1.in", "1.ans", "1.out"]),
            "test 1 of DIR has both 1.ans and 1.out; keep one"
        );
        assert_eq!(
            fault(&[]),
            "no tests in DIR; a test is a file NAME.in with its answer NAME.ans or NAME.out"
        );
        assert!(fault(&["a\nb.in"]).contains("is not plain text; rename it"));
    }
}
