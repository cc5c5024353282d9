//! From a submission to a report: languages as data, compile, run, check, verdict.
#![forbid(unsafe_code)]

pub mod checker;
pub mod model;
pub mod yaml;
