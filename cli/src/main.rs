//! evalX on the command line.
#![forbid(unsafe_code)]

mod args;
mod calibrate;
mod cases;
mod checker;
mod client;
mod config;
#[cfg(test)]
mod documents;
mod engine;
mod exit;
mod follow;
mod interrupt;
mod limits;
mod link;
mod logs;
mod output;
mod package;
mod problems;
mod progress;
mod report;
mod results;
mod service;
mod source;
mod submission;
mod units;
mod verb;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: the native engine starts this binary again as the agent of a slot.
    sandbox::agent::enter_if_asked();
    args::parse(std::env::args_os()).map_or_else(|exit| exit, verb::run).into()
}
