//! First step of a batch: from a submission as written to a plan that can be carried out. All
//! that can be wrong with the input is said here, before any box is started.

mod sources;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::{Bytes, LimitError, Limits};

use crate::checker::{self, FlagError};
use crate::language::{Factors, Host, Language, Table, Toolchain, Unavailable, UnknownLanguage};
use crate::model::{Abi, Blob, Checker, LimitsSpec, Program, Submission, Test, Tokens};

pub(crate) use sources::Sources;

/// The most tests of one submission: a report of them is still some megabytes.
const TESTS_MAX: usize = 10_000;

/// Arguments of a program together. An engine passes a command in one message of 128 KiB, which
/// also holds environment and file names.
const ARGS_MAX: usize = 48 << 10;

/// What a checker or interactor may use unless it says otherwise. It is the jury's, so this only
/// keeps a broken one from holding a slot for ever.
fn checker_limits() -> Limits {
    Limits {
        cpu: Duration::from_secs(30),
        wall: Duration::from_secs(60),
        memory: Bytes::mib(1024),
        ..Limits::default()
    }
}

/// A submission that can be judged as written.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) submission: &'a Submission,
    pub(crate) program: ProgramPlan<'a>,
    pub(crate) check: Check<'a>,
}

/// How the output is judged.
#[derive(Debug)]
pub(crate) enum Check<'a> {
    Compare(&'a Checker),
    Custom(Jury<'a>),
    Interactive(Jury<'a>),
}

/// A program of which everything is known but whether it can be built here.
#[derive(Debug)]
struct Draft<'a> {
    language: &'a Language,
    sources: Sources,
    limits: Limits,
    prefix: &'static str,
}

/// How the output is to be judged, without what this machine has for it.
#[derive(Debug)]
enum CheckDraft<'a> {
    Compare(&'a Checker),
    Custom(Abi, &'a [String], Draft<'a>),
    Interactive(Abi, &'a [String], Draft<'a>),
}

/// The jury's program.
#[derive(Debug)]
pub(crate) struct Jury<'a> {
    pub(crate) abi: Abi,
    pub(crate) args: &'a [String],
    pub(crate) program: ProgramPlan<'a>,
}

/// A program that can be built and run.
#[derive(Debug)]
pub(crate) struct ProgramPlan<'a> {
    pub(crate) language: &'a Language,
    pub(crate) toolchain: Toolchain,
    pub(crate) sources: Sources,
    /// Of a run, with what the language grants.
    pub(crate) limits: Limits,
}

/// A submission that cannot be judged as written: the field, and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Invalid {
    /// Path of the field in the submission.
    pub field: String,
    /// What is wrong with it.
    pub reason: Box<Reason>,
}

/// What is wrong with a field. The message names the cure.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// No such language.
    #[error(transparent)]
    Language(UnknownLanguage),
    /// The language is not on this host.
    #[error(transparent)]
    Unavailable(Unavailable),
    /// No file.
    #[error("there is no source file; give at least one")]
    NoSource,
    /// A file name that could not be a plain file in the box, or would be taken for an option.
    #[error("the name {name:?} {problem}; use a plain relative path such as main.cpp")]
    Name {
        /// The name, cut.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two files in one place.
    #[error("the name {name:?} is taken by {other} already; rename one of them")]
    Taken {
        /// The name.
        name: String,
        /// Field of the other.
        other: String,
    },
    /// The file that starts has no bytes.
    #[error("{name:?} has 0 bytes; the file that starts cannot be empty")]
    Empty {
        /// The name.
        name: String,
    },
    /// A NUL in text.
    #[error("{name:?} holds a NUL at byte {at}; a source is text (is it UTF-16, or a binary?)")]
    Binary {
        /// The name.
        name: String,
        /// Where.
        at: usize,
    },
    /// Too much source.
    #[error("{} bytes of source, with {name:?}; all files together may hold {max}", bytes.0)]
    TooLarge {
        /// The file that goes beyond it.
        name: String,
        /// Bytes so far.
        bytes: Bytes,
        /// What is granted.
        max: Bytes,
    },
    /// Too many of something.
    #[error("{count} is more than {max}; send fewer")]
    TooMany {
        /// How many.
        count: usize,
        /// What is granted.
        max: usize,
    },
    /// No file of the language.
    #[error(
        "no file has an extension of {language} ({extensions}); rename one or name another language"
    )]
    Extension {
        /// Display name.
        language: String,
        /// What it has.
        extensions: String,
    },
    /// The entry is not there.
    #[error("{entry:?} is not among the files ({files}); name one of them")]
    Entry {
        /// What was asked for.
        entry: String,
        /// What there is.
        files: String,
    },
    /// Cannot be read.
    #[error("{path:?} cannot be read: {error}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A folder, a pipe, a device.
    #[error("{path:?} is not a regular file")]
    NotRegular {
        /// Which.
        path: PathBuf,
    },
    /// An argument that no program can get.
    #[error("an argument holds a NUL; remove it")]
    Nul,
    /// Too long.
    #[error("{bytes} of arguments; all together may hold {max}")]
    Arguments {
        /// How long.
        bytes: Bytes,
        /// What is granted.
        max: Bytes,
    },
    /// Options for a compiler that takes none.
    #[error("{language} takes no compiler options; leave them out")]
    Options {
        /// Display name.
        language: String,
    },
    /// A limit out of bounds.
    #[error(transparent)]
    Limit(LimitError),
    /// A limit that is within bounds as written, but not with what the language is granted.
    #[error("with the factors of {language}, {error}; ask for less")]
    Scaled {
        /// Display name.
        language: String,
        /// What is out of bounds.
        error: LimitError,
    },
    /// The checker needs an answer.
    #[error("test {name:?} has no answer, which the checker needs; give it one (it may be empty)")]
    NoAnswer {
        /// Name of the test.
        name: String,
    },
    /// Some tests have an answer, others have none.
    #[error(
        "test {name:?} has no answer while others have; give it one, or take all away for a plain run"
    )]
    MissingAnswer {
        /// Name of the test.
        name: String,
    },
    /// Arguments that the checker does not have.
    #[error(transparent)]
    Flags(FlagError),
    /// Not a number that makes sense.
    #[error("{value} is not a number from 0 up")]
    Number {
        /// What was given.
        value: f64,
    },
    /// No interactive interface.
    #[error("cms has no interactive interface; use icpc or testlib")]
    Abi,
}

impl Reason {
    pub(crate) fn at(self, field: impl Into<String>) -> Invalid {
        Invalid { field: field.into(), reason: Box::new(self) }
    }
}

/// What a plan is made against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grounds<'a> {
    pub(crate) table: &'a Table,
    pub(crate) host: &'a Host,
    pub(crate) max_source: Bytes,
}

/// What a submission is checked against where it is not judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form<'a> {
    pub(crate) table: &'a Table,
    pub(crate) max_source: Bytes,
}

impl<'a> Grounds<'a> {
    /// Plans a submission. What is missing on this machine is said last.
    pub(crate) fn plan(self, submission: &'a Submission) -> Result<Plan<'a>, Invalid> {
        let Self { table, host, max_source } = self;
        let (draft, check) = Form { table, max_source }.drafts(submission)?;
        let program = draft.locate(host)?;
        let jury = |abi, args, draft: Draft<'a>| {
            Ok::<_, Invalid>(Jury { abi, args, program: draft.locate(host)? })
        };
        let check = match check {
            CheckDraft::Compare(checker) => Check::Compare(checker),
            CheckDraft::Custom(abi, args, draft) => Check::Custom(jury(abi, args, draft)?),
            CheckDraft::Interactive(abi, args, draft) => {
                Check::Interactive(jury(abi, args, draft)?)
            }
        };
        Ok(Plan { submission, program, check })
    }
}

impl<'a> Draft<'a> {
    fn locate(self, host: &Host) -> Result<ProgramPlan<'a>, Invalid> {
        let Self { language, sources, limits, prefix } = self;
        let toolchain = language
            .locate(host)
            .map_err(|e| Reason::Unavailable(e).at(format!("{prefix}language")))?;
        Ok(ProgramPlan { language, toolchain, sources, limits })
    }
}

impl<'a> Form<'a> {
    /// Whether a submission can be judged as written, on a machine that has its toolchains.
    pub(crate) fn check(self, submission: &'a Submission) -> Result<(), Invalid> {
        self.drafts(submission).map(|_| ())
    }

    fn drafts(self, submission: &'a Submission) -> Result<(Draft<'a>, CheckDraft<'a>), Invalid> {
        let Submission { language, files, entry, args, tests, limits, checker, stop: _, extras } =
            submission;
        let language = self.language(language, "language")?;
        let limits = granted(limits, Limits::default(), language, "limits")?;
        let mut program = self.program(language, files, entry.as_deref(), limits, "")?;
        arguments(extras.compiler_options.iter(), "extras.compiler_options")?;
        program.sources = program.sources.with(extras, language)?;
        arguments(args.iter(), "args")?;
        let check = self.checker(checker)?;
        check_tests(tests, args, &check)?;
        Ok((program, check))
    }

    fn language(self, name: &str, field: &str) -> Result<&'a Language, Invalid> {
        self.table.get(name).map_err(|e| Reason::Language(e).at(field))
    }

    fn program(
        self,
        language: &'a Language,
        files: &[crate::model::SourceFile],
        entry: Option<&str>,
        limits: Limits,
        prefix: &'static str,
    ) -> Result<Draft<'a>, Invalid> {
        let sources = Sources::read(files, entry, language, self.max_source)
            .map_err(|e| Invalid { field: format!("{prefix}{}", e.field), ..e })?;
        Ok(Draft { language, sources, limits, prefix })
    }

    fn checker(self, checker: &'a Checker) -> Result<CheckDraft<'a>, Invalid> {
        match checker {
            Checker::Exact | Checker::Lines => Ok(CheckDraft::Compare(checker)),
            Checker::Tokens(Tokens { float_absolute, float_relative, .. }) => {
                for (name, value) in
                    [("float_absolute", float_absolute), ("float_relative", float_relative)]
                {
                    value.map_or(Ok(()), |v| number(v, &format!("checker.{name}")))?;
                }
                Ok(CheckDraft::Compare(checker))
            }
            Checker::Interactive { abi: Abi::Cms, .. } => Err(Reason::Abi.at("checker.abi")),
            Checker::Custom { abi, program } => {
                Ok(CheckDraft::Custom(*abi, &program.args, self.jury(program)?))
            }
            Checker::Interactive { abi, program } => {
                Ok(CheckDraft::Interactive(*abi, &program.args, self.jury(program)?))
            }
        }
    }

    fn jury(self, program: &'a Program) -> Result<Draft<'a>, Invalid> {
        let Program { language, files, entry, args, limits } = program;
        let language = self.language(language, "checker.program.language")?;
        let limits = granted(limits, checker_limits(), language, "checker.program.limits")?;
        arguments(args.iter(), "checker.program.args")?;
        self.program(language, files, entry.as_deref(), limits, "checker.program.")
    }
}

/// The limits asked for, then with what the language is granted over them.
fn granted(
    spec: &LimitsSpec,
    base: Limits,
    language: &Language,
    field: &str,
) -> Result<Limits, Invalid> {
    let limits = spec.over(base);
    limits.check().map_err(|e| Reason::Limit(e).at(field))?;
    let Factors { cpu_factor, cpu_extra_ms, memory_extra_bytes, processes } = language.limits;
    // In bounds, so the product is too: an hour times a hundred.
    let scaled =
        |t: Duration| t.mul_f64(cpu_factor).saturating_add(Duration::from_millis(cpu_extra_ms));
    let scaled = Limits {
        cpu: scaled(limits.cpu),
        wall: scaled(limits.wall).max(scaled(limits.cpu)),
        memory: Bytes(limits.memory.0.saturating_add(memory_extra_bytes)),
        processes: limits.processes.max(processes),
        ..limits
    };
    let language = &language.name;
    scaled
        .check()
        .map_err(|error| Reason::Scaled { language: language.clone(), error }.at(field))?;
    Ok(scaled)
}

fn check_tests(tests: &[Test], common: &[String], check: &CheckDraft<'_>) -> Result<(), Invalid> {
    if tests.len() > TESTS_MAX {
        return Err(Reason::TooMany { count: tests.len(), max: TESTS_MAX }.at("tests"));
    }
    let answered = tests.iter().any(|t| t.answer.is_some());
    for (i, test) in tests.iter().enumerate() {
        let Test { name, input, answer, weight, group: _, args, checker_args } = test;
        let at = |field: &str| format!("tests[{i}].{field}");
        regular(input, &at("input"))?;
        match (answer, check) {
            (Some(answer), _) => regular(answer, &at("answer"))?,
            (None, CheckDraft::Custom(..) | CheckDraft::Interactive(..)) => {
                return Err(Reason::NoAnswer { name: name.clone() }.at(at("answer")));
            }
            (None, CheckDraft::Compare(_)) if answered => {
                return Err(Reason::MissingAnswer { name: name.clone() }.at(at("answer")));
            }
            (None, CheckDraft::Compare(_)) => {}
        }
        number(*weight, &at("weight"))?;
        arguments(common.iter().chain(args), &at("args"))?;
        let first = match check {
            CheckDraft::Custom(_, args, _) | CheckDraft::Interactive(_, args, _) => *args,
            CheckDraft::Compare(checker) => {
                checker::with_args(checker, checker_args)
                    .map_err(|e| Reason::Flags(e).at(at("checker_args")))?;
                &[]
            }
        };
        arguments(first.iter().chain(checker_args), &at("checker_args"))?;
    }
    Ok(())
}

fn number(value: f64, field: &str) -> Result<(), Invalid> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Reason::Number { value }.at(field))
}

fn arguments<'a>(args: impl Iterator<Item = &'a String>, field: &str) -> Result<(), Invalid> {
    let mut bytes = 0;
    for arg in args {
        if arg.contains('\0') {
            return Err(Reason::Nul.at(field));
        }
        bytes += arg.len() + 1;
    }
    if bytes > ARGS_MAX {
        let (bytes, max) = (Bytes(bytes as u64), Bytes(ARGS_MAX as u64));
        return Err(Reason::Arguments { bytes, max }.at(field));
    }
    Ok(())
}

/// A file of this machine that will be read later: it must be one that ends.
fn regular(blob: &Blob, field: &str) -> Result<(), Invalid> {
    match blob {
        Blob::Memory(_) => Ok(()),
        Blob::File(path) => size(path).map(|_| ()).map_err(|e| e.at(field)),
    }
}

fn size(path: &Path) -> Result<u64, Reason> {
    let path = path.to_owned();
    match std::fs::metadata(&path) {
        Ok(meta) if meta.is_file() => Ok(meta.len()),
        Ok(_) => Err(Reason::NotRegular { path }),
        Err(error) => Err(Reason::Read { path, error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ExtraFile, Extras, SourceFile, StopRule};

    type Change = Box<dyn FnOnce(&mut Submission)>;

    fn submission(change: impl FnOnce(&mut Submission)) -> Submission {
        let mut submission = Submission {
            language: "c".into(),
            files: vec![file("main.c", "int main(){}")],
            entry: None,
            args: Vec::new(),
            tests: vec![test("1", Some("")), test("2", Some(""))],
            limits: LimitsSpec::default(),
            checker: Checker::default(),
            stop: StopRule::default(),
            extras: Extras::default(),
        };
        change(&mut submission);
        submission
    }

    fn file(name: &str, text: &str) -> SourceFile {
        SourceFile { name: name.into(), contents: text.into() }
    }

    fn beside(name: &str) -> ExtraFile {
        ExtraFile { name: name.into(), contents: "x".into(), executable: false }
    }

    fn test(name: &str, answer: Option<&str>) -> Test {
        Test {
            name: name.into(),
            input: "".into(),
            answer: answer.map(Blob::from),
            weight: 1.0,
            group: None,
            args: Vec::new(),
            checker_args: Vec::new(),
        }
    }

    fn program(language: &str) -> Program {
        let (files, limits) = (vec![file("check.py", "x")], LimitsSpec::default());
        Program { language: language.into(), files, entry: None, args: Vec::new(), limits }
    }

    fn with<T>(submission: &Submission, look: impl FnOnce(Result<Plan<'_>, Invalid>) -> T) -> T {
        let (table, host) = (crate::fake::table(), crate::fake::host());
        let grounds = Grounds { table: &table, host: &host, max_source: Bytes::kib(1) };
        look(grounds.plan(submission))
    }

    fn refused(change: impl FnOnce(&mut Submission)) -> String {
        let err = with(&submission(change), |plan| plan.map(|_| ()).unwrap_err());
        err.to_string()
    }

    #[test]
    fn a_sound_submission_is_planned() {
        with(&submission(|_| {}), |plan| {
            let plan = plan.unwrap();
            assert_eq!(plan.program.sources.entry, "main.c");
            assert_eq!(plan.program.sources.names, ["main.c"]);
        });
        // A plain run: no test has an answer.
        with(&submission(|s| s.tests = vec![test("1", None), test("2", None)]), |plan| {
            assert!(plan.is_ok());
        });
    }

    #[test]
    fn what_is_wrong_with_extras_is_named() {
        let cases: Vec<(&str, Change)> = vec![
            (
                "extras.files[0].name: the name \"../x\" has an empty part, . or ..",
                Box::new(|s| s.extras.files = vec![beside("../x")]),
            ),
            (
                "extras.files[0].name: the name \"main.c\" is taken by another file",
                Box::new(|s| s.extras.files = vec![beside("main.c")]),
            ),
            (
                "extras.files[1].name: the name \"a\" is taken by another file",
                Box::new(|s| s.extras.files = vec![beside("a/b"), beside("a")]),
            ),
            (
                "extras.files[1].name: the name \"a/b\" is taken by another file",
                Box::new(|s| s.extras.files = vec![beside("a"), beside("a/b")]),
            ),
            (
                "extras.files: 1001 is more than 1000",
                Box::new(|s| {
                    s.extras.files = (0..1001).map(|i| beside(&i.to_string())).collect();
                }),
            ),
            (
                "extras.compiler_options: Python 3 takes no compiler options",
                Box::new(|s| {
                    s.language = "python3".into();
                    s.files = vec![file("main.py", "x")];
                    s.extras.compiler_options = vec!["-O".into()];
                }),
            ),
            (
                "extras.compiler_options: an argument holds a NUL",
                Box::new(|s| s.extras.compiler_options = vec!["-\0".into()]),
            ),
        ];
        for (expected, change) in cases {
            let said = refused(change);
            assert!(said.starts_with(expected), "{said}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_language_and_the_files_is_named_with_its_cure() {
        let long = format!("{}.c", "x".repeat(300));
        let cases: Vec<(&str, Change)> = vec![
            (
                "language: unknown language \"cpp71\", did you mean cpp17?",
                Box::new(|s| s.language = "cpp71".into()),
            ),
            ("files: there is no source file; give at least one", Box::new(|s| s.files.clear())),
            (
                "files[0].contents: \"main.c\" has 0 bytes",
                Box::new(|s| s.files[0] = file("main.c", "")),
            ),
            (
                "files[0].contents: \"main.c\" has 0 bytes",
                Box::new(|s| s.files = vec![file("main.c", ""), file("b.c", "x")]),
            ),
            (
                "files[1].contents: 1032 bytes of source, with \"b.c\"; all files together may hold 1 KiB",
                Box::new(|s| s.files.push(file("b.c", &"x".repeat(1020)))),
            ),
            (
                "files[0].contents: \"main.c\" holds a NUL at byte 1",
                Box::new(|s| s.files[0] = file("main.c", "a\0")),
            ),
            (
                "files[0].name: the name \"../main.c\" has an empty part, . or ..; use a plain",
                Box::new(|s| s.files[0].name = "../main.c".into()),
            ),
            (
                "files[0].name: the name \"/main.c\" is absolute",
                Box::new(|s| s.files[0].name = "/main.c".into()),
            ),
            (
                "files[0].name: the name \"\" has an empty part",
                Box::new(|s| s.files[0].name.clear()),
            ),
            (
                "files[0].name: the name \"a/\" has an empty part",
                Box::new(|s| s.files[0].name = "a/".into()),
            ),
            (
                "files[0].name: the name \"a\\0.c\" holds a NUL",
                Box::new(|s| s.files[0].name = "a\0.c".into()),
            ),
            (
                "files[0].name: the name \"-o.c\" begins with - or @",
                Box::new(|s| s.files[0].name = "-o.c".into()),
            ),
            ("is longer than 160 bytes", Box::new(move |s| s.files[0].name = long)),
            (
                "files[1].name: the name \"main.c\" is taken by files[0] already",
                Box::new(|s| s.files.push(file("main.c", "x"))),
            ),
            (
                "files[1].name: the name \"main.c/x.c\" is taken by files[0]",
                Box::new(|s| s.files.push(file("main.c/x.c", "x"))),
            ),
            (
                "files: 257 is more than 256",
                Box::new(|s| s.files = (0..257).map(|i| file(&format!("{i}.c"), "x")).collect()),
            ),
            (
                "files: no file has an extension of C17 (GCC) (c); rename one",
                Box::new(|s| s.files = vec![file("a.x", "x"), file("b.x", "x")]),
            ),
            (
                "entry: \"b.c\" is not among the files (main.c)",
                Box::new(|s| s.entry = Some("b.c".into())),
            ),
        ];
        for (expected, change) in cases {
            let message = refused(change);
            assert!(message.contains(expected), "{message}\n  wants {expected}");
        }
    }

    #[test]
    fn what_is_wrong_with_limits_tests_and_checkers_is_named_with_its_cure() {
        let cases: Vec<(&str, Change)> = vec![
            ("args: an argument holds a NUL", Box::new(|s| s.args = vec!["a\0".into()])),
            ("args: 50 KiB of arguments", Box::new(|s| s.args = vec!["a".repeat(51_300)])),
            (
                "tests[1].args: an argument holds a NUL",
                Box::new(|s| s.tests[1].args = vec!["a\0".into()]),
            ),
            (
                "tests[0].checker_args: checker_args are given, but this checker takes none",
                Box::new(|s| s.tests[0].checker_args = vec!["x".into()]),
            ),
            (
                "limits: limit cpu is 0 s; it must be between",
                Box::new(|s| s.limits.cpu_ms = Some(0)),
            ),
            ("limits: limit cpu is ", Box::new(|s| s.limits.cpu_ms = Some(u64::MAX))),
            (
                "limits: limit memory is 1 B; it must be between 1 MiB and 64 GiB",
                Box::new(|s| s.limits.memory_bytes = Some(1)),
            ),
            (
                "tests[1].answer: test \"2\" has no answer while others have; give it one",
                Box::new(|s| s.tests[1].answer = None),
            ),
            (
                "tests[0].weight: -1 is not a number from 0 up",
                Box::new(|s| s.tests[0].weight = -1.0),
            ),
            ("tests[0].weight: NaN", Box::new(|s| s.tests[0].weight = f64::NAN)),
            (
                "tests[0].input: \"/nowhere/at/all\" cannot be read: No such file",
                Box::new(|s| s.tests[0].input = Blob::File("/nowhere/at/all".into())),
            ),
            (
                "tests[1].answer: \"/dev\" is not a regular file",
                Box::new(|s| s.tests[1].answer = Some(Blob::File("/dev".into()))),
            ),
            (
                "checker.float_absolute: -1 is not",
                Box::new(|s| {
                    s.checker =
                        Checker::Tokens(Tokens { float_absolute: Some(-1.0), ..Tokens::default() })
                }),
            ),
            (
                "checker.abi: cms has no interactive interface",
                Box::new(|s| {
                    s.checker = Checker::Interactive { abi: Abi::Cms, program: program("python3") }
                }),
            ),
            (
                "checker.program.language: unknown language \"x\"",
                Box::new(|s| s.checker = Checker::Custom { abi: Abi::Icpc, program: program("x") }),
            ),
            (
                "checker.program.files: there is no source file",
                Box::new(|s| {
                    s.checker = Checker::Custom {
                        abi: Abi::Icpc,
                        program: Program { files: Vec::new(), ..program("python3") },
                    }
                }),
            ),
            (
                "tests[0].answer: test \"1\" has no answer, which the checker needs",
                Box::new(|s| {
                    s.tests[0].answer = None;
                    s.checker = Checker::Custom { abi: Abi::Icpc, program: program("python3") };
                }),
            ),
            (
                "tests: 10001 is more than 10000",
                Box::new(|s| s.tests = vec![test("1", None); 10_001]),
            ),
        ];
        for (expected, change) in cases {
            let message = refused(change);
            assert!(message.contains(expected), "{message}\n  wants {expected}");
        }
    }

    #[test]
    fn a_single_source_of_another_name_gets_the_usual_one() {
        let odd = submission(|s| {
            s.files = vec![file("solution", "x")];
            s.entry = Some("solution".into());
        });
        with(&odd, |plan| {
            let sources = plan.unwrap().program.sources;
            assert_eq!(
                (sources.entry.as_str(), &sources.names[..]),
                ("main.c", &["main.c".to_owned()][..])
            );
        });
    }

    #[test]
    fn an_empty_file_beside_the_one_that_starts_is_fine_and_so_is_binary_data() {
        let more = submission(|s| {
            s.files.push(file("pkg/empty.c", ""));
            s.files.push(file("data.bin", "\0\0"));
        });
        with(&more, |plan| {
            assert_eq!(plan.unwrap().program.sources.names, ["main.c", "pkg/empty.c"])
        });
    }

    #[test]
    fn a_file_of_this_machine_is_measured_before_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("huge.c");
        std::fs::File::create(&path).unwrap().set_len(100 << 30).unwrap();
        let message = refused(|s| s.files[0].contents = Blob::File(path));
        assert!(
            message.starts_with("files[0].contents: 107374182400 bytes of source"),
            "{message}"
        );
        let message = refused(|s| s.files[0].contents = Blob::File("/dev/zero".into()));
        assert!(message.contains("not a regular file"), "{message}");
    }

    #[test]
    fn a_language_is_granted_its_factors_and_the_sum_stays_in_bounds() {
        let mut language = crate::fake::table().get("c").unwrap().clone();
        language.limits = Factors {
            cpu_factor: 2.0,
            cpu_extra_ms: 500,
            memory_extra_bytes: 1 << 20,
            processes: 99,
        };
        let spec = LimitsSpec {
            cpu_ms: Some(1000),
            memory_bytes: Some(64 << 20),
            ..LimitsSpec::default()
        };
        let limits = granted(&spec, Limits::default(), &language, "limits").unwrap();
        assert_eq!(limits.cpu, Duration::from_millis(2500));
        assert_eq!(limits.wall, Duration::from_millis(6500));
        assert_eq!((limits.memory, limits.processes), (Bytes::mib(65), 99));
        let spec = LimitsSpec { cpu_ms: Some(3_600_000), wall_ms: Some(3_600_000), ..spec };
        let err = granted(&spec, Limits::default(), &language, "limits").unwrap_err().to_string();
        assert!(err.starts_with("limits: with the factors of C17 (GCC), limit cpu is"), "{err}");
    }
}
