//! What the environment says, before the command line is read.

use std::ffi::OsString;

use clap::builder::{OsStr, Resettable};
use clap::{Arg, Command};

/// Variables that go before another one, which may be meant for a neighbour, too.
const BEFORE: [(&str, &str); 1] = [("EVALX_REDIS", "REDIS_URL")];

/// The command line as this environment completes it. A variable that is empty is as good as
/// absent: compose files and charts write those.
pub(crate) fn environed(command: Command, env: &impl Fn(&str) -> Option<OsString>) -> Command {
    let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
    let empty = |name: &str| env(name).is_some_and(|value| value.is_empty());
    command.mut_subcommands(|verb| {
        verb.mut_args(|arg| {
            let Some(name) = variable(&arg) else { return arg };
            match BEFORE.iter().find(|(before, after)| *after == name && set(before)) {
                Some((before, _)) => arg.env(before),
                None if empty(&name) => arg.env(Resettable::<OsStr>::Reset),
                None => arg,
            }
        })
    })
}

/// The variable behind a flag.
fn variable(arg: &Arg) -> Option<String> {
    arg.get_env().and_then(|name| name.to_str()).map(str::to_owned)
}
