//! The example packages of this repository are read, and have what they are there to show.
//! Running them is for `evalx verify`.

use std::path::{Path, PathBuf};

use judge::language::Table;
use judge::model::{Checker, StopRule, Tokens};
use judge::problem::{Problem, Version};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/problems")
}

fn open(name: &str) -> Problem {
    Problem::open(&folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn every_example_package_is_read_without_a_warning() {
    let table = Table::builtin();
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let problem = Problem::open(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        count += 1;
        assert_eq!(problem.warnings, Vec::<String>::new(), "{path:?}");
        assert!(problem.tests.len() > 5, "{path:?}");
        for example in &problem.examples {
            let at = format!("{path:?} {:?}", example.path);
            let language = example.language.as_deref().unwrap_or_else(|| panic!("{at}"));
            assert!(table.get(language).is_ok(), "{at}: {language}");
            assert!(example.expected.to_string() != "anything", "{at}");
            let files = example.files.clone();
            problem.submission(language, files, example.entry.clone()).expect(&at);
        }
        for folder in ["accepted", "wrong_answer", "time_limit_exceeded", "run_time_error"] {
            let has = problem.examples.iter().any(|e| e.path.starts_with(folder));
            assert!(has, "{path:?} has no {folder}");
        }
    }
    assert_eq!(count, 6);
}

#[test]
fn each_kind_of_problem_is_recognised() {
    let squeak = open("squeak");
    assert_eq!((squeak.version, squeak.time.given), (Version::Legacy, None));
    assert_eq!(squeak.checker, Checker::Tokens(Tokens::default()));
    assert_eq!(squeak.grading.stop_rule(), StopRule::FirstFailure);

    let pumphouse = open("pumphouse");
    assert_eq!(pumphouse.version, Version::V2025_09);
    let tolerance = Some(1e-6);
    let floats =
        Tokens { float_absolute: tolerance, float_relative: tolerance, ..Tokens::default() };
    assert_eq!(pumphouse.checker, Checker::Tokens(floats));

    assert!(matches!(open("bunting").checker, Checker::Custom { .. }));
    assert!(matches!(open("summit").checker, Checker::Interactive { .. }));

    let oars = open("oars");
    assert!(oars.scoring);
    assert_eq!(oars.best_score(), Some(100.0));
    assert_eq!(oars.grading.stop_rule(), StopRule::RunAll);
}
