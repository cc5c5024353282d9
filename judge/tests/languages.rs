//! Every language of the table with the toolchains of this machine: six programs each, from a
//! greeting to a memory hog, and what they must be judged as (`languages/cases.yaml`). Where there
//! is a folder `several`, it is one more greeting, of several files.
//!
//! The core tier always, the full tier with `EVALX_TEST_TIER=full`. A toolchain that is missing is
//! a failure. Needs root; counted as ignored otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use judge::language::{Host, Language, Table, Tier};
use judge::model::{
    Blob, Checker, Extras, LimitsSpec, Report, SourceFile, StopRule, Submission, Test, Verdict,
};
use judge::{Config, Judge, yaml};
use libtest_mimic::{Arguments, Failed, Trial};
use sandbox::{Cancel, NativeSandbox, native};
use serde::Deserialize;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/languages");

/// By name of the program.
type Expected = BTreeMap<String, Verdict>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    expect: Expected,
    /// By language.
    except: BTreeMap<String, Expected>,
}

impl Cases {
    fn of(&self, language: &str) -> Expected {
        let mut expected = self.expect.clone();
        expected.extend(self.except.get(language).cloned().unwrap_or_default());
        if Path::new(FOLDER).join(language).join("several").exists() {
            expected.insert("several".to_owned(), Verdict::Accepted);
        }
        expected
    }
}

fn main() {
    sandbox::agent::enter_if_asked();
    let args = Arguments::from_args();
    let root = rustix::process::geteuid().is_root();
    let full = std::env::var_os("EVALX_TEST_TIER").is_some_and(|tier| tier == "full");
    let table = Arc::new(Table::builtin());
    let host = Host::new(std::env::home_dir());
    let cache = tempfile::tempdir().expect("a folder for the cache");
    let judge = (root && !args.list).then(|| Arc::new(open(&table, &host, cache.path())));
    let cases = fs::read_to_string(Path::new(FOLDER).join("cases.yaml")).expect("cases.yaml");
    let cases: Cases = yaml::from_str(&cases).expect("cases.yaml holds cases");
    let of_table = |name: &str, case: fn(&Table) -> Result<(), Failed>| {
        let table = Arc::clone(&table);
        Trial::test(name, move || case(&table))
    };
    let mut trials = vec![
        of_table("every_folder_is_a_language", every_folder_is_a_language),
        of_table("the_ids_of_judge0_that_others_rely_on_are_known", ids_of_judge0),
    ];
    for language in table.iter().filter(|l| full || l.tier == Tier::Core) {
        for (program, expected) in cases.of(&language.id) {
            let (judge, language, host) = (judge.clone(), language.clone(), host.clone());
            let name = format!("{}::{program}_is_{expected}", language.id);
            let trial = Trial::test(name, move || {
                let judge = judge.ok_or("needs root")?;
                judged(&judge, &language, &host, &program, expected)
            });
            trials.push(trial.with_ignored_flag(!root));
        }
    }
    let conclusion = libtest_mimic::run(&args, trials);
    // The engine removes its groups when it goes, which `exit` would not wait for.
    drop(judge);
    drop(cache);
    conclusion.exit();
}

fn open(table: &Arc<Table>, host: &Host, cache: &Path) -> Judge {
    let config = native::Config { mounts: table.mounts(host), ..native::Config::default() };
    let engine = NativeSandbox::new(config).expect("the native engine works here");
    let config = Config { slots: 2, ..Config::new(cache.to_owned(), host.clone()) };
    Judge::new(Arc::new(engine), Arc::clone(table), config).expect("a fresh cache folder")
}

fn every_folder_is_a_language(table: &Table) -> Result<(), Failed> {
    for entry in fs::read_dir(FOLDER)? {
        let path = entry?.path();
        let id = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() && !table.iter().any(|l| l.id == id) {
            return Err(format!("{path:?} is of no language of the table").into());
        }
    }
    Ok(())
}

fn ids_of_judge0(table: &Table) -> Result<(), Failed> {
    let ids = [
        ("c", "4"), // Java in Extra CE, but CE holds
        ("c", "50"),
        ("cpp17", "54"),
        ("cpp17", "105"),
        ("java", "62"),
        ("java", "91"),
        ("javascript", "63"),
        ("javascript", "102"),
        ("python3", "71"),
        ("python3", "100"),
        ("python3", "113"),
        ("go", "60"),
        ("rust", "73"),
        ("typescript", "74"),
        ("sql", "82"),
    ];
    for (language, id) in ids {
        let found = &table.get(id)?.id;
        if found != language {
            return Err(format!("{id} is {found} and not {language}").into());
        }
    }
    match table.get("70") {
        Ok(found) => Err(format!("70 is Python 2, not {}", found.id).into()),
        Err(_) => Ok(()),
    }
}

fn judged(
    judge: &Judge,
    language: &Language,
    host: &Host,
    program: &str,
    expected: Verdict,
) -> Result<(), Failed> {
    if let Err(missing) = language.locate(host) {
        let tier = if language.tier == Tier::Core { "core" } else { "full" };
        return Err(format!("{missing} (scripts/toolchains {tier})").into());
    }
    let path = find(&language.id, program)?;
    let files =
        if path.is_dir() { files_below(&path)? } else { vec![(language.source.clone(), path)] };
    let submission = submission(language, &files, program)?;
    let report = judge.execute_batch(&submission, &(), &Cancel::new()?)?;
    if report.verdict == expected { Ok(()) } else { Err(story(&report, expected)?.into()) }
}

/// The program, whatever its extension.
fn find(language: &str, program: &str) -> Result<PathBuf, Failed> {
    let folder = Path::new(FOLDER).join(language);
    for entry in fs::read_dir(&folder).map_err(|e| format!("cannot read {folder:?}: {e}"))? {
        let path = entry?.path();
        if path.file_stem().is_some_and(|stem| stem == program) {
            return Ok(path);
        }
    }
    Err(format!("{folder:?} has no {program}").into())
}

/// Names and places of all files, in the order of their names.
fn files_below(folder: &Path) -> Result<Vec<(String, PathBuf)>, Failed> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.strip_prefix(folder)?.display().to_string(), path));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn submission(
    language: &Language,
    files: &[(String, PathBuf)],
    program: &str,
) -> Result<Submission, Failed> {
    // Much, because others use this machine too; only what is meant to meet a limit does.
    let cpu_ms = if program == "cpu_loop" { 1_000 } else { 20_000 };
    let file = |(name, path): &(String, PathBuf)| {
        fs::read(path).map(|c| SourceFile { name: name.clone(), contents: Blob::from(c) })
    };
    Ok(Submission {
        language: language.id.clone(),
        files: files.iter().map(file).collect::<Result<_, _>>()?,
        entry: Some(language.source.clone()),
        args: Vec::new(),
        tests: vec![Test {
            name: program.to_owned(),
            input: Blob::from("World\n"),
            answer: Some(Blob::from("Hello, World!\n")),
            weight: 1.0,
            group: None,
            args: Vec::new(),
            checker_args: Vec::new(),
        }],
        limits: LimitsSpec {
            cpu_ms: Some(cpu_ms),
            wall_ms: Some(60_000),
            memory_bytes: Some(256 << 20),
            processes: Some(1),
            ..LimitsSpec::default()
        },
        checker: Checker::default(),
        stop: StopRule::RunAll,
        extras: Extras::default(),
    })
}

/// What happened, for whoever has to mend it.
fn story(report: &Report, expected: Verdict) -> Result<String, Failed> {
    let mut story = format!("{} and not {expected} ({})", report.verdict, report.toolchain);
    if let Some(error) = &report.error {
        story += &format!("\n{error}");
    }
    if let Some(compile) = &report.compile {
        let said = compile.output.read()?;
        story += &format!("\ncompiler {}: {}", compile.status, String::from_utf8_lossy(&said));
    }
    for test in &report.tests {
        let (out, err) = (test.stdout.read()?, test.stderr.read()?);
        let status = test.status.as_deref().unwrap_or("exited with 0");
        story += &format!(
            "\nprogram {status}, {} ms of CPU, {} bytes\n{}{}",
            test.cpu_ms,
            test.memory_bytes,
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(&err)
        );
    }
    Ok(story)
}
