//! What is reported.

use serde::{Deserialize, Serialize};

use super::{Blob, Verdict};

/// All that is known of a judged submission.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of the whole submission: that of the first test, in order, that is not accepted; `IE` when
    /// the judge failed on any test that counts.
    pub verdict: Verdict,
    /// Share of the weights, or what the problem's grading says; absent when it did not compile
    /// or the judge failed.
    pub score: Option<f64>,
    /// Position in `tests` of the first test that is not accepted.
    pub first_failure: Option<usize>,
    /// Language id, resolved.
    pub language: String,
    /// What each test was granted, with what the language is granted over what was asked for;
    /// absent when it was not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Granted>,
    /// Version of its toolchain.
    pub toolchain: String,
    /// `native` or `isolate`.
    pub engine: String,
    /// The compilation; absent for languages without one.
    pub compile: Option<CompileReport>,
    /// One entry a test, in the order of the submission.
    pub tests: Vec<TestReport>,
    /// Why the judge failed, when the verdict is `IE`.
    pub error: Option<String>,
    /// Clock time by stage; run and check are sums over tests that ran side by side.
    pub times: StageTimes,
}

/// Limits that tests were judged under.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// CPU time of all processes of a test.
    pub cpu_ms: u64,
    /// Clock time.
    pub wall_ms: u64,
    /// Memory of all processes together, with the files they write.
    pub memory_bytes: u64,
}

/// What a report is counted under: its verdict, and its language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The submission's verdict.
    pub verdict: Verdict,
    /// The language's id.
    pub language: String,
}

impl Tally {
    /// As one word.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { verdict, language } = self;
        format!("{verdict}/{language}")
    }

    /// From one word; `None` when another version has written it.
    #[must_use]
    pub fn decode(word: &str) -> Option<Self> {
        let (verdict, language) = word.split_once('/')?;
        let verdict = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(verdict);
        let verdict = Verdict::deserialize(verdict).ok()?;
        Some(Self { verdict, language: language.to_owned() })
    }
}

impl Report {
    /// What it is counted under.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally { verdict: self.verdict, language: self.language.clone() }
    }
}

/// The compilation.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompileReport {
    /// Whether it succeeded.
    pub ok: bool,
    /// Whether the artefact came from the cache.
    pub cached: bool,
    /// What the compiler wrote, capped.
    pub output: Blob,
    /// Whether more came than was kept.
    pub output_truncated: bool,
    /// How it ended, in words.
    pub status: String,
    /// CPU time.
    pub cpu_ms: f64,
    /// Peak memory.
    pub memory_bytes: u64,
}

impl CompileReport {
    /// Whether the compiler took longer than it may.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        use sandbox::Termination::{CpuLimit, WallLimit};
        [CpuLimit, WallLimit].into_iter().any(|limit| self.status == crate::status::words(limit))
    }
}

/// One test.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestReport {
    /// Name of the test.
    pub name: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// What the checker gave, if it gives scores; without one an accepted test counts as 1, any
    /// other as 0.
    pub score: Option<f64>,
    /// CPU time of the program.
    pub cpu_ms: f64,
    /// Clock time of the program.
    pub wall_ms: f64,
    /// Peak memory of the box.
    pub memory_bytes: u64,
    /// Exit code, when it exited.
    pub exit_code: Option<i32>,
    /// Signal, when one ended it.
    pub signal: Option<i32>,
    /// How it ended, in words, when it did not exit with 0.
    pub status: Option<String>,
    /// What the checker says to the jury.
    pub message: Option<String>,
    /// What the checker says to the author of the submission.
    pub team_message: Option<String>,
    /// Standard output, capped.
    pub stdout: Blob,
    /// Whether more came than was kept here.
    pub stdout_truncated: bool,
    /// Standard error, capped.
    pub stderr: Blob,
    /// Whether more came than was kept here.
    pub stderr_truncated: bool,
    /// Clock time by stage.
    pub times: TestTimes,
    /// What the machine took from it while it ran; absent when it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// When its time was in doubt, and it was run again because of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
}

/// What the machine took from a test while it ran; null where it does not count that.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Pressure {
    /// Times the program gave up the CPU by itself.
    pub switches_voluntary: u64,
    /// Times the CPU was taken from it.
    pub switches_forced: u64,
    /// Time that the hypervisor took, of all CPUs that the worker may use together; in steps of
    /// 10 ms.
    pub steal_ms: Option<f64>,
    /// Time that whoever `stall_of` names was ready to run and had no CPU.
    pub stall_ms: Option<f64>,
    /// Whose time that is.
    pub stall_of: Option<StallOf>,
    /// Time that whoever `disk_of` names waited for a disk.
    #[serde(default)]
    pub disk_ms: Option<f64>,
    /// Whose time that is.
    #[serde(default)]
    pub disk_of: Option<StallOf>,
    /// How late whoever watched it got to look, at most.
    #[serde(default)]
    pub late_ms: Option<f64>,
}

/// Whose stall it is.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StallOf {
    /// The box: something of it waited for that and nothing of it ran.
    Box,
    /// Anybody on the machine, where boxes have no account of their own (control groups v1).
    Machine,
}

/// A test whose time was in doubt: near a limit, on a machine that took much from it.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Again {
    /// What the machine took from its first run, in words.
    pub because: String,
    /// The run of the two that is not reported; null when it ran once, since the machine did not
    /// come to rest or too much was run again already.
    pub other: Option<OtherRun>,
}

/// A run that is not reported.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OtherRun {
    /// The verdict it would have had.
    pub verdict: Verdict,
    /// CPU time of the program.
    pub cpu_ms: f64,
    /// Clock time of the program.
    pub wall_ms: f64,
}

/// Clock time of a submission by stage.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StageTimes {
    /// Compiling, or finding the artefact in the cache.
    pub compile_ms: f64,
    /// Waiting for slots and preparing boxes.
    pub set_up_ms: f64,
    /// Running the program.
    pub run_ms: f64,
    /// Comparing, or running the checker.
    pub check_ms: f64,
    /// From taking the submission to the report.
    pub total_ms: f64,
}

/// Clock time of a test by stage.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TestTimes {
    /// Waiting for a slot and preparing the box.
    pub set_up_ms: f64,
    /// Running the program.
    pub run_ms: f64,
    /// Comparing, or running the checker.
    pub check_ms: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_report_is_counted_under_is_read_again() {
        let tally = Tally { verdict: Verdict::WrongAnswer, language: "c/17".to_owned() };
        assert_eq!(tally.encode(), "WA/c/17");
        assert_eq!(Tally::decode("WA/c/17"), Some(tally));
        assert_eq!((Tally::decode("WA"), Tally::decode("XX/c")), (None, None));
    }
}
