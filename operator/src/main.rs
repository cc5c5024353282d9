//! `evalx-operator`: parses, logs, runs.
#![forbid(unsafe_code)]

use std::io::Write as _;

use anyhow::Context as _;
use operator::args::{self, Cli, RunArgs, Verb};
use operator::{crd, log, run, yaml};

fn main() -> anyhow::Result<()> {
    let Cli { verb, run } = args::parse(std::env::args_os()).unwrap_or_else(|slip| slip.exit());
    match verb {
        None => start(run),
        Some(Verb::Run(args)) => start(*args),
        Some(Verb::Crd) => {
            let text = yaml::write(&crd::definition())?;
            std::io::stdout().write_all(text.as_bytes()).context("standard output")
        }
    }
}

fn start(args: RunArgs) -> anyhow::Result<()> {
    log::init(args.log_format, args.log.clone());
    run::run(args)?;
    Ok(())
}
