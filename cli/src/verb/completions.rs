//! `evalx completions`: the script that completes evalx in a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::output;

/// Print a completion script for a shell
///
/// Examples:
///   evalx completions bash > /usr/share/bash-completion/completions/evalx
///   evalx completions zsh  > ~/.zfunc/_evalx
///   evalx completions fish > ~/.config/fish/completions/evalx.fish
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let Args { shell } = args;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "evalx", &mut script);
    output::stdout_bytes(&script)?;
    Ok(Exit::Ok)
}
