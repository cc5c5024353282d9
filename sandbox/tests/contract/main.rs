//! The contract of a sandbox: hostile and plain programs, each with its expected outcome, run
//! against both engines.
//!
//! A case is one C file below `cases/` with its expectations in its head comment ([`header`]), or
//! a function below [`scenarios`] where a header does not say enough. After each the
//! [`invariants`] are checked. Cases run one after the other, because the invariants are about
//! this whole process and the expectations about time.

#![forbid(unsafe_code)]

mod attacks;
mod board;
mod cases;
mod engines;
mod expect;
mod header;
mod header_trials;
mod invariants;
mod machine;
mod programs;
mod rig;
mod scenarios;
mod suite;
mod victim;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    sandbox::agent::enter_if_asked();
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some(victim::MODE), None) => return victim::main(),
        (Some(programs::MODE), Some(folder)) => return programs::main(folder.as_ref()),
        _ => {}
    }
    suite::main(Arguments::from_args())
}
