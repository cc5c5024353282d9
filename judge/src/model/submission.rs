//! What is submitted.

use std::time::Duration;

use sandbox::{Bytes, Limits};
use serde::{Deserialize, Serialize};

use super::Blob;

/// A program and the tests to run it on.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Id or alias of a language of the table.
    pub language: String,
    /// Source files; at least one.
    pub files: Vec<SourceFile>,
    /// The file (or class) that starts; default: the first file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Arguments for the program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The tests, in the order in which they are reported.
    pub tests: Vec<Test>,
    /// Limits of each test; what is absent has its default.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// How output becomes a verdict.
    #[serde(default)]
    pub checker: Checker,
    /// Whether to go on after a test that is not accepted.
    #[serde(default)]
    pub stop: StopRule,
    /// What few submissions ask for.
    #[serde(default, skip_serializing_if = "Extras::is_none")]
    pub extras: Extras,
}

/// What few submissions ask for: Judge0's wire has it.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extras {
    /// Options for the compiler, after its own; only for languages whose command takes some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compiler_options: Vec<String>,
    /// Files beside the sources. They are there when it is compiled, though the compiler is not
    /// given their names, and in the working folder of each run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<ExtraFile>,
    /// Whether standard error goes to where standard output goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merge_stderr: bool,
}

impl Extras {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// One file beside the sources.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraFile {
    /// A plain relative path.
    pub name: String,
    /// What it holds.
    pub contents: Blob,
    /// Whether it may be executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

/// One source file.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    /// A plain relative path.
    pub name: String,
    /// What it holds.
    pub contents: Blob,
}

/// One test.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// Shown in the report.
    #[serde(default)]
    pub name: String,
    /// Standard input of the program.
    pub input: Blob,
    /// What the checker compares with; absent: any output is accepted (a plain run).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Blob>,
    /// Its share of the score. Default 1.
    #[serde(default = "one")]
    pub weight: f64,
    /// The group it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Arguments for the program in this test, after those of the submission.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Arguments of the checker for this test, after its own; of `tokens` the flags of the ICPC
    /// default validator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checker_args: Vec<String>,
}

fn one() -> f64 {
    1.0
}

/// Limits as a user writes them.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsSpec {
    /// CPU time of one test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Clock time of one test; default: twice the CPU time and a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u64>,
    /// Memory of one test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Stack of the main thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_bytes: Option<u64>,
    /// Largest file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_size_bytes: Option<u64>,
    /// Standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// Open files a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u32>,
    /// Files and folders in the writable directories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inodes: Option<u32>,
    /// Bytes in the writable directories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
}

impl LimitsSpec {
    /// These, and from `others` what is absent here.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        let Self {
            cpu_ms,
            wall_ms,
            memory_bytes,
            processes,
            stack_bytes,
            file_size_bytes,
            output_bytes,
            open_files,
            inodes,
            disk_bytes,
        } = self;
        Self {
            cpu_ms: cpu_ms.or(others.cpu_ms),
            wall_ms: wall_ms.or(others.wall_ms),
            memory_bytes: memory_bytes.or(others.memory_bytes),
            processes: processes.or(others.processes),
            stack_bytes: stack_bytes.or(others.stack_bytes),
            file_size_bytes: file_size_bytes.or(others.file_size_bytes),
            output_bytes: output_bytes.or(others.output_bytes),
            open_files: open_files.or(others.open_files),
            inodes: inodes.or(others.inodes),
            disk_bytes: disk_bytes.or(others.disk_bytes),
        }
    }

    /// These limits over `base`.
    #[must_use]
    pub fn over(&self, base: Limits) -> Limits {
        let Self {
            cpu_ms,
            wall_ms,
            memory_bytes,
            processes,
            stack_bytes,
            file_size_bytes,
            output_bytes,
            open_files,
            inodes,
            disk_bytes,
        } = self;
        let cpu = cpu_ms.map_or(base.cpu, Duration::from_millis);
        let wall = match (wall_ms, cpu_ms) {
            (Some(ms), _) => Duration::from_millis(*ms),
            (None, Some(_)) => (cpu * 2).saturating_add(Duration::from_secs(1)),
            (None, None) => base.wall,
        };
        Limits {
            cpu,
            wall,
            memory: memory_bytes.map_or(base.memory, Bytes),
            processes: processes.unwrap_or(base.processes),
            stack: stack_bytes.map(Bytes).or(base.stack),
            file_size: file_size_bytes.map_or(base.file_size, Bytes),
            output: output_bytes.map_or(base.output, Bytes),
            stderr: base.stderr,
            open_files: open_files.unwrap_or(base.open_files),
            inodes: inodes.unwrap_or(base.inodes),
            disk: disk_bytes.map_or(base.disk, Bytes),
        }
    }
}

/// Whether to go on after a test that is not accepted.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopRule {
    /// Run every test. The default.
    #[default]
    RunAll,
    /// Stop at the first test, in order, that is not accepted; later ones are `SKIPPED`.
    FirstFailure,
}

/// How output becomes a verdict.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Checker {
    /// Byte for byte.
    Exact,
    /// Line by line without the white space at the end of lines and of the file: Judge0's rule.
    /// The default.
    #[default]
    Lines,
    /// Token by token, with the flags of the ICPC default validator.
    Tokens(Tokens),
    /// A program that reads the output and decides.
    Custom {
        /// How it is called and answers.
        abi: Abi,
        /// The program.
        program: Program,
    },
    /// A program that talks with the submission through pipes and decides.
    Interactive {
        /// How it is called and answers; `icpc` or `testlib`.
        abi: Abi,
        /// The program.
        program: Program,
    },
}

/// Flags of the ICPC default validator.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Whether `A` and `a` differ.
    #[serde(default)]
    pub case_sensitive: bool,
    /// Whether the white space between tokens must be the same.
    #[serde(default)]
    pub space_change_sensitive: bool,
    /// Numbers may differ by this much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub float_absolute: Option<f64>,
    /// Numbers may differ by this share of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub float_relative: Option<f64>,
}

/// How a checker or interactor is called and how it answers.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Abi {
    /// `validator input answer feedback_dir < output`; exit 42 accepts, 43 rejects.
    Icpc,
    /// `checker input output answer`; exit 0 accepts, 1 and 2 reject, 7 scores.
    Testlib,
    /// `checker input answer output`; a score from 0.0 to 1.0 on standard output.
    Cms,
}

/// A checker's or interactor's program, compiled and run in a box like any other.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Id or alias of a language of the table.
    pub language: String,
    /// Source files.
    pub files: Vec<SourceFile>,
    /// The file that starts; default: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Arguments before those of a test.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Its own limits.
    #[serde(default)]
    pub limits: LimitsSpec,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_is_named() {
        let json = r#"{"language":"c","files":[],"tests":[],"limits":{"cpu":1}}"#;
        let err = serde_json::from_str::<Submission>(json).unwrap_err().to_string();
        assert!(err.contains("unknown field `cpu`") && err.contains("cpu_ms"), "{err}");
    }

    #[test]
    fn the_clock_follows_the_cpu_limit_unless_said_otherwise() {
        let spec = LimitsSpec { cpu_ms: Some(3000), ..LimitsSpec::default() };
        assert_eq!(spec.over(Limits::default()).wall, Duration::from_secs(7));
        let spec = LimitsSpec { wall_ms: Some(5), ..spec };
        assert_eq!(spec.over(Limits::default()).wall, Duration::from_millis(5));
    }
}
