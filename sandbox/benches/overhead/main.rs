//! The figures of SPEC.md about boxes, from one run and in turns, so that a machine that drifts drifts
//! for all: a program run bare (`posix_spawn` and wait), in the native engine, by evalx's own service,
//! by isolate and by go-judge; then what a box takes and how fast it ends. `cargo bench -p sandbox`.
//!
//! Prints the table with its limits and keeps it as JSON in `target/bench/sandbox.json`, or where
//! `EVALX_BENCH_JSON` says. `-- ends idle`: these parts alone.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod boxes;
mod ends;
mod http;
mod idle;
mod lab;
mod programs;
mod rivals;
mod samples;
mod service;
mod table;

use lab::Lab;
use table::Table;

type Part = (&'static str, fn(&Lab, &mut Table));

const PARTS: [Part; 5] = [
    ("boxes", boxes::measure),
    ("guests", boxes::guests),
    ("rivals", rivals::measure),
    ("idle", idle::measure),
    ("ends", ends::measure),
];

fn main() {
    sandbox::agent::enter_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|arg| arg == "--test") {
        return;
    }
    let lab = match Lab::open() {
        Ok(lab) => lab,
        Err(error) => {
            println!("the native engine is not possible here: {error}");
            return;
        }
    };
    let mut table = Table::new();
    let all = arguments.iter().all(|arg| arg.starts_with('-'));
    for (name, part) in PARTS {
        if all || arguments.iter().any(|arg| arg == name) {
            part(&lab, &mut table);
        }
    }
    drop(lab);
    table.finish();
}
