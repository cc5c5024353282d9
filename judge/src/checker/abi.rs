//! How a checker or interactor is called, and what its ending means.
//!
//! Sources: the output validator section of the ICPC/Kattis problem package format; `testlib.h`
//! 0.9.45 (`resultExitCode`, `registerTestlibCmd`, `registerInteraction`); the CMS manual, "Task
//! types, checker".

use sandbox::{Captured, Collected, Outcome, Termination};

use super::text::excerpt;
use crate::model::Abi;

/// The files an ICPC validator may leave in its feedback folder and [`decide`] looks at: to be
/// collected after the run.
pub const FEEDBACK: [&str; 4] = [JUDGE_MESSAGE, TEAM_MESSAGE, SCORE, MULTIPLIER];

const JUDGE_MESSAGE: &str = "judgemessage.txt";
const TEAM_MESSAGE: &str = "teammessage.txt";
const SCORE: &str = "score.txt";
const MULTIPLIER: &str = "score_multiplier.txt";

/// Where a checker finds its files, as paths inside its box.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// Input of the test.
    pub input: &'a str,
    /// Answer of the test.
    pub answer: &'a str,
    /// What the submission wrote; for an interactor of testlib, where it may write. Not used by
    /// an ICPC validator, which reads its standard input.
    pub output: &'a str,
    /// Writable folder for feedback files; used by an ICPC validator only.
    pub feedback: &'a str,
}

/// What a checker decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// Whether the output is right. With a score from 0 to 1 (testlib's `_pc`, CMS) only the full
    /// score is; with testlib's points any above 0.
    pub accepted: bool,
    /// The score, when the checker gave one: 0..=1 for testlib's `_pc` and CMS, as written for
    /// testlib's points and the `score.txt` of ICPC.
    pub score: Option<f64>,
    /// For the jury.
    pub message: Option<String>,
    /// For the author of the submission.
    pub team_message: Option<String>,
}

/// A checker that did not do its job: the judge's failure, never a verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckerFault {
    /// It did not exit by itself.
    #[error("the checker {how}; fix it or raise its limits{said}")]
    Ended {
        /// How it ended, in words.
        how: String,
        /// What it wrote to standard error.
        said: String,
    },
    /// An exit code that is no decision.
    #[error("the checker exited with {code}; the {abi} interface has {expected}{said}")]
    ExitCode {
        /// The code.
        code: i32,
        /// The interface it was called by.
        abi: &'static str,
        /// The codes that are decisions.
        expected: &'static str,
        /// What it wrote to standard error.
        said: String,
    },
    /// A score that is not a number, or out of range.
    #[error("the checker gave the score {score} in {place}; it must be {expected}")]
    Score {
        /// What it gave.
        score: String,
        /// Where.
        place: &'static str,
        /// What it should have given.
        expected: &'static str,
    },
    /// It wrote `score_multiplier.txt`.
    #[error("the checker wrote score_multiplier.txt, which evalX does not read; write score.txt")]
    Multiplier,
    /// A feedback file that could not be read.
    #[error("the checker's feedback file {name:?} was not read")]
    Feedback {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: sandbox::Refused,
    },
}

/// The command line of a checker: `program` (with its own arguments), then what the interface
/// says, then `args`, the arguments of the test. An ICPC validator gets the submission's output
/// on its standard input, the others by name.
#[must_use]
pub fn argv(abi: Abi, program: &[String], files: Files<'_>, args: &[String]) -> Vec<String> {
    let Files { input, answer, output, .. } = files;
    match abi {
        Abi::Icpc => icpc(program, files, args),
        Abi::Testlib => command(program, &[input, output, answer], args),
        Abi::Cms => command(program, &[input, answer, output], args),
    }
}

/// The command line of an interactor, whose standard streams are wired to the submission's.
/// `None` for CMS, which has no such interface.
#[must_use]
pub fn interactor_argv(
    abi: Abi,
    program: &[String],
    files: Files<'_>,
    args: &[String],
) -> Option<Vec<String>> {
    match abi {
        Abi::Icpc => Some(icpc(program, files, args)),
        Abi::Testlib => {
            let Files { input, answer, output, .. } = files;
            Some(command(program, &[input, output, answer], args))
        }
        Abi::Cms => None,
    }
}

/// What the ending of a checker or interactor means. `outcome.files` holds the feedback files
/// of [`FEEDBACK`] that were collected, in any order and folder; one that is missing is no fault.
///
/// # Errors
/// The checker's own failure.
pub fn decide(abi: Abi, outcome: &Outcome) -> Result<Decision, CheckerFault> {
    let Outcome { termination, stdout, stderr, files, .. } = outcome;
    let Termination::Exited(code) = *termination else {
        return Err(CheckerFault::Ended { how: ending(*termination), said: said(stderr) });
    };
    match abi {
        Abi::Icpc => decide_icpc(code, stderr, files),
        Abi::Testlib => decide_testlib(code, stderr),
        Abi::Cms => decide_cms(code, stdout, stderr),
    }
}

fn ending(termination: Termination) -> String {
    let words = match termination {
        Termination::Exited(code) => return format!("exited with {code}"),
        Termination::Signalled(signal) => return format!("was ended by signal {signal}"),
        Termination::CpuLimit => "used more CPU time than granted",
        Termination::WallLimit => "waited until the clock ran out",
        Termination::MemoryLimit => "needed more memory than granted",
        Termination::OutputLimit => "wrote more than granted",
        Termination::ForbiddenCall => "made a forbidden system call",
        Termination::Cancelled => "was withdrawn",
    };
    words.to_owned()
}

fn icpc(program: &[String], files: Files<'_>, args: &[String]) -> Vec<String> {
    // "The feedbackdir must end with a path separator", so that a validator may simply append.
    let feedback = format!("{}/", files.feedback.trim_end_matches('/'));
    command(program, &[files.input, files.answer, &feedback], args)
}

fn command(program: &[String], files: &[&str], args: &[String]) -> Vec<String> {
    let files = files.iter().map(|f| (*f).to_owned());
    program.iter().cloned().chain(files).chain(args.iter().cloned()).collect()
}

fn decide_icpc(
    code: i32,
    stderr: &Captured,
    files: &[Collected],
) -> Result<Decision, CheckerFault> {
    let accepted = match code {
        42 => true,
        43 => false,
        code => {
            let expected = "42 to accept and 43 to reject";
            return Err(CheckerFault::ExitCode { code, abi: "icpc", expected, said: said(stderr) });
        }
    };
    if feedback(files, MULTIPLIER)?.is_some() {
        return Err(CheckerFault::Multiplier);
    }
    let score = match feedback(files, SCORE)? {
        None => None,
        Some(text) => match number(&text) {
            Some(score) if score >= 0.0 => Some(score),
            _ => return Err(bad_score(&text, SCORE, "a number that is not negative")),
        },
    };
    let message = feedback(files, JUDGE_MESSAGE)?;
    Ok(Decision { accepted, score, message, team_message: feedback(files, TEAM_MESSAGE)? })
}

/// The text of a feedback file; `None` when it is missing or blank.
fn feedback(files: &[Collected], name: &str) -> Result<Option<String>, CheckerFault> {
    let Some(file) = files.iter().find(|f| f.path.file_name().is_some_and(|n| n == name)) else {
        return Ok(None);
    };
    match &file.contents {
        Ok(bytes) => Ok(text(bytes)),
        Err(sandbox::Refused::Missing) => Ok(None),
        Err(source) => Err(CheckerFault::Feedback { name: name.to_owned(), source: *source }),
    }
}

fn decide_testlib(code: i32, stderr: &Captured) -> Result<Decision, CheckerFault> {
    let message = text(&stderr.bytes);
    let line = message.as_deref().unwrap_or_default();
    // `_pc(n)` exits with PC_BASE_EXIT_CODE + n, n out of 200, and the base is 0 unless testlib
    // was built for TESTSYS (50): with base 0 only the message tells it from the other codes.
    let partial = match line.strip_prefix("partially correct (").and_then(|l| l.split_once(')')) {
        Some((n, _)) => Some(n.parse::<i32>().ok().filter(|n| (0..=200).contains(n))),
        None if (50..=250).contains(&code) => Some(Some(code - 50)),
        None => None,
    };
    let (accepted, score) = match (partial, code) {
        (Some(Some(n)), _) => (n == 200, Some(f64::from(n) / 200.0)),
        (Some(None), _) => {
            return Err(bad_score(line, "its message", "from 0 to 200"));
        }
        (None, 0) => (true, None),
        // Wrong answer, presentation error, dirt after the answer, unexpected end of file.
        (None, 1 | 2 | 4 | 8) => (false, None),
        (None, 7) => {
            let words = line.strip_prefix("points").unwrap_or(line);
            let word = words.split_ascii_whitespace().next().unwrap_or_default();
            match number(word) {
                Some(points) => (points > 0.0, Some(points)),
                None => return Err(bad_score(word, "its message", "a number after \"points\"")),
            }
        }
        (None, code) => {
            let expected = "0 to accept, 1, 2, 4 and 8 to reject, 7 and 50 to 250 for a score";
            let said = said(stderr);
            return Err(CheckerFault::ExitCode { code, abi: "testlib", expected, said });
        }
    };
    Ok(Decision { accepted, score, message, team_message: None })
}

fn decide_cms(code: i32, stdout: &Captured, stderr: &Captured) -> Result<Decision, CheckerFault> {
    if code != 0 {
        let (expected, said) = ("0 and a score on standard output", said(stderr));
        return Err(CheckerFault::ExitCode { code, abi: "cms", expected, said });
    }
    let first = |bytes: &[u8]| {
        let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
        String::from_utf8_lossy(line).trim().to_owned()
    };
    let outcome = first(&stdout.bytes);
    let Some(score) = number(&outcome).filter(|s| (0.0..=1.0).contains(s)) else {
        return Err(bad_score(&outcome, "the first line of its output", "from 0.0 to 1.0"));
    };
    // Texts that CMS itself translates; the checkers of its tasks write only these names.
    let message = match first(&stderr.bytes).as_str() {
        "" => None,
        "translate:success" => Some("output is correct".to_owned()),
        "translate:partial" => Some("output is partially correct".to_owned()),
        "translate:wrong" => Some("output isn't correct".to_owned()),
        other => Some(other.to_owned()),
    };
    // CMS shows the message to the contestant.
    let team_message = message.clone();
    Ok(Decision { accepted: score >= 1.0, score: Some(score), message, team_message })
}

fn bad_score(score: &str, place: &'static str, expected: &'static str) -> CheckerFault {
    CheckerFault::Score { score: excerpt(score.as_bytes()), place, expected }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

fn text(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The first line of standard error as the end of a message.
fn said(stderr: &Captured) -> String {
    match text(&stderr.bytes).as_deref().and_then(|t| t.lines().next()) {
        Some(line) => format!("; it said {}", excerpt(line.as_bytes())),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use sandbox::{Bytes, Refused, Usage};

    use super::*;

    const FILES: Files<'_> =
        Files { input: "in", answer: "ans", output: "out", feedback: "/w/feedback" };

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    fn ended(termination: Termination, stdout: &str, stderr: &str) -> Outcome {
        let captured = |t: &str| Captured { bytes: t.into(), truncated: false };
        Outcome {
            termination,
            usage: Usage::default(),
            stdout: captured(stdout),
            stderr: captured(stderr),
            files: Vec::new(),
        }
    }

    fn exited(code: i32, stdout: &str, stderr: &str) -> Outcome {
        ended(Termination::Exited(code), stdout, stderr)
    }

    #[test]
    fn each_interface_has_its_order_of_arguments() {
        let (program, args) = (strings(&["/box/check", "own"]), strings(&["-x"]));
        for (abi, words) in [
            (Abi::Icpc, &["/box/check", "own", "in", "ans", "/w/feedback/", "-x"]),
            (Abi::Testlib, &["/box/check", "own", "in", "out", "ans", "-x"]),
            (Abi::Cms, &["/box/check", "own", "in", "ans", "out", "-x"]),
        ] {
            assert_eq!(argv(abi, &program, FILES, &args), strings(words));
            let interactor = interactor_argv(abi, &program, FILES, &args);
            assert_eq!(interactor, (abi != Abi::Cms).then(|| strings(words)));
        }
    }

    #[test]
    fn exit_codes_and_scores_become_decisions() {
        for (abi, outcome, accepted, score) in [
            (Abi::Icpc, exited(42, "", ""), true, None),
            (Abi::Icpc, exited(43, "", ""), false, None),
            (Abi::Testlib, exited(0, "", "ok fine"), true, None),
            (Abi::Testlib, exited(1, "", "wrong answer 1st"), false, None),
            (Abi::Testlib, exited(2, "", ""), false, None),
            (Abi::Testlib, exited(4, "", ""), false, None),
            (Abi::Testlib, exited(8, "", ""), false, None),
            (Abi::Testlib, exited(7, "", "points 3.5 well"), true, Some(3.5)),
            (Abi::Testlib, exited(7, "", "points 0 no"), false, Some(0.0)),
            (Abi::Testlib, exited(100, "", ""), false, Some(0.25)),
            (Abi::Testlib, exited(250, "", ""), true, Some(1.0)),
            (Abi::Testlib, exited(7, "", "partially correct (7) x"), false, Some(0.035)),
            (Abi::Testlib, exited(0, "", "partially correct (0) x"), false, Some(0.0)),
            (Abi::Testlib, exited(200, "", "partially correct (200) x"), true, Some(1.0)),
            (Abi::Cms, exited(0, "1.0\n", "translate:success\n"), true, Some(1.0)),
            (Abi::Cms, exited(0, "0.5\nrest", "half\nrest"), false, Some(0.5)),
            (Abi::Cms, exited(0, "0", ""), false, Some(0.0)),
        ] {
            let decision = decide(abi, &outcome).unwrap();
            assert_eq!((decision.accepted, decision.score), (accepted, score), "{outcome:?}");
        }
    }

    #[test]
    fn what_is_no_decision_is_the_checkers_fault() {
        for (abi, outcome, message) in [
            (
                Abi::Icpc,
                exited(0, "", ""),
                "the checker exited with 0; the icpc interface has 42 to accept and 43 to reject",
            ),
            (
                Abi::Icpc,
                exited(1, "", "Traceback\nmore"),
                "the checker exited with 1; the icpc interface has 42 to accept and 43 to \
                 reject; it said \"Traceback\"",
            ),
            (
                Abi::Icpc,
                ended(Termination::Signalled(11), "", ""),
                "the checker was ended by signal 11; fix it or raise its limits",
            ),
            (
                Abi::Testlib,
                exited(3, "", "FAIL no answer"),
                "the checker exited with 3; the testlib interface has 0 to accept, 1, 2, 4 and 8 \
                 to reject, 7 and 50 to 250 for a score; it said \"FAIL no answer\"",
            ),
            (
                Abi::Testlib,
                exited(7, "", "points many"),
                "the checker gave the score \"many\" in its message; it must be a number after \
                 \"points\"",
            ),
            (
                Abi::Testlib,
                exited(45, "", "partially correct (999) "),
                "the checker gave the score \"partially correct (999)\" in its message; it must \
                 be from 0 to 200",
            ),
            (
                Abi::Cms,
                exited(0, "1.5", ""),
                "the checker gave the score \"1.5\" in the first line of its output; it must be \
                 from 0.0 to 1.0",
            ),
            (
                Abi::Cms,
                exited(1, "1.0", ""),
                "the checker exited with 1; the cms interface has 0 and a score on standard output",
            ),
        ] {
            assert_eq!(decide(abi, &outcome).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn an_icpc_validator_leaves_its_messages_and_score_in_files() {
        let with = |files: &[(&str, Result<&str, Refused>)]| Outcome {
            files: files
                .iter()
                .map(|(path, contents)| Collected {
                    path: path.into(),
                    contents: contents.map(|t| t.as_bytes().to_vec()),
                })
                .collect(),
            ..exited(43, "", "")
        };
        let outcome = with(&[
            ("feedback/score.txt", Ok(" 12.5\n")),
            ("feedback/judgemessage.txt", Ok("line 3\nis bad\n")),
            ("feedback/teammessage.txt", Err(Refused::Missing)),
        ]);
        let decision = Decision {
            accepted: false,
            score: Some(12.5),
            message: Some("line 3\nis bad".to_owned()),
            team_message: None,
        };
        assert_eq!(decide(Abi::Icpc, &outcome), Ok(decision));
        let outcome = with(&[("score.txt", Ok("nan"))]);
        assert!(matches!(decide(Abi::Icpc, &outcome), Err(CheckerFault::Score { .. })));
        let outcome = with(&[("score_multiplier.txt", Ok("0.5"))]);
        assert_eq!(decide(Abi::Icpc, &outcome), Err(CheckerFault::Multiplier));
        let refused = Refused::TooLarge { max: Bytes(1) };
        let outcome = with(&[("judgemessage.txt", Err(refused))]);
        assert!(matches!(decide(Abi::Icpc, &outcome), Err(CheckerFault::Feedback { .. })));
    }
}
