//! `evalx man`: the manual pages.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::output;

/// Print the manual page, or write all of them to a folder
///
/// Examples:
///   evalx man | man -l -
///   evalx man /usr/local/share/man/man1
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Where evalx.1 and one page a verb go; made when it is not there
    dir: Option<PathBuf>,
}

/// Writes the pages.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let Args { dir } = args;
    let mut root = Cli::command();
    // Fills in what sub-commands inherit, global flags among them.
    root.build();
    let Some(dir) = dir else {
        output::stdout_bytes(&page(root)?)?;
        return Ok(Exit::Ok);
    };
    let at = || format!("cannot write manual pages to {dir:?}");
    fs::create_dir_all(&dir).with_context(at).map_err(Failure::usage)?;
    let mut commands = vec![root];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands().cloned());
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let file = dir.join(format!("{name}.1"));
        fs::write(&file, page(command)?).with_context(at).map_err(Failure::usage)?;
    }
    Ok(Exit::Ok)
}

fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let man = Man::new(command).source(concat!("evalx ", env!("CARGO_PKG_VERSION")));
    man.render(&mut page).context("cannot write a manual page").map_err(Failure::judge)?;
    Ok(page)
}
