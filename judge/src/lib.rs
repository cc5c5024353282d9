//! From a submission to a report: languages as data, compile, run, check, verdict.
#![forbid(unsafe_code)]

pub mod archive;
mod batch;
mod cache;
pub mod checker;
mod doubt;
#[cfg(test)]
mod fake;
mod interactive;
pub mod language;
pub mod model;
pub mod problem;
mod quiet;
mod rules;
mod slots;
mod status;
mod validate;
pub mod yaml;

pub use batch::{Config, Error, Event, Judge, Observer, check, check_form};
pub use cache::CacheError;
pub use slots::{Held, Slots};
pub use validate::{Invalid, Reason};
