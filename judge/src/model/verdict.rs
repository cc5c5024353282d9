//! The verdicts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What evalX says of a test, or of a whole submission.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// Accepted.
    #[serde(rename = "AC")]
    Accepted,
    /// Wrong answer.
    #[serde(rename = "WA")]
    WrongAnswer,
    /// More CPU time than granted.
    #[serde(rename = "TLE")]
    TimeLimit,
    /// The clock ran out while the CPU was idle.
    #[serde(rename = "ILE")]
    IdlenessLimit,
    /// More memory than granted.
    #[serde(rename = "MLE")]
    MemoryLimit,
    /// More output than granted.
    #[serde(rename = "OLE")]
    OutputLimit,
    /// An exit code other than 0, a signal, or a forbidden system call.
    #[serde(rename = "RE")]
    RuntimeError,
    /// The compiler refused it.
    #[serde(rename = "CE")]
    CompileError,
    /// Not run: an earlier test had decided, or the submission was cancelled.
    #[serde(rename = "SKIPPED")]
    Skipped,
    /// The judge failed; says nothing of the submission. The job layer retries it.
    #[serde(rename = "IE")]
    InternalError,
}

impl Verdict {
    /// The short name, as on the wire.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Accepted => "AC",
            Self::WrongAnswer => "WA",
            Self::TimeLimit => "TLE",
            Self::IdlenessLimit => "ILE",
            Self::MemoryLimit => "MLE",
            Self::OutputLimit => "OLE",
            Self::RuntimeError => "RE",
            Self::CompileError => "CE",
            Self::Skipped => "SKIPPED",
            Self::InternalError => "IE",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}
