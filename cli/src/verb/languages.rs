//! `evalx languages`: what this machine can judge.

use judge::language::{Host, Language, Table, Toolchain};
use sandbox::Cancel;
use serde::Serialize;

use crate::args::{Format, Machine};
use crate::engine::Station;
use crate::exit::{Exit, Failure};
use crate::output::{self, DIM, Voice, styled};
use crate::report;

/// List the languages, their toolchains and their aliases
///
/// Examples:
///   evalx languages
///   evalx languages --all
///   evalx languages -o json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// List also what is not available here, with the reason
    #[arg(long, short)]
    all: bool,
    /// How the list is printed
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    machine: Machine,
}

/// A language on this machine.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// Stable id.
    pub(crate) id: String,
    name: String,
    /// The first line of what the toolchain says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// Why it cannot be judged here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unavailable: Option<String>,
    aliases: Vec<String>,
}

impl Row {
    /// Whether it can be judged here, as far as is known without an engine.
    pub(crate) fn available(&self) -> bool {
        self.unavailable.is_none()
    }
}

/// Lists.
pub(crate) fn run(args: &Args, voice: Voice) -> Result<Exit, Failure> {
    let Args { all, format, machine } = args;
    let table = machine.table()?;
    let station = machine.open(&table, voice);
    if let Err(failure) = &station {
        voice.note(&output::clean(&format!("versions are unknown: {}", failure.line())));
    }
    let rows = rows(machine, &table, station.as_ref().ok());
    let hidden = rows.iter().filter(|r| !r.available()).count();
    let shown: Vec<Row> = rows.into_iter().filter(|r| *all || r.available()).collect();
    match format {
        Format::Json => output::json(&shown)?,
        Format::Table => {
            output::stdout(&show(&shown))?;
            if hidden > 0 && !all {
                let more = "more cannot be judged here: `evalx languages --all` says why";
                voice.note(&format!("{hidden} {more}"));
            }
        }
    }
    Ok(Exit::Ok)
}

/// Looks every language up on this machine; a version needs a station to ask in.
pub(crate) fn rows(machine: &Machine, table: &Table, station: Option<&Station>) -> Vec<Row> {
    let host = machine.config().host;
    table.iter().map(|language| row(language, &host, station)).collect()
}

fn row(language: &Language, host: &Host, station: Option<&Station>) -> Row {
    let (mut version, mut unavailable) = (None, None);
    match language.locate(host) {
        Err(error) => unavailable = Some(output::chain(&error)),
        Ok(toolchain) => match station.map(|s| ask(&toolchain, s)) {
            Some(Ok(found)) => version = Some(found),
            Some(Err(error)) => unavailable = Some(error),
            None => {}
        },
    }
    let Language { id, name, aliases, .. } = language;
    Row { id: id.clone(), name: name.clone(), version, unavailable, aliases: aliases.clone() }
}

/// Asked for in a box, or remembered.
fn ask(toolchain: &Toolchain, station: &Station) -> Result<String, String> {
    let cancel = Cancel::new().map_err(|error| output::chain(&error))?;
    station.judge.version(toolchain, &cancel).map_err(|error| output::chain(&error))
}

fn show(rows: &[Row]) -> String {
    let mut table = report::empty(&["id", "name", "version", "aliases"]);
    for Row { id, name, version, unavailable, aliases } in rows {
        let state = match (version, unavailable) {
            (Some(version), _) => number(version).to_owned(),
            (None, Some(reason)) => styled(DIM, reason),
            (None, None) => String::new(),
        };
        // Judge0's ids are many and mean nothing to a reader; `-o json` has them.
        let words = aliases.iter().filter(|a| a.parse::<u32>().is_err());
        let words = words.map(String::as_str).collect::<Vec<_>>().join(" ");
        table.add_row([id.clone(), name.clone(), state, words]);
    }
    report::trimmed(&table)
}

/// The number in a toolchain's version line: the first one with a dot, else the first.
fn number(version: &str) -> &str {
    let part = |c: char| c.is_ascii_digit() || c == '.';
    let numbers = || {
        let runs = version.split(|c| !part(c)).map(|run| run.trim_matches('.'));
        runs.filter(|run| !run.is_empty())
    };
    numbers().find(|run| run.contains('.')).or_else(|| numbers().next()).unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_in_what_toolchains_say() {
        for (line, expected) in [
            ("g++ (Debian 12.2.0-14+deb12u1) 12.2.0", "12.2.0"),
            ("go version go1.26.8 linux/amd64", "1.26.8"),
            ("This is perl 5, version 36, subversion 0 (v5.36.0) built for", "5.36.0"),
            ("GNU bash, version 5.2.15(1)-release", "5.2.15"),
            ("Erlang/OTP 25", "25"),
            ("Version 4.8.4.", "4.8.4"),
            ("none", "none"),
        ] {
            assert_eq!(number(line), expected);
        }
    }
}
