//! The model: what is submitted and what is reported. One definition for the command line, the
//! job on the queue and the HTTP answer. On the wire, times are milliseconds (`_ms`) and sizes
//! bytes; an unknown field in anything a user writes is an error that names it.

mod blob;
mod report;
mod submission;
mod task;
mod verdict;
mod worker;

pub use blob::{Blob, BlobError};
pub use report::{
    Again, CompileReport, Granted, OtherRun, Pressure, Report, StageTimes, StallOf, Tally,
    TestReport, TestTimes,
};
pub use submission::{
    Abi, Checker, ExtraFile, Extras, LimitsSpec, Program, SourceFile, StopRule, Submission, Test,
    Tokens,
};
pub use task::{Answer, Judged, Refusal, Task, TaskError, encode_step};
pub use verdict::Verdict;
pub use worker::WorkerFacts;
