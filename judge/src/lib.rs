//! From a submission to a report: languages as data, compile, run, check, verdict.
#![forbid(unsafe_code)]

pub mod model;
pub mod yaml;
