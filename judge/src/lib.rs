//! From a submission to a report: languages as data, compile, run, check, verdict.
#![forbid(unsafe_code)]

mod cache;
pub mod checker;
pub mod language;
pub mod model;
mod rules;
mod slots;
mod status;
pub mod yaml;

pub use slots::{Held, Slots};
