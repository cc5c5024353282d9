//! The verbs, one file each.

pub(crate) mod calibrate;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod judge;
pub(crate) mod languages;
pub(crate) mod man;
pub(crate) mod queue;
pub(crate) mod run;
pub(crate) mod server;
pub(crate) mod submit;
pub(crate) mod up;
pub(crate) mod verify;
pub(crate) mod watch;
pub(crate) mod worker;
pub(crate) mod workers;

use crate::args::{Cli, Verb};
use crate::exit::Exit;
use crate::output::{self, Voice};

/// Runs what was asked for; what went wrong is printed here, once.
pub(crate) fn run(cli: Cli) -> Exit {
    let Cli { manners, verb } = cli;
    let voice = Voice::new(manners);
    let result = match verb {
        Verb::Judge(args) => judge::run(&args, voice),
        Verb::Verify(args) => verify::run(&args, voice),
        Verb::Run(args) => run::run(*args, voice),
        Verb::Up(args) => up::run(&args, voice),
        Verb::Server(args) => server::run(&args),
        Verb::Worker(args) => worker::run(*args, voice),
        Verb::Submit(args) => submit::run(&args, voice),
        Verb::Watch(args) => watch::run(&args, voice),
        Verb::Queue(args) => queue::run(&args, voice),
        Verb::Workers(args) => workers::run(&args, voice),
        Verb::Languages(args) => languages::run(&args, voice),
        Verb::Doctor(args) => doctor::run(&args, voice),
        Verb::Calibrate(args) => calibrate::run(&args, voice),
        Verb::Config(args) => config::run(&args, voice),
        Verb::Completions(args) => completions::run(args),
        Verb::Man(args) => man::run(args),
    };
    result.unwrap_or_else(|failure| output::failure(&failure))
}
